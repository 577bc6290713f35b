"""Rows of any iterable of batches: a data loader, a generator, an object with ``__iter__``."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, islice
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse
from sklearn.utils import check_array

from isthmus.errors import DataError
from isthmus.sources.protocol import BUFFER_BYTES, Pieces, check_finite
from isthmus.tables import is_mixed, is_table

ToArray = Callable[[Any], NDArray]
_ONCE = (
    "X is a {kind}, which can be read only once, but fit reads rows several times; give an object whose __iter__ "
    "starts anew each time, such as a data loader, or call partial_fit"
)
_CHANGED = (
    "X gives other rows each time it is read, so that rows cannot be held out; turn its shuffling off, or set "
    "validation_fraction=0"
)


class BatchRows:
    """Rows of an iterable of batches; each batch is a piece, and they are read in their order.

    Parameters
    ----------
    batches : iterable of array-like, each of shape (n, ...)
        The batches. Of a tuple or list that holds arrays, such as (rows, labels), the first is taken.
    to_array : callable
        Makes an array of a batch.
    """

    names: tuple[str, ...] | None = None
    missing = True

    def __init__(self, batches: Iterable[Any], to_array: ToArray) -> None:
        self._batches, self._to_array = batches, to_array
        self._checksums: list[int] | None = None
        self.row_shape: tuple[int, ...] = ()
        self.dtype = np.dtype(np.float32)
        self.pieces = Pieces(0)

    @property
    def once(self) -> bool:
        """Whether it can be read only once."""
        return iter(self._batches) is self._batches

    def counted(self) -> BatchRows:
        """Read all batches once to count their rows."""
        if self.once:
            raise DataError(_ONCE.format(kind=type(self._batches).__name__))
        sizes, checksums, dtypes = [], [], []
        for block in self:
            sizes.append(len(block))
            checksums.append(zlib.crc32(block.tobytes()))
            dtypes.append(block.dtype)
        if not sizes:
            raise DataError("X has no batches: its iterator ends at once; fit needs at least one row")
        self._checksums, self.dtype = checksums, np.result_type(*dtypes)
        self.pieces = Pieces(len(sizes), np.array(sizes), movable=False)
        return self

    def __len__(self) -> int:
        return self.pieces.rows(np.arange(self.pieces.count))

    def __iter__(self) -> Iterator[NDArray]:
        start = 0
        for batch in self._batches:
            block = self._to_array(_rows_of(batch))
            self.row_shape = self.row_shape or block.shape[1:]
            if block.shape[1:] != self.row_shape:
                raise DataError(f"X has batches of rows of shape {self.row_shape} and of shape {block.shape[1:]}")
            check_finite(block, start)
            start += len(block)
            if len(block):
                yield block

    def read(self, pieces: NDArray, multiple: int = 1) -> Iterator[NDArray]:
        """Yield some batches, in rising order; the others are passed over."""
        wanted = np.zeros(self.pieces.count, bool)
        wanted[pieces] = True
        every = bool(wanted.all())
        count = 0
        for place, block in enumerate(self):
            if place == len(wanted) or len(block) != self._sizes[place] or not (every or self._same(place, block)):
                raise DataError(_CHANGED)
            count += 1
            if wanted[place]:
                yield block
        if count < len(wanted):
            raise DataError(_CHANGED)

    @property
    def _sizes(self) -> NDArray:
        return self.pieces.sizes if self.pieces.sizes is not None else np.zeros(0, int)

    def _same(self, place: int, block: NDArray) -> bool:
        return self._checksums is None or self._checksums[place] == zlib.crc32(block.tobytes())


def gathered(batches: Iterable[Any], nbytes: int = BUFFER_BYTES) -> Iterator[Any]:
    """Put batches together to arrays of at least some bytes, but for the last one; mixed tables come as they are."""
    batches = iter(batches)
    first = list(islice(batches, 1))
    if first and is_table(first[0]) and is_mixed(first[0]):
        yield from chain(first, batches)
        return
    kept: list[NDArray] = []
    for block in BatchRows(chain(first, batches), _plain):
        kept.append(block)
        if sum(one.nbytes for one in kept) >= nbytes:
            yield np.concatenate(kept)
            kept = []
    if kept:
        yield np.concatenate(kept)


def _plain(batch: Any) -> NDArray:
    """Give a batch as an array of numbers."""
    batch = batch.detach().cpu().numpy() if hasattr(batch, "detach") else batch
    array = check_array(batch, accept_sparse="csr", allow_nd=True, ensure_all_finite=False, input_name="a batch of X")
    return array.toarray() if issparse(array) else array


def is_batches(X: Any) -> bool:
    """Whether an object is an iterable that is no array, table, text or list."""
    arrays = ("__array__", "__array_interface__", "__dlpack__", "__dataframe__", "shape", "keys")
    if isinstance(X, str | bytes | list | tuple | set | frozenset) or any(hasattr(X, name) for name in arrays):
        return False
    return hasattr(X, "__iter__")


def _rows_of(batch: Any) -> Any:
    """Take the rows of a batch that may come with labels."""
    several = isinstance(batch, tuple | list) and len(batch) and getattr(batch[0], "ndim", 0) >= 2
    return batch[0] if several else batch
