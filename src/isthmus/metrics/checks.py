"""Checks of what measures are given, and rows drawn from it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.random import RandomState
from numpy.typing import ArrayLike, NDArray

from isthmus import legal
from isthmus.errors import DataError, ParameterError
from isthmus.legal import Legal, Number

Seed = int | RandomState | None

_BLOCK = 4096


def check_parameter(name: str, value: Any, legal: Legal, *, optional: bool = False) -> None:
    """Refuse a value that is not legal; None is where the parameter is optional."""
    if not (optional and value is None) and not legal.accepts(value):
        raise ParameterError(f"{name} must be {legal}{' or None' if optional else ''}; got {value!r}")


def numbers(name: str, array: ArrayLike) -> NDArray:
    """Give rows of finite numbers as an array of shape (n, columns), in its own type, without a copy if it can be."""
    found = np.asarray(array)
    if found.dtype.kind not in "biuf":
        raise DataError(f"{name} must be numbers; got {found.dtype}")
    if found.ndim < 2 or not found.size:
        raise DataError(f"{name} must have shape (n, columns), with at least one of each; got {found.shape}")
    flat = found.reshape(len(found), -1)
    for start in range(0, len(flat) if found.dtype.kind == "f" else 0, _BLOCK):
        bad = ~np.isfinite(flat[start : start + _BLOCK]).all(axis=1)
        if bad.any():
            row = start + int(bad.argmax())
            raise DataError(f"{name} has a missing or infinite cell in row {row}; fill or drop such cells first")
    return flat


def paired(first: tuple[str, ArrayLike], second: tuple[str, ArrayLike]) -> tuple[NDArray, NDArray]:
    """Give two sets of rows, named for messages, that must be of the same length."""
    one, other = numbers(*first), numbers(*second)
    if len(one) != len(other):
        raise DataError(f"{second[0]} must have as many rows as {first[0]}, {len(one)}; got {len(other)}")
    return one, other


def check_seed(random_state: Any) -> None:
    """Refuse what is no ``random_state``."""
    check_parameter("random_state", random_state, legal.RandomState(), optional=True)


def sampled(n: int, n_samples: int | None, random_state: Seed) -> NDArray:
    """Draw places of n_samples of n rows, each at most once and in rising order; all where that many are wanted."""
    check_parameter("n_samples", n_samples, Number(1, integer=True), optional=True)
    check_seed(random_state)
    if n_samples is None or n_samples >= n:
        return np.arange(n)
    random = random_state if isinstance(random_state, RandomState) else RandomState(random_state)
    return np.sort(random.choice(n, n_samples, replace=False))
