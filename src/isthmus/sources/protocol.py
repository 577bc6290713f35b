"""What every source of rows offers, and what can be said of all of them.

A source is cut into pieces that are read together. A piece of an array in memory is one row, so that any order of rows
is as good as another; a piece of a file is about a megabyte, or a slice of a row group.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from isthmus.errors import DataError

BLOCK_BYTES = 2**26
PIECE_BYTES = 2**20
BUFFER_BYTES = 2**27
RESIDENT_BYTES = 2**28
_LOOKED_AT = 64


@dataclass(frozen=True, eq=False)
class Pieces:
    """How a source is cut.

    Attributes
    ----------
    count : int
        Number of pieces.
    sizes : ndarray of int of shape (count,), or None
        Rows in each piece; None where each is one row.
    groups : ndarray of int of shape (count,), or None
        Pieces of one group are quickly read one after another only: a group stays together when pieces are shuffled.
    movable : bool
        Whether groups can be read in any order.
    """

    count: int
    sizes: NDArray | None = None
    groups: NDArray | None = None
    movable: bool = True

    def rows(self, pieces: NDArray) -> int:
        """Count the rows of some pieces."""
        return len(pieces) if self.sizes is None else int(self.sizes[pieces].sum())

    def starts(self) -> NDArray:
        """Give the number of the first row of each piece."""
        if self.sizes is None:
            return np.arange(self.count)
        return np.cumsum(self.sizes) - self.sizes

    def ranges(self, pieces: NDArray) -> NDArray:
        """Give the first row of each of some pieces and the one behind its last, of shape (n, 2)."""
        starts = self.starts()[pieces]
        return np.stack([starts, starts + (1 if self.sizes is None else self.sizes[pieces])], axis=1)

    def rows_or_ranges(self, pieces: NDArray) -> NDArray:
        """Give the numbers of rows, or where pieces hold many the ranges of these."""
        return pieces if self.sizes is None else self.ranges(pieces)

    def of(self, pieces: NDArray) -> Pieces:
        """Give what is left if only some pieces are."""
        sizes = None if self.sizes is None else self.sizes[pieces]
        groups = None if self.groups is None else self.groups[pieces]
        return replace(self, count=len(pieces), sizes=sizes, groups=groups)


class Source(Protocol):
    """Rows of one shape and type, in memory or elsewhere.

    ``missing`` says whether cells may be missing (NaN); infinite ones are refused where they are read.
    """

    row_shape: tuple[int, ...]
    dtype: np.dtype
    names: tuple[str, ...] | None
    pieces: Pieces
    missing: bool

    def __len__(self) -> int:
        """Count the rows."""

    def __iter__(self) -> Iterator[NDArray]:
        """Yield all rows in their order, in blocks."""

    def read(self, pieces: NDArray, multiple: int = 1) -> Iterator[NDArray]:
        """Yield the rows of some pieces, in the order of these, in blocks of at most about 64 MB.

        A block of a source whose pieces are rows has a multiple of ``multiple`` rows, but for the last one. Do not
        write into a block.
        """


def is_source(X: Any) -> bool:
    """Whether an object offers what a source must."""
    return all(hasattr(X, name) for name in ("row_shape", "pieces", "read"))


def row_bytes(source: Source) -> int:
    """Give the bytes of a row."""
    return max(1, int(np.prod(source.row_shape)) * source.dtype.itemsize)


def whole(source: Source) -> NDArray:
    """Read all rows into one array."""
    blocks = list(source)
    return blocks[0] if len(blocks) == 1 else np.concatenate(blocks)


def head_of(source: Source, count: int) -> NDArray:
    """Read the first rows."""
    found: list[NDArray] = []
    for block in source:
        found.append(block[:count])
        count -= len(block)
        if count <= 0:
            break
    return np.concatenate(found)


def spaced(source: Source, pieces: NDArray, count: int) -> NDArray:
    """Read about ``count`` rows of some pieces, spread over all of them."""
    if source.pieces.sizes is None:
        return np.concatenate(list(source.read(pieces[:: max(1, len(pieces) // count)])))
    if not source.pieces.movable:
        return _first(source.read(pieces), count)
    groups = source.pieces.groups
    if groups is not None:
        pieces = pieces[np.unique(groups[pieces], return_index=True)[1]]
    some = pieces[:: max(1, len(pieces) // min(_LOOKED_AT, len(pieces)))][:_LOOKED_AT]
    each = -(-count // len(some))
    return np.concatenate([_first(source.read(piece[None]), each) for piece in some])


def drawn(source: Source, count: int, random: np.random.RandomState) -> tuple[NDArray, NDArray]:
    """Read at most ``count`` rows drawn at random, each at most once.

    Of rows outside memory some 64 pieces are drawn, and rows from each of them.

    Returns
    -------
    rows : ndarray of shape (n, ...)
        The rows, in the order of the source.
    numbers : ndarray of int of shape (n,)
        Which rows of the source they are.
    """
    pieces = source.pieces
    if pieces.sizes is None or not pieces.movable:
        numbers = np.sort(random.choice(len(source), min(count, len(source)), replace=False))
        return _picked(source, numbers), numbers
    some = np.sort(random.choice(pieces.count, min(_LOOKED_AT, pieces.count), replace=False))
    blocks = [np.concatenate(list(source.read(piece[None]))) for piece in some]
    each = -(-count // len(some))
    taken = [np.sort(random.choice(len(block), min(each, len(block)), replace=False)) for block in blocks]
    rows = np.concatenate([block[places] for block, places in zip(blocks, taken, strict=True)])
    return rows, np.concatenate([start + places for start, places in zip(pieces.starts()[some], taken, strict=True)])


def _picked(source: Source, numbers: NDArray) -> NDArray:
    """Read some rows by their numbers, which rise."""
    if source.pieces.sizes is None:
        return np.concatenate(list(source.read(numbers)))
    found, start = [], 0
    for block in source:
        found.append(block[numbers[(numbers >= start) & (numbers < start + len(block))] - start])
        start += len(block)
    return np.concatenate(found)


def _first(blocks: Iterator[NDArray], count: int) -> NDArray:
    found = []
    for block in blocks:
        found.append(block[:count])
        count -= len(found[-1])
        if count <= 0:
            break
    return np.concatenate(found)


def fingerprint(source: Source) -> list[Any]:
    """Tell rows apart by shape, type and a checksum of some 64 of them."""
    some = np.ascontiguousarray(spaced(source, np.arange(source.pieces.count), _LOOKED_AT))
    return [[len(source), *source.row_shape], str(source.dtype), zlib.crc32(some.tobytes())]


def check_finite(block: NDArray, first_row: int = 0, name: str = "X") -> bool:
    """Refuse infinite cells; True if cells are missing."""
    if block.dtype.kind != "f":
        return False
    bad = ~np.isfinite(block)
    if not bad.any():
        return False
    infinite = np.isinf(block)
    if infinite.any():
        row, *cell = np.argwhere(infinite)[0]
        place = f"row {first_row + row}, column {', '.join(map(str, cell))}"
        raise DataError(f"{name} contains infinity (inf) in {place}; fill or drop such cells first")
    return True


@dataclass(frozen=True, eq=False)
class Part:
    """Some pieces of a source, as a source.

    Attributes
    ----------
    source : Source
        All of it.
    chosen : ndarray of int
        The pieces that are left, in rising order.
    """

    source: Source
    chosen: NDArray

    @property
    def row_shape(self) -> tuple[int, ...]:
        """Shape of a row."""
        return self.source.row_shape

    @property
    def dtype(self) -> np.dtype:
        """Type of the numbers."""
        return self.source.dtype

    @property
    def names(self) -> tuple[str, ...] | None:
        """Names of the columns."""
        return self.source.names

    @property
    def pieces(self) -> Pieces:
        """How it is cut."""
        return self.source.pieces.of(self.chosen)

    @property
    def missing(self) -> bool:
        """Whether cells may be missing."""
        return self.source.missing

    @property
    def table(self) -> Any:
        """Columns of a mixed table; None for other rows."""
        return getattr(self.source, "table", None)

    def __len__(self) -> int:
        return self.source.pieces.rows(self.chosen)

    def __iter__(self) -> Iterator[NDArray]:
        return self.source.read(self.chosen)

    def read(self, pieces: NDArray, multiple: int = 1) -> Iterator[NDArray]:
        """Yield the rows of some pieces."""
        return self.source.read(self.chosen[pieces], multiple)

    def columns(self) -> Iterator[NDArray]:
        """Yield the rows of a part of a mixed table with one number for each column."""
        found: Iterator[NDArray] = self.source.columns(self.chosen)  # type: ignore[attr-defined]
        return found
