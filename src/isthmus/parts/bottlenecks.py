"""Bottlenecks: what becomes of the encoder's output before the decoder gets it."""

from __future__ import annotations

from typing import ClassVar

from torch import Generator, Tensor

from isthmus.params import part
from isthmus.records import Latent


@part
class Point:
    """The code is the encoder's output."""

    kind: ClassVar[str] = "bottleneck"

    heads: ClassVar[int] = 1

    def __call__(self, features: Tensor, generator: Generator | None = None) -> Latent:
        """Pass the features on."""
        return Latent(features)
