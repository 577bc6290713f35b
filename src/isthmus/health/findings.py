"""What an examination finds, and what it looks at."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

SEVERITIES = ("serious", "warning", "note")
_NAMED = 8


@dataclass(frozen=True)
class Finding:
    """One thing that is not as it should be.

    Attributes
    ----------
    what : str
        ``dead``, ``duplicate``, ``collapsed``, ``saturated``, ``underfit``, ``overfit``, ``out_of_range``,
        ``narrow_range``, ``drift`` or ``few_rows``.
    severity : {"serious", "warning", "note"}
        How much it matters.
    of : {"units", "columns", "model", "rows"}
        What ``places`` count.
    places : tuple of int
        Which units of the code or columns of X; empty where it is about the model or the rows as a whole.
    value : float
        The figure on which it rests; the sentence says what it measures.
    sentence : str
        What was found, and what to do.
    """

    what: str
    severity: str
    of: str
    places: tuple[int, ...]
    value: float
    sentence: str


@dataclass(frozen=True, eq=False)
class Look:
    """What the checks look at.

    Attributes
    ----------
    model : estimator
        The fitted autoencoder.
    rows : ndarray of shape (n, ...)
        Rows in the units of X, spread over all of them.
    scaled : ndarray of shape (n, columns)
        The same as the network sees them, float32; a missing cell holds its column's centre.
    codes : ndarray of shape (n, units)
        Their codes.
    errors : ndarray of shape (n,)
        Squared error per cell, in scaled units.
    """

    model: Any
    rows: NDArray
    scaled: NDArray
    codes: NDArray
    errors: NDArray

    @property
    def recipe(self) -> Any:
        """The parts of the model."""
        return self.model.module_.recipe

    @property
    def penalised(self) -> bool:
        """Whether the model gives up some accuracy for another aim, by a penalty, noise or a choice of columns."""
        recipe = self.recipe
        selects = hasattr(self.model, "get_support")
        return bool(recipe.penalties or recipe.corruption or recipe.bottleneck.random or selects)

    @property
    def sparse(self) -> bool:
        """Whether most units of a code are meant to be silent."""
        names = {penalty.name for penalty in self.recipe.penalties}
        return bool(names & {"l1", "sparsity"}) or type(self.recipe.bottleneck).__name__ in ("TopK", "WinnerTakeAll")


def graded(value: float, warning: float, serious: float) -> str:
    """Give the severity of a figure that is worse the larger it is."""
    return "serious" if value >= serious else "warning" if value >= warning else "note"


def listed(places: Collection[object]) -> str:
    """Name a few of many."""
    words = [str(place) for place in places]
    more = f" and {len(words) - _NAMED} more" if len(words) > _NAMED else ""
    return ", ".join(words[:_NAMED]) + more
