"""Checks of what users hand in; each refusal is one sentence."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_array, validate_data

from isthmus.errors import DataError

_BLOCK = 4096


def checked_rows(estimator: Any, X: ArrayLike, *, reset: bool) -> NDArray:
    """Give X as an array of numbers, in its own type and without a copy where it is one already.

    Parameters
    ----------
    estimator : estimator
        With ``reset`` it learns the number and names of the columns, without X must agree with them.
    X : array-like of shape (n, columns), (n, height, width) or (n, height, width, channels)
        Rows.
    reset : bool
        Whether this is a fit.

    Raises
    ------
    DataError
        If a cell is missing or infinite, or the shape differs from the fitted one.
    ValueError
        As scikit-learn does for anything else that is no array of numbers.
    """
    if hasattr(X, "detach"):
        X = X.detach().cpu().numpy()
    if isinstance(X, list | tuple):
        X = np.asarray(X)
    options: dict[str, Any] = {"dtype": "numeric", "allow_nd": True, "ensure_all_finite": False}
    images = getattr(X, "ndim", 2) > 2
    if images or not (reset or len(estimator.schema_.row_shape) == 1):
        array = check_array(X, estimator=estimator, **options)
        if reset:
            validate_data(estimator, array.reshape(len(array), -1)[:1], reset=True)
    else:
        array = validate_data(estimator, X, reset=reset, **options)
    if array.ndim > 4:
        raise DataError(f"X must have 2 to 4 dimensions (rows, or images with or without channels); got {array.ndim}")
    if not reset and array.shape[1:] != estimator.schema_.row_shape:
        raise DataError(_shape_differs(array.shape, estimator.schema_.row_shape))
    _check_finite(array)
    return array


def checked_codes(codes: ArrayLike, code_shape: tuple[int, ...]) -> NDArray:
    """Give codes as a float32 array of shape (n, numbers in a code)."""
    array = check_array(codes, dtype="numeric", ensure_all_finite=False, input_name="codes")
    _check_finite(array, "codes")
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


def _check_finite(array: NDArray, name: str = "X") -> None:
    if array.dtype.kind != "f":
        return
    for start in range(0, len(array), _BLOCK):
        bad = ~np.isfinite(array[start : start + _BLOCK])
        if bad.any():
            row, *cell = np.argwhere(bad)[0]
            what = "infinity (inf)" if np.isinf(array[(start + row, *cell)]) else "a missing cell (NaN)"
            place = f"row {start + row}, column {', '.join(map(str, cell))}"
            raise DataError(f"{name} contains {what} in {place}; fill or drop such cells first")
