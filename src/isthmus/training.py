"""The training loop. It knows no variant: it minimises the sum of the losses that the module names."""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import torch
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from torch import Tensor, nn, optim

from isthmus.allocator import kept_memory
from isthmus.batches import Batch
from isthmus.callbacks import Callback, begin_epoch, tell, watched
from isthmus.divergence import LossWatch, diverged, overflowed, seen_in
from isthmus.engines import Engine, Measuring, Work, accumulated, engine_for
from isthmus.errors import DivergedError
from isthmus.hyperparameters import Training
from isthmus.module import AutoencoderModule
from isthmus.optimizers import SCHEDULES, optimizer_for
from isthmus.ranks import Ranks
from isthmus.records import Epoch
from isthmus.rows import Rows, predictions_size
from isthmus.sources.shuffling import shuffled
from isthmus.state import Totals, TrainingState

_LEAST_STEPS, _LEAST_EPOCHS = 1_000, 15
_SLOWER = 0.1


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
    ranks : Ranks
        The processes that train together; each has all rows and takes its share of them.
    diverged : DivergedError or None
        Why the run ended early, if it did.
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
    ranks: Ranks = Ranks()
    diverged: DivergedError | None = None

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
            work = Work(self.epochs * self.n_training, self.settings.batch_size, self.rows.plain, self.ranks.count == 1)
            self.state.engine = engine_for(
                self.module, self.settings.backend, work, self._note, self.settings.precision
            )
            self._note(f"gradients by {self.state.engine.name}")
        return self.state.engine

    @property
    def optimizer(self) -> optim.Optimizer:
        """What follows the gradients."""
        if self.state.optimizer is None:
            self.state.optimizer = optimizer_for(self.engine.parameters, self.settings)
            for group in self.state.optimizer.param_groups:
                group["initial_lr"] *= _SLOWER**self.state.retried
        return self.state.optimizer

    def _note(self, text: str) -> None:
        for callback in self.callbacks:
            callback.noted(self, text)

    def run(self) -> None:
        """Train until the epochs are over, a callback stops, the user interrupts, or training diverges.

        Raises
        ------
        DivergedError
            If training diverges in the first epoch; later, ``diverged`` is set and the best weights are back.
        """
        with kept_memory(), watched(self):
            try:
                while len(self.state.history) < self.epochs and not self.state.stopped:
                    begin_epoch(self)
                    self.state.stopped = tell(self, self._attempted_epoch())
            except KeyboardInterrupt:
                done = len(self.state.history)
                message = f"interrupted after epoch {done}; the best weights so far are kept"
                warnings.warn(message, ConvergenceWarning, stacklevel=5)
            except DivergedError as error:
                if not (self.state.history and self.state.best.weights):
                    raise
                self.diverged = error

    def _attempted_epoch(self) -> Epoch:
        """Make an epoch; if it diverges go back to the best weights and try again, as often as the settings say."""
        while True:
            try:
                return self.run_epoch()
            except DivergedError as error:
                if self.state.retried >= self.settings.retries or not self.state.best.weights:
                    raise
                self._slow_down(error)

    def _slow_down(self, error: DivergedError) -> None:
        """Go back to the best weights, with a tenth of the learning rate."""
        self.module.load_state_dict(self.state.best.weights)
        self.state.optimizer = None
        self.state.retried += 1
        rate = self.optimizer.param_groups[0]["initial_lr"]
        message = f"{error}; training goes on from the best weights so far with learning_rate={rate:.3g}"
        warnings.warn(message, ConvergenceWarning, stacklevel=8)

    def run_epoch(self) -> Epoch:
        """Learn from every training row once, then measure on the held-out ones."""
        started = time.perf_counter()
        with self.engine.arithmetic(int(self.settings.batch_size)):
            losses, mse = self._learn().of_all(self.ranks).means()
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
        self._check(epoch)
        self.state.history.append(epoch)
        return epoch

    def _learn(self) -> Totals:
        """Take the steps of an epoch, or those that are left of one that was begun."""
        state, size = self.state, int(self.settings.batch_size)
        state.epoch_began_with = state.shuffler.get_state()
        cut = self.rows.source.pieces
        order, own, steps = self.ranks.batches(cut, shuffled(cut, self.training, state.shuffler), size)
        batches = self.rows.batches(order, own, skip=state.step * own)
        watch = LossWatch(self.rows.device)
        self.module.train()
        try:
            while state.step < steps:
                batch = next(batches, None)
                progress = min(1.0, (len(state.history) * self.steps + state.step) / (self.epochs * self.steps))
                self._set_rate(SCHEDULES[self.schedule](progress))
                if batch is not None:  # a rank may have no rows left while others have
                    losses, error = self._gradient(batch, progress)
                    self._refuse(watch.ago(losses), batch)
                    state.totals.add(batch, losses, error)
                self.ranks.average(self.engine.parameters, len(batch or ()))
                self._follow()
                state.step += 1
                for callback in self.callbacks:
                    callback.batch_ended(self, self.ranks.count * len(batch or ()))
            self._refuse(watch.look(), None)
            return state.totals
        finally:
            self.module.eval()
            state.totals, state.step = Totals(), 0

    def _gradient(self, batch: Batch, progress: float) -> tuple[dict[str, Tensor], Tensor | float]:
        """Take the gradient of a batch, in parts if it does not fit into memory."""

        def taken(at_once: int) -> tuple[dict[str, Tensor], Tensor | float]:
            if at_once >= len(batch):
                return self.engine(batch, progress, self.state.generator)
            return accumulated(self.engine, list(batch.split(at_once)), progress, self.state.generator)

        return self.state.training_portions.attempt(taken, len(batch), self.engine.release)

    def _follow(self) -> None:
        """Let the optimizer follow the gradient."""
        if self.settings.clip_gradient is not None:
            nn.utils.clip_grad_norm_(self.engine.parameters, self.settings.clip_gradient)
        self.optimizer.step()
        self.module.constrain()

    def _refuse(self, ago: int | None, batch: Batch | None) -> None:
        """Stop if the loss of a step was not finite, by how many steps ago that was; ``batch`` is the present one."""
        if ago is None or self.ranks.count > 1:  # ranks stop together, after the epoch
            return
        place = self.state.step + (0 if batch is None else 1) - ago
        where = f"epoch {len(self.state.history) + 1}, batch {place} of {self.steps}"
        if batch is None or ago:
            raise diverged(where, "the loss is not finite", self._reach, self._rate)
        raise diverged(where, seen_in(self.module, batch), float(batch.rows.abs().max()), self._rate)

    def _check(self, epoch: Epoch) -> None:
        """Stop if an epoch left anything that is not finite."""
        where = f"epoch {epoch.epoch}, batch {self.steps} of {self.steps}"
        states = (value for state in self.optimizer.state.values() for value in state.values())
        what = overflowed(self.module, (value for value in states if isinstance(value, Tensor)))
        if what:
            raise diverged(where, what, self._reach, self._rate)
        if not math.isfinite(epoch.loss):
            raise diverged(where, "the loss is not finite", self._reach, self._rate)
        if not math.isfinite(epoch.monitored):
            some = next(self._held_out_batches(self.validation))
            what = seen_in(self.module, some, "loss of the held-out rows")
            raise diverged(f"epoch {epoch.epoch}", what, float(some.rows.abs().max()), self._rate)

    @property
    def _rate(self) -> float:
        return self.optimizer.param_groups[0]["lr"]

    @property
    def _reach(self) -> float:
        return max(abs(self.rows.scaling.low), abs(self.rows.scaling.high))

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
        for batch in self._held_out_batches(self.ranks.share(self.rows.source.pieces, self.validation)):
            measured = partial(self._measured, batch, same_each_epoch)
            for part, clean, corrupted in self.state.validation_portions.attempt(measured, len(batch)):
                totals.add(part, *clean)
                if corrupted is not None:
                    noisy.add(part, *corrupted)
        losses, mse = totals.of_all(self.ranks).means()
        return losses, mse, self.module.reconstruction_loss(noisy.of_all(self.ranks).means()[0])

    def _held_out_batches(self, pieces: NDArray) -> Iterator[Batch]:
        return self.rows.batches(pieces, predictions_size(self.module.schema, self.module.widest))

    def _measured(self, batch: Batch, generator: torch.Generator, at_once: int) -> list[tuple[Batch, Any, Any]]:
        """Give parts of a batch, each with its losses and those when it is corrupted."""
        found = []
        for part in batch.split(at_once):
            clean, corrupted = self._losses(part, self.module.shown(part), generator), None
            if self.module.recipe.corruption is not None:
                corrupted = self._losses(part, self.module.corrupted(part, generator), generator)
            found.append((part, clean, corrupted))
        return found

    def _losses(
        self, batch: Batch, inputs: Tensor, generator: torch.Generator
    ) -> tuple[dict[str, Tensor], Tensor | float]:
        if isinstance(self.engine, Measuring):
            return self.engine.measure(batch, inputs)
        return self.module.losses(batch, inputs, 1.0, generator, training=False)
