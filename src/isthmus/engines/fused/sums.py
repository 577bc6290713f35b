"""Calls of the functions that convolve planes with planes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from isthmus.engines.fused.body import Body
from isthmus.engines.fused.convolving import Pass, Sums, correlation, weighing
from isthmus.engines.fused.operations import Plain, Weights
from isthmus.engines.fused.planes import Planes


@dataclass(frozen=True)
class Side:
    """Planes that a convolution reads or fills.

    Attributes
    ----------
    name : str
        The array that they lie in.
    step : int
        How far the planes of two channels lie apart.
    channels : int
        How many channels there are.
    """

    name: str
    step: int
    channels: int

    @classmethod
    def of(cls, name: str, planes: Planes) -> Side:
        """Take planes of one size as they lie in an array."""
        return cls(name, planes.step, planes.channels)


@dataclass(frozen=True)
class PlaneConvolution:
    """A convolution of planes, of `run` numbers each.

    Attributes
    ----------
    first : int
        Where its packed weights begin.
    taps : int
        Weights of a pair of input and output that lie together.
    inputs : int
        Pairs of an output.
    bias : int or None
        Where the biases begin.
    run : int
        Numbers of a plane.
    """

    first: int
    taps: int
    inputs: int
    bias: int | None
    run: int

    @classmethod
    def of(cls, own: Weights, run: int) -> PlaneConvolution:
        """Take a layer's weights as they are."""
        return cls(own.packed, own.taps, own.shape[1], None if own.bias is None else own.packed_bias, run)

    def correlate(self, body: Body, x: Side, y: Side, passes: Iterable[Pass]) -> None:
        """Write the sums over the inputs of each output, its bias among them."""
        sums = self._sums(x, y, passes, (self.inputs * self.taps, self.taps), self.bias)
        body.call(body.own("correlate", correlation(sums)), x.name, "packed", y.name)

    def correlate_back(self, body: Body, g: Side, g_x: Side, passes: Iterable[Pass]) -> None:
        """Write the sums over the outputs for each input; the places in the passes are those of mirrored taps."""
        sums = self._sums(g, g_x, passes, (self.taps, self.inputs * self.taps), None)
        body.call(body.own("correlate", correlation(sums)), g.name, "packed", g_x.name)

    def weigh(self, body: Body, x: Side, g: Side, passes: Iterable[Pass]) -> None:
        """Write the sums over places for each weight."""
        sums = self._sums(x, g, passes, (self.inputs * self.taps, self.taps), None)
        body.call(body.own("weigh", weighing(sums)), x.name, "total", g.name)

    def _sums(self, x: Side, y: Side, passes: Iterable[Pass], steps: tuple[int, int], bias: int | None) -> Sums:
        return Sums(x.channels, x.step, y.channels, y.step, self.first, *steps, self.run, tuple(passes), bias)


def passing(start: int, places: Iterable[int], first: int = 0) -> Pass:
    """Give the pass whose taps see some places, with weights that are numbered from `first` on."""
    return Pass(start, tuple(enumerate(places, first)))


def weights_of(operation: Plain) -> Weights:
    """Give the weights of an operation that has some."""
    assert operation.weights is not None
    return operation.weights


def mirrored(offsets: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Give the offsets on the other side of the centre."""
    return [(-y, -x) for y, x in offsets]
