"""Reconstruction losses: sum over columns, mean over rows."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor, distributions, nn
from torch.nn import functional

from isthmus.errors import DataError
from isthmus.legal import Number
from isthmus.params import param, part
from isthmus.parts.protocols import Reconstruction

_LEAST_LOG_SCALE = -10.0
_LOG_ROOT = math.log(2 * math.pi) / 2


class _Cellwise(ABC):
    """A loss that is a sum of terms, one for each cell."""

    @abstractmethod
    def terms(self, output: Tensor, rows: Tensor) -> Tensor:
        """Give the term of each cell."""

    def loss(self, output: Tensor, rows: Tensor) -> Tensor:
        """Sum over columns, mean over rows."""
        return self.terms(output, rows).sum() / len(rows)


class _Likelihood(_Cellwise):
    """A loss that is a negative log-likelihood."""

    def log_likelihood(self, output: Tensor, rows: Tensor) -> Tensor:
        """Log-probability or log-density of each row, in nats."""
        return -self.terms(output, rows).flatten(1).sum(dim=1)


class _OnRows(_Cellwise):
    """The decoder's output is the row itself; any row can be rebuilt."""

    def check(self, low: float, high: float) -> None:
        """Accept rows of any range."""

    def mean(self, output: Tensor) -> Tensor:
        """Give the output as it is."""
        return output


