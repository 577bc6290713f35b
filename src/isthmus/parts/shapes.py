"""Shapes of what layers give, without arithmetic.

To run layers on torch's meta device tells the same, but the first arithmetic there imports torch's compiler and sympy:
2.5 seconds of processor time in each process that fits or loads a model.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

Shape = Sequence[int] | None


class ShapesOnly(TorchFunctionMode):
    """Within it, tensors of the meta device go through common layers by their shapes alone.

    Whatever it does not know, and what does not fit together, is left to torch.

    Examples
    --------
    >>> import torch
    >>> from isthmus.parts.shapes import ShapesOnly
    >>> with torch.device("meta"), ShapesOnly():
    ...     torch.nn.Conv2d(1, 4, 3)(torch.empty(1, 1, 9, 9)).shape
    torch.Size([1, 4, 7, 7])
    """

    def __torch_function__(
        self, func: Callable, types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Answer with an empty tensor of the right shape, or let torch answer."""
        rule, named = _RULES.get(func), kwargs or {}
        shape = rule(*args, **named) if rule is not None and args and args[0].is_meta else None
        return func(*args, **named) if shape is None else args[0].new_empty(shape)


def _same(values: Tensor, *settings: Any, **named: Any) -> Shape:
    numbers = all(isinstance(setting, int | float | str | None) for setting in [*settings, *named.values()])
    return values.shape if numbers else None


def _linear(values: Tensor, weight: Tensor, bias: Tensor | None = None) -> Shape:
    return (*values.shape[:-1], len(weight)) if values.shape[-1] == weight.shape[-1] else None


def _convolution(
    values: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Shape:
    if values.ndim != weight.ndim or isinstance(padding, str) or values.shape[1] != groups * weight.shape[1]:
        return None
    per_side = zip(
        values.shape[2:], weight.shape[2:], *map(_tuple_for(weight), (stride, padding, dilation)), strict=True
    )
    sides = [(side + 2 * pad - gap * (width - 1) - 1) // step + 1 for side, width, step, pad, gap in per_side]
    return (len(values), len(weight), *sides) if min(sides) > 0 else None


def _tuple_for(weight: Tensor) -> Callable[[Any], tuple[int, ...]]:
    return lambda setting: (setting,) * (weight.ndim - 2) if isinstance(setting, int) else tuple(setting)


def _halved(
    values: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Shape:
    """Know the pooling of our own networks only: pairs, without padding; an odd edge is kept or left out."""
    pairs = (kernel_size, stride or 2, padding, dilation) == (2, 2, 0, 1)
    if not pairs or return_indices or min(values.shape[2:], default=0) < 2:
        return None
    return (*values.shape[:2], *((side + ceil_mode) // 2 for side in values.shape[2:]))


def _resized(values: Tensor, size: Any = None, scale_factor: Any = None, mode: str = "nearest", **_: Any) -> Shape:
    fits = isinstance(size, tuple | list) and len(size) == values.ndim - 2
    return (*values.shape[:2], *size) if fits and mode == "nearest" else None


_ELEMENTWISE = (
    *(functional.relu, functional.leaky_relu, functional.elu, functional.selu, functional.gelu, functional.silu),
    *(functional.softplus, torch.relu, torch.tanh, torch.sigmoid, Tensor.div, Tensor.__truediv__, Tensor.exp),
)
_RULES: dict[Callable, Callable[..., Shape]] = {
    **dict.fromkeys(_ELEMENTWISE, _same),
    functional.linear: _linear,
    **dict.fromkeys((functional.conv1d, functional.conv2d), _convolution),
    **dict.fromkeys((functional.max_pool1d, functional.max_pool2d), _halved),
    functional.interpolate: _resized,
}
