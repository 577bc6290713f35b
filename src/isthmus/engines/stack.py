"""A stack of dense layers with its forward and backward passes written out, into memory that stays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

_SIZES = 2
_aten = torch.ops.aten
# What an activation does to a layer's output, and to the gradient at that output, given it; both in place.
_Steps = tuple[Callable[[Tensor], object], Callable[[Tensor, Tensor], object]]


def _relu(layer: nn.ReLU) -> _Steps:
    by_output = _aten.threshold_backward.grad_input
    return torch.relu_, lambda gradient, output: by_output(gradient, output, 0, grad_input=gradient)


def _leaky_relu(layer: nn.LeakyReLU) -> _Steps:
    by_output, slope = _aten.leaky_relu_backward.grad_input, layer.negative_slope
    return (
        partial(functional.leaky_relu_, negative_slope=slope),
        lambda gradient, output: by_output(gradient, output, slope, True, grad_input=gradient),
    )


def _sigmoid(layer: nn.Sigmoid) -> _Steps:
    by_output = _aten.sigmoid_backward.grad_input
    return torch.sigmoid_, lambda gradient, output: by_output(gradient, output, grad_input=gradient)


def _tanh(layer: nn.Tanh) -> _Steps:
    by_output = _aten.tanh_backward.grad_input
    return torch.tanh_, lambda gradient, output: by_output(gradient, output, grad_input=gradient)


_ACTIVATIONS: dict[type[nn.Module], Callable[[Any], _Steps]] = {
    nn.ReLU: _relu,
    nn.LeakyReLU: _leaky_relu,
    nn.Sigmoid: _sigmoid,
    nn.Tanh: _tanh,
}


def is_stack(network: nn.Module) -> bool:
    """Whether a network is linear layers, each followed by at most one activation whose slope its output tells."""
    if type(network) is not nn.Sequential or not network or type(network[0]) is not nn.Linear:
        return False
    kinds = [type(layer) for layer in network]
    known = all(kind is nn.Linear or kind in _ACTIVATIONS for kind in kinds)
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
        self._layers: list[_Layer] = []
        memory = iter(gradients)
        for layer in network:
            if isinstance(layer, nn.Linear):
                self._layers.append(_Layer(layer.weight.data, layer.bias.data, next(memory), next(memory)))
            else:
                self._layers[-1].activate, self._layers[-1].slope = _ACTIVATIONS[type(layer)](layer)
        self._memory: dict[int, list[_Room]] = {}
        self._rows = torch.empty(0)

    def forward(self, rows: Tensor) -> Tensor:
        """Give the last layer's output for ``rows`` of shape (n, columns); the next call overwrites it."""
        self._rows = values = rows
        for layer, room in zip(self._layers, self._room(rows.shape[0]), strict=True):
            values = torch.addmm(layer.bias, values, layer.transposed, out=room.output)
            if layer.activate is not None:
                layer.activate(values)
        return values

    def backward(self, gradient: Tensor, *, inputs_too: bool) -> Tensor:
        """Write the gradients of the parameters, given that of the last output, which is overwritten.

        Returns
        -------
        Tensor
            The gradient at the rows if ``inputs_too``, else at the first layer's output.
        """
        rooms = self._room(gradient.shape[0])
        for place in reversed(range(len(self._layers))):
            layer = self._layers[place]
            if layer.slope is not None:
                layer.slope(gradient, rooms[place].output)
            inputs = rooms[place - 1].output if place else self._rows
            torch.mm(gradient.t(), inputs, out=layer.weight_gradient)
            torch.sum(gradient, 0, out=layer.bias_gradient)
            if place or inputs_too:
                gradient = torch.mm(gradient, layer.weight, out=rooms[place].gradient)
        return gradient

    def release(self) -> None:
        """Give back the memory of the outputs and gradients."""
        self._memory.clear()
        self._rows = torch.empty(0)

    def _room(self, rows: int) -> list[_Room]:
        """Give memory for so many rows."""
        if rows not in self._memory:
            if len(self._memory) == _SIZES:
                self._memory.clear()
            shapes = [layer.weight.shape for layer in self._layers]
            self._memory[rows] = [_Room(torch.empty(rows, out), torch.empty(rows, columns)) for out, columns in shapes]
        return self._memory[rows]


class _Layer:
    """A linear layer and the activation behind it.

    Views are made once: to make one takes as long as the arithmetic of a small layer.
    """

    activate: Callable[[Tensor], object] | None = None
    slope: Callable[[Tensor, Tensor], object] | None = None

    def __init__(self, weight: Tensor, bias: Tensor, weight_gradient: Tensor, bias_gradient: Tensor) -> None:
        self.weight, self.transposed, self.bias = weight, weight.t(), bias
        self.weight_gradient, self.bias_gradient = weight_gradient, bias_gradient


@dataclass(frozen=True)
class _Room:
    """Memory for a layer's output, and for the gradient at its input."""

    output: Tensor
    gradient: Tensor