@part
class SquaredError(_OnRows):
    """Squared error, the sum of (x - y)^2."""

    kind: ClassVar[str] = "reconstruction"

    def terms(self, output: Tensor, rows: Tensor) -> Tensor:
        """Give the squared difference of each cell."""
        return (output - rows).square()

    def loss(self, output: Tensor, rows: Tensor) -> Tensor:
        """Sum over columns, mean over rows."""
        return functional.mse_loss(output, rows, reduction="sum") / len(rows)

    def loss_and_gradient(self, output: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Give the loss and its derivative by the output."""
        difference = torch.sub(output, rows)
        flat, n = difference.view(-1), rows.shape[0]
        return torch.dot(flat, flat) / n, difference.mul_(2 / n)


@part
class AbsoluteError(_OnRows):
    """Absolute error, the sum of |x - y|."""

    kind: ClassVar[str] = "reconstruction"

    def terms(self, output: Tensor, rows: Tensor) -> Tensor:
        """Give the absolute difference of each cell."""
        return (output - rows).abs()


@part
class Huber(_OnRows):
    """Huber's error: (x - y)^2 / 2 up to ``delta``, then delta (|x - y| - delta / 2)."""

    kind: ClassVar[str] = "reconstruction"

    delta: float = param(1.0, Number(0, open=True), "Error from which on it counts linearly.", positional=True)

    def terms(self, output: Tensor, rows: Tensor) -> Tensor:
        """Give the error of each cell."""
        return functional.huber_loss(output, rows, reduction="none", delta=self.delta)


@part
class Bernoulli(_Likelihood):
    """Cross-entropy of rows within [0, 1] and the sigmoid of the output, in nats.

    For values that are not 0 or 1 its floor is not zero but the rows' own entropy.
    """

    kind: ClassVar[str] = "reconstruction"

    def check(self, low: float, high: float) -> None:
        """Refuse rows outside [0, 1]."""
        _check_unit_range(low, high, "bernoulli")

    def loss(self, output: Tensor, rows: Tensor) -> Tensor:
        """Sum over columns, mean over rows."""
        return functional.binary_cross_entropy_with_logits(output, rows, reduction="sum") / len(rows)

    def loss_and_gradient(self, output: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Give the loss and its derivative by the output."""
        return self.loss(output, rows), output.sigmoid().sub_(rows).div_(len(rows))

    def terms(self, output: Tensor, rows: Tensor) -> Tensor:
        """Give the cross-entropy of each cell."""
        return functional.binary_cross_entropy_with_logits(output, rows, reduction="none")

    def mean(self, output: Tensor) -> Tensor:
        """Turn logits into probabilities."""
        return output.sigmoid()


# Bernoulli's numbers B(2k) over (2k)!, k from 1 to 5.
_SERIES = (1 / 12, -1 / 720, 1 / 30_240, -1 / 1_209_600, 1 / 47_900_160)


@part
class ContinuousBernoulli(_Likelihood):
    """Negative log-likelihood of the continuous Bernoulli distribution on [0, 1], in nats.

    Loaiza-Ganem & Cunningham, "The continuous Bernoulli: fixing a pervasive error in variational
    autoencoders", 2019.
    """

    kind: ClassVar[str] = "reconstruction"

    def check(self, low: float, high: float) -> None:
        """Refuse rows outside [0, 1]."""
        _check_unit_range(low, high, "continuous_bernoulli")

    def terms(self, output: Tensor, rows: Tensor) -> Tensor:
        """Give the negative log-density of each cell."""
        return -distributions.ContinuousBernoulli(logits=output, validate_args=False).log_prob(rows)

    def mean(self, output: Tensor) -> Tensor:
        """Turn logits x into means, 1 / (1 - exp(-x)) - 1 / x; near zero, where both are large, by their series."""
        near = output.abs() < 0.5
        far = torch.where(near, 1.0, output)
        series = 0.5 + output * _polynomial(output.square(), _SERIES)
        return torch.where(near, series, -1 / torch.expm1(-far) - 1 / far)


@part
class GaussianLikelihood:
    """Negative log-likelihood of a normal distribution around the output, in nats.

    With ``scale=None`` the standard deviation, one number for all columns, is learned (Rybkin et al., "Simple
    and effective VAE training with calibrated decoders", 2021).
    """

    kind: ClassVar[str] = "reconstruction"

    scale: float | None = param(
        None, Number(0, open=True), "Standard deviation, in scaled units.", none="a learned one", positional=True
    )

    def build(self) -> nn.Module:
        """Give the module that holds the scale."""
        return _NormalAround(self.scale)

    def check(self, low: float, high: float) -> None:
        """Accept rows of any range."""


class _NormalAround(nn.Module, _Likelihood):
    """The loss of `GaussianLikelihood`; its scale is a parameter, learned or not."""

    def __init__(self, scale: float | None) -> None:
        super().__init__()
        self._first = 0.0 if scale is None else math.log(scale)
        self.log_scale = nn.Parameter(torch.empty(()), requires_grad=scale is None)

    def reset_parameters(self) -> None:
        """Set the scale to its first value: 1, or the given one."""
        nn.init.constant_(self.log_scale, self._first)

    def terms(self, output: Tensor, rows: Tensor) -> Tensor:
        """Give the negative log-density of each cell."""
        log_scale = self.log_scale.clamp_min(_LEAST_LOG_SCALE)
        return ((rows - output) * torch.exp(-log_scale)).square() / 2 + log_scale + _LOG_ROOT

    def loss(self, output: Tensor, rows: Tensor) -> Tensor:
        """Sum over columns, mean over rows."""
        return self._mean_of(functional.mse_loss(output, rows, reduction="sum"), rows)

    def loss_and_gradient(self, output: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Give the loss and its derivative by the output; that by the scale becomes the ``grad`` of the parameter."""
        difference, n = torch.sub(output, rows), rows.shape[0]
        flat, precision = difference.view(-1), torch.exp(-2 * self.log_scale.detach().clamp_min(_LEAST_LOG_SCALE))
        squares = torch.dot(flat, flat)
        if self.log_scale.requires_grad:
            inside = self.log_scale.detach() >= _LEAST_LOG_SCALE
            self.log_scale.grad = inside * (rows.numel() - squares * precision) / n
        return self._mean_of(squares, rows).detach(), difference.mul_(precision / n)

    def _mean_of(self, squares: Tensor, rows: Tensor) -> Tensor:
        """Give the loss of a row, given the sum of all squares."""
        log_scale = self.log_scale.clamp_min(_LEAST_LOG_SCALE)
        return (squares * torch.exp(-2 * log_scale) / 2 + rows.numel() * (log_scale + _LOG_ROOT)) / len(rows)

    def mean(self, output: Tensor) -> Tensor:
        """Give the output as it is."""
        return output


def _polynomial(values: Tensor, factors: Sequence[float]) -> Tensor:
    """Give the sum of the factors times the powers of values, from the zeroth on."""
    total = torch.full_like(values, factors[-1])
    for factor in reversed(factors[:-1]):
        total = total * values + factor
    return total


def _check_unit_range(low: float, high: float, name: str) -> None:
    if low < 0 or high > 1:
        raise DataError(
            f"reconstruction='{name}' needs rows within [0, 1] after scaling, but they reach from {low:.6g} "
            f"to {high:.6g}; take scaling='minmax' or reconstruction='squared'"
        )


BY_NAME: dict[str, Reconstruction | GaussianLikelihood] = {
    "squared": SquaredError(),
    "bernoulli": Bernoulli(),
    "continuous_bernoulli": ContinuousBernoulli(),
    "gaussian": GaussianLikelihood(),
    "absolute": AbsoluteError(),
    "huber": Huber(),
}

UNIT_RANGE = (Bernoulli, ContinuousBernoulli)
