"""The training loop. It knows no variant: it minimises the sum of the losses that the module names."""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from torch import Tensor, nn, optim

from isthmus.allocator import kept_memory
from isthmus.callbacks import Callback
from isthmus.engines import Engine, engine_for
from isthmus.errors import DivergedError
from isthmus.hyperparameters import Training
from isthmus.module import AutoencoderModule
from isthmus.records import Batch, Epoch
from isthmus.rows import Rows, predictions_size
from isthmus.sources.shuffling import shuffled

_LEAST_STEPS, _LEAST_EPOCHS = 1_000, 15
_OPTIMIZERS: dict[str, Callable[..., optim.Optimizer]] = {
    "adam": partial(optim.Adam, fused=True),
    "adamw": partial(optim.AdamW, fused=True),
    "sgd": partial(optim.SGD, momentum=0.9, fused=True),
    "adadelta": optim.Adadelta,
    "rmsprop": optim.RMSprop,
}
_RATES = {"adam": 2e-3, "adamw": 2e-3, "sgd": 1e-3, "adadelta": 1.0, "rmsprop": 1e-3}
_SCHEDULES: dict[str, Callable[[float], float]] = {
    "constant": lambda progress: 1.0,
    "linear": lambda progress: 1 - progress,
    "cosine": lambda progress: (1 + math.cos(math.pi * progress)) / 2,
}


def optimizer_for(parameters: Sequence[nn.Parameter], settings: Training) -> optim.Optimizer:
    """Make the optimizer that the settings name, at its own learning rate if they give none."""
    rate = settings.learning_rate or _RATES[settings.optimizer]
    optimizer = _OPTIMIZERS[settings.optimizer](parameters, lr=rate, weight_decay=settings.weight_decay)
    for group in optimizer.param_groups:
        group["initial_lr"] = group["lr"]
    return optimizer


@dataclass
class TrainingState:
    """What a run takes up where another left off.

    Attributes
    ----------
    generator : torch.Generator
        Source of noise and draws, on the device of the module.
    shuffler : numpy.random.RandomState
        Source of the order of rows.
    history : list of Epoch
        Epochs so far; new ones are added.
    step : int
        Steps that are done of an epoch that is not.
    totals : Totals
        What these steps measured.
    stopped : bool
        Whether a callback has ended the run.
    epoch_began_with : tuple
        State of ``shuffler`` when the epoch began.
    engine : Engine or None
        What takes gradients; None before the first step.
    optimizer : Optimizer or None
        What follows them; None before the first step.
    """

    generator: torch.Generator
    shuffler: np.random.RandomState
    history: list[Epoch] = field(default_factory=list)
    step: int = 0
    totals: Totals = field(default_factory=lambda: Totals())
    stopped: bool = False
    epoch_began_with: Any = None
    engine: Engine | None = None
    optimizer: optim.Optimizer | None = None


