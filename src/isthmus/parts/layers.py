"""Layers by name, and the first weights that suit them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Generator, Tensor, nn

_ACTIVATIONS: dict[str, type[nn.Module]] = {
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
ELEMENTWISE = tuple(_ACTIVATIONS.values())
_RECTIFIERS = (nn.ReLU, nn.LeakyReLU, nn.ELU, nn.GELU, nn.SiLU, nn.Softplus)
_FEW, _BLUR, _EDGE = 4, 0.3, 0.02
Weighted = nn.Linear | nn.Conv1d | nn.Conv2d | nn.ConvTranspose2d
_WEIGHTED = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.ConvTranspose2d)


def activation(name: str) -> list[nn.Module]:
    """Give the layer of an activation, or none for ``"linear"``."""
    return [] if name == "linear" else [_ACTIVATIONS[name]()]


def initialise(network: nn.Module, generator: Generator) -> None:
    """Draw the weights of every linear and convolutional layer; biases start at zero.

    Weights are uniform with Glorot's variance 2 / (fan_in + fan_out) [1]_. In a layer of a few channels
    before a rectifier they are made positive, which starts it as a blur: with mixed signs such a layer is
    silent for every row about as often as not (pixels and rectified inputs are not negative), and where the
    code has one channel nothing behind it would ever be learned. Where such a convolution has as many channels
    as it gets, it starts close to the identity: what passes through a bottleneck of one channel is then seen
    on the other side from the first step.

    References
    ----------
    .. [1] Glorot & Bengio, "Understanding the difficulty of training deep feedforward neural networks", 2010.
    """
    for layer, rectified in _weighted_layers(network):
        bound = math.sqrt(6 / sum(_fans(layer)))
        nn.init.uniform_(layer.weight, -bound, bound, generator=generator)
        if rectified and not isinstance(layer, nn.ConvTranspose2d) and len(layer.weight) <= _FEW:
            _start_as_blur(layer)
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)


def start_at(decoder: nn.Module, mean: Tensor, *, logits: bool) -> None:
    """Set the last bias of a stack so that its answer starts at a mean.

    A sigmoid that starts at one half before rows that are mostly black is pushed into saturation before
    anything else is learned, and stays there.

    Parameters
    ----------
    decoder : Module
        A stack that ends in a layer with weights, or in a sigmoid behind one; others are left alone.
    mean : Tensor of shape (columns,) or (channels, ...)
        Mean of the scaled rows.
    logits : bool
        Whether the loss applies a sigmoid to the decoder's output.
    """
    if not isinstance(decoder, nn.Sequential) or len(decoder) == 0:
        return
    sigmoid = isinstance(decoder[-1], nn.Sigmoid)
    last = decoder[-2] if sigmoid and len(decoder) > 1 else decoder[-1]
    if not isinstance(last, _WEIGHTED) or last.bias is None:
        return
    target = mean if mean.ndim == 1 else mean.flatten(1).mean(dim=1)
    with torch.no_grad():
        last.bias.copy_(torch.logit(target, eps=_EDGE) if sigmoid or logits else target)


@contextmanager
def watched(networks: Iterable[nn.Module]) -> Iterator[list[tuple[str, Tensor]]]:
    """Note the output of each layer, with its name, while networks run in a block."""
    outputs: list[tuple[str, Tensor]] = []

    def noting(name: str) -> Callable[[nn.Module, Any, Any], None]:
        def note(layer: nn.Module, inputs: Any, output: Any) -> None:
            if isinstance(output, Tensor):
                outputs.append((name, output))

        return note

    named = [pair for network in networks for pair in network.named_modules() if not list(pair[1].children())]
    handles = [layer.register_forward_hook(noting(name)) for name, layer in named]
    try:
        yield outputs
    finally:
        for handle in handles:
            handle.remove()


def _start_as_blur(layer: nn.Linear | nn.Conv1d | nn.Conv2d) -> None:
    """Make weights positive; those of a convolution add up to 1, so that stacks of them neither grow nor fade."""
    with torch.no_grad():
        layer.weight.abs_()
        if isinstance(layer, nn.Linear):
            return
        if layer.in_channels == layer.out_channels:
            identity = nn.init.dirac_(torch.empty_like(layer.weight))
            layer.weight.mul_(_BLUR).add_(identity)
        layer.weight.div_(layer.weight.flatten(1).sum(dim=1).reshape(-1, *[1] * (layer.weight.ndim - 1)))


def _fans(layer: Weighted) -> tuple[int, int]:
    taps = math.prod(layer.weight.shape[2:])
    return layer.weight.shape[0] * taps, layer.weight.shape[1] * taps


def _weighted_layers(network: nn.Module) -> Iterator[tuple[Weighted, bool]]:
    """Yield each layer with weights, and whether a rectifier is the first activation behind it."""
    layers = [layer for layer in network.modules() if not isinstance(layer, nn.Sequential)]
    for place, layer in enumerate(layers):
        if isinstance(layer, _WEIGHTED):
            behind = next(
                (other for other in layers[place + 1 :] if isinstance(other, (*_WEIGHTED, *ELEMENTWISE))),
                None,
            )
            yield layer, isinstance(behind, _RECTIFIERS)
