"""The text of the two loops that do nearly all of the arithmetic, written out for the planes of one layer.

Planes are convolved into planes, one pair after the other. All weights between the two, or all sums of their gradient,
stay in registers, and all places are plain numbers in the text, which leaves the registers for addresses free.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise

_MOST_WEIGHTS = 9
Tap = tuple[int, int]

_CORRELATE = '''
def {name}(x: Numbers, w: Numbers, y: Numbers) -> None:
    """Convolve {inputs} into {outputs}."""
    for o in range({outputs}):
{loops}
'''
_OUTPUT = """
        out, bias = y[{start} + {y_step} * o :], {bias}
"""
_BIAS = """
        for p in range(U({run})):
            out[p] = bias
"""
_SUM = """
        for i in range({inputs}):
            plane, k = x[{x_step} * i :], {first} + {by_output} * o + {by_input} * i
            {names} = {weights}
            for p in range(U({run})):
                out[p] {sets} {products}
"""
_WEIGH = '''
def {name}(x: Numbers, w: Numbers, y: Numbers) -> None:
    """Add up the gradients of the weights from {inputs} to {outputs}."""
    for o in range({outputs}):
        for i in range({inputs}):
            plane, k = x[{x_step} * i :], {first} + {by_output} * o + {by_input} * i
{loops}
'''
_GRADIENT = """
            {backs} = {slices}
            {names} = {zeros}
            for p in range(U({run})):
                {values} = {gradients}
{steps}
{adds}
"""


@dataclass(frozen=True)
class Pass:
    """What one plane of each output is made of.

    Attributes
    ----------
    start : int
        Where this plane of the first output begins.
    taps : tuple of (int, int)
        Of each tap, its weight, as a number behind the first of a pair, and the place where it sees the first number of
        an input's plane.
    """

    start: int
    taps: tuple[Tap, ...]


@dataclass(frozen=True)
class Sums:
    """Planes that are convolved into planes.

    Attributes
    ----------
    inputs, x_step : int
        How many go in, and how far they lie apart.
    outputs, y_step : int
        The same of what comes out.
    first, by_output, by_input : int
        Where the weights begin, and how far those of two outputs, and of two inputs, lie apart.
    run : int
        Numbers of a plane.
    passes : tuple of Pass
        Planes of an output, each made of planes of all inputs.
    bias : int or None
        Where the biases of the outputs begin; without one they are zero.
    """

    inputs: int
    x_step: int
    outputs: int
    y_step: int
    first: int
    by_output: int
    by_input: int
    run: int
    passes: tuple[Pass, ...]
    bias: int | None = None


def correlation(sums: Sums) -> str:
    """Write the function that fills the outputs; its name is left open."""
    loops = [loop for start, own in groupby(sums.passes, lambda one: one.start) for loop in _plane(sums, start, own)]
    return _filled(_CORRELATE, sums, name="{name}", loops="\n".join(loops))


def weighing(sums: Sums) -> str:
    """Write the function that adds up the gradients of the weights; its name is left open."""
    return _filled(_WEIGH, sums, name="{name}", loops="\n".join(_weighed(sums, own) for own in _shared(sums.passes)))


def _plane(sums: Sums, start: int, passes: Iterable[Pass]) -> list[str]:
    """Write what fills a plane of each output: the bias, and then sums; a single input's sum begins with the bias."""
    groups = [taps for own in passes for taps in _groups(own.taps)]
    alone = sums.inputs == 1
    bias = "F(0)" if sums.bias is None else f"w[{sums.bias} + o]"
    texts = [_filled(_OUTPUT, sums, start=start, bias=bias), *([] if alone else [_filled(_BIAS, sums)])]
    for number, taps in enumerate(groups):
        sets, lead = ("=", "bias + ") if alone and number == 0 else ("+=", "")
        weights = [weight for weight, _ in taps]
        products = lead + " + ".join(f"w{weight} * plane[p + U({place})]" for weight, place in taps)
        texts.append(_filled(_SUM, sums, sets=sets, products=products, **_weights(weights)))
    return texts


def _weighed(sums: Sums, passes: Sequence[Pass]) -> str:
    """Write the loop that adds up the gradients of all weights of some passes."""
    weights = sorted({weight for own in passes for weight, _ in own.taps})
    terms = [
        (weight, f"g{number} * plane[p + U({place})]")
        for number, own in enumerate(passes)
        for weight, place in own.taps
    ]
    sums_of = {weight: " + ".join(term for other, term in terms if other == weight) for weight in weights}
    return _filled(
        _GRADIENT,
        sums,
        backs=_listed(f"back{number}" for number in range(len(passes))),
        slices=_listed(f"y[{own.start} + {sums.y_step} * o :]" for own in passes),
        values=_listed(f"g{number}" for number in range(len(passes))),
        gradients=_listed(f"back{number}[p]" for number in range(len(passes))),
        zeros=_listed("F(0)" for _ in weights),
        steps="\n".join(f"                w{weight} += {sums_of[weight]}" for weight in weights),
        adds="\n".join(f"            w[k + {weight}] += w{weight}" for weight in weights),
        **_weights(weights),
    )


def _groups(taps: Sequence[Tap]) -> list[Sequence[Tap]]:
    """Share taps out so that the weights of each group fit into registers."""
    count = -(-len(taps) // _MOST_WEIGHTS)
    cuts = [len(taps) * cut // count for cut in range(count + 1)]
    return [taps[start:stop] for start, stop in pairwise(cuts)]


def _shared(passes: Iterable[Pass]) -> list[list[Pass]]:
    """Put passes together, those of the same weights first, as long as their weights fit into registers."""
    pieces = [Pass(own.start, tuple(taps)) for own in passes for taps in _groups(own.taps)]
    groups: list[list[Pass]] = []
    held: set[int] = set()
    for piece in sorted(pieces, key=lambda own: min(weight for weight, _ in own.taps)):
        weights = {weight for weight, _ in piece.taps}
        if groups and len(held | weights) <= _MOST_WEIGHTS:
            groups[-1].append(piece)
            held |= weights
        else:
            groups.append([piece])
            held = weights
    return groups


def _weights(numbers: Sequence[int]) -> dict[str, str]:
    return {
        "names": _listed(f"w{number}" for number in numbers),
        "weights": _listed(f"w[k + {number}]" for number in numbers),
    }


def _filled(template: str, sums: Sums, **texts: object) -> str:
    return template.strip("\n").format(**{**vars(sums), **texts})


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names)
