"""The source that a network becomes: the kernels that it needs, and its passes as calls of them."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable

from isthmus.engines.fused import elementwise, kernels, resampling
from isthmus.engines.fused.body import Body
from isthmus.engines.fused.planes import Planes, sides
from isthmus.engines.fused.reading import Network

_HEADER = '''"""The passes of one network, written by isthmus; delete the file and it will be written again.

{titles}
"""

from __future__ import annotations

import numpy as np
from numba import njit, types

U, F, ONE = np.uint64, np.float32, np.uint64(1)
Numbers, Places, Matrix = types.float32[::1], types.int32[::1], types.float32[:, ::1]
Table = types.Array(types.float32, 3, "C", readonly=True)


# Sums may be taken in any order, but numbers that are not finite stay what they are.
how = {{"nogil": True, "error_model": "numpy", "fastmath": {{"reassoc", "contract", "arcp", "nsz"}}}}
inner = {{**how, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}}
inlined = {{**inner, "forceinline": True}}


def compiled(*arguments, **options):
    """Compile a function for types of arguments, or take what was compiled before from the folder of this file."""
    return njit(arguments, cache=True, **{{**how, **options}})
'''
_TYPES = {"int": "types.int64", "float": "types.float64", "np.float32": "types.float32"}
_ROWS = "inputs: Matrix, targets: Matrix, first: int, last: int"
_SHORT_LOOPS = {"interleave", "part", "largest", "largest_back"}
_LIBRARY = (kernels, elementwise, resampling)
_EXPONENTIAL = {"sigmoid", "tanh", "bernoulli"}


def source_of(network: Network) -> str:
    """Write the module that trains, encodes and decodes.

    Its functions are ``prepare(weights, packed)``, ``learn(inputs, targets, first, last, packed, total, scale)``,
    ``finish(partial, total, gradients)``, ``encode(rows, codes, first, last, packed)`` and ``decode(codes, rows, first,
    last, packed)``. Rows and codes are float32 matrices with the channels last.
    """
    bodies = [
        _prepare(network),
        _learn(network),
        _finish(network),
        _pass(network, "encode", ("rows", "codes"), 0, network.cut),
        _pass(network, "decode", ("codes", "rows"), network.cut, len(network.steps)),
    ]
    titles = "\n".join(f"{place}: {step.title}" for place, step in enumerate(network.steps))
    texts = [_HEADER.format(titles=titles), *_tables(network)]
    written = {name: text for body in bodies for name, text in body.written.items()}
    texts += [_lazy(written[name]) if name in written else _library(name) for name in _sorted(bodies)]
    texts += [_decorated("\n".join(body.lines)) for body in bodies]
    return "\n\n".join(text.strip("\n") for text in texts) + "\n"


def _sorted(bodies: Iterable[Body]) -> list[str]:
    """Give the kernels that are called, each behind those that it calls itself."""
    names = {name for body in bodies for name in body.kernels}
    return [*(["exponential"] if names & _EXPONENTIAL else []), *sorted(names)]


def _library(name: str) -> str:
    """Give a kernel with its decorator: one of short loops is compiled for the numbers that it is called with."""
    text = next(inspect.getsource(getattr(home, name)) for home in _LIBRARY if hasattr(home, name))
    return _lazy(text) if name in _SHORT_LOOPS else _decorated(text, "**inner")


def _lazy(text: str) -> str:
    """Put the decorator before a function that is compiled where it is called, for the very numbers in the call."""
    return f"@njit(**inlined)\n{text.strip()}"


def _decorated(text: str, *options: str) -> str:
    """Put the decorator with the types that a function's annotations name before it."""
    names = re.findall(r"\w+: ([\w.]+)", text[: text.index(") ->")])
    arguments = [_TYPES.get(name, name) for name in names]
    return f"@compiled({', '.join([*arguments, *options])})\n{text}"


def _tables(network: Network) -> list[str]:
    """Write which taps of a kernel on up-sampled planes fall together on the small ones."""
    text = "".join(_prepare(network).lines)
    found = sorted({*re.findall(r"sums_(\d+)_(\d+)", text)})
    return [f"sums_{size}_{by} = np.array({sides(int(size), int(by))[1]}, np.float32)" for size, by in found]


def _opened(signature: str, about: str) -> Body:
    body = Body([f"def {signature} -> None:"])
    body.line(f'"""{about}"""')
    return body


def _prepare(network: Network) -> Body:
    body = _opened(
        "prepare(weights: Numbers, packed: Numbers)", "Put the weights into the order that the kernels expect."
    )
    for step in network.steps:
        step.operation.prepare(body)
    return body


def _finish(network: Network) -> Body:
    body = _opened(
        "finish(partial: Matrix, total: Numbers, gradients: Numbers)", "Sum the shares' gradients; unpack them."
    )
    body.call("gather", "partial", "total")
    for step in network.steps:
        step.operation.finish(body)
    return body


def _learn(network: Network) -> Body:
    about = "Add up the gradients of some rows; give the sums of their losses and squared errors."
    body = _opened(f"learn({_ROWS}, packed: Numbers, total: Numbers, scale: float)", about)
    _make_room(body, network, 0, len(network.steps), gradients=True)
    body.line("total[:] = F(0)")
    x, last, y = network.planes[0], len(network.steps), network.planes[-1]
    body.line("loss, error = 0.0, 0.0")
    body.deeper("for n in range(first, last):")
    body.call("load", "inputs[n]", x.row_order, "v0", x.frame)
    _forward(body, network, 0, last)
    loss = body.called(network.loss, f"v{last}", f"g{last}", y.frame, "targets[n]", y.row_order, "scale")
    body.line(f"own_loss, own_error = {loss}")
    body.line("loss, error = loss + own_loss, error + own_error")
    for place in reversed(range(len(network.steps))):
        body.comment(f"back through {place}: {network.steps[place].title}")
        network.steps[place].backward(body, place, inputs_too=place > 0)
    body.lines.append("    return loss, error")
    return body


def _pass(network: Network, name: str, arrays: tuple[str, str], start: int, stop: int) -> Body:
    """Write an encoder or decoder alone."""
    source, target = arrays
    body = _opened(
        f"{name}({source}: Matrix, {target}: Matrix, first: int, last: int, packed: Numbers)",
        f"Make {target} of some {source}.",
    )
    _make_room(body, network, start, stop, gradients=False)
    x, y = network.planes[start], network.planes[stop]
    body.deeper("for n in range(first, last):")
    body.call("load", f"{source}[n]", x.row_order, f"v{start}", x.frame)
    _forward(body, network, start, stop)
    body.call("store", f"{target}[n]", y.row_order, f"v{stop}", y.frame)
    return body


def _forward(body: Body, network: Network, start: int, stop: int) -> None:
    for place in range(start, stop):
        body.comment(f"{place}: {network.steps[place].title}")
        network.steps[place].forward(body, place)


def _make_room(body: Body, network: Network, start: int, stop: int, *, gradients: bool) -> None:
    """Write the memory for what lies between the steps."""
    for place in range(start, stop + 1):
        planes = network.planes[place]
        body.line(f"v{place} = np.zeros({planes.size}, np.float32)  # {_shape(planes)}")
        if gradients and place:
            body.line(f"g{place} = np.zeros({planes.size}, np.float32)")
    for place in range(start, stop):
        for name, size, kind in network.steps[place].operation.room(place):
            if gradients or not name.startswith("g_"):
                body.line(f"{name} = np.zeros({size}, np.{kind})")


def _shape(planes: Planes) -> str:
    return f"{planes.channels} x {planes.height} x {planes.width}"
