"""How much each row counts."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import _check_sample_weight

from isthmus.errors import DataError
from isthmus.sources import Source


def checked_weights(sample_weight: ArrayLike | None, n: int) -> NDArray | None:
    """Give weights as float64 of shape (n,); None where all rows count the same.

    Raises
    ------
    ValueError
        If they are not one finite number of at least 0 for each row, or all are 0.
    """
    if sample_weight is None:
        return None
    rows: Any = np.empty((n, 0))
    weights: NDArray = _check_sample_weight(sample_weight, rows, dtype=np.float64, ensure_non_negative=True)
    if not weights.any():
        raise DataError("sample_weight must not be 0 for all rows")
    return weights


def training_weights(sample_weight: ArrayLike | None, source: Source, training: NDArray) -> NDArray | None:
    """Give weights with a mean of 1 over the rows that are learned from, float32; None where all count the same."""
    weights = checked_weights(sample_weight, len(source))
    if weights is None:
        return None
    total = sum(weights[start:stop].sum() for start, stop in source.pieces.ranges(training))
    if not total:
        raise DataError("sample_weight is 0 for all rows but those that are held out; set validation_fraction=0")
    return (weights * (source.pieces.rows(training) / total)).astype(np.float32)
