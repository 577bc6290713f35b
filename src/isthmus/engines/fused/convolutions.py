"""Convolutions as the emitted code sees them: sums of planes, shifted by the taps of a kernel."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import ClassVar

from isthmus.engines.fused.body import Body
from isthmus.engines.fused.operations import Plain, Weights
from isthmus.engines.fused.planes import Offset, Planes, chunks, sides, taps

Side = tuple[str, int, int, int]


@dataclass(frozen=True)
class Convolution(Plain):
    """A convolution as large as its input."""

    resized: ClassVar[bool] = False

    @property
    def reach(self) -> tuple[int, int]:
        """How far it looks beyond the edges."""
        own = _weights(self)
        return own.shape[2] // 2, own.shape[3] // 2

    def forward(self, body: Body, place: int) -> None:
        """Start at the bias and add every input's part."""
        own = _weights(self)
        self._bias(body, f"v{place + 1}", self.y.runs)
        _correlated(body, own, own.packed, _of(f"v{place}", self.x), _of(f"v{place + 1}", self.y), self.x, self._taps)

    def backward(self, body: Body, place: int, *, inputs_too: bool) -> None:
        """Add up the gradients of the weights; convolve the gradient with the mirrored kernel."""
        own, g = _weights(self), _of(f"g{place + 1}", self.y)
        self._bias_back(body, f"g{place + 1}", self.y.runs)
        _weighed(body, own, own.packed, _of(f"v{place}", self.x), g, self.x, self._taps)
        if inputs_too:
            body.call("zero", f"g{place}", self.x.runs)
            _correlated_back(body, own, own.packed, g, _of(f"g{place}", self.x), self.x, self._taps)

    @property
    def _taps(self) -> list[Offset]:
        return taps(*_weights(self).shape[2:])


@dataclass(frozen=True)
class UpsampledConvolution(Plain):
    """A convolution of what is up-sampled by 2, on the small planes: as a transposed convolution with a wider kernel.

    Each of the two by two (or one by two) large numbers that a small one becomes has a kernel of its own. What they
    give lies in small planes before it is interleaved.
    """

    down: int = 2
    across: int = 2

    @property
    def reach(self) -> tuple[int, int]:
        """How far it looks beyond the edges of the small planes."""
        return max(abs(y) for y in self._seen[0][0]), max(abs(x) for x in self._seen[1][0])

    @property
    def size(self) -> int:
        """Numbers of the weights, and of the wider kernel behind them."""
        return super().size + self._factor * self._slots * _weights(self).pairs

    def prepare(self, body: Body) -> None:
        """Copy the weights and make the wider kernel."""
        super().prepare(body)
        body.call("widen", "packed", self._widening)

    def finish(self, body: Body) -> None:
        """Sum the wider kernel's gradient into the weights', and copy that."""
        body.call("narrow", "total", self._widening)
        super().finish(body)

    def room(self, place: int) -> list[tuple[str, int, str]]:
        """Want small planes for the parts of the large ones, and for their gradients."""
        return [(f"parts{place}", self._parts.size, "float32"), (f"g_parts{place}", self._parts.size, "float32")]

    def forward(self, body: Body, place: int) -> None:
        """Convolve for each part, and interleave."""
        own = _weights(self)
        self._bias(body, f"parts{place}", self._parts.runs, self._factor)
        for start, first, offsets in self._kernels:
            y = (f"parts{place}", first, self._factor * self.x.step, own.shape[0])
            _correlated(body, own, start, _of(f"v{place}", self.x), y, self.x, offsets)
        body.call("interleave", f"parts{place}", self.x.lines, f"v{place + 1}", self.y.lines, self._rest)

    def backward(self, body: Body, place: int, *, inputs_too: bool) -> None:
        """Take the gradient apart, add up those of the wider kernel, and convolve with its mirror image."""
        own = _weights(self)
        body.call("part", f"g_parts{place}", self.x.lines, f"g{place + 1}", self.y.lines, self._rest)
        self._bias_back(body, f"g_parts{place}", self._parts.runs, self._factor)
        if inputs_too:
            body.call("zero", f"g{place}", self.x.runs)
        for start, first, offsets in self._kernels:
            g = (f"g_parts{place}", first, self._factor * self.x.step, own.shape[0])
            _weighed(body, own, start, _of(f"v{place}", self.x), g, self.x, offsets)
            if inputs_too:
                _correlated_back(body, own, start, g, _of(f"g{place}", self.x), self.x, offsets)

    @property
    def _seen(self) -> tuple[list[list[int]], list[list[int]]]:
        own = _weights(self)
        return sides(own.shape[2], self.down)[0], sides(own.shape[3], self.across)[0]

    @property
    def _factor(self) -> int:
        return self.down * self.across

    @property
    def _slots(self) -> int:
        return len(self._seen[0][0]) * len(self._seen[1][0])

    @property
    def _parts(self) -> Planes:
        x = self.x
        return Planes(self._factor * self.y.channels, x.height, x.width, x.gap_y, x.gap_x)

    @property
    def _rest(self) -> tuple[int, ...]:
        return (self.y.channels, self.x.height, self.x.width, self.down, self.across)

    @property
    def _widening(self) -> tuple[str | int, ...]:
        own = _weights(self)
        tables = f"sums_{own.shape[2]}_{self.down}", f"sums_{own.shape[3]}_{self.across}"
        return (own.packed, own.behind, own.pairs, *tables)

    @property
    def _kernels(self) -> Iterator[tuple[int, int, list[Offset]]]:
        """Yield where each part's kernel begins, where its first plane does, and the offsets of its taps."""
        own = _weights(self)
        for part, (down, across) in enumerate(product(*self._seen)):
            start = own.behind + part * own.pairs * self._slots
            yield start, self.x.start + part * self.x.step, list(product(down, across))


def _weights(operation: Plain) -> Weights:
    assert operation.weights is not None
    return operation.weights


def _of(name: str, planes: Planes) -> Side:
    """Give the name of planes, where they begin, how far they lie apart and how many there are."""
    return name, planes.start, planes.step, planes.channels


def _correlated(
    body: Body, own: Weights, start: int, x: Side, y: Side, planes: Planes, offsets: Sequence[Offset]
) -> None:
    """Write the sums over the inputs of each output."""
    slots = len(offsets)
    _written(body, "correlate", x, start, (slots, own.shape[1] * slots), y, planes, offsets)


def _correlated_back(
    body: Body, own: Weights, start: int, g: Side, g_x: Side, planes: Planes, offsets: Sequence[Offset]
) -> None:
    """Write the sums over the outputs for each input: the kernel is mirrored, its ends change their roles."""
    slots, mirrored = len(offsets), [(-y, -x) for y, x in offsets]
    _written(body, "correlate", g, start, (own.shape[1] * slots, slots), g_x, planes, mirrored)


def _weighed(body: Body, own: Weights, start: int, x: Side, g: Side, planes: Planes, offsets: Sequence[Offset]) -> None:
    """Write the sums over places for each weight."""
    slots = len(offsets)
    _written(body, "weigh", x, start, (slots, own.shape[1] * slots), g, planes, offsets)


def _written(
    body: Body, kernel: str, x: Side, start: int, steps: Offset, y: Side, planes: Planes, offsets: Sequence[Offset]
) -> None:
    weights = "packed" if kernel == "correlate" else "total"
    for first, own in chunks(offsets):
        places = tuple(planes.place(offset) for offset in own)
        source = (x[0], x[1] - planes.start, *x[2:])
        body.call(f"{kernel}_{len(own)}", source, weights, start + first, steps, y, planes.run, places)
