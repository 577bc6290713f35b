"""What each number of a code does: moved alone, while the others stay."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from isthmus.colours import COLOURS
from isthmus.pictures import range_of
from isthmus.plots.cells import CellsDisplay, Row
from isthmus.plots.decoded import check_count, decoded

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from isthmus.estimator import BaseAutoencoder

_MOST_ROWS = 16


def plot_traversal(model: BaseAutoencoder, X: Any, steps: int = 9) -> Figure:
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
    >>> len(isthmus.plots.plot_traversal(model, X, steps=5).axes)
    15
    """
    return TraversalDisplay.from_estimator(model, X, steps).figure_


class TraversalDisplay(CellsDisplay):
    """What each number of the code does, as `plot_traversal` draws it."""

    @classmethod
    def from_estimator(cls, model: BaseAutoencoder, X: Any, steps: int = 9, *, ax: Axes | None = None) -> Self:
        """Draw the numbers of the code of X; parameters are those of `plot_traversal` and `plot`."""
        check_is_fitted(model)
        check_count("plot_traversal", steps)
        codes = np.asarray(model.transform(X), dtype=np.float64)
        moved = np.argsort(-_spread(model, codes), kind="stable")[:_MOST_ROWS]
        ways = [_way(codes, number, steps) for number in moved]
        rebuilt = decoded(model, np.concatenate(ways))
        low, high = range_of(rebuilt) if model.schema_.image_shape else range_of(rebuilt, 0.0)
        rows = []
        for number, way, cells in zip(moved, ways, np.split(rebuilt, len(moved)), strict=True):
            ends = f"{way[0, number]:.3g} to {way[-1, number]:.3g}"
            rows.append(Row(f"code {number + 1}\n{ends}", cells, low, high, str(COLOURS[0])))
        return cls(rows).plot(ax)


def _way(codes: NDArray, number: int, steps: int) -> NDArray:
    """Give codes at the medians, with one number going from its 2nd to its 98th percentile."""
    way = np.tile(np.median(codes, axis=0), (steps, 1))
    low, high = np.percentile(codes[:, number], (2, 98))
    way[:, number] = np.linspace(low, high, steps)
    return way


def _spread(model: BaseAutoencoder, codes: NDArray) -> NDArray:
    """Give how far each number goes; of a variational model what it tells, its divergence from the prior."""
    return np.asarray(getattr(model, "kl_per_unit_", codes.std(axis=0)))
