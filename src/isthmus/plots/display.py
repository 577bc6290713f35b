"""What all displays share: scikit-learn's convention, drawn without pyplot."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from isthmus.errors import ParameterError, require

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Layout:
    """How many axes there are and how large their figure is, in inches.

    Attributes
    ----------
    size : tuple of float
        Width and height of the figure.
    rows, columns : int
        Axes below and beside each other.
    grid : dict
        What their grid is given besides.
    margins : dict
        Where their grid lies in a figure of its own; empty if matplotlib is to find out.
    titles : float
        Width of the titles at the left, in widths of axes; kept free where the grid is put in place of other axes.
    """

    size: tuple[float, float]
    rows: int = 1
    columns: int = 1
    grid: Mapping[str, Any] = field(default_factory=dict)
    margins: Mapping[str, float] = field(default_factory=dict)
    titles: float = 0.0

    def axes(self) -> NDArray:
        """Make a figure with the axes."""
        figure = require("matplotlib.figure", "plot").Figure(self.size, layout=None if self.margins else "constrained")
        return figure.subplots(
            self.rows, self.columns, sharex=not self.margins, squeeze=False, gridspec_kw={**self.grid, **self.margins}
        )

    def within(self, ax: Axes) -> NDArray:
        """Put the axes in place of others."""
        if self.rows == self.columns == 1:
            return np.array([[ax]])
        place = ax.get_subplotspec()
        if place is None:
            raise ParameterError("ax must be of a grid, such as plt.subplots() makes, where a figure has several axes")
        ax.set_axis_off()
        widths = [self.titles, *[1] * self.columns] if self.titles else None
        within = place.subgridspec(self.rows, self.columns + bool(self.titles), width_ratios=widths, **self.grid)
        axes = within.subplots(sharex=not self.margins, squeeze=False)
        for title in axes[:, : bool(self.titles)].flat:
            title.set_axis_off()
        return axes[:, bool(self.titles) :]


class Display(ABC):
    """A figure, as scikit-learn's displays are: made by ``from_estimator``, drawn again by ``plot``.

    Attributes
    ----------
    figure_ : matplotlib.figure.Figure
        The figure it was last drawn in.
    ax_ : matplotlib.axes.Axes or ndarray of them
        Its axes: a single one, or an array of shape (rows, columns).
    """

    figure_: Figure
    ax_: Any

    def plot(self, ax: Axes | None = None) -> Self:
        """Draw.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Where to draw. None is a new figure, which pyplot does not know. A display of several axes takes the place
            of ``ax`` in its grid.

        Returns
        -------
        Display
            Itself, with ``figure_`` and ``ax_``.
        """
        layout = self._layout()
        axes = layout.axes() if ax is None else layout.within(ax)
        self._draw(axes)
        self.ax_ = axes.item() if axes.size == 1 else axes
        self.figure_ = axes.flat[0].figure
        return self

    @abstractmethod
    def _layout(self) -> Layout:
        """Say which axes are wanted."""

    @abstractmethod
    def _draw(self, axes: NDArray) -> None:
        """Draw on axes, an array of shape (rows, columns)."""
