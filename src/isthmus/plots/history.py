"""The figure of the losses of the epochs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from isthmus.colours import COLOURS
from isthmus.errors import DataError
from isthmus.pictures import range_of
from isthmus.plots.display import Display, Layout
from isthmus.records import Epoch

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from isthmus.estimator import BaseAutoencoder


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
    return HistoryDisplay.from_estimator(model).figure_


class HistoryDisplay(Display):
    """The losses of the epochs, as `plot_history` draws them.

    Parameters
    ----------
    history : sequence of Epoch
        ``history_`` of a fitted model, not empty.
    """

    def __init__(self, history: Sequence[Epoch]) -> None:
        self.history = history

    @classmethod
    def from_estimator(cls, model: BaseAutoencoder, *, ax: Axes | None = None) -> Self:
        """Draw the history of a model; parameters are those of `plot_history` and `plot`."""
        check_is_fitted(model)
        if not model.history_:
            raise DataError("the model has an empty history_: fit it for at least one epoch")
        return cls(model.history_).plot(ax)

    @property
    def _terms(self) -> list[str]:
        return [name for name in self.history[-1].losses if name != "reconstruction"]

    def _layout(self) -> Layout:
        return Layout((6.4, 6.4), rows=2) if self._terms else Layout((6.4, 4.0))

    def _draw(self, axes: NDArray) -> None:
        history, panels = self.history, axes[:, 0]
        _draw_loss(panels[0], history)
        for name, colour in zip(self._terms, COLOURS, strict=False):
            _curve(panels[1], history, [epoch.losses.get(name) for epoch in history], color=colour, label=name)
            held_out = [epoch.validation_losses.get(name) for epoch in history]
            _curve(panels[1], history, held_out, color=colour, linestyle="--")
            panels[1].set_ylabel("term of the loss per row\n(scaled units; dashed: held-out)")
        for panel in panels:
            _finish_panel(panel, history)
        panels[-1].set_xlabel("epoch")


def _draw_loss(axes: Axes, history: Sequence[Epoch]) -> None:
    held_out = [epoch for epoch in history if epoch.validation_loss is not None]
    best = min(held_out or history, key=lambda epoch: epoch.monitored)
    _curve(axes, history, [epoch.loss for epoch in history], color=COLOURS[0], label="training")
    if held_out:
        losses = [epoch.validation_loss for epoch in history]
        _curve(axes, history, losses, color=COLOURS[2], linestyle="--", label="held-out")
    if history[-1].denoising_loss is not None:
        noisy = [epoch.denoising_loss for epoch in history]
        _curve(axes, history, noisy, color=COLOURS[1], linestyle=":", label="held-out, corrupted")
    ring = f"best epoch: {best.epoch}"
    axes.plot(best.epoch, best.monitored, "ko", markersize=10, markerfacecolor="none", clip_on=False, label=ring)
    axes.set_ylabel("loss per row (scaled units)")


def _curve(axes: Axes, history: Sequence[Epoch], losses: Sequence[float | None], **style: Any) -> None:
    marker = "o" if len(history) <= 30 else None
    axes.plot([epoch.epoch for epoch in history], np.array(losses, float), marker=marker, markersize=4, **style)


def _finish_panel(axes: Axes, history: Sequence[Epoch]) -> None:
    """Set the scales, and put the legend above the panel, where no line runs."""
    low, high = range_of(np.concatenate([line.get_ydata() for line in axes.lines]))
    axes.set_yscale("log" if 0 < 10 * low < high else "linear")
    axes.set_xlim(history[0].epoch - 0.5, history[-1].epoch + 0.5)
    axes.locator_params(axis="x", integer=True, min_n_ticks=1)
    axes.grid(color="0.9", linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=3, frameon=False, borderaxespad=0.2)
