"""What codes stand for: a grid over a code of two numbers, and each number of a code moved alone."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm
from sklearn.utils.validation import check_is_fitted

from isthmus.colours import COLOURS
from isthmus.errors import DataError, ParameterError, require
from isthmus.params import Number
from isthmus.pictures import pictures, range_of
from isthmus.plots.cells import Row, stacked

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from isthmus.estimator import BaseAutoencoder

_COUNT = Number(2, integer=True)
_MOST_ROWS = 16


def plot_manifold(model: BaseAutoencoder, n: int = 20) -> Figure:
    """Draw the images that a code of two numbers stands for, on a grid over the standard normal prior.

    Row and column i are at its quantile (i + 1/2) / n, so that each image has the same probability (Kingma &
    Welling, "Auto-encoding variational Bayes", 2014, figure 4). Upwards and to the right the numbers grow.

    Parameters
    ----------
    model : VariationalAutoencoder
        A model of images, fitted with ``code_size=2``.
    n : int, default=20
        Images along each side.

    Returns
    -------
    matplotlib.figure.Figure
        One axes.

    Raises
    ------
    DataError
        If the code has not two numbers, or the rows are no images.
    ParameterError
        If ``n`` is not an integer of at least 2, or the model has no prior.

    Examples
    --------
    >>> import isthmus
    >>> X, _ = isthmus.datasets.load_digits()
    >>> model = isthmus.VariationalAutoencoder(2, max_epochs=5, random_state=0).fit(X)
    >>> isthmus.plots.plot_manifold(model, n=8).axes[0].get_xlabel()
    'code 1 (quantile of the prior)'
    """
    check_is_fitted(model)
    _check_count("plot_manifold", n)
    if not hasattr(model, "posterior"):
        raise ParameterError(f"plot_manifold: the model must be a VariationalAutoencoder; got {type(model).__name__}")
    shape = model.schema_.image_shape
    if math.prod(model.code_shape_) != 2 or shape is None:
        found = f"code {model.code_shape_}, rows {model.schema_.row_shape}"
        raise DataError(f"plot_manifold needs a code of 2 numbers and rows that are images; got {found}")
    places = norm.ppf((np.arange(n) + 0.5) / n)
    across, down = np.meshgrid(places, places[::-1])
    images = _drawn(model, np.column_stack([across.ravel(), down.ravel()]), shape)
    height, width = images.shape[1:3]
    grid = images.reshape(n, n, height, width, *images.shape[3:]).swapaxes(1, 2)
    figure: Figure = require("matplotlib.figure", "plot").Figure((6.4, 6.4 * height / width), layout="constrained")
    axes = figure.subplots()
    axes.imshow(grid.reshape(n * height, n * width, *images.shape[3:]), cmap="gray", extent=(0, 1, 0, 1))
    axes.set_aspect(height / width)
    axes.set(xlabel="code 1 (quantile of the prior)", ylabel="code 2 (quantile of the prior)")
    return figure


def plot_traversals(model: BaseAutoencoder, X: Any, steps: int = 9) -> Figure:
    """Draw what each number of the code does: one row for each, moved while the others stay.

    The numbers stay at their medians over X; the moved one goes from its 2nd to its 98th percentile. The numbers
    that vary most come first, at most 16 of them.

    Parameters
    ----------
    model : autoencoder
        A fitted model.
    X : array-like of shape (n_rows, ...)
        Rows, in the shape that was fitted.
    steps : int, default=9
        Places along the way.

    Returns
    -------
    matplotlib.figure.Figure
        A row of ``steps`` axes for each number of the code.

    Raises
    ------
    ParameterError
        If ``steps`` is not an integer of at least 2.

    Examples
    --------
    >>> import isthmus
    >>> X, _ = isthmus.datasets.load_digits()
    >>> model = isthmus.DenseAutoencoder(3, max_epochs=1, random_state=0).fit(X)
    >>> len(isthmus.plots.plot_traversals(model, X, steps=5).axes)
    15
    """
    check_is_fitted(model)
    _check_count("plot_traversals", steps)
    codes = np.asarray(model.transform(X), dtype=np.float64)
    middle, shape = np.median(codes, axis=0), model.schema_.image_shape
    moved = np.argsort(-_spread(model, codes), kind="stable")[:_MOST_ROWS]
    ways = []
    for number in moved:
        way = np.tile(middle, (steps, 1))
        way[:, number] = np.linspace(*_ends(codes[:, number]), steps)
        ways.append(way)
    rebuilt = _drawn(model, np.concatenate(ways), shape)
    low, high = range_of(rebuilt) if shape else range_of(rebuilt, 0.0)
    rows = []
    for number, way, cells in zip(moved, ways, np.split(rebuilt, len(moved)), strict=True):
        ends = f"{way[0, number]:.3g} to {way[-1, number]:.3g}"
        rows.append(Row(f"code {number + 1}\n{ends}", cells, low, high, str(COLOURS[0])))
    return stacked(rows)


def _ends(numbers: NDArray) -> tuple[float, float]:
    return float(np.percentile(numbers, 2)), float(np.percentile(numbers, 98))


def _check_count(name: str, value: int) -> None:
    if not _COUNT.accepts(value):
        raise ParameterError(f"{name}: the number of places must be {_COUNT}; got {value!r}")


def _spread(model: BaseAutoencoder, codes: NDArray) -> NDArray:
    """Give how far each number goes; of a variational model what it tells, its divergence from the prior."""
    return np.asarray(getattr(model, "kl_per_unit_", codes.std(axis=0)))


def _drawn(model: BaseAutoencoder, codes: NDArray, shape: tuple[int, ...] | None) -> NDArray:
    """Give what codes stand for as cells: pictures, or bars in scaled units where columns are scaled one by one."""
    rebuilt = model.inverse_transform(codes)
    if shape is not None:
        images = rebuilt.reshape(-1, *shape)
        return pictures(images, images)[1]
    scaling = model.scaling_
    if scaling.scale.numel() > 1:
        rebuilt = (rebuilt - scaling.offset.numpy()) / scaling.scale.numpy()
    return rebuilt
