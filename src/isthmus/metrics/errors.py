"""How well rows are rebuilt: by row, by column and as a whole."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Literal, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from isthmus.errors import DataError
from isthmus.legal import OneOf
from isthmus.metrics.checks import check_parameter

_PER = OneOf(("model", "row", "column"))
_BLOCK = 4096

Pair = tuple[NDArray, NDArray]


@overload
def mean_squared_error(rows: ArrayLike, rebuilt: ArrayLike, *, per: Literal["model"] = ...) -> float: ...
@overload
def mean_squared_error(rows: ArrayLike, rebuilt: ArrayLike, *, per: Literal["row", "column"]) -> NDArray: ...
def mean_squared_error(rows: ArrayLike, rebuilt: ArrayLike, *, per: str = "model") -> Any:
    """Mean squared error of rebuilt rows. Cells that are missing (NaN) in ``rows`` are left out.

    Parameters
    ----------
    rows, rebuilt : array-like of shape (n, ...)
        Rows and what a model made of them, in the same units.
    per : {"model", "row", "column"}, default="model"
        Whether squared differences are averaged over all cells, over the columns of each row, or over the rows
        of each column.

    Returns
    -------
    float or ndarray
        A number for the model, shape (n,) for rows, the shape of a row for columns; in the squared units of the rows.
        NaN where there is no cell at all.

    Raises
    ------
    ParameterError
        If ``per`` is none of the three.
    DataError
        If the two differ in shape, or have no rows.

    Examples
    --------
    >>> from isthmus.metrics import mean_squared_error
    >>> rows, rebuilt = [[0.0, 2.0], [4.0, 0.0]], [[0.0, 0.0], [0.0, 0.0]]
    >>> mean_squared_error(rows, rebuilt)
    5.0
    >>> mean_squared_error(rows, rebuilt, per="row")
    array([2., 8.])
    >>> mean_squared_error(rows, rebuilt, per="column")
    array([8., 2.])
    """
    check_parameter("per", per, _PER)
    first, second = _alike(rows, rebuilt)
    if per == "row":
        return np.concatenate([_over(_squares(*pair), _there(pair[0]), axis=1) for pair in _blocks(first, second)])
    errors = np.sum([_squares(*pair).sum(axis=0) for pair in _blocks(first, second)], axis=0)
    counts = np.sum([_there(rows).sum(axis=0) for rows, _ in _blocks(first, second)], axis=0)
    means = _over(errors[None], counts[None], axis=0)
    if per == "column":
        return means.reshape(first.shape[1:])
    return float(means.mean() if (counts == len(first)).all() else _over(errors, counts, axis=0))


@overload
def explained_variance(rows: ArrayLike, rebuilt: ArrayLike, *, per: Literal["model"] = ...) -> float: ...
@overload
def explained_variance(rows: ArrayLike, rebuilt: ArrayLike, *, per: Literal["row", "column"]) -> NDArray: ...
def explained_variance(rows: ArrayLike, rebuilt: ArrayLike, *, per: str = "model") -> Any:
    """Fraction of the variance of rows that their reconstructions explain.

    It is 1 - sum (x - y)^2 / sum (x - mean)^2, with each column's own mean over all rows; the sums are over all
    cells, over the columns of each row, or over the rows of each column. 1 is perfect, 0 is as good as the mean,
    and a projection on principal components scores the sum of their ``explained_variance_ratio_`` on the rows they
    were fitted on. Where every column varies the model's equals scikit-learn's
    ``r2_score(..., multioutput="variance_weighted")``, and the columns' equal ``multioutput="raw_values"``. Cells that
    are missing (NaN) in ``rows`` are left out.

    Parameters
    ----------
    rows, rebuilt : array-like of shape (n, ...)
        Rows and what a model made of them, in the same units.
    per : {"model", "row", "column"}, default="model"
        What the sums are over.

    Returns
    -------
    float or ndarray
        A number for the model, shape (n,) for rows, the shape of a row for columns. What does not vary (or is at the
        mean, for a row) has 1 if it is rebuilt without error, else 0.

    Raises
    ------
    ParameterError
        If ``per`` is none of the three.
    DataError
        If the two differ in shape, or have no rows.

    Examples
    --------
    >>> from isthmus.metrics import explained_variance
    >>> rows, rebuilt = [[0.0, 1.0], [2.0, 3.0]], [[0.0, 2.0], [2.0, 2.0]]
    >>> explained_variance(rows, rebuilt)
    0.5
    >>> explained_variance(rows, rebuilt, per="column")
    array([1., 0.])
    >>> explained_variance(rows, rebuilt, per="row")
    array([0.5, 0.5])
    """
    check_parameter("per", per, _PER)
    first, second = _alike(rows, rebuilt)
    sums = _Sums(_blocks(first, second))
    if per == "model":
        return float(_fractions(sums.error.sum(), sums.scatter.sum()))
    if per == "column":
        return _fractions(sums.error, sums.scatter).reshape(first.shape[1:])
    pairs = _blocks(first, second)
    return np.concatenate([_fractions(_squares(*pair).sum(axis=1), _from_mean(pair[0], sums.mean)) for pair in pairs])


def explained_variance_of(pairs: Iterable[Pair], weights: NDArray | None = None) -> float:
    """Fraction of the variance of rows that their reconstructions explain, from batches.

    It is what `explained_variance` gives for all rows at once; no more than a batch is held.

    Parameters
    ----------
    pairs : iterable of (rows, rebuilt)
        Batches of rows, arrays of shape (batch, ...), each with its reconstruction. Missing cells (NaN) are left out.
    weights : ndarray of shape (n,), default=None
        How much each row of all batches counts; None: all count the same.

    Returns
    -------
    float
        The fraction. Where the rows do not vary it is 1 if they are rebuilt without error, else 0.

    Raises
    ------
    DataError
        If there are no batches.

    Examples
    --------
    >>> import numpy as np
    >>> from isthmus.metrics import explained_variance_of
    >>> rows = np.array([[0.0], [1.0], [2.0]])
    >>> explained_variance_of((rows[[i]], np.ones((1, 1))) for i in range(3))
    0.0
    """
    sums = _Sums(pairs, weights)
    return float(_fractions(sums.error.sum(), sums.scatter.sum()))


def grouped_errors(rows: NDArray, rebuilt: NDArray, groups: NDArray) -> NDArray:
    """Squared error of each row: summed over the cells of a group, averaged over the groups that are there.

    Parameters
    ----------
    rows, rebuilt : ndarray of shape (n, cells)
        Rows and what a model made of them. The cells of a group are missing (NaN) together.
    groups : ndarray of int of shape (cells,)
        The group of each cell; its cells lie together.

    Returns
    -------
    ndarray of shape (n,)
        The errors; NaN where there is no cell at all.
    """
    starts = np.flatnonzero(np.diff(groups, prepend=-1))
    errors = np.add.reduceat(_squares(rows, rebuilt), starts, axis=1)
    return _over(errors, _there(rows[:, starts]), axis=1)


class _Sums:
    """Sums of squares of each column over batches: of the errors, and around the mean (Chan's update)."""

    error: NDArray
    scatter: NDArray
    mean: NDArray

    def __init__(self, pairs: Iterable[Pair], weights: NDArray | None = None) -> None:
        start, count = 0, np.zeros(0)
        for rows, rebuilt in pairs:
            columns = rows.reshape(len(rows), -1).astype(np.float64)
            if not start:
                self.error, self.scatter, self.mean, count = np.zeros((4, columns.shape[1]))
            there = _there(columns) if weights is None else _there(columns) * weights[start : start + len(rows), None]
            start, own = start + len(rows), there.sum(axis=0)
            total = np.maximum(count + own, np.finfo(np.float64).tiny)
            batch_mean = (np.nan_to_num(columns) * there).sum(axis=0) / np.maximum(own, np.finfo(np.float64).tiny)
            shift = np.where(own > 0, batch_mean - self.mean, 0.0)
            self.error += (_squares(columns, rebuilt) * there).sum(axis=0)
            self.scatter += (_squares(columns, np.broadcast_to(batch_mean, columns.shape)) * there).sum(axis=0)
            self.scatter += np.square(shift) * (count * own / total)
            self.mean += shift * (own / total)
            count = count + own
        if not start:
            raise DataError("pairs must have at least one batch of rows; got none")


def _alike(rows: ArrayLike, rebuilt: ArrayLike) -> Pair:
    first, second = np.asarray(rows), np.asarray(rebuilt)
    if first.shape != second.shape or first.ndim < 2 or not first.size:
        raise DataError(f"rows and rebuilt must have one shape, (n, ...); got {first.shape} and {second.shape}")
    return first, second


def _blocks(rows: NDArray, rebuilt: NDArray) -> Iterator[Pair]:
    for start in range(0, len(rows), _BLOCK):
        yield rows[start : start + _BLOCK], rebuilt[start : start + _BLOCK]


def _squares(rows: NDArray, rebuilt: NDArray) -> NDArray:
    """Give squared differences, float64 of shape (n, columns); zero for cells that are missing."""
    difference = rows.reshape(len(rows), -1).astype(np.float64) - rebuilt.reshape(len(rows), -1)
    return np.nan_to_num(np.square(difference, out=difference), copy=False)


def _there(rows: NDArray) -> NDArray:
    """Tell which cells are not missing, of shape (n, columns)."""
    flat = rows.reshape(len(rows), -1)
    return ~np.isnan(flat) if flat.dtype.kind == "f" else np.ones(flat.shape, bool)


def _over(sums: NDArray, counts: NDArray, axis: int) -> NDArray:
    """Divide sums by counts; NaN where nothing was counted."""
    total = counts.sum(axis=axis)
    return sums.sum(axis=axis) / np.where(total, total, np.nan)


def _from_mean(rows: NDArray, mean: NDArray) -> NDArray:
    """Give the squared distance of each row from the mean."""
    return _squares(rows, np.broadcast_to(mean, (len(rows), len(mean)))).sum(axis=1)


def _fractions(error: NDArray, scatter: NDArray) -> NDArray:
    """Give 1 - error / scatter; where there is no scatter, 1 without error, else 0."""
    varies = scatter > 0
    return np.where(varies, 1 - error / np.where(varies, scatter, 1), np.where(error == 0, 1.0, 0.0))
