"""Rows of arrays: in memory, sparse, or sliced from a memory map, an HDF5 data set or a zarr array."""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.lib.array_utils import byte_bounds
from numpy.typing import NDArray
from scipy.sparse import issparse

from isthmus.sources.protocol import BLOCK_BYTES, PIECE_BYTES, RESIDENT_BYTES, Pieces, Source, check_finite

_SPARSE_BLOCK_BYTES = 2**22
_CHECKED = 4096
_MAPPED_AROUND = 2**16


class ArrayRows:
    """Rows of an array in memory; each is a piece.

    Parameters
    ----------
    array : ndarray of shape (n, ...)
        The rows; they are never copied but block by block.
    names : tuple of str or None
        Names of the columns.
    """

    def __init__(self, array: NDArray, names: tuple[str, ...] | None = None) -> None:
        self.array, self.names = array, names
        self.row_shape, self.dtype = array.shape[1:], array.dtype
        self.pieces = Pieces(len(array))
        blocks = (check_finite(array[start : start + _CHECKED], start) for start in range(0, len(array), _CHECKED))
        self.missing = self.dtype.kind == "f" and any(list(blocks))

    def __len__(self) -> int:
        return len(self.array)

    def __iter__(self) -> Iterator[NDArray]:
        return iter([self.array])

    def read(self, pieces: NDArray, multiple: int = 1) -> Iterator[NDArray]:
        """Yield rows in some order; those that lie together come as a view."""
        bytes_of_row = max(1, self.array.itemsize * int(np.prod(self.row_shape)))
        size = max(1, BLOCK_BYTES // bytes_of_row // multiple) * multiple
        for start in range(0, len(pieces), size):
            places = pieces[start : start + size]
            together = (np.diff(places) == 1).all()
            yield self.array[places[0] : places[0] + len(places)] if together else np.take(self.array, places, axis=0)


class SparseRows:
    """Rows of a sparse matrix in CSR format; only some of them at a time become dense.

    Parameters
    ----------
    matrix : scipy sparse array or matrix of shape (n, columns), CSR
        The rows.
    names : tuple of str or None
        Names of the columns.
    """

    def __init__(self, matrix: Any, names: tuple[str, ...] | None = None) -> None:
        self.matrix, self.names = matrix, names
        self.row_shape, self.dtype = matrix.shape[1:], matrix.dtype
        self.pieces = Pieces(matrix.shape[0])
        self.missing = check_finite(matrix.data)

    def __len__(self) -> int:
        return self.matrix.shape[0]

    def __iter__(self) -> Iterator[NDArray]:
        return self.read(np.arange(len(self)))

    def read(self, pieces: NDArray, multiple: int = 1) -> Iterator[NDArray]:
        """Yield rows in some order, dense, about 4 MB at a time."""
        bytes_of_row = max(1, self.dtype.itemsize * self.row_shape[0])
        size = max(1, _SPARSE_BLOCK_BYTES // bytes_of_row // multiple) * multiple
        for start in range(0, len(pieces), size):
            yield self.matrix[pieces[start : start + size]].toarray()


class SlicedRows:
    """Rows of an array outside memory that gives slices; a piece is about a megabyte of rows that lie together.

    Parameters
    ----------
    array : object with ``shape``, ``dtype`` and slices
        A large memory map, an HDF5 data set, a zarr array.
    names : tuple of str or None
        Names of the columns.
    """

    def __init__(self, array: Any, names: tuple[str, ...] | None = None) -> None:
        self.array, self.names = array, names
        self.row_shape, self.dtype = tuple(array.shape[1:]), np.dtype(array.dtype)
        self._size, bytes_of_row = _together(array), max(1, int(np.prod(self.row_shape)) * self.dtype.itemsize)
        self._size *= max(1, PIECE_BYTES // bytes_of_row // self._size)
        n = int(array.shape[0])
        count = -(-n // self._size)
        sizes = np.full(count, self._size)
        if count:
            sizes[-1] = n - (count - 1) * self._size
        self.pieces = Pieces(count, sizes)
        self.missing = self.dtype.kind == "f"
        self._map = shared_map(array)

    def __len__(self) -> int:
        return int(self.array.shape[0])

    def __iter__(self) -> Iterator[NDArray]:
        return self.read(np.arange(self.pieces.count))

    def read(self, pieces: NDArray, multiple: int = 1) -> Iterator[NDArray]:
        """Yield copies of pieces in some order; of a memory map nothing stays in memory."""
        for place, piece in enumerate(pieces):
            if place + 1 < len(pieces):
                self._advise("MADV_WILLNEED", pieces[place + 1])
            start = int(piece) * self._size
            block = np.array(self.array[start : start + self._size])
            self._advise("MADV_DONTNEED", piece)
            check_finite(block, start)
            yield block

    def _advise(self, advice: str, piece: int) -> None:
        """Tell the system what comes next, and what need not stay: mapped pages count as memory of the process.

        Linux maps neighbours along with a page that is read, 64 kB that begin and end at their multiples.
        """
        if self._map is None or not hasattr(mmap, advice):
            return
        memory, address = self._map
        start = int(piece) * self._size
        low, high = (bound - address for bound in byte_bounds(self.array[start : start + self._size]))
        low, high = low - low % _MAPPED_AROUND, high + -high % _MAPPED_AROUND
        memory.madvise(getattr(mmap, advice), low, min(high, len(memory)) - low)


def rows_of(array: Any, names: tuple[str, ...] | None = None, *, outside: bool = False) -> Source:
    """Give the rows of an array or a sparse matrix; large ones outside memory are taken in slices."""
    if issparse(array):
        return SparseRows(array, names)
    if outside and array.nbytes > RESIDENT_BYTES:
        return SlicedRows(array, names)
    return ArrayRows(array, names)


def mapped(array: Any) -> np.memmap | None:
    """Give the memory map that an array is a view of."""
    while array is not None and not isinstance(array, mmap.mmap):
        if isinstance(array, np.memmap) and isinstance(array.base, mmap.mmap):
            return array
        array = getattr(array, "base", None)
    return None


def shared_map(array: Any) -> tuple[mmap.mmap, int] | None:
    """Give the map below an array and the address where it begins; None for copies on write, which must stay."""
    base = mapped(array)
    if base is None or base.mode == "c" or not isinstance(base.base, mmap.mmap):
        return None
    return base.base, byte_bounds(np.frombuffer(base.base, np.uint8))[0]


def is_sliceable(X: Any) -> bool:
    """Whether an object is an array outside memory: HDF5's data sets and zarr's arrays say how they are cut."""
    return all(hasattr(X, name) for name in ("shape", "dtype", "ndim", "chunks", "__getitem__")) and not hasattr(
        X, "__array_interface__"
    )


def _together(array: Any) -> int:
    """Give the rows that lie in one chunk."""
    chunks, n = getattr(array, "chunks", None), array.shape[0]
    return max(1, min(int(chunks[0]), n)) if isinstance(chunks, tuple) else 1
