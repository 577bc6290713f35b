"""The processes that train one model together: the ranks of torch's distributed group, or this process alone.

Every rank runs the same code on the same X and draws the same order of rows. Of each global batch it takes its share,
so that it reads only these rows; the gradients are summed, weighted by their rows, and every rank takes the same step.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import torch
import torch.distributed as dist
from numpy.typing import NDArray
from torch import Tensor, nn

from isthmus.errors import ParameterError, RankLostError
from isthmus.sources import Order
from isthmus.sources.protocol import Pieces

T = TypeVar("T")


@dataclass(frozen=True)
class Ranks:
    """The processes of a run.

    Attributes
    ----------
    rank : int
        Number of this process, from 0.
    count : int
        How many there are.
    """

    rank: int = 0
    count: int = 1

    @property
    def first(self) -> bool:
        """Whether this process is the one that writes and shows."""
        return self.rank == 0

    def share(self, cut: Pieces, pieces: NDArray) -> NDArray:
        """Give this rank's share of some pieces: about as many rows as the others', one behind the other."""
        if cut.sizes is None:
            start, stop = self._bounds(len(pieces))
            return pieces[start:stop]
        behind = np.cumsum(cut.sizes[pieces])
        start, stop = self._bounds(int(behind[-1]) if len(behind) else 0)
        return pieces[(behind > start) & (behind <= stop)]

    def batches(self, cut: Pieces, order: Order, batch_size: int) -> tuple[Order, int, int]:
        """Give this rank's share of an order that is cut into batches.

        Of rows in memory it is a share of each batch, so that the batches are those of one process. Of others it is
        a share of the pieces: each rank reads only these, and a batch mixes what the ranks read.

        Returns
        -------
        order : Order
            What this rank reads.
        rows : int
            Its rows of a batch.
        steps : int
            Batches in all; a rank that has fewer takes part in the last ones without rows.

        Raises
        ------
        ParameterError
            If there are more ranks than rows in a batch.
        """
        if batch_size < self.count:
            raise ParameterError(f"batch_size must be at least the number of processes, {self.count}; got {batch_size}")
        steps = math.ceil(cut.rows(order.pieces) / batch_size)
        if self.count == 1:
            return order, batch_size, steps
        sizes = [Ranks(rank, self.count)._rows_of(batch_size) for rank in range(self.count)]
        if cut.sizes is None:
            return Order(self._of_each_batch(order.pieces, batch_size)), sizes[self.rank], steps
        shares = [Ranks(rank, self.count).share(cut, order.pieces) for rank in range(self.count)]
        steps = max(math.ceil(cut.rows(share) / size) for share, size in zip(shares, sizes, strict=True))
        return Order(shares[self.rank], order.seed), sizes[self.rank], steps

    def _rows_of(self, batch_size: int) -> int:
        start, stop = self._bounds(batch_size)
        return int(stop - start)

    def _of_each_batch(self, rows: NDArray, batch_size: int) -> NDArray:
        places = np.arange(len(rows))
        batch = places // batch_size
        within, size = places % batch_size, np.minimum(batch_size, len(rows) - batch * batch_size)
        start, stop = self._bounds(size)
        return rows[(within >= start) & (within < stop)]

    def _bounds(self, rows: Any) -> tuple[Any, Any]:
        """Give where this rank's share of some rows begins, and where it ends."""
        return rows * self.rank // self.count, rows * (self.rank + 1) // self.count

    def average(self, parameters: Sequence[nn.Parameter], rows: int) -> None:
        """Replace each rank's gradient by that of the global batch: the mean, weighted by rows."""
        if self.count == 1:
            return
        gradients = [_gradient(parameter) for parameter in parameters if parameter.requires_grad]
        flat = torch.cat([gradient.reshape(-1) for gradient in gradients]).mul_(rows)
        flat = torch.cat([flat, flat.new_tensor([rows])])
        with _together():
            dist.all_reduce(flat)
        flat, start = flat[:-1] / flat[-1], 0
        for gradient in gradients:
            gradient.copy_(flat[start : start + gradient.numel()].view_as(gradient))
            start += gradient.numel()

    def gathered(self, value: T) -> list[T]:
        """Give the values of all ranks, in their order."""
        if self.count == 1:
            return [value]
        values: list[Any] = [None] * self.count
        with _together():
            dist.all_gather_object(values, value)
        return values

    def agreed(self, value: T) -> T:
        """Give the first rank's value."""
        if self.count == 1:
            return value
        values = [value]
        with _together():
            dist.broadcast_object_list(values, src=0)
        return values[0]


def ranks() -> Ranks:
    """Give the group that this process has joined, or this process alone."""
    if not (dist.is_available() and dist.is_initialized()):
        return Ranks()
    return Ranks(dist.get_rank(), dist.get_world_size())


def launched() -> bool:
    """Whether torchrun, or something like it, has started this process as one of several."""
    return int(os.environ.get("WORLD_SIZE", "1")) > 1 and "RANK" in os.environ


@contextmanager
def joined() -> Iterator[Ranks]:
    """Join the group that torchrun has prepared, for a block; without one, and within one, nothing changes."""
    if not launched() or dist.is_initialized():
        yield ranks()
        return
    dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
    try:
        yield ranks()
    finally:
        dist.destroy_process_group()


@contextmanager
def _together() -> Iterator[None]:
    """Say in a sentence that another rank is gone."""
    try:
        yield
    except RuntimeError as error:
        raise RankLostError(
            "another process of this run has ended or cannot be reached: the run stops; start it again with all of "
            "its processes and resume=True if it has a checkpoint"
        ) from error


def _gradient(parameter: nn.Parameter) -> Tensor:
    if parameter.grad is None:
        parameter.grad = torch.zeros_like(parameter)
    return parameter.grad
