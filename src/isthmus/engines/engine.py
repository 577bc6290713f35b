"""What an engine must offer."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Protocol, runtime_checkable

from torch import Generator, Tensor, nn

from isthmus.batches import Batch


class Engine(Protocol):
    """Takes the gradient of a batch; the training loop does the rest."""

    @property
    def name(self) -> str:
        """Which engine it is and, in brackets, why: ``engine`` in ``history_``."""

    @property
    def parameters(self) -> Sequence[nn.Parameter]:
        """What the optimizer changes: the module's own parameters, or others that share their memory."""

    def __call__(self, batch: Batch, progress: float, generator: Generator) -> tuple[dict[str, Tensor], Tensor | float]:
        """Leave the gradient of a batch's loss in ``grad`` of the parameters.

        Parameters
        ----------
        batch : Batch
            Scaled rows, channels first; they are corrupted here if the recipe says so. It is plain, without missing
            cells or weights, unless the engine was chosen for others.
        progress : float
            Share of the training that is done.
        generator : Generator
            Source of noise and draws.

        Returns
        -------
        losses : dict of str to Tensor
            The named losses, sums over columns and means over rows.
        error : Tensor or float
            Sum of the squared errors of the rows.
        """

    def arithmetic(self, rows: int) -> AbstractContextManager[None]:
        """Let torch compute as suits batches of so many rows for the time of a block: its threads, its precision."""

    def release(self) -> None:
        """Give back memory that is kept between steps."""


@runtime_checkable
class Measuring(Protocol):
    """What an engine offers that runs networks forward faster than the module does."""

    def measure(self, batch: Batch, inputs: Tensor) -> tuple[dict[str, Tensor], Tensor | float]:
        """Give the named losses of a batch and its sum of squared errors, without gradients.

        Parameters
        ----------
        batch : Batch
            Scaled rows, channels first; cells may be missing.
        inputs : Tensor of shape (n, ...)
            What the encoder gets to see of them.
        """
