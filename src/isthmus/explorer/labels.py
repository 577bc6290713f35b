"""Labels of the rows, as classes or as numbers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from isthmus.colours import COLOURS
from isthmus.plots.codes import grouped


@dataclass(frozen=True, eq=False)
class Labels:
    """What is known of each row.

    Attributes
    ----------
    values : ndarray of shape (n,)
        uint8: the class of each row; float32: a number for each.
    classes : tuple of str or None
        Names of the classes; None if the labels are numbers.
    """

    values: NDArray
    classes: tuple[str, ...] | None

    def of(self, numbers: NDArray) -> Labels:
        """Give the labels of some rows."""
        return replace(self, values=self.values[numbers])

    def description(self) -> dict[str, Any]:
        """Give it as plain values, without the labels themselves."""
        return {"classes": self.classes and list(self.classes)}


def labels_of(y: ArrayLike, n: int) -> Labels:
    """Take up to 20 distinct labels as classes, and more of them as numbers.

    Raises
    ------
    DataError
        If there is not one label for each of the n rows, or more than 20 that are no numbers.
    """
    labels = np.asarray(y)
    classes, members = grouped(labels, n)
    if len(classes) <= len(COLOURS):
        return Labels(members.astype(np.uint8), tuple(map(str, classes)))
    return Labels(labels.astype(np.float32), None)
