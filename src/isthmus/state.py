"""What a run of training takes up where another left off."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, optim

from isthmus.batches import Batch
from isthmus.devices import number_of
from isthmus.engines import Engine
from isthmus.memory import Portions
from isthmus.ranks import Ranks
from isthmus.records import Best, Epoch


@dataclass
class Totals:
    """Sums of losses, on accelerators kept there until they are asked for.

    Attributes
    ----------
    losses : dict of str to Tensor or float
        Sum over rows of each named loss.
    error : Tensor or float
        Sum of squared errors.
    rows, cells : float
        How many rows there were, and cells that are not missing, both by their weights.
    """

    losses: dict[str, Tensor | float] = field(default_factory=dict)
    error: Tensor | float = 0.0
    rows: float = 0.0
    cells: float = 0.0

    def add(self, batch: Batch, losses: dict[str, Tensor], error: Tensor | float) -> None:
        """Add the mean losses of a batch and its sum of squared errors."""
        for name, loss in losses.items():
            self.losses[name] = self.losses.get(name, 0.0) + number_of(loss) * len(batch)
        self.error = self.error + error
        self.rows += batch.weight
        self.cells += batch.cells

    def plain(self) -> Totals:
        """Give the same as floats."""
        losses: dict[str, Tensor | float] = {name: float(total) for name, total in self.losses.items()}
        return Totals(losses, float(self.error), self.rows, self.cells)

    def of_all(self, ranks: Ranks) -> Totals:
        """Add what the other ranks measured."""
        if ranks.count == 1:
            return self
        every = ranks.gathered(self.plain())
        names = dict.fromkeys(name for one in every for name in one.losses)
        losses = {name: sum(one.losses.get(name, 0.0) for one in every) for name in names}
        rows, cells = sum(one.rows for one in every), sum(one.cells for one in every)
        return Totals(losses, sum(one.error for one in every), rows, cells)

    def means(self) -> tuple[dict[str, float], float]:
        """Give the losses per row and the squared error per cell."""
        rows, cells = self.rows or 1.0, self.cells or 1.0
        return {name: float(total) / rows for name, total in self.losses.items()}, float(self.error) / cells


@dataclass
class TrainingState:
    """What changes while a run goes on, but for the module.

    Attributes
    ----------
    generator : torch.Generator
        Source of noise and draws, on the device of the module.
    shuffler : numpy.random.RandomState
        Source of the order of rows.
    history : list of Epoch
        Epochs so far; new ones are added.
    best : Best
        The best epoch so far, with the weights to go back to.
    step : int
        Steps that are done of an epoch that is not.
    totals : Totals
        What these steps measured.
    stopped : bool
        Whether a callback has ended the run.
    retried : int
        How often the run went back to its best weights, at a lower rate each time.
    epoch_began_with : tuple
        State of ``shuffler`` when the epoch began.
    engine : Engine or None
        What takes gradients; None before the first step.
    optimizer : Optimizer or None
        What follows them; None before the first step.
    training_portions, validation_portions : Portions
        How many rows fit into memory at once.
    """

    generator: torch.Generator
    shuffler: np.random.RandomState
    history: list[Epoch] = field(default_factory=list)
    best: Best = field(default_factory=Best)
    step: int = 0
    totals: Totals = field(default_factory=Totals)
    stopped: bool = False
    retried: int = 0
    epoch_began_with: Any = None
    engine: Engine | None = None
    optimizer: optim.Optimizer | None = None
    training_portions: Portions = field(default_factory=Portions)
    validation_portions: Portions = field(default_factory=Portions)
