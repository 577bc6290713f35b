"""Activations, losses and the layout of weights: the other loops of the emitted code, see `kernels`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float32]
Matrix = NDArray[np.float32]
Table = NDArray[np.float32]

F = np.float32


def exponential(x: np.float32) -> np.float32:
    """Give e to the power of x, within two units in the last place (Cephes); the library's is not vectorised."""
    x = min(max(x, F(-87)), F(88))
    n = np.floor(x * F(1.44269504) + F(0.5))
    r = x - n * F(0.693359375) + n * F(2.12194440e-4)
    z = F(1.9875691500e-4) * r + F(1.3981999507e-3)
    z = z * r + F(8.3334519073e-3)
    z = z * r + F(4.1665795894e-2)
    z = z * r + F(1.6666665459e-1)
    z = z * r + F(5.0000001201e-1)
    z = z * r * r + r + F(1)
    return z * np.int32((np.int32(n) + np.int32(127)) << np.int32(23)).view(np.float32)


def relu(y: Numbers, start: int, step: int, channels: int, run: int, slope: float) -> None:
    """Multiply what is negative by the slope, 0 for the plain rectifier."""
    factor = F(slope)
    for c in range(channels):
        plane = y[start + c * step :]
        for p in range(run):
            plane[p] *= factor if plane[p] < F(0) else F(1)


def relu_back(g: Numbers, y: Numbers, start: int, step: int, channels: int, run: int, slope: float) -> None:
    """Multiply the gradient by the slope where the output is not positive."""
    factor = F(slope)
    for c in range(channels):
        plane, out = g[start + c * step :], y[start + c * step :]
        for p in range(run):
            plane[p] *= factor if out[p] <= F(0) else F(1)


def sigmoid(y: Numbers, start: int, step: int, channels: int, run: int) -> None:
    """Give 1 / (1 + exp(-x))."""
    for c in range(channels):
        plane = y[start + c * step :]
        for p in range(run):
            plane[p] = F(1) / (F(1) + exponential(-plane[p]))


def sigmoid_back(g: Numbers, y: Numbers, start: int, step: int, channels: int, run: int) -> None:
    """Multiply the gradient by y (1 - y)."""
    for c in range(channels):
        plane, out = g[start + c * step :], y[start + c * step :]
        for p in range(run):
            plane[p] *= out[p] * (F(1) - out[p])


def tanh(y: Numbers, start: int, step: int, channels: int, run: int) -> None:
    """Give the hyperbolic tangent; near zero, where the quotient loses digits, by its series."""
    for c in range(channels):
        plane = y[start + c * step :]
        for p in range(run):
            x = plane[p]
            squared, e = x * x, exponential(F(-2) * abs(x))
            far = (F(1) - e) / (F(1) + e)
            near = F(62.0 / 2835) * squared - F(17.0 / 315)
            near = (near * squared + F(2.0 / 15)) * squared - F(1.0 / 3)
            near = x + x * squared * near
            plane[p] = near if squared < F(0.04) else (far if x > F(0) else -far)


def tanh_back(g: Numbers, y: Numbers, start: int, step: int, channels: int, run: int) -> None:
    """Multiply the gradient by 1 - y^2."""
    for c in range(channels):
        plane, out = g[start + c * step :], y[start + c * step :]
        for p in range(run):
            plane[p] *= F(1) - out[p] * out[p]


def squared(
    y: Numbers, g: Numbers, start: int, step: int, stride: int, channels: int, height: int, width: int,
    row: Numbers, by_channel: int, by_line: int, by_column: int, scale: float,
) -> tuple[np.float32, np.float32]:  # fmt: skip
    """Give the squared error of a row, twice; leave its gradient, times a scale, in `g`."""
    total, factor = F(0), F(2 * scale)
    for c in range(channels):
        for i in range(height):
            place = start + c * step + i * stride
            out, back, first = y[place:], g[place:], c * by_channel + i * by_line
            for j in range(width):
                error = out[j] - row[first + j * by_column]
                total += error * error
                back[j] = factor * error
    return total, total


