"""A convolution and the max-pooling behind it, as the emitted code sees them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

from isthmus.engines.fused.body import Body
from isthmus.engines.fused.convolving import Pass
from isthmus.engines.fused.operations import Plain
from isthmus.engines.fused.planes import Offset, Planes, taps
from isthmus.engines.fused.sums import PlaneConvolution, Side, mirrored, passing, weights_of


@dataclass(frozen=True)
class PooledConvolution(Plain):
    """A convolution and max-pooling by 2, on small planes.

    The planes that come in are taken apart, by odd and even lines and columns, and so are those that are convolved. To
    pool is then to take the largest of the numbers at the same place in four planes, whole planes at a time.
    """

    down: int = 2
    across: int = 2

    @property
    def reach_behind(self) -> tuple[int, int]:
        """How far it looks beyond the edges of small planes."""
        lines, columns = weights_of(self).shape[2:]
        return -(-(lines // 2) // self.down), -(-(columns // 2) // self.across)

    @property
    def products(self) -> int:
        """Products of a weight and a number on the way forward of a row."""
        return super().products * self._factor

    def room(self, place: int) -> list[tuple[str, int, str]]:
        """Want small planes for what comes in and what is convolved, for their gradients, and which was the largest."""
        sizes = {"in": self._size(self.x.channels), "out": self._size(self.y.channels)}
        named = [(f"{kind}{name}{place}", size, "float32") for name, size in sizes.items() for kind in ("", "g_")]
        return [*named, (f"which{place}", self.y.channels * self.y.run, "int32")]

    def forward(self, body: Body, place: int) -> None:
        """Take apart, convolve each part, and pool."""
        y, (x, out) = self.y, self._sides("", place)
        body.call("part", x.name, y.lines, f"v{place}", self.x.lines, self._rest)
        self._own.correlate(body, x, out, self._passes(self._taps))
        body.call("largest", out.name, y.start, y.step, f"v{place + 1}", self._pooled(place))

    def backward(self, body: Body, place: int, *, inputs_too: bool) -> None:
        """Hand the gradient to the largest, add up those of the weights, convolve with the mirrored kernel."""
        y, (x, _), (g_x, g) = self.y, self._sides("", place), self._sides("g_", place)
        body.call("largest_back", g.name, y.start, y.step, f"g{place + 1}", self._pooled(place))
        self._bias_back(body, f"g{place + 1}", y.runs)
        self._own.weigh(body, x, g, self._passes(self._taps))
        if inputs_too:
            self._own.correlate_back(body, g, g_x, self._passes(mirrored(self._taps)))
            body.call("interleave", g_x.name, y.lines, f"g{place}", self.x.lines, self._rest)

    def _sides(self, kind: str, place: int) -> tuple[Side, Side]:
        step = self._factor * self.y.step
        return Side(f"{kind}in{place}", step, self.x.channels), Side(f"{kind}out{place}", step, self.y.channels)

    @property
    def _own(self) -> PlaneConvolution:
        return PlaneConvolution.of(weights_of(self), self.y.run)

    @property
    def _taps(self) -> list[Offset]:
        return taps(*weights_of(self).shape[2:])

    @property
    def _factor(self) -> int:
        return self.down * self.across

    def _passes(self, offsets: Sequence[Offset]) -> list[Pass]:
        """Give what each part of a channel is made of."""
        parts = product(range(self.down), range(self.across))
        return [
            passing(self.y.start + part * self.y.step, self._places(line, column, offsets))
            for part, (line, column) in enumerate(parts)
        ]

    def _places(self, line: int, column: int, offsets: Sequence[Offset]) -> list[int]:
        """Give where each tap of the kernel of a part sees the first number: in which part, and where in it."""
        places = []
        for down, across in offsets:
            (y, a), (x, b) = divmod(line + down, self.down), divmod(column + across, self.across)
            places.append((a * self.across + b) * self.y.step + self.y.place((y, x)))
        return places

    def _pooled(self, place: int) -> tuple[int | str, ...]:
        y = self.y
        return (y.start, y.step, y.channels, y.run, f"which{place}", self._factor)

    def _size(self, channels: int) -> int:
        return Planes(self._factor * channels, *self._small).size

    @property
    def _small(self) -> tuple[int, int, int, int]:
        y = self.y
        return y.height, y.width, y.gap_y, y.gap_x

    @property
    def _rest(self) -> tuple[int, ...]:
        return (self.x.channels, self.y.height, self.y.width, self.down, self.across)
