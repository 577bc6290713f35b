"""The order in which rows are learned from.

Rows in memory are shuffled one by one. Rows outside memory are shuffled in blocks: the groups of pieces come in a
random order, some 128 MB of rows are gathered in a buffer, and the rows of the buffer are shuffled. Each byte is read
once an epoch. With pieces of a megabyte a buffer mixes rows of 128 places of the whole, which trains as well as a full
shuffle even if the rows are sorted; with Parquet files it is as good as there are row groups in a buffer.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isthmus.sources.protocol import BUFFER_BYTES, Pieces, Source, row_bytes

_HANDED_BYTES = 2**22
_FEW = 3
Block = tuple[NDArray, NDArray | None]


@dataclass(frozen=True, eq=False)
class Order:
    """An order of rows.

    Attributes
    ----------
    pieces : ndarray of int
        The pieces, one after another.
    seed : int or None
        Of the shuffle within the buffer; None leaves the rows of a piece in their order.
    """

    pieces: NDArray
    seed: int | None = None


def shuffled(cut: Pieces, pieces: NDArray, random: np.random.RandomState) -> Order:
    """Draw an order of some pieces."""
    if cut.sizes is None:
        return Order(pieces[random.permutation(len(pieces))])
    seed = int(random.randint(2**31))
    return Order(in_random_groups(cut, pieces, random) if cut.movable else pieces, seed)


def in_random_groups(cut: Pieces, pieces: NDArray, random: np.random.RandomState) -> NDArray:
    """Put groups of pieces in a random order, the pieces within each in theirs."""
    if cut.groups is None:
        return pieces[random.permutation(len(pieces))]
    _, group = np.unique(cut.groups[pieces], return_inverse=True)
    places = random.permutation(group.max(initial=-1) + 1)
    return pieces[np.argsort(places[group], kind="stable")]


def split(cut: Pieces, fraction: float, random: np.random.RandomState) -> tuple[NDArray, NDArray]:
    """Draw pieces to hold out.

    Of rows in memory exactly a share is held out; of others whole groups, and of the last of these as many pieces as
    are wanted.

    Returns
    -------
    training, validation : ndarray of int
        Pieces, in rising order.
    """
    if cut.sizes is None:
        order = random.permutation(cut.count)
        held_out = int(cut.count * fraction)
        return np.sort(order[held_out:]), np.sort(order[:held_out])
    order = in_random_groups(cut, np.arange(cut.count), random)
    rows = np.concatenate([[0], np.cumsum(cut.sizes[order])])
    held_out = int(np.abs(rows - rows[-1] * fraction).argmin())
    if fraction and cut.count >= _FEW:
        held_out = min(max(held_out, 1), cut.count - 1)
    return np.sort(order[held_out:]), np.sort(order[:held_out])


def ordered_blocks(
    source: Source, order: Order, multiple: int = 1, skip: int = 0, numbered: bool = False
) -> Iterator[Block]:
    """Yield rows in an order, in blocks of a multiple of some rows, but for the last one.

    Parameters
    ----------
    source : Source
        Where they come from.
    order : Order
        The order.
    multiple : int
        Rows of a batch.
    skip : int
        Rows to leave out at the beginning; what need not be read is not.
    numbered : bool
        Whether to give the number of each row too.
    """
    if source.pieces.sizes is None:
        pieces = order.pieces[skip:]
        start = 0
        for block in source.read(pieces, multiple):
            yield block, pieces[start : start + len(block)] if numbered else None
            start += len(block)
        return
    room = max(1, BUFFER_BYTES // row_bytes(source) // multiple) * multiple
    handed = max(1, _HANDED_BYTES // row_bytes(source) // multiple) * multiple
    first, within = divmod(skip, room)
    for place, (rows, numbers) in enumerate(_buffers(source, order.pieces, room, first * room), first):
        places = np.arange(len(rows))
        if order.seed is not None:
            places = np.random.default_rng((order.seed, place)).permutation(len(rows))
        for start in range(within, len(rows), handed):
            some = places[start : start + handed]
            yield rows[some], numbers[some] if numbered else None
        within = 0


def _buffers(source: Source, pieces: NDArray, room: int, skip: int) -> Iterator[tuple[NDArray, NDArray]]:
    """Fill the same buffer again and again with the rows of pieces and their numbers."""
    pieces, drop = _without(source.pieces, pieces, skip)
    left = source.pieces.rows(pieces) - drop
    rows = np.empty((min(room, max(left, 0)), *source.row_shape), source.dtype)
    numbers = _Numbers(source.pieces, pieces, drop)
    filled = 0
    for block in source.read(pieces):
        block, drop = block[drop:], max(0, drop - len(block))
        while len(block):
            taken = block[: len(rows) - filled]
            rows[filled : filled + len(taken)] = taken
            filled, block = filled + len(taken), block[len(taken) :]
            if filled == len(rows):
                yield rows, numbers(filled)
                filled = 0
    if filled:
        yield rows[:filled], numbers(filled)


def _without(cut: Pieces, pieces: NDArray, skip: int) -> tuple[NDArray, int]:
    """Leave out the pieces of the first rows; give the others, and how many rows of the first to leave out."""
    assert cut.sizes is not None
    ends = np.cumsum(cut.sizes[pieces])
    first = int(np.searchsorted(ends, skip, side="right"))
    return pieces[first:], skip - (int(ends[first - 1]) if first else 0)


class _Numbers:
    """Counts rows off: gives the numbers of the next ones."""

    def __init__(self, cut: Pieces, pieces: NDArray, drop: int) -> None:
        self._ranges = cut.ranges(pieces)
        self._piece, self._within = 0, drop

    def __call__(self, count: int) -> NDArray:
        found = []
        while count:
            start, stop = self._ranges[self._piece] + (self._within, 0)
            found.append(np.arange(start, min(stop, start + count)))
            count -= len(found[-1])
            self._within += len(found[-1])
            if start + len(found[-1]) == stop:
                self._piece, self._within = self._piece + 1, 0
        return np.concatenate(found)
