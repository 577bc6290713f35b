"""Networks: an encoder and the decoder that mirrors it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import ClassVar

from torch import Generator, nn

from isthmus import hyperparameters
from isthmus.errors import DataError
from isthmus.legal import OneOf
from isthmus.params import like, param, part
from isthmus.parts import layers
from isthmus.parts.stages import Stages

_CONVOLUTION = {1: nn.Conv1d, 2: nn.Conv2d}
_POOLING = {1: nn.MaxPool1d, 2: nn.MaxPool2d}


class _Initialised:
    """A network whose weights are drawn layer by layer."""

    def initialise(self, encoder: nn.Module, decoder: nn.Module, generator: Generator) -> None:
        """Draw the weights of encoder and decoder in place, as their activations need it."""
        layers.initialise(encoder, generator)
        layers.initialise(decoder, generator)


@part
class Dense(_Initialised):
    """Fully connected layers; the decoder has the encoder's widths backwards.

    Examples
    --------
    >>> from isthmus.parts import Dense
    >>> encoder, decoder = Dense(hidden=(128, 64)).build((784,), code_size=32, heads=1)
    >>> [layer.out_features for layer in encoder if hasattr(layer, "out_features")]
    [128, 64, 32]
    """

    kind: ClassVar[str] = "network"

    hidden: Sequence[int] = like(hyperparameters.Dense, "hidden", kw_only=False)
    activation: str = like(hyperparameters.Dense, "activation")
    code_activation: str = like(hyperparameters.Dense, "code_activation")
    output_activation: str = param("linear", OneOf(hyperparameters.ACTIVATIONS), "Activation of the last layer.")

    def layout(self, row_shape: tuple[int, ...]) -> tuple[int, ...]:
        """A row is seen as one flat vector."""
        return (math.prod(row_shape),)

    def build(self, layout: tuple[int, ...], code_size: int | None, heads: int) -> tuple[nn.Module, nn.Module]:
        """Build the two stacks; several heads (the parameters of a distribution) are linear."""
        size = layout[0] if code_size is None else code_size
        widths = (layout[0], *map(int, self.hidden))
        last = self.code_activation if heads == 1 else "linear"
        return (
            self._stack((*widths, size * heads), last),
            self._stack((size, *reversed(widths)), self.output_activation),
        )

    def _stack(self, widths: Sequence[int], last: str) -> nn.Sequential:
        stack: list[nn.Module] = []
        for place, (before, after) in enumerate(pairwise(widths)):
            name = last if place == len(widths) - 2 else self.activation
            stack += [nn.Linear(before, after), *layers.activation(name)]
        return nn.Sequential(*stack)


@part
class Convolutional(_Initialised):
    """Stages of convolution, activation and pooling by 2, mirrored by up-sampling.

    The decoder answers in exactly the input's size: pooling keeps odd edges, up-sampling (nearest neighbour)
    goes to the size that the encoder's stage had. The code is the last feature map, or with a code size a
    dense layer on it.

    Examples
    --------
    >>> from isthmus.parts import Convolutional
    >>> encoder, decoder = Convolutional().build((28, 28, 1), code_size=None, heads=1)
    >>> [type(layer).__name__ for layer in encoder]
    ['Conv2d', 'ReLU', 'MaxPool2d', 'Conv2d', 'ReLU', 'MaxPool2d']
    """

    kind: ClassVar[str] = "network"

    channels: Sequence[int] = like(hyperparameters.Convolutional, "channels", kw_only=False)
    kernel_size: int = like(hyperparameters.Convolutional, "kernel_size")
    activation: str = like(hyperparameters.Convolutional, "activation")
    code_activation: str | None = like(hyperparameters.Convolutional, "code_activation")
    output_activation: str = param("linear", OneOf(hyperparameters.ACTIVATIONS), "Activation of the last layer.")
    image_shape: Sequence[int] | None = like(hyperparameters.Convolutional, "image_shape")

    def layout(self, row_shape: tuple[int, ...]) -> tuple[int, ...]:
        """A row is seen as an image or, if nothing says that it is one, as a signal."""
        shape = row_shape if self.image_shape is None else tuple(self.image_shape)
        if math.prod(shape) != math.prod(row_shape):
            raise DataError(
                f"image_shape {shape} has {math.prod(shape)} numbers, but the rows of X have "
                f"{math.prod(row_shape)}, which is n_features = {math.prod(row_shape)}"
            )
        return shape if len(shape) == 3 else (*shape, 1)

    def build(self, layout: tuple[int, ...], code_size: int | None, heads: int) -> tuple[nn.Module, nn.Module]:
        """Build the stages, with a dense layer on either side of a code of ``code_size`` numbers."""
        sizes = _halvings(layout[:-1], len(self.channels))
        widths = (layout[-1], *map(int, self.channels))
        code_activation = "linear" if heads > 1 else self._code_activation(code_size)
        if code_size is None:
            encoder = self._down((*widths[:-1], widths[-1] * heads), len(sizes[0]), code_activation)
            return Stages(*encoder), Stages(*self._up(widths, sizes))
        last_map = (widths[-1], *sizes[-1])
        numbers = math.prod(last_map)
        encoder = self._down(widths, len(sizes[0]), self.activation)
        encoder += [nn.Flatten(), nn.Linear(numbers, code_size * heads), *layers.activation(code_activation)]
        front = [
            nn.Linear(code_size, numbers),
            *layers.activation(self.activation),
            nn.Unflatten(1, last_map),
        ]
        return Stages(*encoder), Stages(*front, *self._up(widths, sizes))

    def _code_activation(self, code_size: int | None) -> str:
        if self.code_activation is not None:
            return self.code_activation
        return self.activation if code_size is None else "linear"

    def _convolution(self, before: int, after: int, dimensions: int) -> nn.Module:
        return _CONVOLUTION[dimensions](before, after, self.kernel_size, padding=self.kernel_size // 2)

    def _down(self, widths: Sequence[int], dimensions: int, last: str) -> list[nn.Module]:
        stack: list[nn.Module] = []
        for stage, (before, after) in enumerate(pairwise(widths), start=1):
            name = last if stage == len(self.channels) else self.activation
            pooling = _POOLING[dimensions](2, ceil_mode=True)
            stack += [self._convolution(before, after, dimensions), *layers.activation(name), pooling]
        return stack

    def _up(self, widths: Sequence[int], sizes: Sequence[tuple[int, ...]]) -> list[nn.Module]:
        stack: list[nn.Module] = []
        dimensions, before = len(sizes[0]), widths[-1]
        for after, size in zip(reversed(widths[1:]), reversed(sizes[:-1]), strict=True):
            upsampling = nn.Upsample(size, mode="nearest")
            stack += [
                self._convolution(before, after, dimensions),
                *layers.activation(self.activation),
                upsampling,
            ]
            before = after
        return [
            *stack,
            self._convolution(before, widths[0], dimensions),
            *layers.activation(self.output_activation),
        ]


def _halvings(size: tuple[int, ...], times: int) -> list[tuple[int, ...]]:
    """Give the size before the first pooling and after each; pooling keeps odd edges."""
    sizes = [tuple(size)]
    for _ in range(times):
        sizes.append(tuple(-(-side // 2) for side in sizes[-1]))
    return sizes
