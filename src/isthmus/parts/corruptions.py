"""Corruptions: what is done to the scaled rows before the encoder sees them in training."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Generator, Tensor

from isthmus.legal import Flag, Number
from isthmus.params import param, part

_SHARE = Number(0, 1)


@part
class GaussianNoise:
    """Adds normal noise, x + scale N(0, 1)."""

    kind: ClassVar[str] = "corruption"

    scale: float = param(0.3, Number(0), "Standard deviation, in scaled units.", positional=True)
    clip: bool = param(False, Flag(), "Whether to clip the noisy rows to [0, 1].")

    def __call__(self, rows: Tensor, generator: Generator) -> Tensor:
        """Give a noisy copy."""
        noisy = torch.randn(rows.shape, generator=generator, device=rows.device).mul_(self.scale).add_(rows)
        return noisy.clamp_(0, 1) if self.clip else noisy


@part
class Masking:
    """Sets cells to zero (black for pixels, the mean for standardised columns)."""

    kind: ClassVar[str] = "corruption"

    share: float = param(0.3, _SHARE, "Chance of each cell to be set.", positional=True)

    def __call__(self, rows: Tensor, generator: Generator) -> Tensor:
        """Give a copy with cells set to zero."""
        return rows * self.kept(rows, generator)

    def kept(self, rows: Tensor, generator: Generator) -> Tensor:
        """Draw which cells stay, as ones and zeros."""
        return (torch.rand(rows.shape, generator=generator, device=rows.device) >= self.share).to(rows)


@part
class SaltAndPepper:
    """Sets cells to the lowest or the highest value of the batch, with equal chance."""

    kind: ClassVar[str] = "corruption"

    share: float = param(0.3, _SHARE, "Chance of each cell to be set.", positional=True)

    def __call__(self, rows: Tensor, generator: Generator) -> Tensor:
        """Give a copy with cells set to an extreme."""
        draw = torch.rand(rows.shape, generator=generator, device=rows.device)
        corrupted = torch.where(draw < self.share / 2, rows.amin(), rows)
        return torch.where((draw >= self.share / 2) & (draw < self.share), rows.amax(), corrupted)


BY_NAME = {"gaussian": GaussianNoise, "masking": Masking, "salt_and_pepper": SaltAndPepper}
