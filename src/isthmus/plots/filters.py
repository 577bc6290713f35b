"""The weights of the first layer, as images."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from isthmus.errors import DataError, ParameterError
from isthmus.legal import Number
from isthmus.pictures import tiled
from isthmus.plots.display import Display, Layout

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from isthmus.estimator import BaseAutoencoder

_COUNT = Number(1, integer=True)
_MATRIX, _KERNELS = 2, 4


def plot_filters(model: BaseAutoencoder, n: int = 64) -> Figure:
    """Draw the weights of the encoder's first layer: what each of its units answers to.

    Units of a dense layer on images and kernels of a convolution are drawn as images, units of a dense layer on
    tables as a heat map with a line for each. Zero is white, negative weights are brown and positive ones green; every
    unit has its own scale. The units with the longest weight vectors come first.

    Parameters
    ----------
    model : autoencoder
        A fitted model.
    n : int, default=64
        How many units to draw, or all if the layer has fewer.

    Returns
    -------
    matplotlib.figure.Figure
        An axes for each unit, or one for all of a table.

    Raises
    ------
    DataError
        If the encoder has no layer whose weights can be drawn.
    ParameterError
        If ``n`` is not an integer of at least 1.

    Examples
    --------
    >>> import isthmus
    >>> X, _ = isthmus.datasets.load_digits()
    >>> model = isthmus.DenseAutoencoder(hidden=(25,), max_epochs=1, random_state=0).fit(X)
    >>> len(isthmus.plots.plot_filters(model, n=9).axes)
    9
    """
    return FiltersDisplay.from_estimator(model, n).figure_


class FiltersDisplay(Display):
    """The weights of the first layer, as `plot_filters` draws them.

    Parameters
    ----------
    filters : ndarray of shape (n, height, width) or (n, columns)
        Weights of units, each within [-1, 1]; NaN is left blank.
    names : sequence of str
        Names of the columns, of a table.
    """

    def __init__(self, filters: NDArray, names: Sequence[str] = ()) -> None:
        self.filters, self.names = filters, names

    @classmethod
    def from_estimator(cls, model: BaseAutoencoder, n: int = 64, *, ax: Axes | None = None) -> Self:
        """Draw the filters of a model; parameters are those of `plot_filters` and `plot`."""
        check_is_fitted(model)
        if not _COUNT.accepts(n):
            raise ParameterError(f"plot_filters: n must be {_COUNT}; got {n!r}")
        weights = _first_weights(model)
        length = np.abs(weights).reshape(len(weights), -1)
        order = np.argsort(-np.square(length).sum(axis=1), kind="stable")[:n]
        largest = length.max(axis=1).reshape(-1, *[1] * (weights.ndim - 1))
        shown = (weights / np.where(largest > 0, largest, 1))[order]
        names = getattr(model, "feature_names_in_", [f"x{place}" for place in range(model.n_features_in_)])
        return cls(tiled(shown) if shown.ndim == _KERNELS else shown, list(names)).plot(ax)

    def _layout(self) -> Layout:
        if self.filters.ndim == _MATRIX:
            rows, columns = self.filters.shape
            return Layout((min(2 + 0.4 * columns, 10), min(1.2 + 0.28 * rows, 8)))
        n, height, width = self.filters.shape
        columns = min(math.ceil(math.sqrt(1.6 * n)), n)
        rows = -(-n // columns)
        side = min(1.0, 9 / columns)
        margins = {"left": 0.01, "right": 0.99, "bottom": 0.01, "top": 0.99}
        size = (side * columns, side * rows * min(max(height / width, 0.5), 2.0))
        return Layout(size, rows, columns, {"wspace": 0.08, "hspace": 0.08}, margins)

    def _draw(self, axes: NDArray) -> None:
        style = {"cmap": "BrBG", "vmin": -1, "vmax": 1, "interpolation": "nearest"}
        if self.filters.ndim == _MATRIX:
            _draw_table(axes.item(), self.filters, self.names, style)
            return
        for one, ax in zip(self.filters, axes.flat, strict=False):
            ax.imshow(one, **style)
            ax.set(xticks=[], yticks=[])
            ax.spines[:].set(linewidth=0.4, color="0.6")
        for ax in axes.flat[len(self.filters) :]:
            ax.remove()


def _draw_table(ax: Axes, filters: NDArray, names: Sequence[str], style: dict) -> None:
    ax.imshow(filters, aspect="auto", **style)
    every = -(-len(names) // 24)
    ax.set_xticks(np.arange(0, len(names), every), names[::every], rotation=90, fontsize=8)
    ax.locator_params(axis="y", integer=True)
    ax.set(ylabel="unit, by the length of its weights")


def _first_weights(model: BaseAutoencoder) -> NDArray:
    """Give the weights of the first layer: (units, height, width, channels) of images and kernels, or (units, columns).

    Weights of a layer that sees scaled rows; a selector of columns has logits.
    """
    found = [weight for weight in model.encoder_.parameters() if weight.ndim in (_MATRIX, _KERNELS)]
    if not found:
        raise DataError("the encoder has no dense layer or convolution of images whose weights could be drawn")
    weights, shape = found[0].detach().cpu().double().numpy(), model.schema_.image_shape
    if weights.ndim == _KERNELS:
        return np.moveaxis(weights, 1, -1)
    return weights.reshape(-1, *shape) if shape and weights.shape[1] == math.prod(shape) else weights
