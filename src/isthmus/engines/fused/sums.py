"""Calls of the two kernels that convolve planes with planes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from isthmus.engines.fused.body import Body
from isthmus.engines.fused.operations import Plain, Weights
from isthmus.engines.fused.planes import Planes, chunks

Side = tuple[str, int, int, int]


def weights_of(operation: Plain) -> Weights:
    """Give the weights of an operation that has some."""
    assert operation.weights is not None
    return operation.weights


def whole(name: str, planes: Planes) -> Side:
    """Give the name of planes, where they begin, how far they lie apart and how many there are."""
    return name, planes.start, planes.step, planes.channels


def seen(name: str, planes: Planes) -> Side:
    """Give the same for planes that kernels look at by the places of their taps."""
    return name, 0, planes.step, planes.channels


def correlate(body: Body, own: Weights, start: int, x: Side, y: Side, run: int, places: Sequence[int]) -> None:
    """Write the sums over the inputs of each output.

    Parameters
    ----------
    body : Body
        Where to.
    own : Weights
        The layer's.
    start : int
        Where the kernel begins among the packed weights.
    x, y : tuple
        Planes that are seen, and those that are added to.
    run : int
        Numbers of a plane.
    places : sequence of int
        Where each tap sees the first number.
    """
    _written(body, "correlate", x, start, (len(places), own.shape[1] * len(places)), y, run, places)


def correlate_back(body: Body, own: Weights, start: int, g: Side, g_x: Side, run: int, places: Sequence[int]) -> None:
    """Write the sums over the outputs for each input; `places` are those of the mirrored taps."""
    _written(body, "correlate", g, start, (own.shape[1] * len(places), len(places)), g_x, run, places)


def weigh(body: Body, own: Weights, start: int, x: Side, g: Side, run: int, places: Sequence[int]) -> None:
    """Write the sums over places for each weight."""
    _written(body, "weigh", x, start, (len(places), own.shape[1] * len(places)), g, run, places)


def mirrored(offsets: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Give the offsets on the other side of the centre."""
    return [(-y, -x) for y, x in offsets]


def _written(
    body: Body, kernel: str, x: Side, start: int, steps: tuple[int, int], y: Side, run: int, places: Sequence[int]
) -> None:
    weights = "packed" if kernel == "correlate" else "total"
    for first, own in chunks(places):
        body.call(f"{kernel}_{len(own)}", x, weights, start + first, steps, y, run, tuple(own))
