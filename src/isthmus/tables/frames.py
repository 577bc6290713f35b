"""Data frames of any library, and what kinds of columns they have."""

from __future__ import annotations

from collections import Counter
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np
from narwhals.exceptions import DuplicateError
from numpy.typing import NDArray

from isthmus.errors import DataError, require
from isthmus.tables.schema import BOOLEAN, CATEGORY, LIBRARIES, NUMBER

_INFERRED = {
    "boolean": BOOLEAN,
    "string": CATEGORY,
    **dict.fromkeys(("integer", "floating", "mixed-integer-float", "decimal", "empty"), NUMBER),
}


def is_table(X: Any) -> bool:
    """Whether an object is a data frame of a library that narwhals knows.

    Raises
    ------
    DataError
        If two of its columns have one name.
    """
    try:
        return isinstance(nw.from_native(X, eager_only=True, pass_through=True), nw.DataFrame)
    except DuplicateError as error:
        twice = [name for name, count in Counter(map(str, X.columns)).items() if count > 1]
        raise DataError(f"X has several columns named {twice[0]!r}; give each column a name of its own") from error


def frame_of(X: Any) -> nw.DataFrame[Any]:
    """Take a data frame; one of a library beside pandas, polars and pyarrow becomes one of pandas."""
    frame: nw.DataFrame[Any] = nw.from_native(X, eager_only=True)
    return frame if library_of(frame) in LIBRARIES else nw.from_native(frame.to_pandas(), eager_only=True)


def library_of(frame: nw.DataFrame[Any]) -> str:
    """Name the library of a frame."""
    return frame.implementation.value


def is_mixed(X: Any) -> bool:
    """Whether a data frame has columns that are no numbers.

    Raises
    ------
    DataError
        If a column is none of what a network can be shown; it is named.
    """
    return any(kind != NUMBER for kind in kinds_of(frame_of(X)))


def kinds_of(frame: nw.DataFrame[Any]) -> list[str]:
    """Tell of each column whether it is numbers, booleans or categories."""
    kinds = []
    for place in range(frame.shape[1]):
        series = frame[:, place]
        kind = kind_of(series)
        if kind is None:
            raise DataError(
                f"column {name_of(series)!r} of X is of type {type_name(series)}, which is neither numbers, booleans, "
                "categories nor text throughout; turn it into one of these, or drop it"
            )
        kinds.append(kind)
    return kinds


def kind_of(series: nw.Series[Any]) -> str | None:
    """Tell whether a column is numbers, booleans or categories; None if it is none of them."""
    dtype, native = series.dtype, series.to_native()
    if dtype == nw.Boolean:
        return BOOLEAN
    if dtype.is_numeric():
        return NUMBER
    if dtype in (nw.String, nw.Categorical, nw.Enum):
        return CATEGORY
    if dtype == nw.Object and series.implementation.is_pandas():
        return _INFERRED.get(require("pandas.api.types", "data").infer_dtype(native, skipna=True))
    if str(getattr(native, "dtype", "")).startswith("Sparse"):
        return NUMBER
    return NUMBER if type_name(series) in ("null", "Null") else None


def name_of(series: nw.Series[Any]) -> str | int:
    """Give the name of a column as text or an integer."""
    name: Any = series.name
    return int(name) if isinstance(name, int | np.integer) and not isinstance(name, bool) else str(name)


def type_name(series: nw.Series[Any]) -> str:
    """Give the type of a column in the words of its library."""
    native: Any = series.to_native()
    dtype = native.type if hasattr(native, "type") and not hasattr(native, "dtype") else native.dtype
    if hasattr(dtype, "storage") and hasattr(dtype, "na_value") and str(dtype) == "string":
        return f"string[{dtype.storage}]"
    return str(dtype)


def numbers(series: nw.Series[Any]) -> NDArray:
    """Give a column of numbers or booleans as float64; missing cells are NaN."""
    if series.implementation.is_pyarrow():
        return np.asarray(series.to_native().cast("double", safe=False).to_numpy(), dtype=np.float64)
    if series.dtype.is_numeric() or series.dtype == nw.Boolean:
        return np.asarray(series.cast(nw.Float64).to_numpy(), dtype=np.float64)
    there, values = ~series.is_null().to_numpy(), np.full(len(series), np.nan)
    values[there] = [float(value) for value in series.filter(there).to_list()]
    return values


def values(series: nw.Series[Any]) -> tuple[NDArray, NDArray]:
    """Give the values of a column that are there, as objects, and which are."""
    there = ~series.is_null().to_numpy()
    found = np.empty(int(there.sum()), object)
    found[:] = (
        _shared(series.drop_nulls().to_native())
        if series.implementation.is_pyarrow()
        else (series.drop_nulls().to_list())
    )
    return found, there


def _shared(column: Any) -> NDArray:
    """Give the values of an Arrow column as objects; equal ones share their memory, as they do in a file."""
    parts = [np.empty(0, object)]
    for chunk in column.chunks:
        chunk = chunk if hasattr(chunk, "indices") else chunk.dictionary_encode()
        words = np.empty(len(chunk.dictionary), object)
        words[:] = chunk.dictionary.to_pylist()
        parts.append(words[chunk.indices.to_numpy(zero_copy_only=False)])
    return np.concatenate(parts)
