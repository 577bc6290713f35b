"""The figure of held-out error against code size."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from isthmus.colours import COLOURS
from isthmus.errors import require
from isthmus.pictures import range_of
from isthmus.plots.display import Display, Layout

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from isthmus.estimator import BaseAutoencoder
    from isthmus.selection import Curve

_DECADE, _DOUBLINGS = 10, 4


def plot_code_size_curve(curve: Curve) -> Figure:
    """Draw held-out error and explained variance against code size, beside PCA, and mark the suggested size.

    The scale of the sizes is logarithmic if the largest is at least four times the smallest, that of the errors if
    they span more than a decade. Bars are standard errors over the splits, where there are several.

    Parameters
    ----------
    curve : Curve
        What `isthmus.selection.code_size_curve` gave.

    Returns
    -------
    matplotlib.figure.Figure
        Two axes, above each other: errors and explained variances.

    Examples
    --------
    >>> import isthmus
    >>> X, _ = isthmus.datasets.load_digits()
    >>> model = isthmus.DenseAutoencoder(max_epochs=1, random_state=0)
    >>> curve = isthmus.selection.code_size_curve(model, X, sizes=(2, 8), random_state=0)
    >>> [axes.get_ylabel() for axes in isthmus.plots.plot_code_size_curve(curve).axes]
    ['held-out mean squared error', 'held-out variance explained']
    """
    return CodeSizeCurveDisplay(curve).plot().figure_


class CodeSizeCurveDisplay(Display):
    """Held-out error against code size, as `plot_code_size_curve` draws it.

    Parameters
    ----------
    curve : Curve
        What `isthmus.selection.code_size_curve` gave.
    """

    def __init__(self, curve: Curve) -> None:
        self.curve = curve

    @classmethod
    def from_estimator(
        cls,
        model: BaseAutoencoder,
        X: Any,
        sizes: Iterable[int] | None = None,
        *,
        ax: Axes | None = None,
        **options: Any,
    ) -> Self:
        """Measure a model at several code sizes and draw it; options go to `isthmus.selection.code_size_curve`."""
        from isthmus.selection import code_size_curve

        return cls(code_size_curve(model, X, sizes, **options)).plot(ax)

    def _layout(self) -> Layout:
        return Layout((6.4, 6.4), rows=2)

    def _draw(self, axes: NDArray) -> None:
        curve, (above, below) = self.curve, axes[:, 0]
        bars = None if np.isnan(curve.standard_error).all() else curve.standard_error
        _draw(above, curve, curve.error, curve.pca_error, bars)
        _draw(below, curve, curve.explained_variance, curve.pca_explained_variance, None)
        low, high = range_of(curve.error, curve.pca_error)
        above.set(ylabel="held-out mean squared error", yscale="log" if 0 < _DECADE * low < high else "linear")
        below.set(xlabel="code size", ylabel="held-out variance explained")
        below.yaxis.set_major_formatter(require("matplotlib.ticker", "plot").PercentFormatter(1))
        _scale_sizes(below, curve.sizes)
        above.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=3, frameon=False, borderaxespad=0.2)


def _draw(axes: Axes, curve: Curve, values: NDArray, pca: NDArray, bars: NDArray | None) -> None:
    place = int(np.flatnonzero(curve.sizes == curve.suggested)[0])
    axes.axvline(curve.suggested, color="0.75", linewidth=0.8, zorder=0)
    axes.plot(curve.sizes, values, color=COLOURS[0], marker="o", markersize=4, label="model")
    if bars is not None:
        axes.errorbar(curve.sizes, values, bars, color=COLOURS[0], fmt="none", capsize=2)
    axes.plot(curve.sizes, pca, color=COLOURS[2], linestyle="--", marker="o", markersize=4, label="PCA")
    ring = f"suggested: {curve.suggested}"
    axes.plot(curve.suggested, values[place], "ko", markersize=10, markerfacecolor="none", clip_on=False, label=ring)
    axes.grid(color="0.9", linewidth=0.6, axis="y")
    axes.spines[["top", "right"]].set_visible(False)


def _scale_sizes(axes: Axes, sizes: NDArray) -> None:
    """Set the scale of the sizes, with a tick at each where there is room."""
    if sizes[-1] >= _DOUBLINGS * sizes[0]:
        axes.set_xscale("log", base=2)
    shown = sizes if len(sizes) <= 12 else sizes[:: -(-len(sizes) // 12)]
    axes.set_xticks(shown, [str(size) for size in shown], minor=False)
    axes.set_xticks([], minor=True)
