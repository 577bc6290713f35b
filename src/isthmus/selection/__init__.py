"""Choosing: how long a code to take, and which autoencoder."""

from isthmus.selection.comparison import Comparison, compare
from isthmus.selection.curve import Curve, code_size_curve

__all__ = ["Comparison", "Curve", "code_size_curve", "compare"]
