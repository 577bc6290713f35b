"""Single layers that work on images, shapes ``(height, width, channels)``: what `Layers` is made of.

Sides follow TensorFlow: with ``"same"`` padding a side of n becomes ceil(n / stride), or n stride in a transposed
convolution, and what cannot be shared out evenly is padded or cropped at the end.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

from torch import nn

from isthmus.errors import ParameterError
from isthmus.legal import Either, Flag, Number, OneOf, Several
from isthmus.params import param, part

_COUNT = Number(1, integer=True)
_PAIR = Either(_COUNT, Several(_COUNT, shortest=2, longest=2))
_MARGINS = Several(Number(0, integer=True), shortest=4, longest=4)
_PADDING = OneOf(("same", "valid"))
_SAFE_FACTOR = 32
Pair = int | Sequence[int]
Ends = tuple[int, int]


def _pair(value: Pair) -> tuple[int, int]:
    first, second = (value, value) if isinstance(value, int) else value
    return int(first), int(second)


def _sides(layer: Any, shape: tuple[int, ...]) -> tuple[int, int]:
    if len(shape) != 3:
        raise ParameterError(f"{type(layer).__name__} needs images, (height, width, channels); it gets {shape}")
    return shape[0], shape[1]


def _fitting(layer: Any, shape: tuple[int, ...], sides: Sequence[int], channels: int) -> tuple[int, ...]:
    if min(sides) < 1:
        raise ParameterError(f"{type(layer).__name__} does not fit into images of shape {shape}")
    return (*sides, channels)


def _margins(top_and_bottom: Ends, left_and_right: Ends) -> list[nn.Module]:
    """Pad with zeros, or crop where numbers are negative; nothing if all are zero."""
    margins = (*left_and_right, *top_and_bottom)
    return [nn.ZeroPad2d(margins)] if any(margins) else []


class _Windowed(ABC):
    """What convolutions and pooling share: a window that moves over the image."""

    padding: str

    @abstractmethod
    def _window(self) -> list[tuple[int, int]]:
        """Give the width and the stride of the window on each side."""

    def _places(self, shape: tuple[int, ...]) -> list[int]:
        """Count the places of the window on each side."""
        same = self.padding == "same"
        return [
            -(-side // stride) if same else (side - width) // stride + 1
            for side, (width, stride) in zip(_sides(self, shape), self._window(), strict=True)
        ]

    def _ends(self, shape: tuple[int, ...]) -> list[Ends]:
        """Give the zeros that ``"same"`` padding puts before and behind each side."""
        if self.padding == "valid":
            return [(0, 0), (0, 0)]
        ends = []
        triples = zip(_sides(self, shape), self._places(shape), self._window(), strict=True)
        for side, places, (width, stride) in triples:
            total = max((places - 1) * stride + width - side, 0)
            ends.append((total // 2, total - total // 2))
        return ends


@part
class Convolution(_Windowed):
    """A two-dimensional convolution (cross-correlation, as in every framework)."""

    kind: ClassVar[str] = "layer"

    channels: int = param(16, _COUNT, "Channels that come out.", positional=True)
    kernel: Pair = param(3, _PAIR, "Height and width of the kernel.")
    stride: Pair = param(1, _PAIR, "Steps between its places.")
    padding: str = param("same", _PADDING, "Whether the image is padded with zeros.")
    dilation: Pair = param(1, _PAIR, "Distance of the kernel's cells.")
    groups: int = param(1, _COUNT, "Groups of channels that do not see each other.")
    bias: bool = param(True, Flag(), "Whether a bias is added.")

    def _window(self) -> list[tuple[int, int]]:
        return _spans(self.kernel, self.stride, self.dilation)

    def shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Count the places of the kernel."""
        _check_groups(self, shape)
        return _fitting(self, shape, self._places(shape), int(self.channels))

    def build(self, shape: tuple[int, ...]) -> list[nn.Module]:
        """Make the layer, with zeros before it if they cannot be shared out evenly."""
        ends = self._ends(shape)
        even = all(before == behind for before, behind in ends)
        convolution = nn.Conv2d(
            shape[-1],
            int(self.channels),
            _pair(self.kernel),
            _pair(self.stride),
            padding=(ends[0][0], ends[1][0]) if even else 0,
            dilation=_pair(self.dilation),
            groups=int(self.groups),
            bias=self.bias,
        )
        return [convolution] if even else [*_margins(*ends), convolution]


