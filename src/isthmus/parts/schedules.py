"""Values that change over the training: weights, temperatures, numbers of active units."""

from __future__ import annotations

from typing import ClassVar

from isthmus.legal import Number
from isthmus.params import param, part


@part
class Ramp:
    """Goes straight from ``start`` to ``end`` over the first ``share`` of the training and stays there.

    Examples
    --------
    >>> from isthmus.parts import Ramp
    >>> [Ramp(0.0, 4.0, share=0.5).at(progress) for progress in (0.0, 0.25, 0.5, 1.0)]
    [0.0, 2.0, 4.0, 4.0]
    """

    kind: ClassVar[str] = "schedule"

    start: float = param(0.0, Number(), "First value.", positional=True)
    end: float = param(1.0, Number(), "Last value.", positional=True)
    share: float = param(0.5, Number(0, 1), "Share of the training that the way takes; 0 starts at the end.")

    def at(self, progress: float) -> float:
        """Give the value when a share ``progress`` of the training is done."""
        done = 1.0 if progress >= self.share else progress / self.share
        return self.start + (self.end - self.start) * done


@part
class Exponential:
    """Goes from ``start`` to ``end`` by equal factors: start (end / start)^progress."""

    kind: ClassVar[str] = "schedule"

    start: float = param(10.0, Number(0, open=True), "First value.", positional=True)
    end: float = param(0.01, Number(0, open=True), "Last value.", positional=True)

    def at(self, progress: float) -> float:
        """Give the value when a share ``progress`` of the training is done."""
        return float(self.start * (self.end / self.start) ** progress)


def value_at(value: float | Ramp | Exponential, progress: float) -> float:
    """Give a number as it is, and a schedule's value."""
    return value.at(progress) if isinstance(value, Ramp | Exponential) else float(value)
