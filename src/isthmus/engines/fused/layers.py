"""Torch's layers, one after the other, as operations."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor, nn

from isthmus.engines.fused.convolutions import Convolution, UpsampledConvolution
from isthmus.engines.fused.operations import Activation, Plain, Step, Weights
from isthmus.engines.fused.planes import Planes
from isthmus.engines.fused.pooled import PooledConvolution
from isthmus.engines.fused.resizing import Dense, Pooling, Reshaping, Same, Upsampling
from isthmus.parts.layer_modules import Reshaped

_ACTIVATIONS: dict[type[nn.Module], Callable[[Any], Activation]] = {
    nn.ReLU: lambda layer: Activation("relu"),
    nn.LeakyReLU: lambda layer: Activation("relu", float(layer.negative_slope)),
    nn.Tanh: lambda layer: Activation("tanh"),
    nn.Sigmoid: lambda layer: Activation("sigmoid"),
}
_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d)
_MAX_POOLING = (nn.MaxPool1d, nn.MaxPool2d)
Shape = tuple[int, ...]
Taken = tuple[int, Plain, Shape]


class NotCoveredError(Exception):
    """A network that cannot be emitted; says why."""


def steps_of(network: nn.Sequential, shape: Shape, places: dict[int, int]) -> list[Step]:
    """Give the steps of a network.

    Parameters
    ----------
    network : Sequential
        Layers.
    shape : tuple of int
        What goes in, channels first.
    places : dict of int to int
        Where each parameter, by its ``id``, begins in the vector of all.

    Raises
    ------
    NotCoveredError
        If a layer cannot be emitted.
    """
    steps: list[Step] = []
    layers = _pooled_first(list(network))
    while layers:
        taken, operation, shape = _operation(layers, shape, places)
        behind, activation = layers[taken:], None
        if behind and type(behind[0]) in _ACTIVATIONS:
            activation = _ACTIVATIONS[type(behind[0])](behind[0])
            taken += 1
        layers = layers[taken:]
        steps.append(Step(operation, activation))
    return steps


def planes_of(shape: Shape) -> Planes:
    """Give planes, without gaps, for a shape with the channels first."""
    if len(shape) == 1:
        return Planes(1, 1, shape[0])
    return Planes(shape[0], *(1, *shape[1:])[-2:])


def _pooled_first(layers: list[nn.Module]) -> list[nn.Module]:
    """Let max-pooling and an activation that never falls change places: a quarter of the numbers is left for it."""
    for place in range(len(layers) - 1):
        if type(layers[place]) in _ACTIVATIONS and isinstance(layers[place + 1], _MAX_POOLING):
            layers[place], layers[place + 1] = layers[place + 1], layers[place]
    return layers


def _operation(layers: Sequence[nn.Module], shape: Shape, places: dict[int, int]) -> Taken:
    """Read the operation of the first layer, or of the first two; say how many that were, and what comes out."""
    first: Any = layers[0]
    if type(first) in _ACTIVATIONS:
        return 0, Same("copy", planes_of(shape), planes_of(shape)), shape
    if type(first) is nn.Upsample:
        return _upsampling(layers, shape, places)
    if type(first) in _CONVOLUTIONS and len(layers) > 1 and _pools_evenly(first, layers[1], shape):
        second: Any = layers[1]
        _, pooling, after = _pooling(second, (first.out_channels, *shape[1:]))
        down, across = _factor(pooling.y.height, pooling.x.height), _factor(pooling.y.width, pooling.x.width)
        title, x, weights = f"{_title(first)}, {_title(second)}", planes_of(shape), _kernel(first, places)
        return 2, PooledConvolution(title, x, planes_of(after), weights, down, across), after
    if type(first) in _CONVOLUTIONS:
        after = (first.out_channels, *shape[1:])
        planes, weights = planes_of(shape), _kernel(first, places)
        return 1, Convolution(_title(first), planes, planes_of(after), weights), after
    if type(first) in (*_MAX_POOLING, nn.AvgPool2d):
        return _pooling(first, shape)
    if type(first) is nn.Linear and len(shape) == 1:
        after = (first.out_features,)
        weights = _weights(first, (first.out_features, first.in_features, 1, 1), places)
        return 1, Dense(_title(first), planes_of(shape), planes_of(after), weights), after
    if type(first) in (nn.Flatten, nn.Unflatten, Reshaped):
        return _reshaping(first, shape)
    raise NotCoveredError(f"the layer {type(first).__name__}")


def _pools_evenly(convolution: Any, pooling: nn.Module, shape: Shape) -> bool:
    """Whether max-pooling behind a convolution leaves no edges, and has as many planes to pool as there were to split.

    With fewer, to take planes apart costs more than whole planes are faster to pool.
    """
    return (
        type(pooling) in _MAX_POOLING
        and all(side % 2 == 0 for side in shape[1:])
        and convolution.out_channels >= convolution.in_channels
    )


def _kernel(layer: Any, places: dict[int, int]) -> Weights:
    """Read the weights of a convolution, if it is as large as its input, without strides or groups."""
    sides, one = layer.kernel_size, (1,) * len(layer.kernel_size)
    even = layer.padding == tuple(side // 2 for side in sides) and all(side % 2 for side in sides)
    if not even or (layer.stride, layer.dilation, layer.groups) != (one, one, 1) or layer.padding_mode != "zeros":
        raise NotCoveredError("a convolution that is not odd, padded and of stride 1")
    return _weights(layer, (layer.out_channels, layer.in_channels, *(1, *sides)[-2:]), places)


def _weights(layer: Any, shape: Shape, places: dict[int, int]) -> Weights:
    strides = dict(zip(_axes(layer.weight), layer.weight.stride(), strict=True))
    steps = tuple(strides[axis] if axis in strides and side > 1 else 0 for axis, side in enumerate(shape))
    bias = None if layer.bias is None else places[id(layer.bias)]
    return Weights(places[id(layer.weight)], shape, steps, bias)


def _axes(weight: Tensor) -> tuple[int, ...]:
    """Say which of outputs, inputs, lines and columns the axes of a weight are."""
    return {2: (0, 1), 3: (0, 1, 3), 4: (0, 1, 2, 3)}[weight.ndim]


def _upsampling(layers: Sequence[nn.Module], shape: Shape, places: dict[int, int]) -> Taken:
    """Read up-sampling, together with the convolution behind it where sides are exactly doubled."""
    first: Any = layers[0]
    sizes = first.size if isinstance(first.size, tuple) else (first.size,)
    if first.mode != "nearest" or len(sizes) != len(shape) - 1 or None in sizes:
        raise NotCoveredError("up-sampling that is not by nearest neighbours to a given size")
    before, after = planes_of(shape), planes_of((shape[0], *sizes))
    down, across = _factor(before.height, after.height), _factor(before.width, after.width)
    exact = (after.height, after.width) == (down * before.height, across * before.width)
    if exact and len(layers) > 1 and type(layers[1]) in _CONVOLUTIONS and down * across > 1:
        second: Any = layers[1]
        shape = (second.out_channels, *sizes)
        title, weights = f"{_title(first)}, {_title(second)}", _kernel(second, places)
        return 2, UpsampledConvolution(title, before, planes_of(shape), weights, down, across), shape
    return 1, Upsampling(_title(first), before, after, None, down, across), (shape[0], *sizes)


def _factor(before: int, after: int) -> int:
    if after == before:
        return 1
    if after in (2 * before, 2 * before - 1):
        return 2
    raise NotCoveredError("up-sampling that is not by 2")


def _pooling(layer: Any, shape: Shape) -> Taken:
    average, dimensions = isinstance(layer, nn.AvgPool2d), len(shape) - 1
    settings = [layer.kernel_size, layer.stride, layer.padding, 1 if average else layer.dilation]
    plain = [_pair(value, dimensions) for value in settings] == [_pair(value, dimensions) for value in (2, 2, 0, 1)]
    if not plain or (layer.divisor_override is not None if average else layer.return_indices):
        raise NotCoveredError("pooling that is not by 2")
    after = (shape[0], *(-(-side // 2) if layer.ceil_mode else side // 2 for side in shape[1:]))
    kernel = "average_pool" if average else "max_pool"
    return 1, Pooling(_title(layer), planes_of(shape), planes_of(after), None, kernel), after


def _pair(value: Any, dimensions: int) -> tuple[int, ...]:
    return (value,) * dimensions if isinstance(value, int) else tuple(value)


def _reshaping(layer: Any, shape: Shape) -> Taken:
    """Read what makes a vector of planes or planes of a vector."""
    if isinstance(layer, nn.Flatten):
        after: Shape = (math.prod(shape),)
        known = layer.start_dim == 1 and layer.end_dim == -1
    elif isinstance(layer, nn.Unflatten):
        after, known = tuple(layer.unflattened_size), layer.dim == 1 and len(shape) == 1
    else:
        after, known = (layer._shape[-1], *layer._shape[:-1]), len(shape) == 1 or len(layer._shape) == 1
    if not known or math.prod(after) != math.prod(shape):
        raise NotCoveredError("a change of shape other than between vectors and images")
    if len(after) == len(shape) == 1:
        return 1, Same(_title(layer), planes_of(shape), planes_of(after)), after
    return 1, Reshaping(_title(layer), planes_of(shape), planes_of(after), None, isinstance(layer, Reshaped)), after


def _title(layer: nn.Module) -> str:
    return " ".join(str(layer).split())
