"""What the emitted code is made of: loops over planes, in plain Python that numba compiles.

A plane is a feature map of one channel in a flat array, its lines `stride` numbers apart, so that the gap between two
lines is the zero padding of both. ``start`` is where the first line of the first plane begins, ``step`` the distance of
planes, ``run`` the numbers from the first to the last of a plane. A loop over a run sees the gaps too; whoever fills
them with anything but zeros calls `clear`.

Only their text is used: they are copied into a file, where they are compiled.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float32]

F = np.float32


def load(
    row: Numbers, by_channel: int, by_line: int, by_column: int,
    x: Numbers, start: int, step: int, stride: int, channels: int, height: int, width: int,
) -> None:  # fmt: skip
    """Copy a row, whatever the order of its numbers, into planes."""
    for c in range(channels):
        for i in range(height):
            line, source = x[start + c * step + i * stride :], row[c * by_channel + i * by_line :]
            if by_column == 1:
                for j in range(width):
                    line[j] = source[j]
            else:
                for j in range(width):
                    line[j] = source[j * by_column]


def store(
    row: Numbers, by_channel: int, by_line: int, by_column: int,
    x: Numbers, start: int, step: int, stride: int, channels: int, height: int, width: int,
) -> None:  # fmt: skip
    """Copy planes into a row."""
    for c in range(channels):
        for i in range(height):
            line = x[start + c * step + i * stride :]
            first = c * by_channel + i * by_line
            for j in range(width):
                row[first + j * by_column] = line[j]


def zero(y: Numbers, start: int, step: int, channels: int, run: int) -> None:
    """Set planes to zero."""
    for c in range(channels):
        plane = y[start + c * step :]
        for p in range(run):
            plane[p] = F(0)


def clear(y: Numbers, start: int, step: int, stride: int, channels: int, height: int, width: int) -> None:
    """Set the gaps between lines, and what lies behind the last one, to zero."""
    for c in range(channels):
        behind = y[start + c * step + (height - 1) * stride + width :]
        for j in range(8):
            behind[j] = F(0)
        for i in range(height):
            gap = y[start + c * step + i * stride + width :]
            for j in range(stride - width):
                gap[j] = F(0)


def add_sums(
    g: Numbers, start: int, step: int, channels: int, run: int, total: Numbers, first: int, every: int
) -> None:
    """Add the sum of each plane to a total; `every` planes share one."""
    for c in range(channels):
        plane, value = g[start + c * step :], F(0)
        for p in range(run):
            value += plane[p]
        total[first + c // every] += value


def copy(x: Numbers, x_start: int, y: Numbers, y_start: int, count: int) -> None:
    """Copy numbers."""
    for p in range(count):
        y[y_start + p] = x[x_start + p]


def add(x: Numbers, x_start: int, y: Numbers, y_start: int, count: int) -> None:
    """Add numbers to others."""
    source, target = x[x_start:], y[y_start:]
    for p in range(count):
        target[p] += source[p]


def dense(x: Numbers, w: Numbers, first: int, y: Numbers, inputs: int, outputs: int) -> None:
    """Add the products of weights and inputs."""
    for o in range(outputs):
        row, value = w[first + o * inputs :], F(0)
        for i in range(inputs):
            value += row[i] * x[i]
        y[o] += value


def dense_back(g_x: Numbers, w: Numbers, first: int, g_y: Numbers, inputs: int, outputs: int) -> None:
    """Add the gradient at the inputs of a dense layer."""
    for o in range(outputs):
        row, g = w[first + o * inputs :], g_y[o]
        for i in range(inputs):
            g_x[i] += g * row[i]


def dense_weights(x: Numbers, g_y: Numbers, total: Numbers, first: int, inputs: int, outputs: int) -> None:
    """Add the gradient at the weights of a dense layer."""
    for o in range(outputs):
        row, g = total[first + o * inputs :], g_y[o]
        for i in range(inputs):
            row[i] += g * x[i]
