"""What watches a training run: progress, the best weights, early stopping, scikit-learn's callbacks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

from isthmus.records import Epoch

if TYPE_CHECKING:
    from isthmus.training import Trainer


class Callback(Protocol):
    """Watches a run; every method gets the trainer."""

    def begin(self, trainer: Trainer) -> None:
        """Called once before the first epoch."""

    def noted(self, trainer: Trainer, text: str) -> None:
        """Called when something is done that takes long."""

    def epoch_began(self, trainer: Trainer) -> None:
        """Called before each epoch."""

    def batch_ended(self, trainer: Trainer, rows: int) -> None:
        """Called after each training step with its number of rows."""

    def epoch_ended(self, trainer: Trainer, epoch: Epoch) -> bool:
        """Called after each epoch; True stops the run."""

    def end(self, trainer: Trainer) -> None:
        """Called once at the end, also of a run that was interrupted."""


class Watcher:
    """A callback that does nothing; others override what they need."""

    def begin(self, trainer: Trainer) -> None:
        """Do nothing."""

    def noted(self, trainer: Trainer, text: str) -> None:
        """Do nothing."""

    def epoch_began(self, trainer: Trainer) -> None:
        """Do nothing."""

    def batch_ended(self, trainer: Trainer, rows: int) -> None:
        """Do nothing."""

    def epoch_ended(self, trainer: Trainer, epoch: Epoch) -> bool:
        """Go on."""
        return False

    def end(self, trainer: Trainer) -> None:
        """Do nothing."""


class BestWeights(Watcher):
    """Keeps the weights of the epoch with the lowest held-out loss and puts them back at the end.

    Without held-out rows the last weights stay, unless the run diverged: then the epoch with the lowest loss counts.
    With ``patience`` it stops the run after that many epochs without a better loss.
    """

    def __init__(self, patience: int | None) -> None:
        self.patience = patience

    def begin(self, trainer: Trainer) -> None:
        """Keep the first weights for a run that diverges at once."""
        if not trainer.state.best.weights:
            trainer.state.best.weights = _copies(trainer)

    def epoch_ended(self, trainer: Trainer, epoch: Epoch) -> bool:
        """Keep the weights if they are the best so far."""
        best = trainer.state.best
        if epoch.monitored < best.loss:
            best.loss, best.epoch, best.weights = epoch.monitored, epoch.epoch, _copies(trainer)
        return self.stops(trainer)

    def stops(self, trainer: Trainer) -> bool:
        """Whether the run has to end, because no better epoch came for too long."""
        return self.patience is not None and len(trainer.state.history) - trainer.state.best.epoch >= self.patience

    def end(self, trainer: Trainer) -> None:
        """Put the best weights back."""
        if trainer.state.best.epoch and (len(trainer.validation) or trainer.diverged is not None):
            trainer.module.load_state_dict(trainer.state.best.weights)
        trainer.state.best.weights = {}


def _copies(trainer: Trainer) -> dict[str, Any]:
    return {name: value.clone() for name, value in trainer.module.state_dict().items()}


class Progress(Watcher):
    """A progress bar: epoch, losses, rows per second, time left."""

    def __init__(self) -> None:
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

        self._bar = Progress(
            TextColumn("epoch {task.fields[epoch]}"),
            BarColumn(),
            TextColumn("{task.fields[losses]}"),
            TextColumn("{task.fields[speed]}"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
        )

    def begin(self, trainer: Trainer) -> None:
        """Show the bar."""
        self._epochs = trainer.epochs
        self._bar.start()
        self._task = self._bar.add_task(
            "fit",
            total=trainer.epochs * trainer.n_training,
            epoch=f"1/{trainer.epochs}",
            losses="",
            speed="",
        )

    def noted(self, trainer: Trainer, text: str) -> None:
        """Show the text above the bar."""
        self._bar.console.print(text)

    def batch_ended(self, trainer: Trainer, rows: int) -> None:
        """Move the bar."""
        done = len(trainer.state.history) * trainer.n_training
        self._bar.update(self._task, completed=done + trainer.state.step * int(trainer.settings.batch_size))

    def epoch_ended(self, trainer: Trainer, epoch: Epoch) -> bool:
        """Show the losses of the epoch."""
        losses = f"loss {epoch.loss:.5g}"
        if epoch.validation_loss is not None:
            losses += f"  held-out {epoch.validation_loss:.5g}"
        speed = f"{trainer.n_training / epoch.seconds:,.0f} rows/s"
        self._bar.update(self._task, epoch=f"{epoch.epoch}/{self._epochs}", losses=losses, speed=speed)
        return False

    def end(self, trainer: Trainer) -> None:
        """Leave the bar as it is."""
        self._bar.stop()


class ScikitLearnCallbacks(Watcher):
    """Hands the epochs on to the callbacks that were set with ``set_callbacks``.

    scikit-learn's callback interface is experimental: all its calls but the one that opens a fit are here.
    """

    def __init__(self, estimator: Any, X: Any, y: Any) -> None:
        self._estimator, self._X, self._y = estimator, X, y

    def begin(self, trainer: Trainer) -> None:
        """Open the task of the whole fit."""
        self._fit = self._estimator._init_callback_context(max_subtasks=trainer.epochs)
        self._fit.call_on_fit_task_begin(estimator=self._estimator, X=self._X, y=self._y)

    def epoch_began(self, trainer: Trainer) -> None:
        """Open the task of an epoch."""
        self._epoch = self._fit.subcontext(task_name="epoch")
        self._epoch.call_on_fit_task_begin(estimator=self._estimator, X=self._X, y=self._y)

    def epoch_ended(self, trainer: Trainer, epoch: Epoch) -> bool:
        """Close the task of the epoch, with a model that is ready for use; a callback may stop the run."""
        fitted = {"module_": trainer.module, "scaling_": trainer.rows.scaling}
        return bool(
            self._epoch.call_on_fit_task_end(
                estimator=self._estimator, X=self._X, y=self._y, reconstruction_attributes=lambda: fitted
            )
        )

    def end(self, trainer: Trainer) -> None:
        """Close the task of the whole fit."""
        fitted = {"module_": trainer.module, "scaling_": trainer.rows.scaling}
        self._fit.call_on_fit_task_end(
            estimator=self._estimator, X=self._X, y=self._y, reconstruction_attributes=lambda: fitted
        )


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
