"""Layers by name, and the first weights that suit them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import torch
from torch import Generator, nn

_ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "elu": nn.ELU,
    "selu": nn.SELU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "softplus": nn.Softplus,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
}
_RECTIFIERS = (nn.ReLU, nn.LeakyReLU, nn.ELU, nn.GELU, nn.SiLU, nn.Softplus)
_NARROW = 4
_WEIGHTED = (nn.Linear, nn.Conv1d, nn.Conv2d)


def activation(name: str) -> list[nn.Module]:
    """Give the layer of an activation, or none for ``"linear"``."""
    return [] if name == "linear" else [_ACTIVATIONS[name]()]


def initialise(network: nn.Module, generator: Generator) -> None:
    """Draw the weights of every linear and convolutional layer; biases start at zero.

    A layer that feeds a rectifier gets He's variance 2 / fan_in [1]_, any other Glorot's
    2 / (fan_in + fan_out) [2]_, both uniform. In a narrow layer before a rectifier, units whose weights sum to
    less than zero are mirrored: on inputs that are not negative (pixels, other rectifiers' outputs) they would
    be silent for every row, and with one channel nothing would ever be learned.

    References
    ----------
    .. [1] He et al., "Delving deep into rectifiers", 2015.
    .. [2] Glorot & Bengio, "Understanding the difficulty of training deep feedforward neural networks", 2010.
    """
    for layer, rectified in _weighted_layers(network):
        fan_out, fan_in = _fans(layer)
        variance = 2 / fan_in if rectified else 2 / (fan_in + fan_out)
        bound = math.sqrt(3 * variance)
        nn.init.uniform_(layer.weight, -bound, bound, generator=generator)
        if rectified and layer.weight.shape[0] <= _NARROW:
            layer.weight.data *= torch.where(layer.weight.flatten(1).sum(1) < 0, -1.0, 1.0).reshape(
                -1, *[1] * (layer.weight.ndim - 1)
            )
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)


def _fans(layer: nn.Linear | nn.Conv1d | nn.Conv2d) -> tuple[int, int]:
    taps = math.prod(layer.weight.shape[2:])
    return layer.weight.shape[0] * taps, layer.weight.shape[1] * taps


def _weighted_layers(network: nn.Module) -> Iterator[tuple[nn.Linear | nn.Conv1d | nn.Conv2d, bool]]:
    """Yield each layer with weights, and whether a rectifier is the first activation behind it."""
    layers = [layer for layer in network.modules() if not isinstance(layer, nn.Sequential)]
    for place, layer in enumerate(layers):
        if isinstance(layer, _WEIGHTED):
            behind = next(
                (other for other in layers[place + 1 :] if isinstance(other, (*_WEIGHTED, *_nonlinear()))),
                None,
            )
            yield layer, isinstance(behind, _RECTIFIERS)


def _nonlinear() -> tuple[type[nn.Module], ...]:
    return tuple(kind for kind in _ACTIVATIONS.values() if isinstance(kind, type))
