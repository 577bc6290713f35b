"""Nearest rows and ranks by Euclidean distance, from matrix products of some rows with all."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

_NARROW = (np.float32, np.float16, np.uint8, np.int8, np.uint16, np.int16, np.bool_)
_DISTANCES_AT_ONCE = 2**24
_SPARE = 10


def centred(rows: NDArray) -> NDArray:
    """Move rows to their mean and scale them by a power of two, so that squares neither overflow nor cancel.

    Float32, or float64 where the type of the rows holds more digits. Order and ratios of distances stay.
    """
    ready = np.empty(rows.shape, np.float32 if rows.dtype in _NARROW else np.float64)
    mean = rows.mean(axis=0, dtype=np.float64)
    np.subtract(rows, mean.astype(ready.dtype), out=ready, dtype=ready.dtype, casting="unsafe")
    _, exponent = np.frexp(max(ready.max(), -ready.min()))
    return np.ldexp(ready, -exponent, out=ready)


def nearest(rows: NDArray, queries: NDArray, k: int) -> NDArray:
    """Give the places of the k nearest of all other rows, for some rows, nearest first.

    Parameters
    ----------
    rows : ndarray of shape (n, columns)
        All rows, `centred`.
    queries : ndarray of shape (m,)
        Places of some of them.
    k : int
        1 to n - 1.

    Returns
    -------
    ndarray of shape (m, k)
        Places. A few more than k are found by matrix products, and put in order by differences.
    """
    found = np.empty((len(queries), k), np.int64)
    some = min(k + _SPARE, len(rows) - 1)
    for block, distances in _distances(rows, queries):
        candidates = np.argpartition(distances, some - 1, axis=1)[:, :some]
        for i, near in enumerate(candidates, block.start):
            exact = np.square(rows[near] - rows[queries[i]]).sum(axis=1, dtype=np.float64)
            found[i] = near[np.lexsort((near, exact))[:k]]
    return found


def ranks(rows: NDArray, queries: NDArray, others: NDArray) -> NDArray:
    """Rank by distance: 1 + how many rows are nearer to a query than another row, for each of the query's others.

    Parameters
    ----------
    rows : ndarray of shape (n, columns)
        All rows, `centred`.
    queries : ndarray of shape (m,)
        Places of some of them.
    others : ndarray of shape (m, k)
        Places of rows to be ranked, for each query; not the query itself.

    Returns
    -------
    ndarray of shape (m, k)
        1 to n - 1.
    """
    found = np.empty(others.shape, np.int64)
    for block, distances in _distances(rows, queries):
        limits = np.take_along_axis(distances, others[block], axis=1)
        distances.sort(axis=1)
        for i, row in enumerate(distances):
            found[block.start + i] = 1 + np.searchsorted(row, limits[i], side="left")
    return found


def _distances(rows: NDArray, queries: NDArray) -> Iterator[tuple[slice, NDArray]]:
    """Yield blocks of queries, each with squared distances to all rows less the squared length of the query.

    The order of a query's distances is the same without its length; its distance to itself is infinite.
    """
    lengths = np.einsum("ij,ij->i", rows, rows)
    size = max(1, _DISTANCES_AT_ONCE // len(rows))
    for start in range(0, len(queries), size):
        block = slice(start, min(start + size, len(queries)))
        distances = (-2 * rows[queries[block]]) @ rows.T
        distances += lengths
        distances[np.arange(len(distances)), queries[block]] = np.inf
        yield block, distances
