"""What networks are made of, as the emitted code sees it: each operation writes its way forward and its way back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import ClassVar

from isthmus.engines.fused.body import Body
from isthmus.engines.fused.planes import Planes


@dataclass(frozen=True)
class Activation:
    """An activation whose slope its output tells.

    Attributes
    ----------
    kernel : str
        ``"relu"``, ``"sigmoid"`` or ``"tanh"``.
    slope : float
        Of a rectifier below zero.
    """

    kernel: str
    slope: float = 0.0

    @property
    def settings(self) -> tuple[float, ...]:
        """What its kernel gets besides numbers."""
        return (self.slope,) if self.kernel == "relu" else ()


@dataclass(frozen=True)
class Weights:
    """Weights in the vector of all parameters.

    Attributes
    ----------
    first : int
        Where they begin.
    shape : tuple of int
        Outputs, inputs, lines and columns of the kernel; one each where there is none.
    strides : tuple of int
        How far these lie apart.
    bias : int or None
        Where the bias begins.
    packed : int
        Where they begin in the packed weights; the bias lies behind them, and what is made of them behind it.
    """

    first: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    bias: int | None
    packed: int = 0

    @property
    def taps(self) -> int:
        """Weights between an input and an output."""
        return self.shape[2] * self.shape[3]

    @property
    def pairs(self) -> int:
        """Pairs of an input and an output."""
        return self.shape[0] * self.shape[1]

    @property
    def packed_bias(self) -> int:
        """Where the bias begins in the packed weights."""
        return self.packed + self.pairs * self.taps

    @property
    def behind(self) -> int:
        """Where the next numbers may lie."""
        return self.packed_bias + (0 if self.bias is None else self.shape[0])


@dataclass(frozen=True)
class Plain(ABC):
    """What operations share: one without weights needs only to write its ways forward and back.

    Attributes
    ----------
    title : str
        The layers that it stands for.
    x, y : Planes
        What goes in, and what comes out.
    weights : Weights or None
        Its weights.
    resized : bool
        Whether the planes that come out are of another size.
    """

    title: str
    x: Planes
    y: Planes
    weights: Weights | None = None
    resized: ClassVar[bool] = True

    @property
    def reach(self) -> tuple[int, int]:
        """How far its kernel looks beyond the edges of what goes in."""
        return 0, 0

    @property
    def reach_behind(self) -> tuple[int, int]:
        """How far it looks beyond the edges of planes of the size that comes out."""
        return 0, 0

    @property
    def size(self) -> int:
        """Numbers that its weights take up when they are packed."""
        return 0 if self.weights is None else self.weights.behind - self.weights.packed

    def prepare(self, body: Body) -> None:
        """Copy the weights into the order that the kernels expect."""
        own = self.weights
        if own is not None:
            body.call("pack", "weights", own.first, own.strides, "packed", own.packed, own.shape)
            if own.bias is not None:
                body.call("copy", "weights", own.bias, "packed", own.packed_bias, own.shape[0])

    def finish(self, body: Body) -> None:
        """Copy the gradients back."""
        own = self.weights
        if own is not None:
            body.call("unpack", "gradients", own.first, own.strides, "total", own.packed, own.shape)
            if own.bias is not None:
                body.call("copy", "total", own.packed_bias, "gradients", own.bias, own.shape[0])

    @property
    def products(self) -> int:
        """Products of a weight and a number on the way forward of a row."""
        return 0 if self.weights is None else self.weights.pairs * self.weights.taps * self.y.height * self.y.width

    def room(self, place: int) -> list[tuple[str, int, str]]:
        """Give name, size and type of the memory it wants besides its inputs and outputs."""
        return []

    @abstractmethod
    def forward(self, body: Body, place: int) -> None:
        """Write the way from ``v<place>`` to the next."""

    @abstractmethod
    def backward(self, body: Body, place: int, *, inputs_too: bool) -> None:
        """Write the way from the gradient ``g<place + 1>`` to those of the weights and, if wanted, of the inputs."""

    def packed_at(self, start: int) -> Plain:
        """Give the operation with its packed weights at a place."""
        return self if self.weights is None else replace(self, weights=replace(self.weights, packed=start))

    def _bias_back(self, body: Body, name: str, runs: tuple[int, int, int, int], every: int = 1) -> None:
        """Add up the gradients of the biases; `every` planes share one."""
        own = self.weights
        if own is not None and own.bias is not None:
            body.call("add_sums", name, runs, "total", own.packed_bias, every)


@dataclass(frozen=True)
class Step:
    """An operation and the activation of what it gives.

    Attributes
    ----------
    operation : Plain
        What is done.
    activation : Activation or None
        What is done to its result, in place.
    """

    operation: Plain
    activation: Activation | None = None

    @property
    def title(self) -> str:
        """Name the layers that it stands for."""
        if self.activation is None:
            return self.operation.title
        slope = f" with slope {self.activation.slope}" if self.activation.slope else ""
        return f"{self.operation.title}, {self.activation.kernel}{slope}"

    def forward(self, body: Body, place: int) -> None:
        """Write the operation, its activation, and zeros into the gaps."""
        y, name = self.operation.y, f"v{place + 1}"
        self.operation.forward(body, place)
        if self.activation is not None:
            body.call(self.activation.kernel, name, y.runs, self.activation.settings)
        if y.gap_x or y.gap_y:
            body.call("clear", name, y.frame)

    def backward(self, body: Body, place: int, *, inputs_too: bool) -> None:
        """Write the activation's slope, the operation's gradients, and zeros into the gaps."""
        x, y, names = self.operation.x, self.operation.y, (f"g{place + 1}", f"v{place + 1}")
        if self.activation is not None:
            body.call(f"{self.activation.kernel}_back", names, y.runs, self.activation.settings)
        self.operation.backward(body, place, inputs_too=inputs_too)
        if inputs_too and (x.gap_x or x.gap_y):
            body.call("clear", f"g{place}", x.frame)
