"""Kernels, as those in `kernels`, between planes of two sizes: pooling, up-sampling, and taking planes apart.

Unsigned indices (``U``) spare numba the question whether an index is negative, which would keep loops from being
vectorised; an unsigned and a plain integer must not be added.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float32]
Places = NDArray[np.int32]

U, F = np.uint64, np.float32
ONE = np.uint64(1)


def max_pool(
    x: Numbers, x_start: int, x_step: int, x_stride: int, height: int, width: int,
    y: Numbers, y_start: int, y_step: int, y_stride: int, lines: int, columns: int,
    which: Places, channels: int,
) -> None:  # fmt: skip
    """Take the largest of two by two numbers, and note which it was; an odd edge has fewer."""
    whole = U(width // 2)
    for c in range(channels):
        for i in range(lines):
            upper = x[x_start + c * x_step + 2 * i * x_stride :]
            lower = upper[x_stride:] if 2 * i + 1 < height else upper
            out, note = y[y_start + c * y_step + i * y_stride :], which[(c * lines + i) * columns :]
            for j in range(whole):
                best, place = upper[j + j], np.int32(0)
                if upper[j + j + ONE] > best:
                    best, place = upper[j + j + ONE], np.int32(1)
                if lower[j + j] > best:
                    best, place = lower[j + j], np.int32(2)
                if lower[j + j + ONE] > best:
                    best, place = lower[j + j + ONE], np.int32(3)
                out[j], note[j] = best, place
            if columns > width // 2:
                last, edge = width - 1, columns - 1
                out[edge], note[edge] = upper[last], np.int32(0)
                if lower[last] > upper[last]:
                    out[edge], note[edge] = lower[last], np.int32(2)


def max_pool_back(
    g_x: Numbers, x_start: int, x_step: int, x_stride: int, height: int, width: int,
    g_y: Numbers, y_start: int, y_step: int, y_stride: int, lines: int, columns: int,
    which: Places, channels: int,
) -> None:  # fmt: skip
    """Give the gradient to the number that was the largest, and zero to the others."""
    whole = U(width // 2)
    for c in range(channels):
        for i in range(lines):
            g, note = g_y[y_start + c * y_step + i * y_stride :], which[(c * lines + i) * columns :]
            for k in range(min(2, height - 2 * i)):
                line = g_x[x_start + c * x_step + (2 * i + k) * x_stride :]
                left, right = np.int32(2 * k), np.int32(2 * k + 1)
                for j in range(whole):
                    value, place = g[j], note[j]
                    line[j + j] = value if place == left else F(0)
                    line[j + j + ONE] = value if place == right else F(0)
                if columns > width // 2:
                    line[width - 1] = g[columns - 1] if note[columns - 1] == left else F(0)


def largest(
    x: Numbers, x_start: int, x_step: int, y: Numbers, y_start: int, y_step: int, channels: int, run: int,
    which: Places, parts: int,
) -> None:  # fmt: skip
    """Take the largest of the numbers at the same place in two or four planes, and note in which it was."""
    for c in range(channels):
        out, note = y[y_start + c * y_step :], which[c * run :]
        first = x[x_start + c * parts * x_step :]
        second = first[x_step:]
        third, fourth = (second[x_step:], second[2 * x_step :]) if parts == 4 else (first, second)
        for p in range(run):
            best, place = first[p], np.int32(0)
            if second[p] > best:
                best, place = second[p], np.int32(1)
            if third[p] > best:
                best, place = third[p], np.int32(2)
            if fourth[p] > best:
                best, place = fourth[p], np.int32(3)
            out[p], note[p] = best, place


def largest_back(
    g_x: Numbers, x_start: int, x_step: int, g_y: Numbers, y_start: int, y_step: int, channels: int, run: int,
    which: Places, parts: int,
) -> None:  # fmt: skip
    """Give the gradient to the plane that had the largest number, and zero to the others."""
    for c in range(channels):
        g, note = g_y[y_start + c * y_step :], which[c * run :]
        for k in range(0, parts, 2):
            left = g_x[x_start + (c * parts + k) * x_step :]
            right, number, other = left[x_step:], np.int32(k), np.int32(k + 1)
            for p in range(run):
                value, place = g[p], note[p]
                left[p] = value if place == number else F(0)
                right[p] = value if place == other else F(0)


def average_pool(
    x: Numbers, x_start: int, x_step: int, x_stride: int, height: int, width: int,
    y: Numbers, y_start: int, y_step: int, y_stride: int, lines: int, columns: int,
    channels: int,
) -> None:  # fmt: skip
    """Take the mean of two by two numbers; an odd edge has fewer."""
    whole = U(width // 2)
    for c in range(channels):
        for i in range(lines):
            upper = x[x_start + c * x_step + 2 * i * x_stride :]
            lower = upper[x_stride:] if 2 * i + 1 < height else upper
            out = y[y_start + c * y_step + i * y_stride :]
            for j in range(whole):
                out[j] = F(0.25) * (upper[j + j] + upper[j + j + ONE] + lower[j + j] + lower[j + j + ONE])
            if columns > width // 2:
                out[columns - 1] = F(0.5) * (upper[width - 1] + lower[width - 1])


def average_pool_back(
    g_x: Numbers, x_start: int, x_step: int, x_stride: int, height: int, width: int,
    g_y: Numbers, y_start: int, y_step: int, y_stride: int, lines: int, columns: int,
    channels: int,
) -> None:  # fmt: skip
    """Share the gradient out among the numbers of a mean."""
    whole = U(width // 2)
    for c in range(channels):
        for i in range(lines):
            deep = 2 if 2 * i + 1 < height else 1
            g, share = g_y[y_start + c * y_step + i * y_stride :], F(0.5) / F(deep)
            for k in range(deep):
                line = g_x[x_start + c * x_step + (2 * i + k) * x_stride :]
                for j in range(whole):
                    line[j + j] = share * g[j]
                    line[j + j + ONE] = share * g[j]
                if columns > width // 2:
                    line[width - 1] = g[columns - 1] / F(deep)


def repeat(
    x: Numbers, x_start: int, x_step: int, x_stride: int,
    y: Numbers, y_start: int, y_step: int, y_stride: int,
    channels: int, height: int, width: int, down: int, across: int,
) -> None:  # fmt: skip
    """Up-sample: repeat lines and columns; height and width are those of the large planes."""
    for c in range(channels):
        for i in range(height):
            line = x[x_start + c * x_step + i // down * x_stride :]
            out = y[y_start + c * y_step + i * y_stride :]
            for j in range(width):
                out[j] = line[j // across]


def repeat_back(
    g_x: Numbers, x_start: int, x_step: int, x_stride: int,
    g_y: Numbers, y_start: int, y_step: int, y_stride: int,
    channels: int, height: int, width: int, down: int, across: int,
) -> None:  # fmt: skip
    """Add the gradients of the copies to that of the number."""
    for c in range(channels):
        for i in range(height):
            line = g_x[x_start + c * x_step + i // down * x_stride :]
            g = g_y[y_start + c * y_step + i * y_stride :]
            for j in range(width):
                line[j // across] += g[j]


def interleave(
    x: Numbers, x_start: int, x_step: int, x_stride: int,
    y: Numbers, y_start: int, y_step: int, y_stride: int,
    channels: int, height: int, width: int, down: int, across: int,
) -> None:  # fmt: skip
    """Make large planes of small ones, `down` times `across` for each; height and width are those of the small."""
    for c in range(channels):
        for i in range(height):
            for a in range(down):
                left = x[x_start + (c * down + a) * across * x_step + i * x_stride :]
                out = y[y_start + c * y_step + (down * i + a) * y_stride :]
                if across == 1:
                    for j in range(U(width)):
                        out[j] = left[j]
                else:
                    right = left[x_step:]
                    for j in range(U(width)):
                        out[j + j], out[j + j + ONE] = left[j], right[j]


def part(
    g_x: Numbers, x_start: int, x_step: int, x_stride: int,
    g_y: Numbers, y_start: int, y_step: int, y_stride: int,
    channels: int, height: int, width: int, down: int, across: int,
) -> None:  # fmt: skip
    """Take large planes apart into small ones, as `interleave` put them together."""
    for c in range(channels):
        for i in range(height):
            for a in range(down):
                left = g_x[x_start + (c * down + a) * across * x_step + i * x_stride :]
                g = g_y[y_start + c * y_step + (down * i + a) * y_stride :]
                if across == 1:
                    for j in range(U(width)):
                        left[j] = g[j]
                else:
                    right = left[x_step:]
                    for j in range(U(width)):
                        left[j], right[j] = g[j + j], g[j + j + ONE]
