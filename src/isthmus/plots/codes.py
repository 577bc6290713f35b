"""The map of codes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_is_fitted

from isthmus.colours import COLOURS, LINES, MARKERS
from isthmus.errors import DataError
from isthmus.plots.display import Display, Layout
from isthmus.plots.plane import plane_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from isthmus.estimator import BaseAutoencoder


def plot_codes(model: BaseAutoencoder, X: Any, y: ArrayLike | None = None) -> Figure:
    """Draw the codes of rows in the plane, coloured by label.

    Codes of two numbers are drawn as they are, longer ones by their first two principal components, and codes
    of one number as a histogram (or against ``y`` if that is continuous). Points are pixels in a vector file.

    Parameters
    ----------
    model : autoencoder
        A fitted model.
    X : array-like of shape (n_rows, columns), (n_rows, height, width) or (n_rows, height, width, channels)
        Rows, in the shape that was fitted.
    y : array-like of shape (n_rows,), default=None
        Labels: up to 20 distinct values are classes with a legend, more are numbers with a colour bar.

    Returns
    -------
    matplotlib.figure.Figure
        One axes, and that of the colour bar if there is one.

    Raises
    ------
    DataError
        If ``y`` has not one label for each row, or has more than 20 that are no numbers.

    Examples
    --------
    >>> import isthmus
    >>> X, y = isthmus.datasets.load_digits()
    >>> model = isthmus.DenseAutoencoder(code_size=2, max_epochs=1, random_state=0).fit(X)
    >>> isthmus.plots.plot_codes(model, X, y).axes[0].get_xlabel()
    'code 1'
    """
    return CodesDisplay.from_estimator(model, X, y).figure_


class CodesDisplay(Display):
    """The map of codes, as `plot_codes` draws it.

    Parameters
    ----------
    codes : ndarray of shape (n, numbers)
        Codes of rows.
    labels : array-like of shape (n,), default=None
        Their labels.

    Examples
    --------
    >>> import isthmus
    >>> X, y = isthmus.datasets.load_digits()
    >>> model = isthmus.LinearAutoencoder(code_size=2).fit(X)
    >>> isthmus.plots.CodesDisplay(model.transform(X), y).plot().ax_.get_ylabel()
    'code 2'
    """

    def __init__(self, codes: ArrayLike, labels: ArrayLike | None = None) -> None:
        self.codes, self.labels = np.asarray(codes, dtype=np.float64), labels

    @classmethod
    def from_estimator(
        cls, model: BaseAutoencoder, X: Any, y: ArrayLike | None = None, *, ax: Axes | None = None
    ) -> Self:
        """Draw the codes of the rows of X; parameters are those of `plot_codes` and `plot`."""
        check_is_fitted(model)
        return cls(model.transform(X), y).plot(ax)

    def _layout(self) -> Layout:
        return Layout((6.4, 4.8))

    def _draw(self, axes: NDArray) -> None:
        ax, codes = axes.item(), self.codes
        labels = np.zeros(len(codes)) if self.labels is None else np.asarray(self.labels)
        classes, members = grouped(labels, len(codes))
        named = str(getattr(self.labels, "name", None) or "label")
        ax.spines[["top", "right"]].set_visible(False)
        if len(classes) > len(COLOURS):
            _draw_numbers(ax, codes, labels.astype(float), named)
            return
        if codes.shape[1] == 1:
            _draw_histogram(ax, codes[:, 0], classes, members)
        else:
            _draw_classes(ax, codes, classes, members)
        if self.labels is not None:
            ax.legend(title=named, loc="upper left", bbox_to_anchor=(1, 1), frameon=False, labelspacing=0.3)


def grouped(labels: NDArray, n: int) -> tuple[NDArray, NDArray]:
    """Give the distinct labels and, for each row, which of them it has."""
    if labels.shape != (n,):
        raise DataError(f"y must have one label for each of the {n} rows of X; got shape {labels.shape}")
    classes, members = np.unique(labels.astype(str) if labels.dtype.kind == "O" else labels, return_inverse=True)
    if labels.dtype.kind not in "biuf" and len(classes) > len(COLOURS):
        raise DataError(f"y must be numbers or at most {len(COLOURS)} classes; got {len(classes)} classes")
    return classes, members


def _draw_numbers(axes: Axes, codes: NDArray, values: NDArray, named: str) -> None:
    plane = plane_of(codes)
    points, titles = plane(codes), plane.titles
    if codes.shape[1] == 1:
        points, titles = np.column_stack([codes, values]), ("code 1", named)
    dots = axes.scatter(*points.T, **_dots(values))
    bar: Any = axes.figure.colorbar(dots, ax=axes, label=named)
    bar.solids.set_alpha(1)
    axes.set(xlabel=titles[0], ylabel=titles[1])


def _draw_histogram(axes: Axes, codes: NDArray, classes: NDArray, members: NDArray) -> None:
    edges = np.histogram_bin_edges(codes, bins=min(max(math.isqrt(len(codes)), 5), 60))
    for i, name in enumerate(classes):
        counts, _ = np.histogram(codes[members == i], edges)
        style = {"color": COLOURS[i], "linestyle": LINES[i], "fill": len(classes) == 1, "linewidth": 1.5}
        axes.stairs(counts, edges, label=str(name), **style)
    axes.set(xlabel="code 1", ylabel="rows")


def _draw_classes(axes: Axes, codes: NDArray, classes: NDArray, members: NDArray) -> None:
    """Draw the points of all classes in a random order, so that no class hides the others."""
    plane = plane_of(codes)
    points = plane(codes)
    order = np.random.default_rng(0).permutation(len(points))
    for marker in dict.fromkeys(MARKERS[: len(classes)]):
        shown = order[MARKERS[members[order]] == marker]
        axes.scatter(*points[shown].T, marker=marker, **_dots(COLOURS[members[shown]]))
    for i, name in enumerate(classes):
        axes.scatter([], [], 25, COLOURS[i], marker=MARKERS[i], label=str(name))
    axes.set(xlabel=plane.titles[0], ylabel=plane.titles[1])


def _dots(colours: NDArray) -> dict[str, Any]:
    """Give the style of points: the more there are, the smaller and the more transparent."""
    size, alpha = np.clip(2e4 / len(colours), 2, 25), np.clip(2e3 / len(colours), 0.35, 0.85)
    return {"s": size, "c": colours, "alpha": alpha, "linewidths": 0, "rasterized": True}
