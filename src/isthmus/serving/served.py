"""A fitted model as a server uses it: what comes in is checked as `transform` checks it."""

from __future__ import annotations

import copy
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isthmus.errors import DataError
from isthmus.estimator import BaseAutoencoder
from isthmus.rows import predictions_size
from isthmus.tables import numbers_only
from isthmus.validation import checked_codes, checked_rows

ROWS, CODES, REBUILT = "rows", "codes", "rebuilt"
OPERATIONS = {"encode": (ROWS, CODES), "decode": (CODES, REBUILT), "reconstruct": (ROWS, REBUILT)}


class Served:
    """A model and what is known about its answers.

    Parameters
    ----------
    model : estimator
        A fitted autoencoder.
    """

    def __init__(self, model: BaseAutoencoder) -> None:
        numbers_only("a server", model.schema_.table)
        self.model = model
        self._nameless: Any = copy.copy(model)
        self._nameless.__dict__.pop("feature_names_in_", None)
        self.row_shape = model.schema_.row_shape
        self.code_size = math.prod(model.code_shape_)
        self.most_rows = predictions_size(model.schema_)
        names = getattr(model, "feature_names_in_", [f"x{place}" for place in range(model.n_features_in_)])
        self._columns = {CODES: [*map(str, model.get_feature_names_out())], REBUILT: [*map(str, names)]}

    def columns(self, name: str) -> list[str]:
        """Give the names of the columns of ``codes`` or ``rebuilt``."""
        return self._columns[name]

    def checked(self, operation: str, values: Any) -> NDArray:
        """Give rows or codes as an array, or say what is wrong with them as the library does."""
        codes = OPERATIONS[operation][0] == CODES
        if hasattr(values, "column_names"):
            if not codes and hasattr(self.model, "feature_names_in_"):
                return checked_rows(self.model, values, reset=False)
            values = self._array(values, codes)
        if codes:
            return checked_codes(values, self.model.code_shape_)
        return checked_rows(self._nameless, values, reset=False)

    def _array(self, table: Any, codes: bool) -> NDArray:
        """Give a table as an array; images are flat in a table."""
        columns = [column.to_numpy() for column in table.columns]
        if not columns or any(column.dtype.kind not in "biuf" for column in columns):
            raise DataError("a table must have columns, and all of them must be numbers")
        array = np.stack(columns, axis=1)
        flat = codes or array.shape[1] != math.prod(self.row_shape)
        return array if flat else array.reshape(-1, *self.row_shape)

    def run(self, operation: str, values: NDArray) -> NDArray:
        """Compute an operation on what was checked."""
        methods = {
            "encode": self._nameless.transform,
            "decode": self._nameless.inverse_transform,
            "reconstruct": self._nameless.reconstruct,
        }
        answer: NDArray = methods[operation](values)
        return answer


def check_answer(values: NDArray) -> None:
    """Refuse numbers that are none."""
    if not np.isfinite(values).all():
        raise DataError("the answer is beyond the range of float32: these are not numbers like those of the training")
