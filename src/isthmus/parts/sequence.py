"""The network that is a list of layers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

from torch import Generator, nn

from isthmus.errors import DataError, ParameterError
from isthmus.legal import Number, PartOf, Several
from isthmus.params import param, part
from isthmus.parts import layers
from isthmus.parts.layer_modules import Drawn, Normalised, Reshaped
from isthmus.parts.stages import Stages

_LARGEST = 2**31


@part
class Layers:
    """Encoder and decoder, each a list of layers.

    Rows go in flat, or as images ``(height, width, channels)``. What the decoder gives must have as many numbers; in
    another shape they are laid out anew, channels last. The code is as large as what the encoder gives: leave
    ``code_size`` at None.

    Examples
    --------
    >>> import isthmus
    >>> from isthmus.parts import Activation, Convolution, Flatten, Layers, Linear, MaxPooling
    >>> X, _ = isthmus.datasets.load_digits()
    >>> network = Layers(
    ...     encoder=(Convolution(8, stride=2), Activation("relu"), MaxPooling(2), Flatten(), Linear(6)),
    ...     decoder=(Linear(32), Activation("relu"), Linear(64), Activation("sigmoid")),
    ... )
    >>> model = isthmus.Autoencoder(None, network=network, max_epochs=1, random_state=0)
    >>> model.fit_transform(X).shape, model.reconstruct(X).shape
    ((1797, 6), (1797, 8, 8))
    """

    kind: ClassVar[str] = "network"

    encoder: Sequence[Any] = param((), PartOf("layer", several=True), "Layers from row to code.", positional=True)
    decoder: Sequence[Any] = param((), PartOf("layer", several=True), "Layers from code to row.", positional=True)
    image_shape: Sequence[int] | None = param(
        None,
        Several(Number(1, integer=True), shortest=2, longest=3),
        "Height, width and channels of the images that rows hold.",
        none="the shape of X",
    )

    def layout(self, row_shape: tuple[int, ...]) -> tuple[int, ...]:
        """A row is flat, or the image that it is or is said to be."""
        shape = row_shape if self.image_shape is None else tuple(self.image_shape)
        if math.prod(shape) != math.prod(row_shape):
            raise DataError(
                f"image_shape {shape} has {math.prod(shape)} numbers, but the rows of X have n_features = "
                f"{math.prod(row_shape)}"
            )
        return (*shape, 1) if len(shape) == 2 else shape

    def build(self, layout: tuple[int, ...], code_size: int | None, heads: int) -> tuple[nn.Module, nn.Module]:
        """Make the layers, each for the shape that the one before gives."""
        encoder, features = _modules(self.encoder, layout)
        code = (*features[:-1], features[-1] // heads)
        if features[-1] % heads or code_size not in (None, layout[0], math.prod(code)):
            raise ParameterError(
                f"Layers: the encoder gives {math.prod(features)} numbers, so code_size must be None or "
                f"{math.prod(code)}; got {code_size}"
            )
        decoder, rows = _modules(self.decoder, code)
        if math.prod(rows) != math.prod(layout):
            raise ParameterError(f"Layers: the decoder gives rows of shape {rows}, but X has rows of shape {layout}")
        return _network(encoder), _network(decoder if rows == layout else [*decoder, Reshaped(*layout)])

    def initialise(self, encoder: nn.Module, decoder: nn.Module, generator: Generator) -> None:
        """Draw the weights of encoder and decoder in place."""
        for network in (encoder, decoder):
            layers.initialise(network, generator)
            for layer in network.modules():
                if isinstance(layer, Normalised):
                    layer.reset_parameters()


def shape_behind(layer: Any, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Give the shape of what a layer makes of rows of a shape, unless that is beyond all bounds."""
    after: tuple[int, ...] = layer.shape(shape)
    if math.prod(after) > _LARGEST:
        raise ParameterError(f"Layers: {layer} would give {math.prod(after):,} numbers for each row")
    return after


def _modules(described: Sequence[Any], shape: tuple[int, ...]) -> tuple[list[nn.Module], tuple[int, ...]]:
    """Make layers for rows of a shape; give the shape of what comes out, too."""
    modules: list[nn.Module] = []
    for layer in described:
        after = shape_behind(layer, shape)
        modules += layer.build(shape)
        shape = after
    return modules, shape


def _network(modules: Sequence[nn.Module]) -> nn.Sequential:
    """Put modules together: those that draw so that they can, dense ones as what the fastest engine takes."""
    if any(hasattr(module, "draw") for module in modules):
        return Drawn(*modules)
    dense = all(type(module) is nn.Linear or isinstance(module, layers.ELEMENTWISE) for module in modules)
    return (nn.Sequential if dense else Stages)(*modules)