@dataclass
class Trainer:
    """A run of training on some rows.

    Attributes
    ----------
    module : AutoencoderModule
        What is trained, in place.
    settings : Training
        The hyper-parameters of training.
    rows : Rows
        All rows.
    training, validation : ndarray of int
        The pieces of their source to learn from, and those held out: rows, if they are in memory.
    state : TrainingState
        What changes while it runs, but for the module.
    schedule : str
        How the learning rate falls.
    callbacks : sequence of Callback
        What watches.
    epochs : int
        Epochs to train; 0 stands for what the settings ask for.
    """

    module: AutoencoderModule
    settings: Training
    rows: Rows
    training: NDArray
    validation: NDArray
    state: TrainingState
    schedule: str
    callbacks: Sequence[Callback] = ()
    epochs: int = 0

    def __post_init__(self) -> None:
        asked = int(self.settings.max_epochs or 0)
        self.epochs = self.epochs or asked or max(_LEAST_EPOCHS, math.ceil(_LEAST_STEPS / self.steps))

    @cached_property
    def n_training(self) -> int:
        """Rows to learn from."""
        return self.rows.source.pieces.rows(self.training)

    @property
    def steps(self) -> int:
        """Training steps in an epoch."""
        return math.ceil(self.n_training / self.settings.batch_size)

    @property
    def engine(self) -> Engine:
        """What takes gradients; the exact solvers never ask for it."""
        if self.state.engine is None:
            self.state.engine = engine_for(self.module)
        return self.state.engine

    @property
    def optimizer(self) -> optim.Optimizer:
        """What follows the gradients."""
        if self.state.optimizer is None:
            self.state.optimizer = optimizer_for(self.engine.parameters, self.settings)
        return self.state.optimizer

    def run(self) -> None:
        """Train until the epochs are over, a callback stops, or the user interrupts."""
        with kept_memory(), watched(self):
            try:
                while len(self.state.history) < self.epochs and not self.state.stopped:
                    begin_epoch(self)
                    self.state.stopped = tell(self, self.run_epoch())
            except KeyboardInterrupt:
                done = len(self.state.history)
                message = f"interrupted after epoch {done}; the best weights so far are kept"
                warnings.warn(message, ConvergenceWarning, stacklevel=5)

    def run_epoch(self) -> Epoch:
        """Learn from every training row once, then measure on the held-out ones."""
        started = time.perf_counter()
        totals = self._learn()
        losses, mse = totals.means()
        held_out, held_out_mse, denoising = self._validate()
        epoch = Epoch(
            epoch=len(self.state.history) + 1,
            loss=sum(losses.values()),
            losses=losses,
            mse=mse,
            validation_loss=sum(held_out.values()) if held_out else None,
            validation_losses=held_out,
            validation_mse=held_out_mse,
            denoising_loss=denoising,
            learning_rate=self.optimizer.param_groups[0]["lr"],
            seconds=time.perf_counter() - started,
            engine=self.engine.name,
        )
        if not math.isfinite(epoch.loss + epoch.monitored):
            raise DivergedError(_diverged(epoch, self.rows.scaling.low, self.rows.scaling.high))
        self.state.history.append(epoch)
        return epoch

    def _learn(self) -> Totals:
        """Take the steps of an epoch, or those that are left of one that was begun."""
        state, size = self.state, int(self.settings.batch_size)
        state.epoch_began_with = state.shuffler.get_state()
        order = shuffled(self.rows.source.pieces, self.training, state.shuffler)
        self.module.train()
        try:
            for batch in self.rows.batches(order, size, skip=state.step * size):
                progress = min(1.0, (len(state.history) * self.steps + state.step) / (self.epochs * self.steps))
                self._set_rate(_SCHEDULES[self.schedule](progress))
                state.totals.add(batch, *self._step(batch, progress))
                state.step += 1
                for callback in self.callbacks:
                    callback.batch_ended(self, len(batch))
            return state.totals
        finally:
            self.module.eval()
            state.totals, state.step = Totals(), 0

    def _step(self, batch: Batch, progress: float) -> tuple[dict[str, Tensor], Tensor]:
        optimizer = self.optimizer
        losses, error = self.engine(batch, progress, self.state.generator)
        if self.settings.clip_gradient is not None:
            nn.utils.clip_grad_norm_(self.engine.parameters, self.settings.clip_gradient)
        optimizer.step()
        self.module.constrain()
        return losses, error

    def _set_rate(self, factor: float) -> None:
        for group in self.optimizer.param_groups:
            group["lr"] = group["initial_lr"] * factor

    @torch.no_grad()
    def _validate(self) -> tuple[dict[str, float], float | None, float | None]:
        """Give the named losses, the squared error per column, and the loss on corrupted rows."""
        if not len(self.validation):
            return {}, None, None
        totals, noisy = Totals(), Totals()
        same_each_epoch = torch.Generator(self.state.generator.device).manual_seed(0)
        for batch in self.rows.batches(self.validation, predictions_size(self.module.schema)):
            inputs = self.module.shown(batch)
            totals.add(batch, *self.module.losses(batch, inputs, 1.0, same_each_epoch, training=False))
            if self.module.recipe.corruption is not None:
                inputs = self.module.corrupted(batch, same_each_epoch)
                noisy.add(batch, *self.module.losses(batch, inputs, 1.0, same_each_epoch, training=False))
        losses, mse = totals.means()
        return losses, mse, noisy.means()[0].get("reconstruction")


@contextmanager
def watched(trainer: Trainer) -> Iterator[None]:
    """Let the callbacks watch a block, to its end or its failure."""
    for callback in trainer.callbacks:
        callback.begin(trainer)
    try:
        yield
    finally:
        trainer.module.eval()
        for callback in trainer.callbacks:
            callback.end(trainer)


def begin_epoch(trainer: Trainer) -> None:
    """Tell the callbacks that an epoch begins."""
    for callback in trainer.callbacks:
        callback.epoch_began(trainer)


def tell(trainer: Trainer, epoch: Epoch) -> bool:
    """Tell the callbacks that an epoch is over; True if one of them stops the run."""
    return any([callback.epoch_ended(trainer, epoch) for callback in trainer.callbacks])


@dataclass
class Totals:
    """Sums of losses, kept on the device until they are asked for.

    Attributes
    ----------
    losses : dict of str to Tensor
        Sum over rows of each named loss.
    error : Tensor
        Sum of squared errors.
    rows, cells : float
        How many rows there were, and cells that are not missing, both by their weights.
    """

    losses: dict[str, Tensor] = field(default_factory=dict)
    error: Tensor = field(default_factory=lambda: torch.zeros(()))
    rows: float = 0.0
    cells: float = 0.0

    def add(self, batch: Batch, losses: dict[str, Tensor], error: Tensor) -> None:
        """Add the mean losses of a batch and its sum of squared errors."""
        for name, loss in losses.items():
            self.losses[name] = self.losses.get(name, 0.0) + loss.detach() * len(batch)
        self.error = self.error.to(error.device) + error
        self.rows += batch.weight
        self.cells += batch.cells

    def means(self) -> tuple[dict[str, float], float]:
        """Give the losses per row and the squared error per cell."""
        rows, cells = self.rows or 1.0, self.cells or 1.0
        return {name: float(total) / rows for name, total in self.losses.items()}, float(self.error) / cells


def _diverged(epoch: Epoch, low: float, high: float) -> str:
    return (
        f"training diverged in epoch {epoch.epoch}: the loss is not finite; scaled rows reach from {low:.3g} to "
        f"{high:.3g}; lower learning_rate (now {epoch.learning_rate:.3g}), set clip_gradient=1.0 or scaling='standard'"
    )
