"""The state of a run in a folder: written as it goes, locked while it goes, taken up after it was killed.

A checkpoint holds all that the rest of the run depends on: weights, optimizer, random states, the place within the
epoch, history, best weights. A run that is killed and resumed ends with the same bits as one that was not.
"""

from __future__ import annotations

import json
import time
import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from filelock import FileLock, Timeout
from torch import Tensor

from isthmus.callbacks import BestWeights, Watcher
from isthmus.errors import CheckpointWarning, DataError, IsthmusError, ModelFileError, ParameterError
from isthmus.files import OutputExistsError, replaced
from isthmus.hyperparameters import Training
from isthmus.persistence import encoded, record
from isthmus.ranks import ranks
from isthmus.records import Best, Epoch
from isthmus.sources.protocol import fingerprint
from isthmus.state import Totals
from isthmus.tensorfiles import read_tensors, write_tensors
from isthmus.training import Trainer

_KEPT = 2
_KEY = "checkpoint"
_FREE = ("checkpoint", "checkpoint_minutes", "device", "resume", "retries", "verbose")
State = tuple[dict[str, Any], dict[str, Tensor]]


@contextmanager
def checkpointed(settings: Training, random: np.random.RandomState) -> Iterator[Checkpoints | None]:
    """Lock the folder that the settings name and find where to go on; None if they name none.

    Parameters
    ----------
    settings : estimator
        Its ``checkpoint`` and ``resume`` say what is wanted.
    random : RandomState
        The source of chance of the run; a run that goes on gets the state with which the first one began.

    Raises
    ------
    OutputExistsError
        If there are checkpoints and ``resume`` is false.
    ParameterError
        If there is no folder to resume from, or its run had other parameters.
    IsthmusError
        If another run holds the folder, it cannot be written to, or no checkpoint in it can be read.
    """
    if settings.checkpoint is None:
        if settings.resume:
            raise ParameterError("resume=True needs checkpoint, the folder of the run to go on with; got None")
        yield None
        return
    folder = Path(settings.checkpoint)
    with _locked(folder) if ranks().first else nullcontext():
        yield Checkpoints(folder, settings, random)


