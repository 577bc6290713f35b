"""Figures of a fitted model: what it rebuilds, how it learned, where its codes lie and what they stand for.

`plot_code_size_curve` draws what a choice of the code size rests on.

Each function gives a ``matplotlib.figure.Figure``; save it with ``figure.savefig(path)``, as ``.svg`` or ``.pdf`` for a
paper. Beside each is a display, following scikit-learn's convention: ``CodesDisplay.from_estimator(model, X, ax=ax)``
draws into axes of yours, and keeps ``figure_``, ``ax_`` and what was drawn. Nothing goes through pyplot, so no window
opens and no global state changes. matplotlib is imported when a figure is made, and if it is missing,
`isthmus.errors.MissingExtraError` says how to install it.
"""

from isthmus.plots.code_size_curve import CodeSizeCurveDisplay, plot_code_size_curve
from isthmus.plots.codes import CodesDisplay, plot_codes
from isthmus.plots.display import Display
from isthmus.plots.filters import FiltersDisplay, plot_filters
from isthmus.plots.history import HistoryDisplay, plot_history
from isthmus.plots.manifold import ManifoldDisplay, plot_manifold
from isthmus.plots.reconstructions import ReconstructionsDisplay, plot_reconstructions
from isthmus.plots.traversal import TraversalDisplay, plot_traversal

__all__ = [
    "CodeSizeCurveDisplay",
    "CodesDisplay",
    "Display",
    "FiltersDisplay",
    "HistoryDisplay",
    "ManifoldDisplay",
    "ReconstructionsDisplay",
    "TraversalDisplay",
    "plot_code_size_curve",
    "plot_codes",
    "plot_filters",
    "plot_history",
    "plot_manifold",
    "plot_reconstructions",
    "plot_traversal",
]
