"""Rows as pictures: what is drawn of an image, of feature maps, and how pixels become a PNG file."""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_KINDS = {1: 0, 3: 2, 4: 6}


def pictures(originals: NDArray, rebuilt: NDArray) -> tuple[NDArray, NDArray]:
    """Give images as imshow takes them: three or four colours within [0, 1], anything else in grays."""
    if originals.shape[-1] not in (3, 4):
        return tiled(originals), tiled(rebuilt)
    low, high = range_of(originals, 0.0, 1.0)
    if originals.dtype.kind in "iu":
        high = float(np.iinfo(originals.dtype).max)
    return np.clip((originals - low) / (high - low), 0, 1), np.clip((rebuilt - low) / (high - low), 0, 1)


def tiled(maps: NDArray) -> NDArray:
    """Put the channels of (n, h, w, channels) side by side in a near-square grid, with gaps of NaN."""
    n, height, width, channels = maps.shape
    across = math.ceil(math.sqrt(channels))
    down = math.ceil(channels / across)
    tiles = np.full((n, down * across, height + 1, width + 1), np.nan)
    tiles[:, :channels, :height, :width] = np.moveaxis(maps, -1, 1)
    grid = tiles.reshape(n, down, across, height + 1, width + 1).swapaxes(2, 3)
    return grid.reshape(n, down * (height + 1), across * (width + 1))[:, :-1, :-1]


def range_of(*values: ArrayLike) -> tuple[float, float]:
    """Give the smallest and the largest number of some arrays."""
    return min(float(np.nanmin(value)) for value in values), max(float(np.nanmax(value)) for value in values)


def size_of(shape: Sequence[int]) -> str:
    """Say the shape of an image, without a channel that is the only one."""
    return " x ".join(map(str, shape if shape[-1] > 1 else shape[:-1]))


@dataclass(frozen=True)
class Shades:
    """How the numbers of images become bytes: those at ``low`` black, those at ``high`` white.

    Attributes
    ----------
    low, high : float
        The range that is shown; what is beyond it is cut off, what is missing (NaN) is black.
    """

    low: float
    high: float

    @classmethod
    def of(cls, images: NDArray) -> Self:
        """Take the range of bytes for uint8, at least [0, 1] for colours, and that of the images for all else."""
        if images.dtype == np.uint8:
            return cls(0.0, 255.0)
        return cls(*range_of(images, *((0.0, 1.0) if images.shape[-1] in (3, 4) else ())))

    def __call__(self, images: NDArray) -> NDArray:
        """Give the pixels of images.

        Parameters
        ----------
        images : ndarray of shape (n, height, width, channels)
            Images; channels that are no colours are shown beside each other.

        Returns
        -------
        ndarray of uint8 of shape (n, height, width) or (n, height, width, 3 or 4)
            Grays or colours.
        """
        shown = images if images.shape[-1] in (3, 4) else tiled(images)
        share = (shown.astype(np.float32) - self.low) / ((self.high - self.low) or 1.0)
        return (255 * np.clip(np.nan_to_num(share), 0, 1)).round().astype(np.uint8)


def shrunk(pixels: NDArray, most: int) -> NDArray:
    """Average squares of pixels until no side of the pictures (n, height, width, ...) is longer than ``most``."""
    by = -(-max(pixels.shape[1:3]) // most)
    if by == 1:
        return pixels
    n, height, width = (pixels.shape[0], *(max(1, side // by) for side in pixels.shape[1:3]))
    whole = pixels[:, : height * by, : width * by]
    cut = whole.reshape(n, height, whole.shape[1] // height, width, whole.shape[2] // width, *pixels.shape[3:])
    return cut.mean(axis=(2, 4)).round().astype(np.uint8)


def sheet(pixels: NDArray, across: int) -> NDArray:
    """Put pictures (n, height, width, ...) of uint8 on one sheet, ``across`` of them in a row; what is left is 0."""
    n, height, width = pixels.shape[:3]
    down = -(-n // across)
    filled = np.zeros((down * across, *pixels.shape[1:]), np.uint8)
    filled[:n] = pixels
    grid = filled.reshape(down, across, *pixels.shape[1:]).swapaxes(1, 2)
    return grid.reshape(down * height, across * width, *pixels.shape[3:])


def png(pixels: NDArray) -> bytes:
    """Encode pixels as a PNG file (ISO/IEC 15948).

    Parameters
    ----------
    pixels : ndarray of uint8 of shape (height, width), or (height, width, 1, 3 or 4)
        Grays, red-green-blue, or these with opacity.

    Returns
    -------
    bytes
        The file.
    """
    height, width = pixels.shape[:2]
    channels = math.prod(pixels.shape[2:])
    header = struct.pack(">IIBBBBB", width, height, 8, _KINDS[channels], 0, 0, 0)
    lines = np.ascontiguousarray(pixels).reshape(height, width * channels)
    above = np.vstack([np.zeros_like(lines[:1]), lines[:-1]])
    data = min((_compressed(0, lines), _compressed(2, lines - above)), key=len)
    return _SIGNATURE + _chunk(b"IHDR", header) + _chunk(b"IDAT", data) + _chunk(b"IEND", b"")


def _compressed(kind: int, lines: NDArray) -> bytes:
    """Compress lines of pixels, each behind the number of its filter: 0 none, 2 the difference to the line above."""
    return zlib.compress(np.insert(lines, 0, kind, axis=1).tobytes(), 6)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
