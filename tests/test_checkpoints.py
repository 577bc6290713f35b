"""Checkpoints: a run that was killed and resumed ends with the bits of one that was not."""

import random
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

import isthmus
from isthmus.callbacks import Watcher
from isthmus.checkpoints import Checkpoints
from isthmus.datasets import load_digits
from isthmus.errors import (
    CheckpointWarning,
    DataError,
    DivergedError,
    IsthmusError,
    ModelFileError,
    ParameterError,
)

X = load_digits()[0][:300].reshape(300, -1)
OFTEN = 1e-9
MODELS = {
    "adam": isthmus.DenseAutoencoder(4, hidden=(16,), max_epochs=4, random_state=0),
    "adadelta": isthmus.DenseAutoencoder(4, hidden=(16,), max_epochs=4, optimizer="adadelta", random_state=0),
    "rmsprop": isthmus.DenseAutoencoder(4, hidden=(16,), max_epochs=4, optimizer="rmsprop", random_state=0),
    "sgd": isthmus.DenseAutoencoder(4, hidden=(16,), max_epochs=4, optimizer="sgd", random_state=0),
    "noise": isthmus.DenoisingAutoencoder(4, hidden=(16, 8), pretrain=True, max_epochs=4, random_state=0),
    "draws": isthmus.VariationalAutoencoder(4, hidden=(16,), beta=0.01, warmup=0.5, max_epochs=4, random_state=0),
    "retries": isthmus.DenseAutoencoder(
        4, hidden=(16,), max_epochs=4, optimizer="sgd", learning_rate=0.3, scaling="standard", retries=4, random_state=0
    ),
    "patience": isthmus.DenseAutoencoder(
        4, hidden=(16,), max_epochs=40, patience=1, learning_rate=0.1, schedule="constant", random_state=0
    ),
}


class Killed(BaseException):
    """Ends a run where it stands."""


def made(name, **changes):
    return clone(MODELS[name]).set_params(**changes)


def fit_until(writes, model, monkeypatch):
    """Fit and end the run at some write; what was written stays."""
    write, counted = Checkpoints._write, []

    def counting(self, trainer):
        write(self, trainer)
        counted.append(1)
        if len(counted) == writes:
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(Checkpoints, "_write", counting)
        with pytest.raises(Killed):
            model.fit(X)


def assert_same_run(one, two):
    for name, value in one.module_.state_dict().items():
        np.testing.assert_array_equal(value.numpy(), two.module_.state_dict()[name].numpy(), err_msg=name)
    assert [replace(epoch, seconds=0.0) for epoch in one.history_] == [
        replace(epoch, seconds=0.0) for epoch in two.history_
    ]


@pytest.mark.filterwarnings("ignore:training diverged in epoch 1")
@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("writes", [1, 3, 7, 12])
def test_a_run_that_was_ended_anywhere_goes_on_to_the_same_bits(name, writes, tmp_path, monkeypatch):
    whole = made(name).fit(X)
    changes = {"checkpoint": tmp_path / "run", "checkpoint_minutes": OFTEN, "resume": True}
    fit_until(writes, made(name, **changes), monkeypatch)
    assert_same_run(whole, made(name, **changes).fit(X))


def test_a_seed_that_was_drawn_is_drawn_again(tmp_path, monkeypatch):
    changes = {"checkpoint": tmp_path, "resume": True, "random_state": None}
    fit_until(4, made("adam", **changes), monkeypatch)
    one, two = (made("adam", **changes).fit(X) for _ in range(2))
    np.testing.assert_array_equal(one.held_out_, two.held_out_)
    assert_same_run(one, two)


def test_the_last_two_checkpoints_stay(tmp_path):
    made("adam", checkpoint=tmp_path).fit(X)
    assert len(list(tmp_path.glob("step-*"))) == 2


def test_a_damaged_checkpoint_falls_back_to_the_one_before(tmp_path):
    whole = made("adam", checkpoint=tmp_path).fit(X)
    files = sorted(tmp_path.glob("step-*"))
    files[1].write_bytes(files[1].read_bytes()[:-100])
    with pytest.warns(CheckpointWarning, match=files[1].name):
        assert_same_run(whole, made("adam", checkpoint=tmp_path, resume=True).fit(X))


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    folder = tmp_path_factory.mktemp("checkpoint")
    made("adam", checkpoint=folder, max_epochs=1).fit(X)
    return next(folder.glob("step-*"))


def test_what_a_killed_run_was_writing_is_cleared_away(tmp_path):
    (tmp_path / ".step-0000000001-abc.safetensors").write_bytes(b"half")
    made("adam", checkpoint=tmp_path).fit(X)
    assert sorted(path.name[:4] for path in tmp_path.iterdir()) == ["lock", "step", "step"]


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(IsthmusError, match=r"checkpoint: .*file/run cannot be written to"):
        made("adam", checkpoint=tmp_path / "file" / "run").fit(X)


