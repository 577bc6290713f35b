"""Rows on their way through a network, and what it makes of them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Generator, Tensor, nn


@dataclass(frozen=True, eq=False)
class Batch:
    """Rows as the network sees them.

    Attributes
    ----------
    rows : Tensor of shape (n, ...)
        Scaled rows, channels first. A missing cell holds the centre of its column.
    present : Tensor of the shape of ``rows``, or None
        1 where a cell is there, 0 where it is missing; None if all are there.
    weights : Tensor of shape (n,), or None
        How much each row counts; their mean over all training rows is 1. None if all count the same.
    """

    rows: Tensor
    present: Tensor | None = None
    weights: Tensor | None = None

    def __len__(self) -> int:
        return self.rows.shape[0]

    @property
    def plain(self) -> bool:
        """Whether no cell is missing and all rows count the same."""
        return self.present is None and self.weights is None

    @property
    def weight(self) -> float:
        """Sum of the weights."""
        return len(self) if self.weights is None else float(self.weights.sum())

    @property
    def cells(self) -> float:
        """Number of cells that are there, by the weights of their rows."""
        if self.present is None:
            return self.weight * math.prod(self.rows.shape[1:])
        return float(self.mean(self.present.flatten(1).sum(dim=1))) * len(self.rows)

    def repeated(self, times: int) -> Batch:
        """Give each row several times, one behind the other."""
        present, weights = (
            None if part is None else part.repeat_interleave(times, dim=0) for part in (self.present, self.weights)
        )
        return Batch(self.rows.repeat_interleave(times, dim=0), present, weights)

    def split(self, size: int) -> Iterator[Batch]:
        """Yield its rows, ``size`` at a time."""
        for start in range(0, len(self), size):
            present, weights = (
                None if part is None else part[start : start + size] for part in (self.present, self.weights)
            )
            yield Batch(self.rows[start : start + size], present, weights)

    def mean(self, values: Tensor) -> Tensor:
        """Give the weighted mean over rows of one number for each, or of a tensor for each."""
        if self.weights is None:
            return values.mean(dim=0)
        weights = self.weights.reshape(-1, *[1] * (values.ndim - 1))
        return (values * weights).sum(dim=0) / len(values)


@dataclass(frozen=True)
class Latent:
    """What a bottleneck makes of the encoder's output.

    Attributes
    ----------
    code : Tensor of shape (n, ...)
        What the decoder gets: a draw in training, its centre otherwise.
    features : Tensor of shape (n, ...)
        What the encoder gave.
    """

    code: Tensor
    features: Tensor


@dataclass(frozen=True)
class NormalLatent(Latent):
    """What a bottleneck with a normal distribution of codes makes of the encoder's output.

    Attributes
    ----------
    mean, log_scale : Tensor of shape (n, ...)
        Centre and logarithm of the standard deviation.
    """

    mean: Tensor
    log_scale: Tensor


@dataclass(frozen=True)
class Pass:
    """One pass of a batch through the network: all that a penalty may look at.

    Attributes
    ----------
    batch : Batch
        The scaled rows, what is missing of them, and how much each counts.
    inputs : Tensor of shape (n, ...)
        What the encoder was given (corrupted in training).
    latent : Latent
        The bottleneck's answer.
    output : Tensor of shape (n, ...)
        What the decoder gave, before the reconstruction's link (logits for Bernoulli).
    encoder, decoder : Module
        The networks.
    generator : torch.Generator or None
        Source of draws.
    progress : float
        Share of the training that is done, 0 to 1; 1 in validation.
    """

    batch: Batch
    inputs: Tensor
    latent: Latent
    output: Tensor
    encoder: nn.Module
    decoder: nn.Module
    generator: Generator | None
    progress: float

    @property
    def rows(self) -> Tensor:
        """The scaled rows."""
        return self.batch.rows

    def mean(self, values: Tensor) -> Tensor:
        """Give the weighted mean over rows of one number for each, or of a tensor for each."""
        return self.batch.mean(values)