@part
class TransposedConvolution:
    """The transpose of a convolution, which makes images larger by its stride.

    Its output is what a `Convolution` of the same settings takes in to give images of the shape that come in here.
    """

    kind: ClassVar[str] = "layer"

    channels: int = param(16, _COUNT, "Channels that come out.", positional=True)
    kernel: Pair = param(3, _PAIR, "Height and width of the kernel.")
    stride: Pair = param(1, _PAIR, "By what factor sides grow.")
    padding: str = param("same", _PADDING, "Whether the image is cropped to its size times the stride.")
    dilation: Pair = param(1, _PAIR, "Distance of the kernel's cells.")
    extra: Sequence[int] | None = param(
        None,
        Several(Number(0, integer=True), shortest=2, longest=2),
        "Rows and columns that are left at the end of the smallest image that fits; fewer than the stride.",
        none="what makes the size a multiple",
    )
    bias: bool = param(True, Flag(), "Whether a bias is added.")

    def shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Multiply the sides."""
        sides = [size for size, _, _ in self._crops(shape)]
        return _fitting(self, shape, sides, int(self.channels))

    def build(self, shape: tuple[int, ...]) -> list[nn.Module]:
        """Make the layer; what torch cannot crop at the end alone is cropped behind it."""
        crops = self._crops(shape)
        rests = [behind - before for _, before, behind in crops]
        transposed = nn.ConvTranspose2d(
            shape[-1],
            int(self.channels),
            _pair(self.kernel),
            _pair(self.stride),
            padding=(crops[0][1], crops[1][1]),
            output_padding=(max(-rests[0], 0), max(-rests[1], 0)),
            dilation=_pair(self.dilation),
            bias=self.bias,
        )
        return [transposed, *_margins((0, -max(rests[0], 0)), (0, -max(rests[1], 0)))]

    def _crops(self, shape: tuple[int, ...]) -> list[tuple[int, int, int]]:
        """Give each side's size, and what is cropped before and behind it; less than nothing is added."""
        crops, same = [], self.padding == "same"
        extras = (None, None) if self.extra is None else self.extra
        spans = _spans(self.kernel, self.stride, self.dilation)
        for side, (width, stride), extra in zip(_sides(self, shape), spans, extras, strict=True):
            whole = (side - 1) * stride + width
            if extra is None:
                size = side * stride + (0 if same else max(width - stride, 0))
            elif extra < stride:
                size = whole + int(extra) - (2 * (width // 2) if same else 0)
            else:
                raise ParameterError(f"TransposedConvolution: extra must be below the stride; got {self.extra}")
            before = max(whole - size, 0) // 2
            crops.append((size, before, whole - before - size))
        return crops


class _Pooling(_Windowed):
    """Pooling, in which padding is never seen."""

    size: Pair
    stride: Pair | None
    _module: ClassVar[Any]
    _options: ClassVar[dict[str, Any]] = {}

    def _window(self) -> list[tuple[int, int]]:
        return _spans(self.size, self.size if self.stride is None else self.stride, 1)

    def shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Count the places of the window."""
        return _fitting(self, shape, self._places(shape), shape[-1])

    def build(self, shape: tuple[int, ...]) -> list[nn.Module]:
        """Make the layer.

        Torch pads both ends alike. With strides its ``ceil_mode`` adds the one place that is missing at the end;
        without, one more is padded and the first place, which then is too much, is cropped.
        """
        ends, (widths, strides) = self._ends(shape), zip(*self._window(), strict=True)
        odd = [stride == 1 and before < behind for stride, (before, behind) in zip(strides, ends, strict=True)]
        padding = tuple(ends[axis][1] if odd[axis] else ends[axis][0] for axis in (0, 1))
        ceil = self.padding == "same"
        pooling = self._module(widths, strides, padding=padding, ceil_mode=ceil, **self._options)
        return [pooling, *_margins((-odd[0], 0), (-odd[1], 0))]


@part
class MaxPooling(_Pooling):
    """The largest number in a window."""

    kind: ClassVar[str] = "layer"
    _module = nn.MaxPool2d

    size: Pair = param(2, _PAIR, "Height and width of the window.", positional=True)
    stride: Pair | None = param(None, _PAIR, "Steps between its places.", none="the size")
    padding: str = param("valid", _PADDING, "Whether windows may reach beyond the image.")


@part
class AveragePooling(_Pooling):
    """The mean in a window, of what lies within the image."""

    kind: ClassVar[str] = "layer"
    _module = nn.AvgPool2d
    _options: ClassVar[dict[str, Any]] = {"count_include_pad": False}

    size: Pair = param(2, _PAIR, "Height and width of the window.", positional=True)
    stride: Pair | None = param(None, _PAIR, "Steps between its places.", none="the size")
    padding: str = param("valid", _PADDING, "Whether windows may reach beyond the image.")


@part
class UpSampling:
    """Makes images larger by a whole factor; bilinear takes pixels by their centres."""

    kind: ClassVar[str] = "layer"

    factor: Pair = param(2, _PAIR, "By what factor height and width grow.", positional=True)
    interpolation: str = param("nearest", OneOf(("nearest", "bilinear")), "How pixels between are made.")

    def shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Multiply the sides."""
        sides = [side * factor for side, factor in zip(_sides(self, shape), _pair(self.factor), strict=True)]
        return _fitting(self, shape, sides, shape[-1])

    def build(self, shape: tuple[int, ...]) -> list[nn.Module]:
        """Make the layer."""
        # Torch's "nearest" divides in float32 and takes a neighbour's pixel at some factors from 41 on.
        exact = self.interpolation == "nearest" and max(_pair(self.factor)) > _SAFE_FACTOR
        return [nn.Upsample(self.shape(shape)[:-1], mode="nearest-exact" if exact else self.interpolation)]


class _Framed:
    """A layer that changes the frame of the image."""

    margins: Sequence[int]
    _sign: ClassVar[int]

    def shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Add or take away the margins."""
        high, wide = _sides(self, shape)
        top, bottom, left, right = (self._sign * int(margin) for margin in self.margins)
        return _fitting(self, shape, (high + top + bottom, wide + left + right), shape[-1])

    def build(self, shape: tuple[int, ...]) -> list[nn.Module]:
        """Make the layer, none without margins."""
        top, bottom, left, right = (self._sign * int(margin) for margin in self.margins)
        return _margins((top, bottom), (left, right))


@part
class ZeroPadding(_Framed):
    """Puts zeros around the image."""

    kind: ClassVar[str] = "layer"
    _sign = 1

    margins: Sequence[int] = param((1, 1, 1, 1), _MARGINS, "Pixels at top, bottom, left and right.", positional=True)


@part
class Cropping(_Framed):
    """Takes the edges of the image away."""

    kind: ClassVar[str] = "layer"
    _sign = -1

    margins: Sequence[int] = param((1, 1, 1, 1), _MARGINS, "Pixels at top, bottom, left and right.", positional=True)


def _spans(kernel: Pair, stride: Pair, dilation: Pair) -> list[tuple[int, int]]:
    """Give how wide a kernel reaches on each side, and its stride."""
    triples = zip(_pair(kernel), _pair(stride), _pair(dilation), strict=True)
    return [((cells - 1) * distance + 1, step) for cells, step, distance in triples]


def _check_groups(layer: Any, shape: tuple[int, ...]) -> None:
    if shape[-1] % layer.groups or layer.channels % layer.groups:
        raise ParameterError(
            f"Convolution: groups must divide the channels that come in, {shape[-1]}, and out, {layer.channels}; "
            f"got {layer.groups}"
        )
