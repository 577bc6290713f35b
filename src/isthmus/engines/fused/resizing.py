"""Pooling, up-sampling, changes of shape and dense layers as the emitted code sees them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from isthmus.engines.fused.body import Body
from isthmus.engines.fused.operations import Plain
from isthmus.engines.fused.planes import Planes


@dataclass(frozen=True)
class Pooling(Plain):
    """Max- or average pooling by 2; where a side is odd its last window is smaller, or left out."""

    kernel: str = "max_pool"

    def room(self, place: int) -> list[tuple[str, int, str]]:
        """Want to note which number was the largest."""
        return [(f"which{place}", self.y.numbers, "int32")] if self.kernel == "max_pool" else []

    def forward(self, body: Body, place: int) -> None:
        """Pool."""
        body.call(
            self.kernel, f"v{place}", self._sides(self.x), f"v{place + 1}", self._sides(self.y), self._rest(place)
        )

    def backward(self, body: Body, place: int, *, inputs_too: bool) -> None:
        """Hand the gradient to what was pooled."""
        if inputs_too:
            names = f"g{place}", f"g{place + 1}"
            body.call(
                f"{self.kernel}_back", names[0], self._sides(self.x), names[1], self._sides(self.y), self._rest(place)
            )

    def _sides(self, planes: Planes) -> tuple[int, ...]:
        return (*planes.lines, planes.height, planes.width)

    def _rest(self, place: int) -> tuple[str | int, ...]:
        return (f"which{place}", self.x.channels) if self.kernel == "max_pool" else (self.x.channels,)


@dataclass(frozen=True)
class Upsampling(Plain):
    """Nearest up-sampling, by 1 or 2 on each side; the last line or column may be missing."""

    down: int = 2
    across: int = 2

    def forward(self, body: Body, place: int) -> None:
        """Repeat lines and columns."""
        body.call("repeat", f"v{place}", self.x.lines, f"v{place + 1}", self.y.lines, self._rest)

    def backward(self, body: Body, place: int, *, inputs_too: bool) -> None:
        """Sum over the copies."""
        if inputs_too:
            body.call("zero", f"g{place}", self.x.runs)
            body.call("repeat_back", f"g{place}", self.x.lines, f"g{place + 1}", self.y.lines, self._rest)

    @property
    def _rest(self) -> tuple[int, ...]:
        return (self.y.channels, self.y.height, self.y.width, self.down, self.across)


@dataclass(frozen=True)
class Reshaping(Plain):
    """The numbers of planes as a vector, or of a vector as planes.

    Attributes
    ----------
    last : bool
        Whether the vector has the channels last; torch's own layers have them first.
    """

    last: bool = False

    def forward(self, body: Body, place: int) -> None:
        """Copy."""
        self._copy(body, f"v{place}", f"v{place + 1}", back=False)

    def backward(self, body: Body, place: int, *, inputs_too: bool) -> None:
        """Copy back."""
        if inputs_too:
            self._copy(body, f"g{place}", f"g{place + 1}", back=True)

    def _copy(self, body: Body, x: str, y: str, *, back: bool) -> None:
        planes, vector, image = (self.x, y, x) if self.y.flat else (self.y, x, y)
        order = planes.row_order if self.last else planes.channels_first
        body.call("store" if self.y.flat != back else "load", vector, order, image, planes.frame)


@dataclass(frozen=True)
class Same(Plain):
    """A copy, for an activation that stands alone."""

    resized: ClassVar[bool] = False

    def forward(self, body: Body, place: int) -> None:
        """Copy."""
        body.call("copy", f"v{place}", 0, f"v{place + 1}", 0, self.x.size)

    def backward(self, body: Body, place: int, *, inputs_too: bool) -> None:
        """Copy back."""
        if inputs_too:
            body.call("copy", f"g{place + 1}", 0, f"g{place}", 0, self.x.size)


@dataclass(frozen=True)
class Dense(Plain):
    """A dense layer on a vector."""

    @property
    def products(self) -> int:
        """Products of a weight and a number on the way forward of a row."""
        return self.x.width * self.y.width

    def forward(self, body: Body, place: int) -> None:
        """Multiply."""
        own, sides = self.weights, (self.x.width, self.y.width)
        assert own is not None
        if own.bias is None:
            body.call("zero", f"v{place + 1}", self.y.runs)
        else:
            body.call("copy", "packed", own.packed_bias, f"v{place + 1}", 0, self.y.width)
        body.call("dense", f"v{place}", "packed", own.packed, f"v{place + 1}", sides)

    def backward(self, body: Body, place: int, *, inputs_too: bool) -> None:
        """Multiply by the transposed weights, and add up the gradients of the weights."""
        own, g, sides = self.weights, f"g{place + 1}", (self.x.width, self.y.width)
        assert own is not None
        if own.bias is not None:
            body.call("add", g, 0, "total", own.packed_bias, self.y.width)
        body.call("dense_weights", f"v{place}", g, "total", own.packed, sides)
        if inputs_too:
            body.call("zero", f"g{place}", self.x.runs)
            body.call("dense_back", f"g{place}", "packed", own.packed, g, sides)
