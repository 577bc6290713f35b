"""Checks of what users hand in; each refusal is one sentence."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import issparse
from sklearn.utils.validation import check_array, validate_data

from isthmus.errors import DataError, require
from isthmus.sources import BatchRows, Source, is_source, opened, whole
from isthmus.sources.arrays import mapped, rows_of
from isthmus.sources.iterables import is_batches
from isthmus.sources.protocol import check_finite
from isthmus.sources.tables import (
    HeldTable,
    MixedTable,
    Reader,
    StreamedTable,
    TableRows,
    learned,
    mixed_stream,
    mixed_table,
    refusal,
    table_of,
)
from isthmus.tables import TableSchema, frame_of, is_table, kinds_of


def checked_rows(estimator: Any, X: Any, *, reset: bool) -> NDArray:
    """Give X as an array in memory, in its own type and without a copy where it is one already.

    Parameters and errors are those of `checked_source`.
    """
    return whole(checked_source(estimator, X, reset=reset))


def checked_source(estimator: Any, X: Any, *, reset: bool) -> Source:
    """Give the source that X stands for; numbers keep their type, what is no array yet is not copied.

    Parameters
    ----------
    estimator : estimator
        With ``reset`` it learns the number and names of the columns, without X must agree with them.
    X : object
        Rows, of any kind that `isthmus.sources` knows.
    reset : bool
        Whether this is a fit: an iterable of batches is then read once to count its rows.

    Raises
    ------
    DataError
        If a cell is infinite, or the shape differs from the fitted one, but for the one channel of grey images.
    ValueError
        As scikit-learn does for anything else that is no array of numbers.
    """
    X = opened(X)
    table = None if reset else estimator.schema_.table
    mixed = _mixed(X, reset, table)
    if mixed is not None:
        return _cells(estimator, mixed, table)
    if table is not None and (not is_source(X) or table_of(X) != table):
        raise DataError(refusal(table, X))
    X = X.like if isinstance(X, HeldTable) else X
    if is_source(X):
        source: Source = X
        _check_columns(estimator, source, reset)
    elif is_batches(X):
        batches = BatchRows(X, _reader_of_batches(estimator, reset))
        if not reset:
            batches.row_shape = estimator.schema_.row_shape
            return batches
        source = batches.counted()
    else:
        source = rows_of(_array_of(estimator, X, reset), outside=mapped(X) is not None)
    if source.dtype.kind not in "biuf":
        raise DataError(f"X must be numbers; got {source.dtype}")
    if len(source.row_shape) > 3:
        dimensions = len(source.row_shape) + 1
        raise DataError(f"X must have 2 to 4 dimensions (rows, or images with or without channels); got {dimensions}")
    shape = source.row_shape
    if not reset and estimator.schema_.row_shape not in (shape, (*shape, 1) if len(shape) == 2 else shape):
        raise DataError(_shape_differs((len(source), *shape), estimator.schema_.row_shape))
    return source


def _mixed(X: Any, reset: bool, table: TableSchema | None) -> MixedTable | None:
    """Give the mixed table that X is; for a model that was fitted on one any data frame is, for another none."""
    if is_source(X):
        return None
    if reset:
        return mixed_table(X) or (mixed_stream(X) if is_batches(X) else None)
    if table is not None:
        if is_table(X):
            return HeldTable(X)
        return StreamedTable(X, None) if is_batches(X) else mixed_table(X)
    found = X if is_table(X) else getattr(mixed_table(X), "like", None)
    if found is not None:
        frame = frame_of(found)
        kinds = kinds_of(frame)
        if "category" in kinds:
            name = frame.columns[kinds.index("category")]
            raise DataError(f"column {name!r} of X must be numbers, as in the fit; got text or categories")
    return None


def _cells(estimator: Any, mixed: MixedTable, table: TableSchema | None) -> Source:
    """Give the cells of a mixed table; without what was fitted, its columns are learned."""
    if mixed.like is not None:
        validate_data(estimator, mixed.like, reset=table is None, skip_check_array=True)
    reset = table is None
    table = table or learned(mixed, estimator.max_categories)
    source = mixed.source(Reader(table, estimator.handle_unknown), counted=reset)
    if not len(source) and not isinstance(mixed, StreamedTable):
        raise DataError("X has 0 rows, while at least one is needed")
    return TableRows(source, table)


def _array_of(estimator: Any, X: Any, reset: bool) -> Any:
    """Check an array, a sparse matrix, a tensor, a table or nested lists as scikit-learn does."""
    if hasattr(X, "detach"):
        X = X.detach().cpu()
        X = (X.float() if str(X.dtype) == "torch.bfloat16" else X).numpy()
    if isinstance(X, list | tuple):
        X = np.asarray(X)
    _refuse_what_no_network_takes(X)
    options: dict[str, Any] = {"dtype": "numeric", "allow_nd": True, "ensure_all_finite": False, "accept_sparse": "csr"}
    of_images = hasattr(estimator, "module_") and len(estimator.schema_.row_shape) > 1
    images = getattr(X, "ndim", 2) > 2
    if not images and (reset or not of_images):
        return validate_data(estimator, X, reset=reset, **options)
    array = check_array(X, estimator=estimator, **options)
    if reset:
        validate_data(estimator, array.reshape(len(array), -1)[:1], reset=True)
    return array


def _refuse_what_no_network_takes(X: Any) -> None:
    """Refuse complex numbers, and columns that cannot be told apart."""
    if getattr(getattr(X, "dtype", None), "kind", "") == "c":
        raise DataError("X: Complex data not supported; give real and imaginary parts as columns of their own")
    names = getattr(X, "column_names", getattr(X, "columns", ()))
    twice = [name for name, count in Counter(map(str, names)).items() if count > 1]
    if twice:
        raise DataError(f"X has several columns named {twice[0]!r}; give each column a name of its own")


def _reader_of_batches(estimator: Any, reset: bool) -> Callable[[Any], NDArray]:
    """Make what turns batches into arrays; the first one of a fit says which columns there are."""
    begun = not reset

    def read(batch: Any) -> NDArray:
        nonlocal begun
        array = _array_of(estimator, batch, not begun)
        begun = True
        return array.toarray() if issparse(array) else array

    return read


def _check_columns(estimator: Any, source: Source, reset: bool) -> None:
    """Let the estimator learn or compare the number and the names of the columns of what is no array."""
    if len(source.row_shape) != 1 and not reset:
        return
    mixed, names = table_of(source), source.names
    row = np.empty((1, math.prod(source.row_shape) if mixed is None else len(mixed.columns)), np.uint8)
    table = row if names is None else require("pyarrow", "data").table(dict(zip(names, row.T, strict=True)))
    validate_data(estimator, table, reset=reset, skip_check_array=True)


def checked_codes(codes: ArrayLike, code_shape: tuple[int, ...]) -> NDArray:
    """Give codes as a float32 array of shape (n, numbers in a code)."""
    array = check_array(codes, dtype="numeric", ensure_all_finite=False, input_name="codes")
    if check_finite(array, name="codes"):
        row, column = np.argwhere(np.isnan(array))[0]
        raise DataError(f"codes contain a missing cell (NaN) in row {row}, column {column}; fill or drop such cells")
    if array.dtype.kind == "f" and np.abs(array).max() > np.finfo(np.float32).max:
        raise DataError(f"codes reach {np.abs(array).max():.3g}, beyond float32; they are no codes of this model")
    if array.shape[1] != math.prod(code_shape):
        raise DataError(
            f"codes have {array.shape[1]} columns, but the codes of this model have {math.prod(code_shape)}"
        )
    return array.astype(np.float32)


def _shape_differs(shape: tuple[int, ...], fitted: tuple[int, ...]) -> str:
    expected = ", ".join(map(str, ("n", *fitted)))
    return f"X has shape {shape}, but the model was fitted on rows of shape ({expected})"
