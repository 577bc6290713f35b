"""Which numbers of a code matter most."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from isthmus.errors import DataError, ParameterError
from isthmus.legal import Number
from isthmus.metrics.checks import Seed, check_parameter, numbers, sampled


class Importance(NamedTuple):
    """Coordinates of a code by falling importance.

    Attributes
    ----------
    order : ndarray of int of shape (k,)
        Coordinates, the most important first.
    added : ndarray of shape (k,)
        Explained variance that each adds to those before it.
    start : float
        Explained variance with every coordinate at its mean; with the sum of ``added`` that of the whole code.
    """

    order: NDArray
    added: NDArray
    start: float


def importance_order(
    model: Any,
    X: ArrayLike,
    *,
    n_coordinates: int | None = None,
    n_samples: int | None = 2000,
    random_state: Seed = None,
) -> Importance:
    """Order the coordinates of a code by the explained variance that each adds.

    Greedy: of the coordinates that are left, the next is the one with which the rows are rebuilt best, while those
    that are still left are held at their mean. For principal components it is their order and ``added`` their
    ``explained_variance_ratio_``; any other model gets an order that can be compared with it.

    Parameters
    ----------
    model : estimator
        A fitted model with ``transform`` and ``inverse_transform``, such as any autoencoder of this package or PCA.
    X : array-like of shape (n, ...)
        Rows, in the shape that was fitted.
    n_coordinates : int or None, default=None
        How many are ordered; None is all. Rows are decoded about ``n_coordinates`` times the size of the code times.
    n_samples : int or None, default=2000
        How many rows are decoded, drawn without replacement; None is all. Means, of rows and of codes, are theirs.
    random_state : int, RandomState or None, default=None
        Seed of the draw.

    Returns
    -------
    order : ndarray of int of shape (n_coordinates,)
        Coordinates, the most important first; of equals the first.
    added : ndarray of shape (n_coordinates,)
        Explained variance that each adds to those before it; negative if it makes rows worse.
    start : float
        Explained variance with every coordinate at its mean. It is below 0 where the row of the mean code is not the
        mean row.

    Raises
    ------
    ParameterError
        If ``model`` lacks a method or another parameter is not legal.
    DataError
        If the rows, the codes or the rebuilt rows are not finite, or the rows do not vary.

    Examples
    --------
    >>> from sklearn.decomposition import PCA
    >>> from isthmus.datasets import load_digits
    >>> from isthmus.metrics import importance_order
    >>> X = load_digits()[0].reshape(-1, 64)
    >>> found = importance_order(PCA(3).fit(X), X)
    >>> found.order, found.added.round(3)
    (array([0, 1, 2]), array([0.149, 0.136, 0.118]))
    """
    rows, codes = _encoded(model, X, n_samples, random_state)
    size = codes.shape[1]
    check_parameter("n_coordinates", n_coordinates, Number(1, size, integer=True), optional=True)
    scatter = float(np.square(rows - rows.mean(axis=0)).sum())
    if scatter == 0:
        raise DataError("X has rows that are all the same; there is no variance to explain")
    held = np.tile(codes.mean(axis=0, dtype=np.float64).astype(codes.dtype), (len(codes), 1))
    explained, order, left = [_explained(model, held, rows, scatter)], [], list(range(size))
    for _ in range(n_coordinates or size):
        scores = [_explained(model, _with(held, codes, coordinate), rows, scatter) for coordinate in left]
        best = int(np.argmax(scores))
        explained.append(scores[best])
        order.append(left.pop(best))
        held = _with(held, codes, order[-1])
    return Importance(np.array(order), np.diff(explained), explained[0])


def _encoded(model: Any, X: ArrayLike, n_samples: int | None, random_state: Seed) -> tuple[NDArray, NDArray]:
    """Give a sample of the rows, float64, and its codes."""
    for method in ("transform", "inverse_transform"):
        if not hasattr(model, method):
            raise ParameterError(
                f"model must have transform and inverse_transform; {type(model).__name__} lacks {method}"
            )
    whole: Any = X if hasattr(X, "shape") else np.asarray(X)
    chosen = sampled(len(whole), n_samples, random_state)
    some = getattr(whole, "iloc", whole)[chosen]  # a table keeps the names of its columns
    codes = numbers("codes", model.transform(some))
    return numbers("X", some).astype(np.float64), codes.astype(np.result_type(codes, np.float32), copy=False)


def _with(held: NDArray, codes: NDArray, coordinate: int) -> NDArray:
    """Give held codes with one coordinate let go."""
    freed = held.copy()
    freed[:, coordinate] = codes[:, coordinate]
    return freed


def _explained(model: Any, codes: NDArray, rows: NDArray, scatter: float) -> float:
    """Give the explained variance of rows rebuilt from codes."""
    rebuilt = numbers("the rebuilt rows", model.inverse_transform(codes))
    if rebuilt.shape != rows.shape:
        raise DataError(f"the rebuilt rows have {rebuilt.shape[1]} columns, X has {rows.shape[1]}")
    difference = (rows - rebuilt).ravel()
    return 1 - float(difference @ difference) / scatter
