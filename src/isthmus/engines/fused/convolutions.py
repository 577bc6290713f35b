"""Convolutions as the emitted code sees them: sums of planes, shifted by the taps of a kernel."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product
from typing import ClassVar

from isthmus.engines.fused.body import Body
from isthmus.engines.fused.convolving import Pass
from isthmus.engines.fused.operations import Plain
from isthmus.engines.fused.planes import Offset, Planes, sides, taps
from isthmus.engines.fused.sums import PlaneConvolution, Side, mirrored, passing, weights_of


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
        """Convolve."""
        x, y = Side.of(f"v{place}", self.x), Side.of(f"v{place + 1}", self.y)
        self._own.correlate(body, x, y, [passing(self.y.start, self.x.places(self._taps))])

    def backward(self, body: Body, place: int, *, inputs_too: bool) -> None:
        """Add up the gradients of the weights; convolve the gradient with the mirrored kernel."""
        x, g = Side.of(f"v{place}", self.x), Side.of(f"g{place + 1}", self.y)
        self._bias_back(body, g.name, self.y.runs)
        self._own.weigh(body, x, g, [passing(self.y.start, self.x.places(self._taps))])
        if inputs_too:
            back = passing(self.x.start, self.y.places(mirrored(self._taps)))
            self._own.correlate_back(body, g, Side.of(f"g{place}", self.x), [back])

    @property
    def _own(self) -> PlaneConvolution:
        return PlaneConvolution.of(weights_of(self), self.x.run)

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
        x, y = Side.of(f"v{place}", self.x), self._large(f"parts{place}")
        self._own.correlate(body, x, y, self._passes)
        body.call("interleave", y.name, self.x.lines, f"v{place + 1}", self.y.lines, self._rest)

    def backward(self, body: Body, place: int, *, inputs_too: bool) -> None:
        """Take the gradient apart, add up those of the wider kernel, and convolve with its mirror image."""
        x, g = Side.of(f"v{place}", self.x), self._large(f"g_parts{place}")
        body.call("part", g.name, self.x.lines, f"g{place + 1}", self.y.lines, self._rest)
        self._bias_back(body, g.name, self._parts.runs, self._factor)
        self._own.weigh(body, x, g, self._passes)
        if inputs_too:
            self._own.correlate_back(body, g, Side.of(f"g{place}", self.x), self._mirrored)

    def _large(self, name: str) -> Side:
        """Name the parts of the large planes."""
        return Side(name, self._factor * self.x.step, self.y.channels)

    @property
    def _own(self) -> PlaneConvolution:
        return replace(
            PlaneConvolution.of(weights_of(self), self.x.run), first=weights_of(self).behind, taps=self._slots
        )

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
    def _passes(self) -> list[Pass]:
        return [passing(self.x.start + shift, self.x.places(offsets), first) for first, shift, offsets in self._kernels]

    @property
    def _mirrored(self) -> list[Pass]:
        """Give what the small planes' gradient is made of: each part of the large planes' adds to it."""
        return [
            passing(self.x.start, [shift + place for place in self.x.places(mirrored(offsets))], first)
            for first, shift, offsets in self._kernels
        ]

    @property
    def _kernels(self) -> list[tuple[int, int, list[Offset]]]:
        """Give each part's first weight, how far its planes lie behind the first part's, and its taps' offsets."""
        pairs = weights_of(self).pairs
        return [
            (part * pairs * self._slots, part * self.x.step, list(product(down, across)))
            for part, (down, across) in enumerate(product(*self._seen))
        ]
