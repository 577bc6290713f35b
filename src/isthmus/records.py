"""Typed records that pass between the stages."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

    from isthmus.tables.schema import TableSchema


@dataclass(frozen=True)
class Epoch:
    """One entry of ``history_``. Losses are in the scaled units of training.

    Attributes
    ----------
    epoch : int
        Epochs done, from 1.
    loss : float
        Training loss: sum over columns and penalties, mean over rows.
    losses : dict of str to float
        The named terms of ``loss``.
    mse : float
        Mean squared error per column on the training rows, while they were learned.
    validation_loss, validation_mse : float or None
        The same on the held-out rows after the epoch; None without held-out rows.
    validation_losses : dict of str to float
        The named terms of ``validation_loss``.
    denoising_loss : float or None
        Reconstruction loss on the held-out rows when they are corrupted; None without corruption.
    learning_rate : float
        At the end of the epoch.
    seconds : float
        Time the epoch took, validation included.
    engine : str
        What took the gradients, and in brackets why it was chosen.
    """

    epoch: int
    loss: float
    losses: dict[str, float]
    mse: float
    validation_loss: float | None
    validation_losses: dict[str, float]
    validation_mse: float | None
    denoising_loss: float | None
    learning_rate: float
    seconds: float
    engine: str

    @property
    def monitored(self) -> float:
        """The loss by which epochs are compared: the held-out one if there is one."""
        return self.loss if self.validation_loss is None else self.validation_loss


@dataclass(frozen=True)
class Facts:
    """What a recipe may depend on beside its parameters.

    Attributes
    ----------
    row_shape : tuple of int
        Shape of a row of X.
    low, high : float
        Range of the scaled training rows.
    table : TableSchema or None
        What the columns are, if some are no numbers.
    """

    row_shape: tuple[int, ...]
    low: float
    high: float
    table: TableSchema | None = None

    @property
    def columns(self) -> int:
        """Numbers in a row."""
        return math.prod(self.row_shape)

    @property
    def unit_range(self) -> bool:
        """Whether the scaled rows are within [0, 1]."""
        return self.low >= 0 and self.high <= 1


@dataclass(frozen=True)
class Schema:
    """What a row looks like to the user and to the network.

    Attributes
    ----------
    row_shape : tuple of int
        Shape of a row of X: ``(columns,)``, ``(height, width)`` or ``(height, width, channels)``.
    layout : tuple of int
        The same numbers as the network sees them, channels last: ``(columns,)``, ``(length, channels)`` or
        ``(height, width, channels)``.
    dtype : str
        Type of X.
    table : TableSchema or None
        What the columns of X are, if some are no numbers; a row is then made of their cells.
    """

    row_shape: tuple[int, ...]
    layout: tuple[int, ...]
    dtype: str = "float32"
    table: TableSchema | None = None

    @property
    def tensor_shape(self) -> tuple[int, ...]:
        """Shape of a row as a tensor: ``layout`` with the channels first."""
        return (self.layout[-1], *self.layout[:-1])

    @property
    def image_shape(self) -> tuple[int, ...] | None:
        """Height, width and channels of a row; None if rows are no images."""
        shape = self.layout if len(self.layout) == 3 else (*self.row_shape, 1)[:3]
        return tuple(shape) if len(shape) == 3 else None


@dataclass(frozen=True)
class Reference:
    """How well rows were rebuilt at the end of training: what later rows are held against.

    Attributes
    ----------
    held_out : bool
        Whether the rows were held out; without such rows some of the training rows are measured.
    rows : int
        How many were measured; 0 for a model that was trained elsewhere.
    error, deviation : float
        Mean over rows, and standard deviation, of the squared error per cell, in the scaled units of training.
    unusual : float
        The error that 1 % of the rows exceed.
    """

    held_out: bool
    rows: int
    error: float
    deviation: float
    unusual: float


@dataclass(frozen=True)
class Provenance:
    """How a model was made.

    Attributes
    ----------
    date : str
        When the last fit began, UTC, ISO 8601.
    seed : int or None
        The ``random_state`` that repeats the run: the one that was given, or where it was None the one that was drawn.
        None if a RandomState was given that had been used before.
    rows : int
        How many rows were learned from.
    digest : str
        Checksum of these rows, hexadecimal; of several calls of `partial_fit` that of all of them.
    device : str
        Where the arithmetic ran.
    threads : int
        Of torch.
    machine : str
        System and processor.
    versions : dict of str to str
        Of this package, of the libraries that results depend on, and of Python.
    """

    date: str
    seed: int | None
    rows: int
    digest: str
    device: str
    threads: int
    machine: str
    versions: dict[str, str]


@dataclass
class Best:
    """The best epoch of a run so far.

    Attributes
    ----------
    loss : float
        The lowest of the losses that are compared.
    epoch : int
        Its epoch; 0 before the first.
    weights : dict of str to Tensor
        Its weights; before the first epoch the first ones.
    """

    loss: float = float("inf")
    epoch: int = 0
    weights: dict[str, Tensor] = field(default_factory=dict)