def _locked(folder: Path) -> AbstractContextManager[Any]:
    """Make a folder this run's own, and clear away what a killed run was writing."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / "lock", timeout=0).acquire()
    except Timeout as error:
        raise IsthmusError(f"checkpoint: another run is using {folder}; take another folder") from error
    except OSError as error:
        message = f"checkpoint: {folder} cannot be written to ({error.strerror}); take another folder"
        raise IsthmusError(message) from error
    for unfinished in folder.glob(".step-*"):
        unfinished.unlink()
    return lock


class Checkpoints(Watcher):
    """Writes the state of a run after each epoch, and within it if the settings say so; the last two stay."""

    def __init__(self, folder: Path, settings: Any, random: np.random.RandomState) -> None:
        self._folder, self._minutes = folder, settings.checkpoint_minutes
        self._parameters = {
            name: encoded(value) for name, value in settings.get_params(deep=False).items() if name not in _FREE
        }
        self._found = self._latest(resume=settings.resume)
        if self._found is not None:
            with _usable(folder):
                self._compare(self._found[0])
                random.set_state(_plain_random(self._found[0]["began_with"]))
        self._began_with = _json_random(random.get_state())
        self._written = time.monotonic()

    def resume(self, trainer: Trainer, best: BestWeights) -> None:
        """Put a run where the checkpoint was, if there is one."""
        self._rows = fingerprint(trainer.rows.source)
        if self._found is None:
            return
        with _usable(self._folder):
            self._take_up(trainer, best, *self._found)
        self._found = None

    def _take_up(self, trainer: Trainer, best: BestWeights, header: dict[str, Any], tensors: dict[str, Tensor]) -> None:
        """Put a run where a checkpoint was."""
        if header["rows"] != self._rows:
            raise DataError(f"the checkpoint in {self._folder} belongs to other rows than X; take another folder")
        state = trainer.state
        state.retried = int(header["retried"])
        trainer.module.load_state_dict(_within(tensors, "module."))
        trainer.optimizer.load_state_dict(_optimizer_state(header["optimizer"], _within(tensors, "optimizer.")))
        generators = tensors["generators"]
        if len(generators) != trainer.ranks.count:
            raise IsthmusError(
                f"the checkpoint in {self._folder} was made by {len(generators)} processes and goes on with as many "
                f"only; got {trainer.ranks.count}"
            )
        state.generator.set_state(generators[trainer.ranks.rank].clone())
        state.shuffler.set_state(_plain_random(header["shuffler"]))
        state.history[:] = [record(Epoch, epoch) for epoch in header["history"]]
        state.step, device = int(header["step"]), state.generator.device
        state.totals = Totals(**header["totals"])
        weights = {name: value.to(device) for name, value in _within(tensors, "best.").items()}
        state.best = Best(float(header["best_loss"]), int(header["best_epoch"]), weights)
        state.stopped = bool(state.history) and best.stops(trainer)

    def batch_ended(self, trainer: Trainer, rows: int) -> None:
        """Write within an epoch if it is time; several processes meet at the end of it only."""
        if self._minutes is None or trainer.ranks.count > 1:
            return
        if time.monotonic() - self._written >= 60 * self._minutes:
            self._write(trainer)

    def epoch_ended(self, trainer: Trainer, epoch: Epoch) -> bool:
        """Write after an epoch."""
        self._write(trainer)
        return False

    def _write(self, trainer: Trainer) -> None:
        """Write a checkpoint; where that fails the run goes on, and the ones before stay."""
        self._written = time.monotonic()
        try:
            self._write_file(trainer)
        except OSError as error:
            message = f"a checkpoint could not be written, but the run goes on and the ones before stay: {error}"
            warnings.warn(message, CheckpointWarning, stacklevel=6)

    def _write_file(self, trainer: Trainer) -> None:
        state, best = trainer.state, trainer.state.best
        generators = torch.stack(trainer.ranks.gathered(state.generator.get_state()))
        if not trainer.ranks.first:
            return
        groups, tensors = _flat_optimizer(trainer.optimizer.state_dict())
        tensors |= {f"module.{name}": value for name, value in trainer.module.state_dict().items()}
        tensors |= {f"best.{name}": value for name, value in best.weights.items()}
        tensors["generators"] = generators
        header = {
            "parameters": self._parameters,
            "rows": self._rows,
            "began_with": self._began_with,
            "shuffler": _json_random(state.epoch_began_with if state.step else state.shuffler.get_state()),
            "optimizer": groups,
            "step": state.step,
            "retried": state.retried,
            "totals": asdict(state.totals.plain()),
            "history": [asdict(epoch) for epoch in state.history],
            "best_loss": best.loss,
            "best_epoch": best.epoch,
        }
        steps = len(state.history) * trainer.steps + state.step
        with replaced(self._folder / f"step-{steps:010d}.safetensors", overwrite=True) as temporary:
            write_tensors(temporary, _KEY, header, tensors)
        for old in self._files()[:-_KEPT]:
            old.unlink()

    def _files(self) -> list[Path]:
        return sorted(self._folder.glob("step-*.safetensors"))

    def _latest(self, *, resume: bool) -> State | None:
        """Read the last checkpoint that can be read."""
        files = self._files()
        if files and not resume:
            raise OutputExistsError(
                f"checkpoint: {self._folder} holds a run; pass resume=True to go on with it, or another folder"
            )
        for file in reversed(files):
            try:
                return _read(file)
            except ModelFileError as error:
                warnings.warn(f"{error}; the one before is taken", CheckpointWarning, stacklevel=5)
        if files:
            raise ModelFileError(f"checkpoint: none of the {len(files)} files in {self._folder} can be read")
        return None

    def _compare(self, header: dict[str, Any]) -> None:
        """Refuse a checkpoint of a model with other parameters."""
        saved = header["parameters"]
        for name, value in json.loads(json.dumps(self._parameters)).items():
            if saved.get(name) != value:
                raise ParameterError(
                    f"{name}: the checkpoint in {self._folder} was made with {saved.get(name)!r}; got {value!r}; "
                    "pass the same value, or another folder"
                )


def _read(file: Path) -> State:
    try:
        return read_tensors(file, _KEY)
    except ModelFileError as error:
        raise ModelFileError(f"the checkpoint {file} is damaged ({error})") from error


@contextmanager
def _usable(folder: Path) -> Iterator[None]:
    """Turn what goes wrong with the contents of a checkpoint into one sentence."""
    try:
        yield
    except IsthmusError:
        raise
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RuntimeError) as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise ModelFileError(f"the checkpoint in {folder} is no state of this run ({reason}); delete it") from error


def _within(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def _json_random(state: Any) -> list[Any]:
    name, keys, *others = state
    return [name, keys.tolist(), *others]


def _plain_random(state: list[Any]) -> Any:
    name, keys, *others = state
    return (name, np.array(keys, dtype=np.uint32), *others)


def _flat_optimizer(state: dict[str, Any]) -> tuple[list[dict[str, Any]], dict[str, Tensor]]:
    """Give the settings of an optimizer's groups as plain values, and its tensors by name."""
    tensors = {
        f"optimizer.{place}.{name}": torch.as_tensor(value)
        for place, values in state["state"].items()
        for name, value in values.items()
        if value is not None
    }
    return state["param_groups"], tensors


def _optimizer_state(groups: list[dict[str, Any]], tensors: dict[str, Tensor]) -> dict[str, Any]:
    state: dict[int, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        place, _, own = name.partition(".")
        state.setdefault(int(place), {})[own] = value
    return {"state": state, "param_groups": groups}
