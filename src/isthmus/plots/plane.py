"""The plane in which codes are drawn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh


@dataclass(frozen=True, eq=False)
class Plane:
    """Two directions in the space of codes: place = (code - mean) @ directions.T.

    Attributes
    ----------
    mean : ndarray of shape (size,)
        The code at the origin.
    directions : ndarray of shape (2, size)
        Orthonormal directions; the second one of a code of one number is zero.
    titles : tuple of str
        What the axes are.
    """

    mean: NDArray
    directions: NDArray
    titles: tuple[str, str]

    def __call__(self, codes: NDArray) -> NDArray:
        """Give the places of codes, of shape (n, 2)."""
        return (codes - self.mean) @ self.directions.T

    def description(self) -> dict[str, Any]:
        """Give it as plain values."""
        return {
            "mean": self.mean.tolist(),
            "directions": self.directions.tolist(),
            "titles": list(self.titles),
        }


def plane_of(codes: NDArray) -> Plane:
    """Take a code's own two numbers, or the first two principal components of longer codes.

    Parameters
    ----------
    codes : ndarray of shape (n, size)
        Codes.

    Returns
    -------
    Plane
        Where they are drawn; codes of one number lie on a line.
    """
    size = codes.shape[1]
    if size <= 2:
        titles = ("code 1", "code 2") if size == 2 else ("code 1", "")
        return Plane(np.zeros(size), np.eye(2, size), titles)
    centred = codes - codes.mean(axis=0, dtype=np.float64)
    scatter = centred.T @ centred
    variances, directions = eigh(scatter, subset_by_index=(size - 2, size - 1))
    shares = np.maximum(variances[::-1], 0) / (scatter.trace() or 1.0)
    words = "principal component {} of the codes ({:.1%} of variance)"
    first, second = (words.format(i, share) for i, share in enumerate(shares, 1))
    return Plane(codes.mean(axis=0, dtype=np.float64), directions.T[::-1], (first, second))
