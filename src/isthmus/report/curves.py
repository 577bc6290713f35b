"""Curves and bars as inline SVG, coloured by the classes of the style sheet."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

_WIDTH, _HEIGHT = 560, 280
_LEFT, _RIGHT, _TOP, _BOTTOM = 66, 14, 12, 46
_DECADE = 10


@dataclass(frozen=True, eq=False)
class Line:
    """A curve with its name; ``kind`` is a class of the style sheet, such as ``"first"`` or ``"second dashed"``."""

    name: str
    x: NDArray
    y: NDArray
    kind: str


@dataclass(frozen=True)
class _Scale:
    """Numbers from ``low`` to ``high`` as places from ``start`` to ``stop``."""

    low: float
    high: float
    start: float
    stop: float
    log: bool = False

    def __call__(self, values: NDArray) -> NDArray:
        on = np.log10 if self.log else np.asarray
        low, high = float(on(self.low)), float(on(self.high))
        return self.start + (on(values) - low) / ((high - low) or 1.0) * (self.stop - self.start)

    def ticks(self, most: int) -> list[float]:
        """Give a few round numbers within the range."""
        if self.log:
            return _round_logarithms(self.low, self.high)
        step = _step((self.high - self.low) / most)
        first = math.ceil(self.low / step - 1e-9)
        return [i * step for i in range(first, math.floor(self.high / step + 1e-9) + 1)]


def plot(lines: Sequence[Line], across: str, up: str, words: str, *, whole: bool = False, zero: bool = False) -> Markup:
    """Draw curves in one frame.

    Parameters
    ----------
    lines : sequence of Line
        The curves; the scale is logarithmic if they span more than a decade, unless it starts at ``zero``.
    across, up : str
        Titles of the axes.
    words : str
        What the figure shows, for those who do not see it.
    whole : bool
        Whether ticks across are integers only.
    zero : bool
        Whether the scale up starts at zero.

    Returns
    -------
    Markup
        An ``svg`` element.
    """
    x, y = (np.concatenate([getattr(line, axis) for line in lines]) for axis in ("x", "y"))
    y = y[np.isfinite(y)]
    low, high = (0.0 if zero else float(y.min())), float(y.max())
    log = not zero and 0 < _DECADE * low < high
    room = 0.0 if log or zero else 0.04 * (high - low)
    place_x = _Scale(float(x.min()), float(x.max()), _LEFT, _WIDTH - _RIGHT)
    place_y = _Scale(low - room, high + room, _HEIGHT - _BOTTOM, _TOP, log)
    ticks = [tick for tick in place_x.ticks(6) if not whole or tick == int(tick)]
    parts = [
        *_across(place_x, ticks),
        *_up(place_y),
        *_titles(across, up),
        *(_path(line, place_x, place_y) for line in lines),
    ]
    return _figure(words, parts)


def histogram(counts: Sequence[NDArray], edges: NDArray, kinds: Sequence[str], across: str, words: str) -> Markup:
    """Draw histograms over the same bins as steps in one frame."""
    steps = [
        Line("", np.repeat(edges, 2)[1:-1], np.repeat(one, 2), kind) for one, kind in zip(counts, kinds, strict=True)
    ]
    return plot(steps, across, "rows", words, zero=True)


def _figure(words: str, parts: Sequence[str]) -> Markup:
    body = "".join(parts)
    return Markup(
        f'<svg class="plot" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(words)}">{body}</svg>'
    )


def _path(line: Line, place_x: _Scale, place_y: _Scale) -> str:
    there = np.isfinite(line.y)
    points = zip(place_x(line.x[there]), place_y(line.y[there]), strict=True)
    way = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<polyline class="line {line.kind}" points="{way}"/>'


def _across(scale: _Scale, ticks: Sequence[float]) -> list[str]:
    base = _HEIGHT - _BOTTOM
    marks = [f'<path class="axis" d="M{_LEFT} {base}H{_WIDTH - _RIGHT}"/>']
    for tick, x in zip(ticks, scale(np.array(ticks)), strict=True):
        marks.append(f'<text x="{x:.1f}" y="{base + 18}" text-anchor="middle">{tick:.6g}</text>')
    return marks


def _up(scale: _Scale) -> list[str]:
    marks, ticks = [], scale.ticks(4)
    for tick, y in zip(ticks, scale(np.array(ticks)), strict=True):
        marks.append(f'<path class="axis" d="M{_LEFT} {y:.1f}H{_WIDTH - _RIGHT}"/>')
        marks.append(f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{tick:.4g}</text>')
    return marks


def _titles(across: str, up: str) -> list[str]:
    middle = (_TOP + _HEIGHT - _BOTTOM) / 2
    return [
        f'<text x="{(_LEFT + _WIDTH - _RIGHT) / 2}" y="{_HEIGHT - 6}" text-anchor="middle">{escape(across)}</text>',
        f'<text transform="translate(14 {middle}) rotate(-90)" text-anchor="middle">{escape(up)}</text>',
    ]


def _step(least: float) -> float:
    """Give the smallest of 1, 2, 5 times a power of ten that is at least ``least``."""
    power = 10.0 ** math.floor(math.log10(least or 1.0))
    return next((factor * power for factor in (1, 2, 5) if factor * power >= least), 10 * power)


def _round_logarithms(low: float, high: float) -> list[float]:
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    factors = (1, 2, 5) if math.log10(high / low) < 2 else (1,)
    return [factor * 10.0**power for power in powers for factor in factors if low <= factor * 10.0**power <= high]
