"""Figures of a fitted model: what it rebuilds, how it learned, and where its codes lie.

Each function gives a ``matplotlib.figure.Figure``; save it with ``figure.savefig(path)``. Nothing goes through
pyplot, so no window opens and no global state changes. matplotlib is imported when a figure is made, and if it
is missing, `isthmus.errors.MissingExtraError` says how to install it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import eigh
from sklearn.utils.validation import check_is_fitted

from isthmus.errors import DataError, ParameterError, require
from isthmus.params import Number
from isthmus.records import Epoch
from isthmus.validation import checked_rows

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from isthmus.estimator import BaseAutoencoder

_COUNT = Number(1, integer=True)
# Petroff's ten colours (arXiv:2107.02270), told apart with any colour vision; twenty labels take them twice.
_TEN = "#3f90da #ffa90e #bd1f01 #94a4a2 #832db6 #a96b59 #e76300 #b9ac70 #717581 #92dadd".split()  # noqa: SIM905
_COLOURS, _MARKERS, _LINES = np.array(_TEN * 2), np.repeat(["o", "^"], 10), np.repeat(["-", "--"], 10)
# Inches: titles and scale of the rows of cells, what surrounds the cells, the gaps between them.
_TITLES, _MARGIN, _ACROSS, _DOWN = 1.6, 0.12, 0.1, 0.16


@dataclass(frozen=True)
class _Row:
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


def plot_reconstructions(model: BaseAutoencoder, X: ArrayLike, n: int = 10) -> Figure:
    """Draw rows, their codes and what the model rebuilds from them, one below the other.

    Images, columns that the model sees as an image (``image_shape``) and codes that are feature maps are drawn
    as images, other rows and codes as bars. Originals and reconstructions share one scale, and so do the codes.
    Columns that the model scales one by one are drawn scaled.

    Parameters
    ----------
    model : autoencoder
        A fitted model.
    X : array-like of shape (n_rows, columns), (n_rows, height, width) or (n_rows, height, width, channels)
        Rows, in the shape that was fitted; the first ``n`` are drawn.
    n : int, default=10
        How many rows to draw, or all if X has fewer; up to 20 fit on a page.

    Returns
    -------
    matplotlib.figure.Figure
        Three rows of ``n`` axes.

    Raises
    ------
    ParameterError
        If ``n`` is not an integer of at least 1.

    Examples
    --------
    >>> import isthmus
    >>> X, _ = isthmus.datasets.load_digits()
    >>> model = isthmus.ConvolutionalAutoencoder(max_epochs=1, random_state=0).fit(X)
    >>> len(isthmus.plots.plot_reconstructions(model, X, n=5).axes)
    15
    """
    check_is_fitted(model)
    if not _COUNT.accepts(n):
        raise ParameterError(f"plot_reconstructions: n must be {_COUNT}; got {n!r}")
    some: Any = X
    some = some[:n]
    original, rebuilt = _data_rows(model, checked_rows(model, some, reset=False), model.reconstruct(some))
    return _stacked([original, _code_row(model, np.asarray(model.transform(some))), rebuilt])


def _data_rows(model: BaseAutoencoder, originals: NDArray, rebuilt: NDArray) -> tuple[_Row, _Row]:
    """Give the originals and the reconstructions on their common scale."""
    schema, scaling = model.schema_, model.scaling_
    shape = schema.layout if len(schema.layout) == 3 else (*schema.row_shape, 1)[:3]
    if len(shape) == 3:
        size = _size_of(shape)
        originals, rebuilt = _pictures(originals.reshape(-1, *shape), rebuilt.reshape(-1, *shape))
        low, high = _range_of(originals, rebuilt)
    else:
        size = f"{shape[0]} columns"
        if scaling.scale.numel() > 1:
            size += "\nscaled"
            offset, scale = scaling.offset.numpy(), scaling.scale.numpy()
            originals, rebuilt = (originals - offset) / scale, (rebuilt - offset) / scale
        low, high = _range_of(originals, rebuilt, 0.0)
    return _Row(f"original\n{size}", originals, low, high), _Row(f"reconstruction\n{size}", rebuilt, low, high)


def _pictures(originals: NDArray, rebuilt: NDArray) -> tuple[NDArray, NDArray]:
    """Give images as imshow takes them: three or four colours within [0, 1], anything else in grays."""
    if originals.shape[-1] not in (3, 4):
        return _tiled(originals), _tiled(rebuilt)
    low, high = _range_of(originals, 0.0, 1.0)
    if originals.dtype.kind in "iu":
        high = float(np.iinfo(originals.dtype).max)
    return np.clip((originals - low) / (high - low), 0, 1), np.clip((rebuilt - low) / (high - low), 0, 1)


def _tiled(maps: NDArray) -> NDArray:
    """Put the channels of (n, h, w, channels) side by side in a near-square grid, with gaps of NaN."""
    n, height, width, channels = maps.shape
    across = math.ceil(math.sqrt(channels))
    down = math.ceil(channels / across)
    tiles = np.full((n, down * across, height + 1, width + 1), np.nan)
    tiles[:, :channels, :height, :width] = np.moveaxis(maps, -1, 1)
    grid = tiles.reshape(n, down, across, height + 1, width + 1).swapaxes(2, 3)
    return grid.reshape(n, down * (height + 1), across * (width + 1))[:, :-1, :-1]


def _range_of(*values: ArrayLike) -> tuple[float, float]:
    return min(float(np.nanmin(value)) for value in values), max(float(np.nanmax(value)) for value in values)


def _size_of(shape: Sequence[int]) -> str:
    return " x ".join(map(str, shape if shape[-1] > 1 else shape[:-1]))


def _code_row(model: BaseAutoencoder, codes: NDArray) -> _Row:
    if len(model.code_shape_) == 3:
        maps = _tiled(codes.reshape(-1, *model.code_shape_))
        return _Row(f"code\n{_size_of(model.code_shape_)}", maps, *_range_of(codes))
    size = codes.shape[1]
    return _Row(f"code\n{size} number{'s' * (size > 1)}", codes, *_range_of(codes, 0.0), _TEN[0])


def _stacked(rows: Sequence[_Row]) -> Figure:
    """Draw rows of cells below each other, every length in inches, so that nothing overlaps at any n."""
    n = len(rows[0].cells)
    cell = min(max(14 / n, 0.7), 1.5)
    heights = [row.height(cell) for row in rows]
    width = _TITLES + n * cell + (n - 1) * _ACROSS + _MARGIN
    height = _MARGIN + sum(heights) + (len(rows) - 1) * _DOWN + _MARGIN
    sides = {"left": _TITLES / width, "right": 1 - _MARGIN / width}
    ends = {"bottom": _MARGIN / height, "top": 1 - _MARGIN / height}
    gaps = {"wspace": _ACROSS / cell, "hspace": _DOWN * len(rows) / sum(heights), "height_ratios": heights}
    figure: Figure = require("matplotlib.figure", "plot").Figure(figsize=(width, height))
    axes = figure.subplots(len(rows), n, squeeze=False, gridspec_kw=sides | ends | gaps)
    for row, places in zip(rows, axes, strict=True):
        row.draw(places)
    return figure


def plot_history(model: BaseAutoencoder) -> Figure:
    """Draw the training and the held-out loss of each epoch, and mark the best epoch.

    Training rows count as they were while they were learned, held-out rows after the epoch. Terms of the loss
    besides the reconstruction have a second panel. A scale is logarithmic if it spans more than a decade.

    Parameters
    ----------
    model : autoencoder
        A fitted model.

    Returns
    -------
    matplotlib.figure.Figure
        One or two axes.

    Raises
    ------
    DataError
        If the model has no epochs.

    Examples
    --------
    >>> import isthmus
    >>> X, _ = isthmus.datasets.load_digits()
    >>> model = isthmus.DenseAutoencoder(code_size=8, max_epochs=1, random_state=0).fit(X)
    >>> [axes.get_ylabel() for axes in isthmus.plots.plot_history(model).axes]
    ['loss per row (scaled units)']
    """
    check_is_fitted(model)
    if not model.history_:
        raise DataError("the model has an empty history_: fit it for at least one epoch")
    history, terms = model.history_, [name for name in model.history_[-1].losses if name != "reconstruction"]
    figure: Figure = require("matplotlib.figure", "plot").Figure((6.4, 6.4 if terms else 4.0), layout="constrained")
    panels = figure.subplots(2 if terms else 1, sharex=True, squeeze=False)[:, 0]
    _draw_loss(panels[0], history)
    for name, colour in zip(terms, _COLOURS, strict=False):
        _curve(panels[1], history, [epoch.losses.get(name) for epoch in history], color=colour, label=name)
        held_out = [epoch.validation_losses.get(name) for epoch in history]
        _curve(panels[1], history, held_out, color=colour, linestyle="--")
        panels[1].set_ylabel("term of the loss per row\n(scaled units; dashed: held-out)")
    for axes in panels:
        _finish_panel(axes, history)
    panels[-1].set_xlabel("epoch")
    return figure


def _draw_loss(axes: Axes, history: Sequence[Epoch]) -> None:
    held_out = [epoch for epoch in history if epoch.validation_loss is not None]
    best = min(held_out or history, key=lambda epoch: epoch.monitored)
    _curve(axes, history, [epoch.loss for epoch in history], color=_TEN[0], label="training")
    if held_out:
        losses = [epoch.validation_loss for epoch in history]
        _curve(axes, history, losses, color=_TEN[2], linestyle="--", label="held-out")
    ring = f"best epoch: {best.epoch}"
    axes.plot(best.epoch, best.monitored, "ko", markersize=10, markerfacecolor="none", clip_on=False, label=ring)
    axes.set_ylabel("loss per row (scaled units)")


def _curve(axes: Axes, history: Sequence[Epoch], losses: Sequence[float | None], **style: Any) -> None:
    marker = "o" if len(history) <= 30 else None
    axes.plot([epoch.epoch for epoch in history], np.array(losses, float), marker=marker, markersize=4, **style)


def _finish_panel(axes: Axes, history: Sequence[Epoch]) -> None:
    """Set the scales, and put the legend above the panel, where no line runs."""
    low, high = _range_of(np.concatenate([line.get_ydata() for line in axes.lines]))
    axes.set_yscale("log" if 0 < 10 * low < high else "linear")
    axes.set_xlim(history[0].epoch - 0.5, history[-1].epoch + 0.5)
    axes.locator_params(axis="x", integer=True, min_n_ticks=1)
    axes.grid(color="0.9", linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=3, frameon=False, borderaxespad=0.2)


def plot_codes(model: BaseAutoencoder, X: ArrayLike, y: ArrayLike | None = None) -> Figure:
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
    check_is_fitted(model)
    codes = np.asarray(model.transform(X), dtype=np.float64)
    labels = np.zeros(len(codes)) if y is None else np.asarray(y)
    classes, members = _classes(labels, len(codes))
    named = str(getattr(y, "name", None) or "label")
    figure: Figure = require("matplotlib.figure", "plot").Figure((6.4, 4.8), layout="constrained")
    axes = figure.subplots()
    axes.spines[["top", "right"]].set_visible(False)
    if len(classes) > len(_COLOURS):
        _draw_numbers(axes, codes, labels.astype(float), named)
        return figure
    if codes.shape[1] == 1:
        _draw_histogram(axes, codes[:, 0], classes, members)
    else:
        _draw_classes(axes, codes, classes, members)
    if y is not None:
        axes.legend(title=named, loc="upper left", bbox_to_anchor=(1, 1), frameon=False, labelspacing=0.3)
    return figure


def _classes(labels: NDArray, n: int) -> tuple[NDArray, NDArray]:
    """Give the distinct labels and, for each row, which of them it has."""
    if labels.shape != (n,):
        raise DataError(f"y must have one label for each of the {n} rows of X; got shape {labels.shape}")
    classes, members = np.unique(labels.astype(str) if labels.dtype.kind == "O" else labels, return_inverse=True)
    if labels.dtype.kind not in "biuf" and len(classes) > len(_COLOURS):
        raise DataError(f"y must be numbers or at most {len(_COLOURS)} classes; got {len(classes)} classes")
    return classes, members


def _draw_numbers(axes: Axes, codes: NDArray, values: NDArray, named: str) -> None:
    points, titles = _plane(codes) if codes.shape[1] > 1 else (np.column_stack([codes, values]), ("code 1", named))
    dots = axes.scatter(*points.T, **_dots(values))
    bar: Any = axes.figure.colorbar(dots, ax=axes, label=named)
    bar.solids.set_alpha(1)
    axes.set(xlabel=titles[0], ylabel=titles[1])


def _draw_histogram(axes: Axes, codes: NDArray, classes: NDArray, members: NDArray) -> None:
    edges = np.histogram_bin_edges(codes, bins=min(max(math.isqrt(len(codes)), 5), 60))
    for i, name in enumerate(classes):
        counts, _ = np.histogram(codes[members == i], edges)
        style = {"color": _COLOURS[i], "linestyle": _LINES[i], "fill": len(classes) == 1, "linewidth": 1.5}
        axes.stairs(counts, edges, label=str(name), **style)
    axes.set(xlabel="code 1", ylabel="rows")


def _draw_classes(axes: Axes, codes: NDArray, classes: NDArray, members: NDArray) -> None:
    """Draw the points of all classes in a random order, so that no class hides the others."""
    points, titles = _plane(codes)
    order = np.random.default_rng(0).permutation(len(points))
    for marker in dict.fromkeys(_MARKERS[: len(classes)]):
        shown = order[_MARKERS[members[order]] == marker]
        axes.scatter(*points[shown].T, marker=marker, **_dots(_COLOURS[members[shown]]))
    for i, name in enumerate(classes):
        axes.scatter([], [], 25, _COLOURS[i], marker=_MARKERS[i], label=str(name))
    axes.set(xlabel=titles[0], ylabel=titles[1])


def _dots(colours: NDArray) -> dict[str, Any]:
    """Give the style of points: the more there are, the smaller and the more transparent."""
    size, alpha = np.clip(2e4 / len(colours), 2, 25), np.clip(2e3 / len(colours), 0.35, 0.85)
    return {"s": size, "c": colours, "alpha": alpha, "linewidths": 0, "rasterized": True}


def _plane(codes: NDArray) -> tuple[NDArray, tuple[str, ...]]:
    """Give two columns and their titles: the codes themselves or their first two principal components."""
    if codes.shape[1] == 2:
        return codes, ("code 1", "code 2")
    centred = codes - codes.mean(axis=0)
    scatter, last = centred.T @ centred, codes.shape[1] - 1
    variances, directions = eigh(scatter, subset_by_index=(last - 1, last))
    shares = np.maximum(variances[::-1], 0) / (scatter.trace() or 1.0)
    titles = (f"principal component {i} of the codes ({share:.1%} of variance)" for i, share in enumerate(shares, 1))
    return centred @ directions[:, ::-1], tuple(titles)
