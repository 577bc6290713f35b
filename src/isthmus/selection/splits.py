"""Rows to learn from and rows to measure on, and what tells data apart."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import ShuffleSplit, check_cv

from isthmus.errors import DataError, ParameterError

_HELD_OUT = 0.2
_BLOCK = 4096
_CV = (
    "cv must be None for one shuffled split with 20 % of the rows held out, an integer of at least 2, a splitter of "
    "sklearn.model_selection, or an iterable of pairs of arrays (train, test)"
)

Split = tuple[NDArray, NDArray]


def splits_of(cv: Any, X: NDArray, y: NDArray | None, seed: int) -> list[Split]:
    """Give the rows of each split, for training and held out, in the order of the splitter."""
    if len(X) < 2:
        raise DataError(f"X has {len(X)} row, but some are learned from and others held out: give at least two")
    try:
        splitter = ShuffleSplit(1, test_size=_HELD_OUT, random_state=seed) if cv is None else check_cv(cv, y)
    except (ValueError, TypeError) as error:
        raise ParameterError(f"{_CV}; got {cv!r}") from error
    try:
        splits = [(np.asarray(train), np.asarray(test)) for train, test in splitter.split(X, y)]
    except TypeError as error:
        raise ParameterError(f"{_CV}; got {cv!r}") from error
    if not splits:
        raise ParameterError(f"{_CV}; got no splits")
    return splits


def classes_of(y: Any, n: int) -> NDArray:
    """Give labels as an array of one class for each of n rows."""
    labels = np.asarray(y)
    if labels.shape != (n,):
        raise DataError(f"y must have one label for each of the {n} rows of X; got shape {labels.shape}")
    if labels.dtype.kind == "f" and (labels != np.round(labels)).any():
        raise DataError("y must be classes: integers or words; got numbers with decimals or missing ones")
    return labels.astype(str) if labels.dtype.kind == "O" else labels


def check_classes(labels: NDArray, splits: list[Split]) -> None:
    """Refuse labels from which no classifier could learn on some split."""
    for place, (train, _) in enumerate(splits):
        found = np.unique(labels[train])
        if len(found) < 2:
            raise DataError(f"y must have at least two classes in each split; got only {found[0]!r} in split {place}")


def fingerprint(*arrays: NDArray) -> str:
    """Tell arrays from others by shape, type and content."""
    digest = hashlib.blake2b(digest_size=16)
    for array in arrays:
        digest.update(f"{array.shape} {array.dtype.str}".encode())
        for start in range(0, len(array), _BLOCK):
            digest.update(np.ascontiguousarray(array[start : start + _BLOCK]).tobytes())
    return digest.hexdigest()
