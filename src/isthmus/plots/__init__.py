"""Figures of a fitted model: what it rebuilds, how it learned, where its codes lie and what they stand for.

`plot_curve` draws what a choice of the code size rests on.

Each function gives a ``matplotlib.figure.Figure``; save it with ``figure.savefig(path)``. Nothing goes through
pyplot, so no window opens and no global state changes. matplotlib is imported when a figure is made, and if it
is missing, `isthmus.errors.MissingExtraError` says how to install it.
"""

from isthmus.plots.codes import plot_codes
from isthmus.plots.curve import plot_curve
from isthmus.plots.history import plot_history
from isthmus.plots.reconstructions import plot_reconstructions
from isthmus.plots.traversals import plot_manifold, plot_traversals

__all__ = ["plot_codes", "plot_curve", "plot_history", "plot_manifold", "plot_reconstructions", "plot_traversals"]
