"""The rows that a report looks at."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from isthmus.errors import DataError
from isthmus.estimator import BaseAutoencoder
from isthmus.metrics import mean_squared_error
from isthmus.principal import LinearAutoencoder
from isthmus.sources import ArrayRows, BatchRows, drawn
from isthmus.tables import numbers_only
from isthmus.validation import checked_source

_MOST_ROWS, _MOST_BYTES = 10_000, 2**28
_HELD_OUT = 0.2


@dataclass(frozen=True, eq=False)
class Sample:
    """Rows drawn at random, and what a model makes of them.

    Attributes
    ----------
    model : BaseAutoencoder
        A fitted model.
    rows : ndarray of shape (n, ...)
        The rows, in the order of the data.
    numbers : ndarray of int of shape (n,)
        Which rows of the data they are.
    total : int
        Rows of the data.
    labels : ndarray of shape (n,) or None
        Their labels.
    names : tuple of str or None
        Names of the columns.
    """

    model: BaseAutoencoder
    rows: NDArray
    numbers: NDArray
    total: int
    labels: NDArray | None
    names: tuple[str, ...] | None

    @property
    def scales_columns(self) -> bool:
        """Whether the model scales each column by its own spread; errors are then compared in these units."""
        return self.model.scaling_.scale.numel() > 1

    def scaled(self, rows: NDArray) -> NDArray:
        """Give rows in the units in which errors are compared."""
        if not self.scales_columns:
            return rows
        scaling = self.model.scaling_
        return (rows - scaling.offset.numpy()) / scaling.scale.numpy()

    @cached_property
    def compared(self) -> NDArray:
        """The rows in the units in which errors are compared."""
        return self.scaled(self.rows)

    @cached_property
    def rebuilt_compared(self) -> NDArray:
        """The rebuilt rows in these units."""
        return self.scaled(self.rebuilt)

    def decoded(self, codes: NDArray) -> NDArray:
        """Give the rows that codes stand for."""
        return np.concatenate(list(self.model._codec().decoded(codes.astype(np.float32))))

    @cached_property
    def codes(self) -> NDArray:
        """The codes, float64 of shape (n, numbers)."""
        return np.concatenate(list(self.model._codec().encoded([self.rows]))).astype(np.float64)

    @cached_property
    def rebuilt(self) -> NDArray:
        """The rows as the model rebuilds them."""
        return np.concatenate([rebuilt for _, rebuilt in self.model._codec().rebuilt([self.rows])])

    @property
    def source(self) -> ArrayRows:
        """The rows with the names of their columns."""
        return ArrayRows(self.rows, self.names)

    @cached_property
    def errors(self) -> NDArray:
        """The mean squared error of each row."""
        return mean_squared_error(self.compared, self.rebuilt_compared, per="row")

    @cached_property
    def unseen(self) -> NDArray:
        """Places of a fifth of the rows, on which PCA is measured after it was fitted on the others."""
        order = np.random.RandomState(0).permutation(len(self.rows))
        return np.sort(order[: max(1, int(len(order) * _HELD_OUT))])

    @cached_property
    def pca_rebuilt(self) -> NDArray:
        """The unseen rows as PCA with as many numbers rebuilds them."""
        others = np.delete(self.compared, self.unseen, axis=0)
        size = min(math.prod(self.model.code_shape_), self.model.n_features_in_)
        pca = LinearAutoencoder(size).fit(others if len(others) else self.compared)
        return np.asarray(pca.reconstruct(self.compared[self.unseen]))


class Compared:
    """A model as measures take it, on rows in the units in which errors are compared.

    Parameters
    ----------
    sample : Sample
        The model and its scaling.
    """

    def __init__(self, sample: Sample) -> None:
        self._sample, self._scaling = sample, sample.model.scaling_

    def transform(self, rows: NDArray) -> NDArray:
        """Give codes of rows."""
        if self._sample.scales_columns:
            rows = rows * self._scaling.scale.numpy() + self._scaling.offset.numpy()
        return np.concatenate(list(self._sample.model._codec().encoded([rows])))

    def inverse_transform(self, codes: NDArray) -> NDArray:
        """Give the rows that codes stand for."""
        return self._sample.scaled(self._sample.decoded(codes))


def sample_of(model: BaseAutoencoder, X: Any, y: ArrayLike | None) -> Sample:
    """Draw at most 10,000 rows, fewer if they are large, always the same ones."""
    numbers_only("a report", model.schema_.table)
    source = checked_source(model, X, reset=False)
    if isinstance(source, BatchRows):
        source = source.counted()
    labels = None if y is None else np.asarray(y)
    if labels is not None and labels.shape != (len(source),):
        raise DataError(f"y must have one label for each of the {len(source)} rows of X; got shape {labels.shape}")
    most = min(_MOST_ROWS, max(100, _MOST_BYTES // (4 * math.prod(source.row_shape))))
    rows, numbers = drawn(source, most, np.random.RandomState(0))
    names = getattr(model, "feature_names_in_", None)
    names = None if names is None else tuple(map(str, names))
    return Sample(model, rows, numbers, len(source), None if labels is None else labels[numbers], names)
