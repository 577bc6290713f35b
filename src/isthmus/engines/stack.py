"""A stack of dense layers with its forward and backward passes written out, into memory that stays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

_SIZES = 2
_BACKWARD: dict[type[nn.Module], Callable[[Any, Tensor, Tensor], Tensor]] = {
    nn.ReLU: lambda layer, gradient, output: torch.ops.aten.threshold_backward.grad_input(
        gradient, output, 0, grad_input=gradient
    ),
    nn.LeakyReLU: lambda layer, gradient, output: torch.ops.aten.leaky_relu_backward.grad_input(
        gradient, output, layer.negative_slope, True, grad_input=gradient
    ),
    nn.Sigmoid: lambda layer, gradient, output: torch.ops.aten.sigmoid_backward.grad_input(
        gradient, output, grad_input=gradient
    ),
    nn.Tanh: lambda layer, gradient, output: torch.ops.aten.tanh_backward.grad_input(
        gradient, output, grad_input=gradient
    ),
}
_FORWARD: dict[type[nn.Module], Callable[[Any, Tensor], Tensor]] = {
    nn.ReLU: lambda layer, values: torch.relu_(values),
    nn.LeakyReLU: lambda layer, values: nn.functional.leaky_relu_(values, layer.negative_slope),
    nn.Sigmoid: lambda layer, values: torch.sigmoid_(values),
    nn.Tanh: lambda layer, values: torch.tanh_(values),
}


def is_stack(network: nn.Module) -> bool:
    """Whether a network is linear layers, each followed by at most one activation whose slope its output tells."""
    if type(network) is not nn.Sequential or not network or type(network[0]) is not nn.Linear:
        return False
    kinds = [type(layer) for layer in network]
    known = all(kind is nn.Linear or kind in _FORWARD for kind in kinds)
    alone = all(nn.Linear in pair for pair in pairwise(kinds))
    return known and alone and all(layer.bias is not None for layer in network if type(layer) is nn.Linear)


class Stack:
    """Runs the layers of a stack forwards and backwards.

    Parameters
    ----------
    network : Sequential
        What `is_stack` accepts.
    gradients : sequence of Tensor
        Memory for the gradients of its parameters, in their order.
    """

    def __init__(self, network: nn.Sequential, gradients: Sequence[Tensor]) -> None:
        layers = list(network)
        places = [place for place, layer in enumerate(layers) if isinstance(layer, nn.Linear)]
        self._linear = [layer for layer in layers if isinstance(layer, nn.Linear)]
        self._activations = [
            layers[place + 1] if place + 1 < len(layers) and place + 1 not in places else None for place in places
        ]
        self._gradients = list(zip(gradients[::2], gradients[1::2], strict=True))
        self._values: list[Tensor] = []
        self._memory: dict[int, tuple[list[Tensor], list[Tensor]]] = {}

    def forward(self, rows: Tensor) -> Tensor:
        """Give the last layer's output for ``rows`` of shape (n, columns); the next call overwrites it."""
        self._values = [rows]
        outputs, _ = self._room(len(rows))
        for linear, activation, out in zip(self._linear, self._activations, outputs, strict=True):
            torch.addmm(linear.bias, self._values[-1], linear.weight.t(), out=out)
            if activation is not None:
                _FORWARD[type(activation)](activation, out)
            self._values.append(out)
        return outputs[-1]

    def backward(self, gradient: Tensor, *, inputs_too: bool) -> Tensor:
        """Write the gradients of the parameters, given that of the last output, which is overwritten.

        Returns
        -------
        Tensor
            The gradient at the rows if ``inputs_too``, else at the first layer's output.
        """
        _, room = self._room(len(gradient))
        for place in reversed(range(len(self._linear))):
            activation, linear = self._activations[place], self._linear[place]
            if activation is not None:
                gradient = _BACKWARD[type(activation)](activation, gradient, self._values[place + 1])
            weight, bias = self._gradients[place]
            torch.mm(gradient.t(), self._values[place], out=weight)
            torch.sum(gradient, 0, out=bias)
            if place or inputs_too:
                gradient = torch.mm(gradient, linear.weight, out=room[place])
        return gradient

    def release(self) -> None:
        """Give back the memory of the outputs and gradients."""
        self._memory.clear()
        self._values = []

    def _room(self, rows: int) -> tuple[list[Tensor], list[Tensor]]:
        """Give memory for the outputs of each layer and for the gradients at each layer's input."""
        if rows not in self._memory:
            if len(self._memory) == _SIZES:
                self._memory.clear()
            outputs = [torch.empty(rows, layer.out_features) for layer in self._linear]
            self._memory[rows] = outputs, [torch.empty(rows, layer.in_features) for layer in self._linear]
        return self._memory[rows]
