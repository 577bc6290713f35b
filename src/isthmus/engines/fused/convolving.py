"""The text of the two loops that do nearly all of the arithmetic, written out for a number of taps.

One plane is convolved with one kernel into another. All weights of the kernel, or all sums of its gradient, stay in
registers: that is what makes them fast, whatever the numbers of channels and the size of the planes.
"""

from __future__ import annotations

from collections.abc import Iterable

_CORRELATE = '''
def correlate_{n}(
    x: Numbers, x_start: int, x_step: int, inputs: int, w: Numbers, w_start: int, w_input: int, w_output: int,
    y: Numbers, y_start: int, y_step: int, outputs: int, run: int, {ints}
) -> None:
    """Add to each output plane each input plane, seen at {n} places, times the weights."""
    {ds} = {unsigned}
    for o in range(outputs):
        out = y[y_start + o * y_step :]
        for i in range(inputs):
            k = w_start + o * w_output + i * w_input
            {ws} = {weights}
            plane = x[i * x_step + x_start :]
            for p in range(U(run)):
                out[p] += {products}
'''

_WEIGH = '''
def weigh_{n}(
    x: Numbers, x_start: int, x_step: int, inputs: int, w: Numbers, w_start: int, w_input: int, w_output: int,
    g: Numbers, g_start: int, g_step: int, outputs: int, run: int, {ints}
) -> None:
    """Add to the gradient of each weight the products of the output's gradient and what the weight saw."""
    {ds} = {unsigned}
    for o in range(outputs):
        back = g[g_start + o * g_step :]
        for i in range(inputs):
            k = w_start + o * w_output + i * w_input
            {ws} = {zeros}
            plane = x[i * x_step + x_start :]
            for p in range(U(run)):
                value = back[p]
{sums}
{adds}
'''


def correlate(n: int) -> str:
    """Write the convolution with kernels of some taps."""
    products = " + ".join(f"w{t} * plane[p + d{t}]" for t in range(n))
    return _CORRELATE.format(products=products, **_names(n))


def weigh(n: int) -> str:
    """Write the gradient of these kernels."""
    sums = "\n".join(f"                w{t} += value * plane[p + d{t}]" for t in range(n))
    adds = "\n".join(f"            w[k + {t}] += w{t}" for t in range(n))
    return _WEIGH.format(sums=sums, adds=adds, **_names(n))


def _names(n: int) -> dict[str, str]:
    every = range(n)
    return {
        "n": str(n),
        "ints": _listed(f"d{t}: int" for t in every),
        "ds": _listed(f"d{t}" for t in every),
        "unsigned": _listed(f"U(d{t})" for t in every),
        "ws": _listed(f"w{t}" for t in every),
        "weights": _listed(f"w[k + {t}]" for t in every),
        "zeros": _listed("F(0)" for _ in every),
    }


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names)
