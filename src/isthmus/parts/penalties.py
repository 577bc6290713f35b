"""Penalties: named terms that are added to the reconstruction loss; sum over the code, mean over rows."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from isthmus.batches import Latent, NormalLatent, Pass
from isthmus.errors import ParameterError
from isthmus.legal import Either, Number, PartOf
from isthmus.params import param, part
from isthmus.parts.schedules import Exponential, Ramp, value_at

Weight = float | Ramp | Exponential
_WEIGHT = Either(Number(0), PartOf("schedule"))


@part
class L1:
    """Sum of the absolute values of the code."""

    kind: ClassVar[str] = "penalty"
    name: ClassVar[str] = "l1"
    local: ClassVar[bool] = True

    weight: Weight = param(1e-3, _WEIGHT, "Factor; a schedule changes it.", positional=True)

    def __call__(self, run: Pass) -> Tensor:
        """Give the weighted term."""
        return value_at(self.weight, run.progress) * run.mean(run.latent.code.abs().flatten(1).sum(dim=1))


@part
class KLSparsity:
    """Kullback-Leibler divergence of each unit's mean activation from a target.

    Sum over units of r log(r / q) + (1 - r) log((1 - r) / (1 - q)), with q the unit's mean over the batch and
    r the target (Ng, "Sparse autoencoder", CS294A lecture notes, 2011). The code must be within (0, 1).
    """

    kind: ClassVar[str] = "penalty"
    name: ClassVar[str] = "sparsity"
    local: ClassVar[bool] = True

    weight: Weight = param(1e-1, _WEIGHT, "Factor; a schedule changes it.", positional=True)
    target: float = param(0.05, Number(0, 1, open=True), "Mean activation that units shall have.", positional=True)

    def __call__(self, run: Pass) -> Tensor:
        """Give the weighted term."""
        tiny = torch.finfo(run.latent.code.dtype).eps
        mean = run.mean(run.latent.code.flatten(1)).clamp(tiny, 1 - tiny)
        target = torch.as_tensor(self.target, dtype=mean.dtype, device=mean.device)
        terms = torch.xlogy(target, target / mean) + torch.xlogy(1 - target, (1 - target) / (1 - mean))
        return value_at(self.weight, run.progress) * terms.sum()


@part
class Divergence:
    """Divergence of the code's distribution from the standard normal one.

    KL(N(m, s^2) || N(0, 1)) = (m^2 + s^2 - 1) / 2 - log s, summed over the code, mean over rows. With free
    bits a unit's mean over the batch costs at least ``free_bits`` (Kingma et al., 2016).
    """

    kind: ClassVar[str] = "penalty"
    name: ClassVar[str] = "divergence"
    local: ClassVar[bool] = True

    weight: Weight = param(
        1.0, _WEIGHT, "Factor, the beta of Higgins et al., 2017; a schedule changes it.", positional=True
    )
    free_bits: float = param(0.0, Number(0), "What each unit may cost for nothing, in nats.")

    def __call__(self, run: Pass) -> Tensor:
        """Give the weighted term."""
        terms = run.mean(divergences(normal(run.latent)))
        return value_at(self.weight, run.progress) * terms.clamp_min(self.free_bits).sum()

    def loss_and_gradient(self, latent: Latent, progress: float) -> tuple[Tensor, Tensor]:
        """Give the weighted term of rows that all count the same, and its derivative by the encoder's output."""
        own, weight = normal(latent), value_at(self.weight, progress)
        terms = divergences(own).mean(dim=0)
        gradient = torch.cat([own.mean, torch.expm1(2 * own.log_scale) / 2], dim=1) * (weight / len(own.mean))
        if self.free_bits:
            gradient *= (terms >= self.free_bits).repeat(2, *[1] * (terms.ndim - 1))
        return weight * terms.clamp_min(self.free_bits).sum(), gradient


def divergences(latent: NormalLatent) -> Tensor:
    """Give KL(N(mean, scale^2) || N(0, 1)) of each row and number of the code, in nats, in the code's shape."""
    return (latent.mean.square() + torch.exp(2 * latent.log_scale) - 1) / 2 - latent.log_scale


def normal(latent: Latent) -> NormalLatent:
    """Refuse a code without a distribution."""
    if not isinstance(latent, NormalLatent):
        raise ParameterError("the penalty Divergence and log-likelihoods need bottleneck=Gaussian()")
    return latent


@part
class Revival:
    """Lets units that the batch left inactive rebuild what the active ones could not.

    The squared error between the residual x - y and its reconstruction from the ``units`` largest inactive
    units (the auxiliary loss of Gao et al., "Scaling and evaluating sparse autoencoders", 2024, with dead
    meaning: silent for a whole batch).
    """

    kind: ClassVar[str] = "penalty"
    name: ClassVar[str] = "revival"

    weight: Weight = param(1 / 32, _WEIGHT, "Factor; a schedule changes it.", positional=True)
    units: int = param(32, Number(1, integer=True), "How many inactive units help for each row.")

    def __call__(self, run: Pass) -> Tensor:
        """Give the weighted term; zero if every unit is active."""
        features, code = run.latent.features.flatten(1), run.latent.code.flatten(1)
        dead = ~(code > 0).any(dim=0)
        count = min(self.units, int(dead.sum()))
        if count == 0:
            return features.new_zeros(())
        values, places = features.masked_fill(~dead, -torch.inf).topk(count, dim=1)
        helpers = torch.zeros_like(features).scatter(1, places, values.relu())
        bare = run.decoder(torch.zeros_like(helpers[:1]))
        rebuilt = run.decoder(helpers) - bare
        residual = (run.rows - run.output).detach()
        squares = (residual - rebuilt).square()
        if run.batch.present is not None:
            squares = squares * run.batch.present
        return value_at(self.weight, run.progress) * run.mean(squares.flatten(1).sum(dim=1))
