"""Convolutions as the emitted code sees them: sums of planes, shifted by the taps of a kernel."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import ClassVar

from isthmus.engines.fused.body import Body
from isthmus.engines.fused.operations import Plain
from isthmus.engines.fused.planes import Offset, Planes, sides, taps
from isthmus.engines.fused.sums import correlate, correlate_back, mirrored, seen, weigh, weights_of, whole


@dataclass(frozen=True)
class Convolution(Plain):
    """A convolution as large as its input."""

    resized: ClassVar[bool] = False

    @property
    def reach(self) -> tuple[int, int]:
        """How far it looks beyond the edges."""
        own = weights_of(self)
        return own.shape[2] // 2, own.shape[3] // 2

    def forward(self, body: Body, place: int) -> None:
        """Start at the bias and add every input's part."""
        own, x, y = weights_of(self), seen(f"v{place}", self.x), whole(f"v{place + 1}", self.y)
        self._bias(body, f"v{place + 1}", self.y.runs)
        correlate(body, own, own.packed, x, y, self.x.run, self.x.places(self._taps))

    def backward(self, body: Body, place: int, *, inputs_too: bool) -> None:
        """Add up the gradients of the weights; convolve the gradient with the mirrored kernel."""
        own, run, x, g = weights_of(self), self.x.run, f"v{place}", f"g{place + 1}"
        self._bias_back(body, g, self.y.runs)
        weigh(body, own, own.packed, seen(x, self.x), whole(g, self.y), run, self.x.places(self._taps))
        if inputs_too:
            body.call("zero", f"g{place}", self.x.runs)
            back, places = whole(f"g{place}", self.x), self.x.places(mirrored(self._taps))
            correlate_back(body, own, own.packed, seen(g, self.y), back, run, places)

    @property
    def _taps(self) -> list[Offset]:
        return taps(*weights_of(self).shape[2:])


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
        return super().size + self._factor * self._slots * weights_of(self).pairs

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
        own, x = weights_of(self), self.x
        self._bias(body, f"parts{place}", self._parts.runs, self._factor)
        for start, shift, offsets in self._kernels:
            y = f"parts{place}", x.start + shift, self._factor * x.step, own.shape[0]
            correlate(body, own, start, seen(f"v{place}", x), y, x.run, x.places(offsets))
        body.call("interleave", f"parts{place}", x.lines, f"v{place + 1}", self.y.lines, self._rest)

    def backward(self, body: Body, place: int, *, inputs_too: bool) -> None:
        """Take the gradient apart, add up those of the wider kernel, and convolve with its mirror image."""
        own, x = weights_of(self), self.x
        body.call("part", f"g_parts{place}", x.lines, f"g{place + 1}", self.y.lines, self._rest)
        self._bias_back(body, f"g_parts{place}", self._parts.runs, self._factor)
        if inputs_too:
            body.call("zero", f"g{place}", x.runs)
        for start, shift, offsets in self._kernels:
            g = f"g_parts{place}", x.start + shift, self._factor * x.step, own.shape[0]
            weigh(body, own, start, seen(f"v{place}", x), g, x.run, x.places(offsets))
            if inputs_too:
                g, back = (g[0], shift, *g[2:]), whole(f"g{place}", x)
                correlate_back(body, own, start, g, back, x.run, x.places(mirrored(offsets)))

    @property
    def _seen(self) -> tuple[list[list[int]], list[list[int]]]:
        own = weights_of(self)
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
        own = weights_of(self)
        tables = f"sums_{own.shape[2]}_{self.down}", f"sums_{own.shape[3]}_{self.across}"
        return (own.packed, own.behind, own.pairs, *tables)

    @property
    def _kernels(self) -> Iterator[tuple[int, int, list[Offset]]]:
        """Yield where each part's kernel begins, how far its planes lie behind the first, and its taps' offsets."""
        own = weights_of(self)
        for part, (down, across) in enumerate(product(*self._seen)):
            start = own.behind + part * own.pairs * self._slots
            yield start, part * self.x.step, list(product(down, across))
