"""The figure of originals, codes and reconstructions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from isthmus.colours import COLOURS
from isthmus.errors import ParameterError
from isthmus.legal import Number
from isthmus.pictures import pictures, range_of, size_of, tiled
from isthmus.plots.cells import CellsDisplay, Row
from isthmus.sources import head_of
from isthmus.validation import checked_source

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from isthmus.estimator import BaseAutoencoder

_COUNT = Number(1, integer=True)


def plot_reconstructions(model: BaseAutoencoder, X: Any, n: int = 10) -> Figure:
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
    return ReconstructionsDisplay.from_estimator(model, X, n).figure_


class ReconstructionsDisplay(CellsDisplay):
    """Rows, their codes and their reconstructions, as `plot_reconstructions` draws them."""

    @classmethod
    def from_estimator(cls, model: BaseAutoencoder, X: Any, n: int = 10, *, ax: Axes | None = None) -> Self:
        """Draw the first ``n`` rows of X; parameters are those of `plot_reconstructions` and `plot`."""
        check_is_fitted(model)
        if not _COUNT.accepts(n):
            raise ParameterError(f"plot_reconstructions: n must be {_COUNT}; got {n!r}")
        rows, codec = head_of(checked_source(model, X, reset=False), n), model._codec()
        codes = np.concatenate(list(codec.encoded([rows])))
        original, rebuilt = _data_rows(model, rows, np.concatenate(list(codec.decoded(codes))))
        return cls([original, _code_row(model, codes), rebuilt]).plot(ax)


def _data_rows(model: BaseAutoencoder, originals: NDArray, rebuilt: NDArray) -> tuple[Row, Row]:
    """Give the originals and the reconstructions on one scale: of images the originals', so that black is black."""
    schema, scaling = model.schema_, model.scaling_
    shape = schema.image_shape
    if shape is not None:
        size = size_of(shape)
        originals, rebuilt = pictures(originals.reshape(-1, *shape), rebuilt.reshape(-1, *shape))
        low, high = range_of(originals)
    else:
        size = f"{schema.row_shape[0]} columns"
        if scaling.scale.numel() > 1:
            size += "\nscaled"
            offset, scale = scaling.offset.numpy(), scaling.scale.numpy()
            originals, rebuilt = (originals - offset) / scale, (rebuilt - offset) / scale
        low, high = range_of(originals, rebuilt, 0.0)
    return Row(f"original\n{size}", originals, low, high), Row(f"reconstruction\n{size}", rebuilt, low, high)


def _code_row(model: BaseAutoencoder, codes: NDArray) -> Row:
    if len(model.code_shape_) == 3:
        maps = tiled(codes.reshape(-1, *model.code_shape_))
        return Row(f"code\n{size_of(model.code_shape_)}", maps, *range_of(codes))
    size = codes.shape[1]
    return Row(f"code\n{size} number{'s' * (size > 1)}", codes, *range_of(codes, 0.0), COLOURS[0])
