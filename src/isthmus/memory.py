"""Work on rows that does not fit into memory is done on half as many at once."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from isthmus.errors import HalvedBatchWarning, NotEnoughMemoryError

T = TypeVar("T")
_WORDS = (
    "can't allocate memory",
    "not enough memory",
    "bad_alloc",
    "bad allocation",
    "out of memory",
    "could not create a primitive",  # all that oneDNN says
)


class Portions:
    """How many rows go through a network at once: as many as fit.

    Attributes
    ----------
    most : int
        Rows that are known to fit, or not known not to.
    """

    def __init__(self) -> None:
        self.most = sys.maxsize

    def attempt(self, work: Callable[[int], T], rows: int, release: Callable[[], None] = lambda: None) -> T:
        """Do work on some rows, with a warning in smaller portions if they do not fit.

        Parameters
        ----------
        work : callable
            Gets how many rows it may take at once, and starts from the beginning each time it is called.
        rows : int
            How many there are.
        release : callable
            Gives memory back that is kept for next time.

        Raises
        ------
        NotEnoughMemoryError
            If a single row does not fit.
        """
        while True:
            at_once = min(rows, self.most)
            try:
                return work(at_once)
            except (MemoryError, RuntimeError) as error:
                if not is_out_of_memory(error):
                    raise
                if at_once <= 1:
                    raise NotEnoughMemoryError(
                        "not even one row fits into memory with this network; take a smaller network, or another device"
                    ) from error
            self.most = (at_once + 1) // 2
            release()
            _empty_caches()
            message = f"{at_once:,} rows do not fit into memory at once: they are taken in parts of {self.most:,}"
            warnings.warn(message, HalvedBatchWarning, stacklevel=2)


def is_out_of_memory(error: Exception) -> bool:
    """Whether an error of Python, numpy or torch says that memory is used up."""
    known = isinstance(error, MemoryError | torch.OutOfMemoryError)
    return known or any(words in str(error).lower() for words in _WORDS)


def portioned(batches: Iterable[NDArray], work: Callable[[NDArray], T]) -> Iterator[T]:
    """Yield what work makes of batches of rows, or of parts of them where they do not fit into memory."""
    portions = Portions()
    for batch in batches:

        def in_parts(at_once: int, batch: NDArray = batch) -> list[T]:
            return [work(batch[start : start + at_once]) for start in range(0, len(batch), at_once)]

        yield from portions.attempt(in_parts, len(batch))


def collected(blocks: Iterable[NDArray], rows: int) -> NDArray:
    """Copy blocks into one array: those that stayed would keep the memory between them from being used again.

    Parameters
    ----------
    blocks : iterable of ndarray
        The rows of the answer, some at a time.
    rows : int
        How many there are; fewer than in the first block if nobody knows.
    """
    remaining = iter(blocks)
    first = next(remaining)
    if rows < len(first):
        return np.concatenate([first, *remaining])
    whole = np.empty((rows, *first.shape[1:]), first.dtype)
    whole[: len(first)], place = first, len(first)
    for block in remaining:
        whole[place : place + len(block)] = block
        place += len(block)
    return whole


def _empty_caches() -> None:
    """Let torch hand back memory of accelerators that it keeps for next time."""
    if torch.cuda.is_initialized():
        torch.cuda.empty_cache()
