"""How many numbers rows vary in."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from isthmus.errors import DataError
from isthmus.legal import Number
from isthmus.metrics.checks import Seed, check_parameter, numbers, sampled
from isthmus.metrics.distances import centred, nearest


def intrinsic_dimension(
    X: ArrayLike,
    *,
    discard_fraction: float = 0.1,
    n_samples: int | None = 2000,
    random_state: Seed = None,
) -> float:
    """Estimate the intrinsic dimension of rows by two-NN: what code size they need at least.

    The ratio m of the distances of a row to its second and first nearest neighbours follows P(m) = 1 - m^-d where the
    density is constant that far. d is the slope through the origin of -log(1 - F(m)) against log m, with the empirical
    distribution F and without the largest ratios (Facco, d'Errico, Rodriguez & Laio, "Estimating the intrinsic
    dimension of datasets by a minimal neighborhood information", 2017). Noise adds dimensions at its own scale; many
    dimensions are underestimated from few rows.

    Parameters
    ----------
    X : array-like of shape (n, ...)
        At least 3 distinct rows; copies of a row count once. Distances are Euclidean.
    discard_fraction : float, default=0.1
        Share of the ratios, the largest, that are left out of the fit: .1 in the paper.
    n_samples : int or None, default=2000
        How many rows give a ratio, drawn without replacement; None is all. Their neighbours are those among all
        rows, so that the scale is that of all rows.
    random_state : int, RandomState or None, default=None
        Seed of the draw.

    Returns
    -------
    float
        Number of dimensions, above 0.

    Raises
    ------
    ParameterError
        If a parameter is not legal.
    DataError
        If X has fewer than 3 distinct rows, cells that are not finite, or is a grid whose distances do not differ.

    Examples
    --------
    >>> import numpy as np
    >>> from isthmus.metrics import intrinsic_dimension
    >>> plane = np.random.RandomState(0).uniform(size=(1000, 2)) @ np.eye(2, 10)
    >>> round(intrinsic_dimension(plane), 1)
    2.0
    """
    check_parameter("discard_fraction", discard_fraction, Number(0, 0.99))
    ready = _distinct(centred(numbers("X", X)))
    if len(ready) < 3:
        raise DataError(f"X must have at least 3 distinct rows, for two neighbours each; got {len(ready)}")
    queries = sampled(len(ready), n_samples, random_state)
    near = nearest(ready, queries, 2)
    squares = [np.square(ready[queries] - ready[near[:, i]]).sum(axis=1, dtype=np.float64) for i in (0, 1)]
    ratios = np.sort(np.log(squares[1] / squares[0]) / 2)
    kept = min(int(len(ratios) * (1 - discard_fraction)), len(ratios) - 1)
    if kept < 1 or ratios[kept - 1] <= 0:
        raise DataError(
            "distances to two neighbours must differ, for more rows of X than discard_fraction leaves out; of "
            f"{len(queries)} rows taken they do for {np.count_nonzero(ratios)}"
        )
    heights = -np.log1p(-np.arange(1, kept + 1) / len(ratios))
    return float(ratios[:kept] @ heights / (ratios[:kept] @ ratios[:kept]))


def _distinct(rows: NDArray) -> NDArray:
    """Give the first of rows that are equal, in their order."""
    marks = np.array([hash((row + 0).tobytes()) for row in rows])  # + 0 makes -0 and 0 equal
    return rows[np.sort(np.unique(marks, return_index=True)[1])]
