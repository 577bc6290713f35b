"""Rows as the network sees them: batches of scaled float32 tensors, and their way back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from isthmus.records import Schema
from isthmus.scaling import Scaling, blocks


@dataclass(frozen=True)
class Rows:
    """Rows of an array in the user's shape and type, and how to show them to a network.

    The array stays as it is, in memory or on disk; about 64 MB at a time are copied in the order asked for,
    and batches are slices of that copy, scaled one by one.

    Attributes
    ----------
    array : ndarray of shape (n, *row_shape)
        The rows.
    schema : Schema
        What a row looks like.
    scaling : Scaling
        How rows are scaled.
    device : device
        Where the batches go.
    """

    array: NDArray
    schema: Schema
    scaling: Scaling
    device: torch.device

    def batches(self, order: NDArray, batch_size: int) -> Iterator[Tensor]:
        """Yield scaled batches of the rows in ``order``; the last one may be short."""
        for block in blocks(self.array, order, batch_size):
            for batch in tensor_of(block).to(self.device).split(batch_size):
                yield channels_first(self.scaling.apply(batch), self.schema.layout)


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
    return rows.reshape(len(rows), *layout).movedim(-1, 1)


def channels_last(rows: Tensor, shape: tuple[int, ...]) -> Tensor:
    """View tensors with the channels first as rows of ``shape``, channels last."""
    return rows.movedim(1, -1).reshape(len(rows), *shape)


def predictions_size(schema: Schema) -> int:
    """Rows that go through the network at once in prediction: memory stays bounded."""
    return int(np.clip(2**19 // np.prod(schema.layout), 1, 8192))


def first_look_size(schema: Schema) -> int:
    """Rows that a network may look at before its first step: at most 8,192, or 64 MB."""
    return int(np.clip(2**24 // np.prod(schema.layout), 1, 8192))
