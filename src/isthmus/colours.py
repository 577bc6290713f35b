"""The colours of classes and of numbers, the same in figures and in pages."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

# Petroff's ten colours (arXiv:2107.02270), told apart with any colour vision; twenty labels take them twice.
TEN = ("#3f90da", "#ffa90e", "#bd1f01", "#94a4a2", "#832db6", "#a96b59", "#e76300", "#b9ac70", "#717581", "#92dadd")
# The same on a dark ground: those that would be lost in it are lighter.
TEN_ON_DARK = tuple({"#bd1f01": "#e8553c", "#832db6": "#b57be0", "#717581": "#8d919d"}.get(one, one) for one in TEN)
COLOURS, MARKERS, LINES = np.array(TEN * 2), np.repeat(["o", "^"], 10), np.repeat(["-", "--"], 10)
# viridis (CC0; van der Walt and Smith, 2015) at equal steps; what lies between is interpolated.
_VIRIDIS = """
440154 48186a 472d7b 424086 3b528b 33638d 2c728e 26828e 21918c 1fa088 28ae80 3fbc73
5ec962 84d44b addc30 d8e219 fde725
"""
VIRIDIS = tuple(f"#{colour}" for colour in _VIRIDIS.split())


def colours_of(values: ArrayLike) -> NDArray:
    """Give the colours of numbers, the lowest dark violet and the highest yellow.

    Parameters
    ----------
    values : array-like of shape (n,)
        Numbers; those that are missing (NaN) are gray.

    Returns
    -------
    ndarray of uint8 of shape (n, 3)
        Red, green and blue.

    Examples
    --------
    >>> colours_of([0.0, 1.0]).tolist()
    [[68, 1, 84], [253, 231, 37]]
    """
    numbers = np.asarray(values, dtype=np.float64)
    there = np.isfinite(numbers)
    low, high = (numbers[there].min(), numbers[there].max()) if there.any() else (0.0, 1.0)
    places = np.where(there, numbers - low, 0.0) / ((high - low) or 1.0) * (len(VIRIDIS) - 1)
    table = np.array([list(bytes.fromhex(colour[1:])) for colour in VIRIDIS])
    found = np.stack([np.interp(places, np.arange(len(VIRIDIS)), table[:, i]) for i in range(3)], axis=1)
    return np.where(there[:, None], found.round(), 128).astype(np.uint8)
