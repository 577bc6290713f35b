"""Bottlenecks: what becomes of the encoder's output before the decoder gets it."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional

from isthmus.batches import Latent, NormalLatent
from isthmus.errors import ParameterError
from isthmus.legal import Either, Flag, Number, PartOf
from isthmus.params import param, part
from isthmus.parts.schedules import Ramp, value_at


@part
class Point:
    """The code is the encoder's output."""

    kind: ClassVar[str] = "bottleneck"
    heads: ClassVar[int] = 1
    random: ClassVar[bool] = False

    def __call__(self, features: Tensor, progress: float = 1.0, generator: Generator | None = None) -> Latent:
        """Pass the features on."""
        return Latent(features, features)

    def gradient(self, latent: Latent, by_code: Tensor) -> Tensor:
        """Give the derivative by the features, given that by the code."""
        return by_code


@part
class Gaussian:
    """The encoder gives mean and log-variance of a normal distribution with a diagonal covariance.

    With a generator the code is a draw, mean + scale N(0, 1), through which gradients flow (Kingma & Welling,
    "Auto-encoding variational Bayes", 2014); without one it is the mean.
    """

    kind: ClassVar[str] = "bottleneck"
    heads: ClassVar[int] = 2
    random: ClassVar[bool] = True

    def __call__(self, features: Tensor, progress: float = 1.0, generator: Generator | None = None) -> Latent:
        """Split the features into mean and log-scale; draw if there is a generator."""
        if features.shape[1] % 2:
            raise ParameterError(
                "Gaussian needs an encoder that gives a mean and a log-variance for each number of the code; "
                f"got {features.shape[1]} numbers or channels, which is odd"
            )
        mean, log_variance = features.chunk(2, dim=1)
        log_scale = log_variance / 2
        if generator is None:
            return NormalLatent(mean, features, mean, log_scale)
        noise = torch.randn(mean.shape, generator=generator, device=mean.device)
        return NormalLatent(mean + log_scale.exp() * noise, features, mean, log_scale)

    def gradient(self, latent: NormalLatent, by_code: Tensor) -> Tensor:
        """Give the derivative by the features, given that by the drawn code."""
        return torch.cat([by_code, (latent.code - latent.mean) * by_code / 2], dim=1)


@part
class TopK:
    """Keeps the largest numbers of a code, as far as they are positive, and sets the others to zero.

    Makhzani & Frey, "k-sparse autoencoders", 2013; with `Revival` as in Gao et al., "Scaling
    and evaluating sparse autoencoders", 2024.
    """

    kind: ClassVar[str] = "bottleneck"
    heads: ClassVar[int] = 1
    random: ClassVar[bool] = False

    n_active: int | Ramp = param(
        16,
        Either(Number(1, integer=True), PartOf("schedule")),
        "How many are kept for each row; a schedule anneals it.",
        positional=True,
    )
    unit_columns: bool = param(True, Flag(), "Whether the columns of a dense decoder are kept at length 1.")

    def __call__(self, features: Tensor, progress: float = 1.0, generator: Generator | None = None) -> Latent:
        """Keep the largest of each row."""
        flat = features.flatten(1)
        count = min(max(1, round(value_at(self.n_active, progress))), flat.shape[1])
        values, places = flat.topk(count, dim=1)
        kept = torch.zeros_like(flat).scatter(1, places, functional.relu(values))
        return Latent(kept.reshape(features.shape), features)

    def margin(self, features: Tensor) -> Tensor:
        """Tell how far each row is from a tie between the last that is kept and the next, over the range of all."""
        flat = features.flatten(1)
        count = min(max(1, round(value_at(self.n_active, 1.0))), flat.shape[1])
        if count == flat.shape[1]:
            return torch.ones(len(flat))
        last, following = functional.relu(flat.topk(count + 1, dim=1).values[:, -2:]).unbind(dim=1)
        gap = (last - following) / (flat.max() - flat.min()).clamp_min(1e-30)
        return torch.where(last > 0, gap, 1.0)

    def start_at(self, encoder: nn.Module, decoder: nn.Module, rows: Tensor) -> None:
        """Start one dense layer as the transpose of the decoder on centred rows, as Gao et al.: fewer units die."""
        down, up = _only_linear(encoder), _only_linear(decoder)
        if down is not None and up is not None and down.weight.shape == up.weight.T.shape:
            with torch.no_grad():
                down.weight.copy_(up.weight.T)
                down.bias.copy_(-down.weight @ rows.flatten(1).mean(dim=0))

    def constrain(self, decoder: nn.Module) -> None:
        """Scale each column of the decoder's first layer to length 1, in place, if it is a dense one."""
        first = next((layer for layer in decoder.modules() if not isinstance(layer, nn.Sequential)), None)
        if self.unit_columns and isinstance(first, nn.Linear):
            with torch.no_grad():
                first.weight.div_(first.weight.norm(dim=0, keepdim=True).clamp_min(1e-12))


@part
class WinnerTakeAll:
    """Keeps for each unit the rows of a batch that excite it most: lifetime sparsity.

    In training each unit stays active for a share of the rows of the batch; otherwise the code is what a
    rectifier leaves (Makhzani & Frey, "Winner-take-all autoencoders", 2015).
    """

    kind: ClassVar[str] = "bottleneck"
    heads: ClassVar[int] = 1
    random: ClassVar[bool] = False

    share: float = param(0.05, Number(0, 1), "Share of the rows for which a unit stays active.", positional=True)

    def __call__(self, features: Tensor, progress: float = 1.0, generator: Generator | None = None) -> Latent:
        """Keep the winners of each unit if there is a generator, else all that is positive."""
        active = functional.relu(features)
        if generator is None:
            return Latent(active, features)
        winners = max(1, round(self.share * len(active)))
        least = active.detach().topk(winners, dim=0).values[-1]
        return Latent(active * (active >= least), features)


def _only_linear(network: nn.Module) -> nn.Linear | None:
    """Give the linear layer of a network that has no other."""
    linear = [layer for layer in network.modules() if isinstance(layer, nn.Linear)]
    return linear[0] if len(linear) == 1 and len(list(network.parameters())) == 2 else None