def bernoulli(
    y: Numbers, g: Numbers, start: int, step: int, stride: int, channels: int, height: int, width: int,
    row: Numbers, by_channel: int, by_line: int, by_column: int, scale: float,
) -> tuple[np.float32, np.float32]:  # fmt: skip
    """Give the cross-entropy of a row and the sigmoid of the output, and their squared error; leave the gradient."""
    total, errors, factor = F(0), F(0), F(scale)
    for c in range(channels):
        for i in range(height):
            place = start + c * step + i * stride
            out, back, first = y[place:], g[place:], c * by_channel + i * by_line
            for j in range(width):
                x, target = out[j], row[first + j * by_column]
                e = exponential(-abs(x))
                error = (F(1) if x >= F(0) else e) / (F(1) + e) - target
                total += max(x, F(0)) - x * target + np.log1p(e)
                errors += error * error
                back[j] = factor * error
    return total, errors


def pack(
    weights: Numbers, first: int, by_output: int, by_input: int, by_line: int, by_column: int,
    packed: Numbers, start: int, outputs: int, inputs: int, lines: int, columns: int,
) -> None:  # fmt: skip
    """Copy a kernel, however it lies in memory, into the order output, input, line, column."""
    place = start
    for o in range(outputs):
        for i in range(inputs):
            for t in range(lines):
                for u in range(columns):
                    packed[place] = weights[first + o * by_output + i * by_input + t * by_line + u * by_column]
                    place += 1


def unpack(
    weights: Numbers, first: int, by_output: int, by_input: int, by_line: int, by_column: int,
    packed: Numbers, start: int, outputs: int, inputs: int, lines: int, columns: int,
) -> None:  # fmt: skip
    """Copy the gradient of a kernel back into the order in which the kernel lies in memory."""
    place = start
    for o in range(outputs):
        for i in range(inputs):
            for t in range(lines):
                for u in range(columns):
                    weights[first + o * by_output + i * by_input + t * by_line + u * by_column] = packed[place]
                    place += 1


def widen(packed: Numbers, start: int, wide: int, pairs: int, down: Table, across: Table) -> None:
    """Make the kernels that act on small planes of one that acts on the up-sampled: K = M w M'.

    ``down`` and ``across`` tell for each of the large lines (columns) that a small one becomes, and for each tap on
    the small plane, which taps on the large one it sums.
    """
    place = wide
    for a in range(down.shape[0]):
        for b in range(across.shape[0]):
            for pair in range(pairs):
                w = packed[start + pair * down.shape[2] * across.shape[2] :]
                for s in range(down.shape[1]):
                    for z in range(across.shape[1]):
                        value = F(0)
                        for t in range(down.shape[2]):
                            for u in range(across.shape[2]):
                                value += down[a, s, t] * across[b, z, u] * w[t * across.shape[2] + u]
                        packed[place] = value
                        place += 1


def narrow(packed: Numbers, start: int, wide: int, pairs: int, down: Table, across: Table) -> None:
    """Sum the gradients of the kernels that `widen` made into that of the one they came from."""
    place = wide
    for a in range(down.shape[0]):
        for b in range(across.shape[0]):
            for pair in range(pairs):
                w = packed[start + pair * down.shape[2] * across.shape[2] :]
                for s in range(down.shape[1]):
                    for z in range(across.shape[1]):
                        value = packed[place]
                        for t in range(down.shape[2]):
                            for u in range(across.shape[2]):
                                w[t * across.shape[2] + u] += down[a, s, t] * across[b, z, u] * value
                        place += 1


def gather(partial: Matrix, total: Numbers) -> None:
    """Sum the shares' gradients, in their order."""
    for p in range(total.shape[0]):
        total[p] = F(0)
    for share in range(partial.shape[0]):
        row = partial[share]
        for p in range(total.shape[0]):
            total[p] += row[p]
