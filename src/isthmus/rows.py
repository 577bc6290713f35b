"""Rows as the network sees them: batches of scaled float32 tensors, and their way back."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import repeat

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from isthmus.batches import Batch
from isthmus.records import Schema
from isthmus.scaling import Scaling
from isthmus.sources import Order, Source, ordered_blocks
from isthmus.sources.arrays import ArrayRows
from isthmus.sources.protocol import spaced

# Numbers that still lie in a core's cache when the network gets to see the last of them.
_SCALED_AT_ONCE = 2**17
_SIGNED = (torch.int8, torch.int16, torch.int32, torch.int64)
# What torch gathers on every device.
_GATHERED = (torch.bool, torch.uint8, *_SIGNED, torch.float16, torch.float32, torch.float64)


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows of a source, and how to show them to a network.

    The source stays as it is, in memory or elsewhere; a block at a time is copied in the order asked for, and batches
    are slices of that copy, scaled a few at a time. On CUDA all rows are copied once where there is room.

    Attributes
    ----------
    source : Source
        The rows, in the user's shape and type.
    schema : Schema
        What a row looks like.
    scaling : Scaling
        How rows are scaled.
    device : device
        Where the batches go.
    gaps : bool
        Whether cells may be missing.
    weights : ndarray of float32 of shape (n,), or None
        How much each row counts, with a mean of 1; None if all count the same.
    """

    source: Source
    schema: Schema
    scaling: Scaling
    device: torch.device
    gaps: bool = False
    weights: NDArray | None = None

    @property
    def plain(self) -> bool:
        """Whether no cell is missing and all rows count the same."""
        return not self.gaps and self.weights is None

    def batches(self, order: NDArray | Order, batch_size: int, skip: int = 0) -> Iterator[Batch]:
        """Yield scaled batches of some pieces, from a row on; the last one may be short."""
        order, at_once = order if isinstance(order, Order) else Order(order), self._at_once(batch_size)
        for block, places in self._blocks(order, batch_size, skip, at_once):
            weights: Iterable[Tensor | None] = repeat(None)
            if self.weights is not None:
                weights = torch.from_numpy(self.weights[places]).to(self.device).split(at_once)
            for batches in map(self.batch, block.split(at_once), weights):
                yield from batches.split(batch_size)

    def _blocks(
        self, order: Order, batch_size: int, skip: int, at_once: int
    ) -> Iterator[tuple[Tensor, NDArray | None]]:
        """Yield rows in an order, on the device; with their numbers if they have weights."""
        if self.resident is None:
            weighted = self.weights is not None
            for block, places in ordered_blocks(self.source, order, batch_size, skip, numbered=weighted):
                yield tensor_of(block).to(self.device), places
            return
        numbers = order.pieces[skip:]
        there = torch.from_numpy(numbers).to(self.device)
        for start in range(0, len(numbers), at_once):
            some = slice(start, start + at_once)
            yield self.resident.index_select(0, there[some]), numbers[some]

    @cached_property
    def resident(self) -> Tensor | None:
        """All rows where they lie on a CUDA device, of which batches are gathered there.

        None if they are not in memory, or take up more than a quarter of what is free there.
        """
        if self.device.type != "cuda" or not isinstance(self.source, ArrayRows):
            return None
        if 4 * self.source.array.nbytes > torch.cuda.mem_get_info(self.device)[0]:
            return None
        whole = tensor_of(self.source.array)
        return whole.to(self.device) if whole.dtype in _GATHERED else None

    def _at_once(self, batch_size: int) -> int:
        """Give the rows of as many batches as are scaled together: those of a batch alone, if cells may be missing."""
        together = 1 if self.gaps else _SCALED_AT_ONCE // (batch_size * math.prod(self.schema.layout))
        return batch_size * max(1, together)

    def every(self) -> NDArray:
        """Give all pieces."""
        return np.arange(self.source.pieces.count)

    def first_look(self, pieces: NDArray) -> Batch:
        """Give some rows of pieces: what a network may look at before its first step."""
        size = first_look_size(self.schema)
        if self.source.pieces.sizes is None:
            return next(self.batches(pieces, size))
        return self.batch(tensor_of(spaced(self.source, pieces, size)[:size]).to(self.device))

    def batch(self, rows: Tensor, weights: Tensor | None = None) -> Batch:
        """Show rows to the network."""
        return batch_of(rows, self.schema, self.scaling, gaps=self.gaps, weights=weights)


def batch_of(rows: Tensor, schema: Schema, scaling: Scaling, *, gaps: bool, weights: Tensor | None = None) -> Batch:
    """Scale rows, fill the cells that are missing, and put the channels first."""
    scaled, present = scaling.apply(rows), None
    if gaps:
        scaled, present = scaling.filled(scaled)
    if present is not None:
        present = channels_first(present, schema.layout)
    return Batch(channels_first(scaled, schema.layout), present, weights)


def tensor_of(array: NDArray) -> Tensor:
    """View an array as a tensor; types and memory layouts that torch does not know are converted."""
    if array.dtype.itemsize > 8:
        array = array.astype(np.float64)
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    if not array.flags.writeable or min(array.strides, default=0) < 0:
        array = array.copy()
    return torch.from_numpy(array)


def channels_first(rows: Tensor, layout: tuple[int, ...]) -> Tensor:
    """View rows with the channels last, of any shape, as tensors with the channels first."""
    return rows.reshape(rows.shape[0], *layout).movedim(-1, 1)


def channels_last(rows: Tensor, shape: tuple[int, ...]) -> Tensor:
    """View tensors with the channels first as rows of ``shape``, channels last."""
    return rows.movedim(1, -1).reshape(rows.shape[0], *shape)


def predictions_size(schema: Schema, widest: int = 1) -> int:
    """Rows that go through the network at once in prediction: memory stays bounded.

    Parameters
    ----------
    schema : Schema
        What a row looks like.
    widest : int
        Numbers that the widest layer gives for a row; its output is at most 16 MB.
    """
    return min(max(min(2**19 // math.prod(schema.layout), 2**22 // widest), 1), 8192)


def first_look_size(schema: Schema) -> int:
    """Rows that a network may look at before its first step: at most 8,192, or 64 MB."""
    return int(np.clip(2**24 // np.prod(schema.layout), 1, 8192))