def test_a_checkpoint_that_cannot_be_written_does_not_end_the_run(tmp_path):
    class Removing(Watcher):
        def epoch_began(self, trainer):
            if len(trainer.state.history) == 2:
                shutil.rmtree(tmp_path / "run")

    model = made("adam", checkpoint=tmp_path / "run")
    callbacks = model._callbacks
    model._callbacks = lambda *arguments: [*callbacks(*arguments), Removing()]
    with pytest.warns(CheckpointWarning, match="the run goes on"):
        model.fit(X)
    assert_same_run(made("adam").fit(X), model)


def test_retries_may_be_added_to_a_run_that_diverged(tmp_path):
    changes = {"checkpoint": tmp_path, "learning_rate": 0.2, "scaling": "standard", "max_epochs": 6}
    changes |= {"batch_size": 300, "schedule": "constant"}
    with pytest.raises(DivergedError):
        made("sgd", **changes).fit(X)
    with pytest.warns(ConvergenceWarning, match="best weights so far with learning_rate=0.02"):
        resumed = made("sgd", **changes, resume=True, retries=1).fit(X)
    assert resumed.n_iter_ == 6


def test_nothing_but_damaged_checkpoints_is_an_error(tmp_path):
    (tmp_path / "step-0000000001.safetensors").write_bytes(b"nothing")
    with pytest.warns(CheckpointWarning), pytest.raises(ModelFileError, match="none of the 1 files"):
        made("adam", checkpoint=tmp_path, resume=True).fit(X)


def test_a_run_is_not_overwritten_unless_asked(tmp_path):
    made("adam", checkpoint=tmp_path).fit(X)
    with pytest.raises(FileExistsError, match="resume=True"):
        made("adam", checkpoint=tmp_path).fit(X)


@pytest.mark.parametrize(("name", "value"), [("learning_rate", 0.1), ("max_epochs", 9), ("hidden", (8,))])
def test_a_checkpoint_of_other_parameters_is_refused(name, value, tmp_path):
    made("adam", checkpoint=tmp_path).fit(X)
    with pytest.raises(ParameterError, match=name):
        made("adam", checkpoint=tmp_path, resume=True, **{name: value}).fit(X)


def test_a_checkpoint_of_other_rows_is_refused(tmp_path):
    made("adam", checkpoint=tmp_path).fit(X)
    with pytest.raises(DataError, match="other rows"):
        made("adam", checkpoint=tmp_path, resume=True).fit(255 - X)


def test_two_runs_cannot_share_a_folder(tmp_path):
    process = subprocess.Popen([sys.executable, "-c", PROGRAM, tmp_path])
    try:
        _wait_for_a_new_file(tmp_path, process)
        with pytest.raises(IsthmusError, match="another run"):
            made("adam", checkpoint=tmp_path).fit(X)
    finally:
        process.kill()
        process.wait()


def test_resuming_needs_a_folder():
    with pytest.raises(ParameterError, match="checkpoint"):
        made("adam", resume=True).fit(X)


def test_an_exact_solution_is_found_anew(tmp_path):
    fits = [isthmus.LinearAutoencoder(3, checkpoint=tmp_path, resume=True).fit(X) for _ in range(2)]
    np.testing.assert_array_equal(fits[0].components_, fits[1].components_)
    assert fits[1].n_iter_ == 1


PROGRAM = """
import sys, isthmus
X = isthmus.datasets.load_digits()[0]
settings = {"max_epochs": 100_000, "checkpoint": sys.argv[1], "checkpoint_minutes": 0.001}
isthmus.DenoisingAutoencoder(8, random_state=0, **settings).fit(X)
"""


def command(folder):
    options = {"model": "denoising", "code-size": 8, "max-epochs": 20, "random-state": 0, "checkpoint-minutes": 0.001}
    given = [f"--{name}={value}" for name, value in options.items()]
    paths = [f"--checkpoint={folder}", "--resume", f"--out={folder}-out", "--overwrite"]
    return [sys.executable, "-m", "isthmus", "train", "digits", *given, *paths]


@pytest.mark.parametrize("kills", [1, pytest.param(20, marks=pytest.mark.slow)])
def test_a_command_that_is_killed_and_given_again_ends_with_the_same_bits(kills, tmp_path):
    chance, killed = random.Random(kills), 0
    for _ in range(3 * kills):
        process = subprocess.Popen(command(tmp_path / "cut"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        _wait_for_a_new_file(tmp_path / "cut", process)
        time.sleep(chance.uniform(0.0, 0.3))
        process.kill()
        killed += process.wait() == -signal.SIGKILL
        if killed == kills:
            break
    assert killed
    for name in ("whole", "cut"):
        subprocess.run(command(tmp_path / name), check=True, capture_output=True)
    whole, cut = (isthmus.load(tmp_path / f"{name}-out" / "model.safetensors") for name in ("whole", "cut"))
    assert_same_run(whole, cut)


def _wait_for_a_new_file(folder: Path, process: subprocess.Popen) -> None:
    before = set(folder.glob("step-*"))
    deadline = time.monotonic() + 300
    while set(folder.glob("step-*")) <= before and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
