"""The linear autoencoder."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

import numpy as np
import torch

from isthmus import hyperparameters, linear, parts
from isthmus.codec import Codec
from isthmus.errors import ParameterError
from isthmus.estimator import BaseAutoencoder
from isthmus.linear import Components, Moments
from isthmus.params import documented
from isthmus.recipe import Recipe
from isthmus.records import Facts
from isthmus.scaling import Scaling
from isthmus.training import Trainer

_LINEAR_CODE = 32


@documented
class LinearAutoencoder(hyperparameters.Linear, BaseAutoencoder):
    """Autoencoder without activations: principal component analysis, solved exactly or learned.

    With ``scaling="auto"`` the columns are centred and divided by one number: the components and the codes are
    those of X itself. The exact solver uses every row, holds none out, and has no epochs.

    Attributes
    ----------
    components_ : ndarray of shape (code_size, columns)
        Principal directions, by falling variance, each with its largest entry positive.
    explained_variance_, explained_variance_ratio_ : ndarray of shape (code_size,)
        Variance along each, and its share of the total variance.
    singular_values_ : ndarray of shape (code_size,)
        Singular values of the centred rows. Like ``explained_variance_`` they are in the units of X, or with
        ``scaling="standard"`` and ``"minmax"`` on a table in scaled units.
    mean_ : ndarray of shape (columns,)
        Mean of the rows in the units of X.

    Examples
    --------
    >>> import isthmus
    >>> X, _ = isthmus.datasets.load_digits()
    >>> model = isthmus.LinearAutoencoder(code_size=2).fit(X)
    >>> model.explained_variance_ratio_.round(3)
    array([0.149, 0.136])
    """

    _moments: Moments | None
    _arrays: ClassVar[dict[str, tuple[str, ...]]] = {
        "components_": ("code", "columns"),
        "explained_variance_": ("code",),
        "explained_variance_ratio_": ("code",),
        "singular_values_": ("code",),
        "mean_": ("columns",),
    }

    def recipe(self, facts: Facts) -> Recipe:
        """Dense layers without hidden ones and without activations."""
        if self.code_size is not None:
            linear.check_size(self.code_size, facts.columns)
        return Recipe(self.code_size or min(_LINEAR_CODE, facts.columns), parts.Dense((), output_activation="linear"))

    def _scaling_choice(self) -> str:
        return "whole" if self.scaling == "auto" else self.scaling

    def _codec(self) -> Codec:
        """Give codes in the units of X where one number scales all columns."""
        codec = super()._codec()
        if self.scaling_.scale.numel() > 1:
            return codec
        units = dataclasses.replace(self.scaling_, offset=torch.zeros(1).double())
        return dataclasses.replace(codec, code_scaling=units)

    def _held_out_fraction(self) -> float:
        return 0.0 if self.solver == "exact" else self.validation_fraction

    def _learn(self, trainer: Trainer, *, once: bool) -> None:
        if self.solver == "gradient":
            super()._learn(trainer, once=once)
            self._keep(linear.components_within(trainer), trainer.rows.scaling)
            return
        earlier = getattr(self, "_moments", None) if once and trainer.state.history else None
        if once and trainer.state.history and earlier is None:
            raise ParameterError(
                "partial_fit of LinearAutoencoder(solver='exact') cannot go on without the covariance of earlier rows, "
                f"which a file does not hold and which is not made for more than {linear.WIDEST_COVARIANCE:,} columns; "
                "take solver='gradient'"
            )
        if not once:
            trainer.state.history.clear()  # a checkpoint spares nothing: the solution is found anew
        components, self._moments = linear.solve(trainer, earlier)
        self._keep(components, trainer.rows.scaling)

    def _keep(self, components: Components, scaling: Scaling) -> None:
        unit = float(scaling.scale) if scaling.scale.numel() == 1 else 1.0
        freedom = max(components.count - 1, 1)
        self.components_ = components.directions
        self.explained_variance_ = components.scatter * unit**2 / freedom
        self.explained_variance_ratio_ = components.scatter / (components.total or 1.0)
        self.singular_values_ = np.sqrt(components.scatter) * unit
        self.mean_ = (components.mean * scaling.scale.numpy()) + scaling.offset.numpy()
