"""Torch modules that single layers need and torch lacks. They get tensors with the channels first.

Those that draw in training do so in ``draw``, with a generator; called plainly they pass their input on.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional

from isthmus.parts.stages import Stages


class Drawn(Stages):
    """A sequence in which some layers draw."""

    def draw(self, values: Tensor, progress: float, generator: Generator) -> Tensor:
        """Run the layers as in training."""
        for layer in self:
            own: Any = layer
            values = own.draw(values, progress, generator) if hasattr(layer, "draw") else layer(values)
        return values


class Reshaped(nn.Module):
    """Takes the numbers in the order of channels last and lays them out in another shape."""

    def __init__(self, *shape: int) -> None:
        super().__init__()
        self._shape = shape

    def forward(self, values: Tensor) -> Tensor:
        """Give tensors of the shape, its last axis first."""
        return values.movedim(1, -1).reshape(values.shape[0], *self._shape).movedim(-1, 1)

    def extra_repr(self) -> str:
        """Name the shape, channels last."""
        return str(self._shape)


class OnChannels(nn.Linear):
    """A dense layer on the channels, the same at every place."""

    def forward(self, values: Tensor) -> Tensor:
        """Mix the channels of each place."""
        return super().forward(values.movedim(1, -1)).movedim(-1, 1)


class Exponential(nn.Module):
    """Gives e to the power of its input."""

    def forward(self, values: Tensor) -> Tensor:
        """Give the exponential of each number."""
        return values.exp()


class Dropped(nn.Module):
    """Sets numbers to zero in training and scales the others up by as much."""

    def __init__(self, share: float) -> None:
        super().__init__()
        self._share = share

    def forward(self, values: Tensor) -> Tensor:
        """Pass on."""
        return values

    def draw(self, values: Tensor, progress: float, generator: Generator) -> Tensor:
        """Drop some."""
        kept = torch.rand(values.shape, generator=generator, device=values.device) >= self._share
        return values * kept / max(1 - self._share, 1e-12)


class Noisy(nn.Module):
    """Does to its input in training what a corruption does to rows."""

    def __init__(self, corruption: Any) -> None:
        super().__init__()
        self._corruption = corruption

    def forward(self, values: Tensor) -> Tensor:
        """Pass on."""
        return values

    def draw(self, values: Tensor, progress: float, generator: Generator) -> Tensor:
        """Corrupt."""
        return self._corruption(values, generator)


class Normalised(nn.Module):
    """Batch normalization of each channel; a batch with one number a channel is taken as in inference."""

    def __init__(self, channels: int, momentum: float, epsilon: float, *, scale: bool, offset: bool) -> None:
        super().__init__()
        self._momentum, self._epsilon = momentum, epsilon
        self.weight = nn.Parameter(torch.empty(channels)) if scale else None
        self.bias = nn.Parameter(torch.empty(channels)) if offset else None
        self.register_buffer("running_mean", torch.empty(channels))
        self.register_buffer("running_var", torch.empty(channels))

    def reset_parameters(self) -> None:
        """Start as the identity, with mean 0 and variance 1."""
        start = {"weight": 1.0, "bias": 0.0, "running_mean": 0.0, "running_var": 1.0}
        with torch.no_grad():
            for name, value in self.state_dict(keep_vars=True).items():
                value.fill_(start[name])

    def forward(self, values: Tensor) -> Tensor:
        """Normalise by the batch in training, and by what was seen in training otherwise."""
        by_batch = self.training and values.numel() > values.shape[1]
        own: Any = self
        moments = own.running_mean, own.running_var
        return functional.batch_norm(values, *moments, self.weight, self.bias, by_batch, self._momentum, self._epsilon)
