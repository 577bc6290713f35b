"""One page that says what a fitted model is, how well it rebuilds rows, and what its codes mean."""

from isthmus.report.writing import card, write

__all__ = ["card", "write"]
