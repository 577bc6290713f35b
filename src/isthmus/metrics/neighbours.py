"""How far a code keeps who is near whom.

Neighbours are searched among all rows, for all rows or for a sample of them. As each measure is a mean over rows, its
value on a random sample is an unbiased estimate of its value on all rows.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from isthmus.errors import ParameterError
from isthmus.legal import Number
from isthmus.metrics.checks import Seed, check_parameter, paired, sampled
from isthmus.metrics.distances import centred, nearest, ranks


def trustworthiness(
    X: ArrayLike,
    codes: ArrayLike,
    *,
    n_neighbors: int = 5,
    n_samples: int | None = 2000,
    random_state: Seed = None,
) -> float:
    """Whether rows that are neighbours as codes are neighbours in X.

    The mean over rows i of 1 - 2 / (k (2n - 3k - 1)) sum_j max(0, r(i, j) - k), where j are the k nearest neighbours
    of i among the codes and r(i, j) is the rank of j among the neighbours of i in X (Venna & Kaski, "Neighborhood
    preservation in nonlinear projection methods", 2001). False neighbours cost by their rank. On all rows it is
    scikit-learn's ``trustworthiness``, but takes memory for some rows at a time.

    Parameters
    ----------
    X : array-like of shape (n, ...)
        Rows. Distances are Euclidean, in float32, or in float64 if X is.
    codes : array-like of shape (n, units)
        Their codes.
    n_neighbors : int, default=5
        k, below n / 2.
    n_samples : int or None, default=2000
        How many rows i the mean is over, drawn without replacement; None is all. Their neighbours and ranks are
        those among all n rows, so that the estimate is unbiased.
    random_state : int, RandomState or None, default=None
        Seed of the draw.

    Returns
    -------
    float
        0 to 1; 1 if no neighbour is false, about 1/2 for codes that know nothing of X. Rows at equal distance share
        the lowest rank.

    Raises
    ------
    ParameterError
        If a parameter is not legal.
    DataError
        If ``X`` and ``codes`` are not as many rows of finite numbers.

    Examples
    --------
    >>> from isthmus.datasets import load_digits
    >>> from isthmus.metrics import trustworthiness
    >>> X, _ = load_digits()
    >>> round(trustworthiness(X, X.reshape(-1, 64)[:, 20:40], random_state=0), 2)
    0.97
    """
    rows, flat = paired(("X", X), ("codes", codes))
    return _kept(flat, rows, n_neighbors, sampled(len(rows), n_samples, random_state))


def continuity(
    X: ArrayLike,
    codes: ArrayLike,
    *,
    n_neighbors: int = 5,
    n_samples: int | None = 2000,
    random_state: Seed = None,
) -> float:
    """Whether rows that are neighbours in X are neighbours as codes.

    It is `trustworthiness` with X and codes swapped: the k nearest neighbours in X that the code has torn away cost by
    their rank among the codes (Venna & Kaski, "Neighborhood preservation in nonlinear projection methods", 2001).

    Parameters
    ----------
    X : array-like of shape (n, ...)
        Rows.
    codes : array-like of shape (n, units)
        Their codes. Distances are Euclidean, in float32, or in float64 if the codes are.
    n_neighbors : int, default=5
        k, below n / 2.
    n_samples : int or None, default=2000
        How many rows the mean is over, drawn without replacement; None is all. Their neighbours and ranks are
        those among all n rows, so that the estimate is unbiased.
    random_state : int, RandomState or None, default=None
        Seed of the draw.

    Returns
    -------
    float
        0 to 1; 1 if no neighbour is lost, about 1/2 for codes that know nothing of X.

    Raises
    ------
    ParameterError
        If a parameter is not legal.
    DataError
        If ``X`` and ``codes`` are not as many rows of finite numbers.

    Examples
    --------
    >>> from isthmus.datasets import load_digits
    >>> from isthmus.metrics import continuity
    >>> X, _ = load_digits()
    >>> round(continuity(X, X.reshape(-1, 64)[:, 20:40], random_state=0), 2)
    0.99
    """
    rows, flat = paired(("X", X), ("codes", codes))
    return _kept(rows, flat, n_neighbors, sampled(len(rows), n_samples, random_state))


def neighbourhood_overlap(
    X: ArrayLike,
    codes: ArrayLike,
    *,
    n_neighbors: int = 5,
    n_samples: int | None = 2000,
    random_state: Seed = None,
) -> float:
    """Share of the nearest neighbours in X that are among the nearest neighbours as codes.

    The mean over rows of the number of common ones of the k nearest, divided by k: Q_NX(k) of Lee & Verleysen,
    "Quality assessment of dimensionality reduction: rank-based criteria", 2009.

    Parameters
    ----------
    X : array-like of shape (n, ...)
        Rows. Distances are Euclidean.
    codes : array-like of shape (n, units)
        Their codes.
    n_neighbors : int, default=5
        k, below n.
    n_samples : int or None, default=2000
        How many rows the mean is over, drawn without replacement; None is all. Their neighbours are those among all
        n rows, so that the estimate is unbiased.
    random_state : int, RandomState or None, default=None
        Seed of the draw.

    Returns
    -------
    float
        0 to 1; about k / (n - 1) for codes that know nothing of X.

    Raises
    ------
    ParameterError
        If a parameter is not legal.
    DataError
        If ``X`` and ``codes`` are not as many rows of finite numbers.

    Examples
    --------
    >>> from isthmus.metrics import neighbourhood_overlap
    >>> X = [[0.0, 0.0], [1.0, 0.0], [5.0, 9.0], [7.0, 9.0]]
    >>> neighbourhood_overlap(X, [[0.0], [1.0], [5.0], [7.0]], n_neighbors=1)
    1.0
    """
    rows, flat = paired(("X", X), ("codes", codes))
    check_parameter("n_neighbors", n_neighbors, Number(1, len(rows) - 1, integer=True))
    queries = sampled(len(rows), n_samples, random_state)
    first, second = (nearest(centred(space), queries, n_neighbors) for space in (rows, flat))
    return float((first[:, :, None] == second[:, None, :]).any(axis=2).mean())


def _kept(near: NDArray, ranked: NDArray, k: int, queries: NDArray) -> float:
    """Give 1 - the normed excess of the ranks, in one space, of the nearest neighbours in another."""
    n = len(near)
    check_parameter("n_neighbors", k, Number(1, integer=True))
    if k >= n / 2:
        raise ParameterError(f"n_neighbors must be below half the number of rows, {n / 2:g}; got {k}")
    excess = ranks(centred(ranked), queries, nearest(centred(near), queries, k)) - k
    return float(1 - np.maximum(excess, 0).sum() * 2 / (len(queries) * k * (2 * n - 3 * k - 1)))
