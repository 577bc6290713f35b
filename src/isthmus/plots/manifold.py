"""The images that a code of two numbers stands for, on a grid."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm
from sklearn.utils.validation import check_is_fitted

from isthmus.errors import DataError, ParameterError
from isthmus.plots.decoded import check_count, decoded
from isthmus.plots.display import Display, Layout

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from isthmus.estimator import BaseAutoencoder


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
    return ManifoldDisplay.from_estimator(model, n).figure_


class ManifoldDisplay(Display):
    """The images that a code of two numbers stands for, as `plot_manifold` draws them.

    Parameters
    ----------
    images : ndarray of shape (n, n, height, width) or (n, n, height, width, colours)
        From the top left.
    """

    def __init__(self, images: NDArray) -> None:
        self.images = images

    @classmethod
    def from_estimator(cls, model: BaseAutoencoder, n: int = 20, *, ax: Axes | None = None) -> Self:
        """Draw the manifold of a model; parameters are those of `plot_manifold` and `plot`."""
        check_is_fitted(model)
        check_count("plot_manifold", n)
        if not hasattr(model, "posterior"):
            name = type(model).__name__
            raise ParameterError(f"plot_manifold: the model must be a VariationalAutoencoder; got {name}")
        if math.prod(model.code_shape_) != 2 or model.schema_.image_shape is None:
            found = f"code {model.code_shape_}, rows {model.schema_.row_shape}"
            raise DataError(f"plot_manifold needs a code of 2 numbers and rows that are images; got {found}")
        places = norm.ppf((np.arange(n) + 0.5) / n)
        across, down = np.meshgrid(places, places[::-1])
        images = decoded(model, np.column_stack([across.ravel(), down.ravel()]))
        return cls(images.reshape(n, n, *images.shape[1:])).plot(ax)

    def _layout(self) -> Layout:
        return Layout((6.4, 6.4 * self.images.shape[2] / self.images.shape[3]))

    def _draw(self, axes: NDArray) -> None:
        n, _, height, width, *colours = self.images.shape
        ax, grid = axes.item(), self.images.swapaxes(1, 2)
        ax.imshow(grid.reshape(n * height, n * width, *colours), cmap="gray", extent=(0, 1, 0, 1))
        ax.set_aspect(height / width)
        ax.set(xlabel="code 1 (quantile of the prior)", ylabel="code 2 (quantile of the prior)")
