"""What the figures are held against."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from benchmarks import linear

Found = dict[str, Any]


def epoch(found: Found, work: str, name: str, batch: int = 64) -> float:
    """Give the median seconds of an epoch; NaN where it was not measured."""
    return figure(found, work, name, lambda one: one["epoch"][str(batch)])


def figure(found: Found, work: str, name: str, of: Callable[[Found], float]) -> float:
    """Give the median of a figure over the repeats; NaN where it was not measured."""
    try:
        return median([of(one) for one in found["speed"][work][name]])
    except KeyError:
        return math.nan


def to_error(found: Found, work: str, name: str) -> float:
    """Give the median seconds until the error was reached; NaN where it was not measured, infinite if it was not."""
    runs = found["to_error"].get(work, {}).get(name, [])
    return median([run["seconds"] if run["reached"] else math.inf for run in runs]) if runs else math.nan


def lead(found: Found, work: str) -> float:
    """Give how many times longer the best peer takes to the error than the best of Isthmus."""
    names = list(found["to_error"].get(work, {}))
    ours = [to_error(found, work, name) for name in names if name in ("isthmus", "fused")]
    peers = [to_error(found, work, name) for name in names if name not in ("isthmus", "fused")]
    return min(peers) / min(ours) if ours and peers else math.nan


@dataclass(frozen=True)
class Goal:
    """A figure and its bound.

    Attributes
    ----------
    words : str
        What is wanted.
    bound : float
        The most, or the least, that the figure may be.
    of : callable
        The figure of a run; NaN where it was not measured.
    most : bool
        Whether the bound is the most.
    unit : str
        Behind the figure.
    """

    words: str
    bound: float
    of: Callable[[Found], float]
    most: bool = True
    unit: str = "x"

    def cells(self, found: Found) -> Sequence[str]:
        """Give the row of the table."""
        value = self.of(found)
        if math.isnan(value):
            return (self.words, self._said(self.bound, bound=True), "not measured", "")
        held = value <= self.bound if self.most else value >= self.bound
        return (self.words, self._said(self.bound, bound=True), self._said(value), "yes" if held else "**no**")

    def _said(self, value: float, *, bound: bool = False) -> str:
        sign = ("at most " if self.most else "at least ") if bound else ""
        return f"{sign}{value:.3g} {self.unit}"


def ratio(work: str, one: str, other: str, batch: int = 64) -> Callable[[Found], float]:
    """Give the ratio of two contestants' epochs."""
    return lambda found: epoch(found, work, one, batch) / epoch(found, work, other, batch)


def encoding(name: str) -> Callable[[Found], float]:
    """Give the seconds in which 10,000 images are encoded by the convolutional network."""
    return lambda found: figure(found, "convolutional", name, lambda one: one["encode"])


def start(what: str) -> Callable[[Found], float]:
    """Give seconds of a start."""
    return lambda found: found.get("startup", {}).get(what, math.nan)


GOALS = (
    Goal("dense: epoch of Isthmus / Keras on JAX", 1.0, ratio("dense", "isthmus", "keras-jax")),
    Goal("dense: epoch of Isthmus / the matrix products alone", 1.6, ratio("dense", "isthmus", "floor")),
    Goal("convolutional: epoch of Isthmus / torch, tuned", 1.0, ratio("convolutional", "isthmus", "tuned")),
    Goal(
        "convolutional: epoch of Keras on TensorFlow / fused",
        12,
        ratio("convolutional", "keras-tensorflow", "fused"),
        most=False,
    ),
    Goal("convolutional: epoch of torch, tuned / fused", 5, ratio("convolutional", "tuned", "fused"), most=False),
    Goal("convolutional: 10,000 images encoded", 0.8, encoding("isthmus"), unit="s"),
    Goal("convolutional: 10,000 images encoded, fused", 0.15, encoding("fused"), unit="s"),
    Goal("dense: time to the error, best peer / Isthmus", 2, lambda found: lead(found, "dense"), most=False),
    Goal(
        "convolutional: time to the error, best peer / Isthmus",
        10,
        lambda found: lead(found, "convolutional"),
        most=False,
    ),
    Goal(
        "linear, exact: Isthmus / PCA's best solver",
        1.0,
        lambda found: linear.ratio(found["linear"]) if "linear" in found else math.nan,
    ),
    Goal("`import isthmus`, beyond Python's start", 0.3, start("import isthmus"), unit="s"),
    Goal("`isthmus --help`, beyond Python's start", 0.4, start("isthmus --help"), unit="s"),
    Goal("from torch's import to the first epoch", 1.5, start("first epoch"), unit="s"),
)
