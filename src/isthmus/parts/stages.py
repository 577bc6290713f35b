"""A sequence of layers that takes some pairs of neighbours in one step: the same numbers for less work."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

_RISING = (nn.ReLU, nn.LeakyReLU, nn.ELU, nn.SELU, nn.Softplus, nn.Tanh, nn.Sigmoid)


class Stages(nn.Sequential):
    """Layers one after the other.

    An activation that never falls and max-pooling behind it change places, which spares three quarters of the
    activation. Nearest up-sampling by 2 and the convolution behind it become one transposed convolution [1]_ whose
    kernel is one wider: out of each pixel of the small map come the four of the large one, and the large map of the
    convolution's input is never made. Layers that somebody watches with a hook are run as they are.

    References
    ----------
    .. [1] Odena, Dumoulin & Olah, "Deconvolution and checkerboard artifacts", 2016, compare the two.
    """

    def plain(self) -> nn.Sequential:
        """Give the layers one after the other, in the steps that other runtimes know."""
        return nn.Sequential(*self)

    def forward(self, values: Tensor) -> Tensor:
        """Run the layers."""
        layers = list(self)
        while layers:
            first, *layers = layers
            second = layers[0] if layers else None
            if second is None or first._forward_hooks or second._forward_hooks:
                values = first(values)
            elif isinstance(first, _RISING) and isinstance(second, nn.MaxPool1d | nn.MaxPool2d):
                values = first(second(values))
                layers = layers[1:]
            elif isinstance(first, nn.Upsample) and _doubles(first, values) and _pads_evenly(second):
                values = _upsampled_convolution(values, second)
                layers = layers[1:]
            else:
                values = first(values)
        return values


def _doubles(layer: nn.Upsample, values: Tensor) -> bool:
    doubled = tuple(2 * side for side in values.shape[2:])
    return layer.mode == "nearest" and layer.size == doubled


def _pads_evenly(layer: nn.Module) -> bool:
    """Whether a layer is one of our own convolutions: odd, as large as its input, without strides or groups."""
    if not isinstance(layer, nn.Conv1d | nn.Conv2d) or layer.padding_mode != "zeros" or layer.groups > 1:
        return False
    same = all(pad == side // 2 and side % 2 for pad, side in zip(layer.padding, layer.kernel_size, strict=True))
    return same and {*layer.stride, *layer.dilation} == {1}


def _upsampled_convolution(values: Tensor, layer: Any) -> Tensor:
    """Convolve the up-sampled values: each weight of the wider kernel is the sum of the neighbours it stands for."""
    kernel = layer.weight.transpose(0, 1).flip(*range(2, layer.weight.ndim))
    if values.ndim == 3:
        wider = 2 * functional.avg_pool1d(kernel, 2, stride=1, padding=1)
        return functional.conv_transpose1d(values, wider, layer.bias, stride=2, padding=layer.padding)
    wider = functional.avg_pool2d(kernel, 2, stride=1, padding=1, divisor_override=1)
    wider = wider.contiguous(memory_format=torch.channels_last)
    return functional.conv_transpose2d(values, wider, layer.bias, stride=2, padding=layer.padding)
