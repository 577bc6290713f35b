"""Rows of a folder of images: decoded in threads, some ahead of what is needed."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from isthmus.sources.protocol import Pieces

_AHEAD_BYTES = 2**24
_MOST_THREADS = 8


class ImageRows:
    """Rows of image files of one size; each is a piece.

    Parameters
    ----------
    paths : sequence of Path
        The files.
    decode : callable
        Gives the pixels of a file, or raises `DataError` if it is unlike the first.
    """

    names: tuple[str, ...] | None = None

    def __init__(self, paths: Sequence[Path], decode: Callable[[Path], NDArray]) -> None:
        self._paths, self._decode = paths, decode
        first = decode(paths[0])
        self.row_shape, self.dtype = first.shape, first.dtype
        self.pieces = Pieces(len(paths))
        self.missing = self.dtype.kind == "f"

    def __len__(self) -> int:
        return len(self._paths)

    def __iter__(self) -> Iterator[NDArray]:
        return self.read(np.arange(len(self)))

    def read(self, pieces: NDArray, multiple: int = 1) -> Iterator[NDArray]:
        """Yield images in some order, a few megabytes at a time; the next ones are decoded meanwhile."""
        size = max(1, _AHEAD_BYTES // 2 // max(1, self._bytes) // multiple) * multiple
        ahead = max(size, min(2 * size, 4 * _MOST_THREADS + size))
        threads = min(_MOST_THREADS, os.cpu_count() or 1)
        with ThreadPoolExecutor(threads, thread_name_prefix="isthmus-images") as pool:
            waiting: deque[Future[NDArray]] = deque()
            todo = iter(pieces)
            try:
                for start in range(0, len(pieces), size):
                    block = np.empty((min(size, len(pieces) - start), *self.row_shape), self.dtype)
                    for place in range(len(block)):
                        for _, piece in zip(range(ahead - len(waiting)), todo, strict=False):
                            waiting.append(pool.submit(self._decode, self._paths[piece]))
                        block[place] = waiting.popleft().result()
                    yield block
            finally:
                for future in waiting:
                    future.cancel()

    @property
    def _bytes(self) -> int:
        return int(np.prod(self.row_shape)) * self.dtype.itemsize
