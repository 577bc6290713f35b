"""Single layers that work on rows of any shape, channels last: what `Layers` is made of."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from torch import nn

from isthmus.errors import ParameterError
from isthmus.hyperparameters import ACTIVATIONS
from isthmus.legal import Flag, Number, OneOf, PartOf, Several
from isthmus.params import param, part
from isthmus.parts.corruptions import GaussianNoise
from isthmus.parts.layer_modules import Dropped, Exponential, Noisy, Normalised, OnChannels, Reshaped
from isthmus.parts.layers import activation

_OTHERS: dict[str, Callable[[], nn.Module]] = {
    "exponential": Exponential,
    "relu6": nn.ReLU6,
    "softmax": lambda: nn.Softmax(dim=1),
    "softsign": nn.Softsign,
}
_SLOPED: dict[str, Callable[[float], nn.Module]] = {"elu": nn.ELU, "leaky_relu": nn.LeakyReLU}
_SMALLEST_SIDE = -1


class SameShape:
    """A layer that gives the shape it gets."""

    def shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Give the shape as it is."""
        return shape


@part
class Linear:
    """A dense layer on the last axis: x W' + b."""

    kind: ClassVar[str] = "layer"

    size: int = param(32, Number(1, integer=True), "Numbers that come out.", positional=True)
    bias: bool = param(True, Flag(), "Whether a bias is added.")

    def shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Change the last axis."""
        return (*shape[:-1], int(self.size))

    def build(self, shape: tuple[int, ...]) -> list[nn.Module]:
        """Make the layer, on flat rows or at every place."""
        return [(nn.Linear if len(shape) == 1 else OnChannels)(shape[-1], int(self.size), bias=self.bias)]


@part
class Flatten:
    """Lays the numbers out as one vector, channels last."""

    kind: ClassVar[str] = "layer"

    def shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Count the numbers."""
        return (math.prod(shape),)

    def build(self, shape: tuple[int, ...]) -> list[nn.Module]:
        """Make the layer, none for what is flat."""
        return [] if len(shape) == 1 else [Reshaped(*self.shape(shape))]


@part
class Reshape:
    """Lays the numbers out in another shape, channels last in both."""

    kind: ClassVar[str] = "layer"

    target: Sequence[int] = param(
        (_SMALLEST_SIDE,),
        Several(Number(_SMALLEST_SIDE, integer=True), shortest=1, longest=3),
        "The shape; one side may be -1 and is then whatever fits.",
        positional=True,
    )

    def shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Fill in the side that is left open."""
        count, known = math.prod(shape), math.prod(side for side in self.target if side >= 0)
        left_open = sum(side < 0 for side in self.target)
        filled = tuple(int(side) if side >= 0 else count // max(known, 1) for side in self.target)
        if left_open > 1 or math.prod(filled) != count:
            raise ParameterError(f"Reshape: target must have {count} numbers as the shape {shape}; got {self.target}")
        return filled

    def build(self, shape: tuple[int, ...]) -> list[nn.Module]:
        """Make the layer."""
        return [Reshaped(*self.shape(shape))]


@part
class Activation(SameShape):
    """An activation; softmax is taken over the last axis."""

    kind: ClassVar[str] = "layer"

    name: str = param("relu", OneOf((*ACTIVATIONS, *_OTHERS)), "Which one.", positional=True)
    slope: float | None = param(
        None,
        Number(0),
        "Slope of leaky_relu below zero, or how far below zero elu goes.",
        none="the usual one: .01 for leaky_relu, 1 for elu",
    )

    def build(self, shape: tuple[int, ...]) -> list[nn.Module]:
        """Make the layer, none for ``"linear"``."""
        if self.slope is not None and self.name in _SLOPED:
            return [_SLOPED[self.name](float(self.slope))]
        return [_OTHERS[self.name]()] if self.name in _OTHERS else activation(self.name)


@part
class BatchNormalization(SameShape):
    """Normalises the numbers of the last axis by their mean and variance.

    In training these are the batch's, afterwards running means of them (Ioffe & Szegedy, "Batch normalization:
    accelerating deep network training by reducing internal covariate shift", 2015). Of several processes that train
    one model each takes the means of its own part of a batch.
    """

    kind: ClassVar[str] = "layer"

    momentum: float = param(0.1, Number(0, 1), "Share of a batch in the running means.")
    epsilon: float = param(1e-5, Number(0), "What is added to the variance.")
    scale: bool = param(True, Flag(), "Whether a factor is learned.")
    offset: bool = param(True, Flag(), "Whether an offset is learned.")

    def build(self, shape: tuple[int, ...]) -> list[nn.Module]:
        """Make the layer."""
        settings = float(self.momentum), float(self.epsilon)
        return [Normalised(shape[-1], *settings, scale=self.scale, offset=self.offset)]


@part
class Dropout(SameShape):
    """Sets numbers to zero in training and divides the others by the share that stays.

    Srivastava et al., "Dropout: a simple way to prevent neural networks from overfitting", 2014.
    """

    kind: ClassVar[str] = "layer"

    share: float = param(0.5, Number(0, 1), "Chance of each number to be dropped.", positional=True)

    def build(self, shape: tuple[int, ...]) -> list[nn.Module]:
        """Make the layer."""
        return [Dropped(float(self.share))]


@part
class Noise(SameShape):
    """Does in training to what comes in what a corruption does to rows."""

    kind: ClassVar[str] = "layer"

    corruption: Any = param(GaussianNoise(), PartOf("corruption"), "What is done.", positional=True)

    def build(self, shape: tuple[int, ...]) -> list[nn.Module]:
        """Make the layer."""
        return [Noisy(self.corruption)]
