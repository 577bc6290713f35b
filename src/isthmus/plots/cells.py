"""Rows of cells below each other: pictures and bars, on a common scale, that never overlap."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from isthmus.plots.display import Display, Layout

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Inches: titles and scale of the rows of cells, what surrounds the cells, the gaps between them.
_TITLES, _MARGIN, _ACROSS, _DOWN = 1.6, 0.12, 0.1, 0.16


@dataclass(frozen=True)
class Row:
    """A row of cells on one scale: pictures (n, h, w) or (n, h, w, colours), or bars (n, numbers)."""

    title: str
    cells: NDArray
    low: float
    high: float
    colour: str = "0.4"

    def height(self, width: float) -> float:
        """Height of cells that are ``width`` inches wide."""
        if self.cells.ndim == 2:
            return max(width, 0.9)
        return width * min(max(self.cells.shape[1] / self.cells.shape[2], 0.5), 3.0)

    def draw(self, axes: Sequence[Axes]) -> None:
        """Draw the title and each cell; the first one of bars has the scale."""
        bars = self.cells.ndim == 2
        for place, cell in zip(axes, self.cells, strict=True):
            self._bars(place, cell) if bars else self._picture(place, cell)
            place.set_xticks([])
            place.yaxis.set_visible(bars and place is axes[0])
            place.spines["left"].set_visible(not bars or place is axes[0])
        left = 72 * (_MARGIN - _TITLES)
        axes[0].annotate(self.title, (0, 0.5), (left, 0), "axes fraction", "offset points", va="center")

    def _picture(self, axes: Axes, cell: NDArray) -> None:
        axes.imshow(cell, cmap="gray", vmin=self.low, vmax=self.high, interpolation="nearest")
        axes.spines[:].set(linewidth=0.5, color="0.6")

    def _bars(self, axes: Axes, cell: NDArray) -> None:
        gap = 0.1 if len(cell) <= 64 else 0.0
        edges = np.add.outer(np.arange(len(cell)), (gap, 1 - gap)).ravel()
        axes.stairs(np.column_stack([cell, 0 * cell]).ravel()[:-1], edges, fill=True, color=self.colour)
        axes.axhline(0, color="black", linewidth=0.6)
        room = 0.05 * (self.high - self.low) or 1.0
        axes.set(xlim=(0, len(cell)), ylim=(self.low - room, self.high + room))
        axes.locator_params(axis="y", nbins=4)
        axes.tick_params(labelsize=8)
        axes.spines[["top", "right", "bottom"]].set_visible(False)


class CellsDisplay(Display):
    """Rows of cells below each other, every length in inches, so that nothing overlaps at any number of cells.

    Parameters
    ----------
    rows : sequence of Row
        With as many cells each.
    """

    def __init__(self, rows: Sequence[Row]) -> None:
        self.rows = rows

    def _layout(self) -> Layout:
        n = len(self.rows[0].cells)
        cell = min(max(14 / n, 0.7), 1.5)
        heights = [row.height(cell) for row in self.rows]
        width = _TITLES + n * cell + (n - 1) * _ACROSS + _MARGIN
        height = _MARGIN + sum(heights) + (len(self.rows) - 1) * _DOWN + _MARGIN
        grid = {"wspace": _ACROSS / cell, "hspace": _DOWN * len(self.rows) / sum(heights), "height_ratios": heights}
        margins = {"left": _TITLES / width, "right": 1 - _MARGIN / width}
        margins |= {"bottom": _MARGIN / height, "top": 1 - _MARGIN / height}
        return Layout((width, height), len(self.rows), n, grid, margins, _TITLES / cell)

    def _draw(self, axes: NDArray) -> None:
        for row, places in zip(self.rows, axes, strict=True):
            row.draw(places)
