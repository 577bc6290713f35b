"""Several processes train one model: as one process would, from their own rows, and all of them stop if one is lost.

Run by torchrun, this file is the program of one rank.
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import isthmus
from conftest import waves
from isthmus.errors import ParameterError
from isthmus.ranks import Ranks, joined, launched, ranks
from isthmus.sources import Order
from isthmus.sources.arrays import SlicedRows
from isthmus.sources.protocol import Pieces

TORCHRUN = (sys.executable, "-m", "torch.distributed.run", "--nproc-per-node")
QUICK = {"max_epochs": 3, "learning_rate": 1e-3, "random_state": 0, "device": "cpu"}


def table():
    return np.concatenate([waves(101, 12), 5 + 3 * waves(100, 12)]).astype(np.float32)


def holes():
    rows = table()
    rows[np.random.RandomState(1).random_sample(rows.shape) < 0.2] = np.nan
    return rows


ROWS_OUTSIDE = 201_000
WEIGHTS = np.linspace(0, 2, 201)
FITS = {
    "dense": lambda: isthmus.DenseAutoencoder(3, hidden=(8,), batch_size=13, **QUICK).fit(table()),
    "autograd": lambda: isthmus.DenseAutoencoder(3, hidden=(8,), activation="elu", **QUICK).fit(table()),
    "holes": lambda: isthmus.DenseAutoencoder(3, hidden=(8,), batch_size=32, **QUICK).fit(holes()),
    "weights": lambda: isthmus.DenseAutoencoder(3, hidden=(8,), batch_size=32, **QUICK).fit(
        table(), sample_weight=WEIGHTS
    ),
    "convolutional": lambda: isthmus.ConvolutionalAutoencoder(channels=(4, 1), batch_size=20, **QUICK).fit(
        table()[:, :9].reshape(-1, 3, 3)
    ),
    "exact": lambda: isthmus.LinearAutoencoder(3).fit(table()),
    "gradient": lambda: isthmus.LinearAutoencoder(3, solver="gradient", **QUICK).fit(table()),
}


class Watched(SlicedRows):
    """Rows outside memory that count how often they are read."""

    rows_read = 0

    def read(self, pieces, multiple=1):
        for block in super().read(pieces, multiple):
            self.rows_read += len(block)
            yield block


def program(folder):
    """What each rank runs: the fits; one with noise; one on pieces, of which each rank reads its own."""
    with joined() as group:
        for name, fit in FITS.items():
            model = fit()
            if group.first:
                model.save(folder / f"{name}.safetensors")
        noisy = isthmus.DenoisingAutoencoder(2, hidden=(4,), max_epochs=2, device="cpu").fit(table())
        weights = [parameter.detach().numpy().tobytes() for parameter in noisy.module_.parameters()]
        assert len(set(group.gathered(b"".join(weights)))) == 1, "the ranks have different weights"
        read = [group.gathered(rows_read_in(epochs)) for epochs in (1, 3)]
        in_two_epochs = np.subtract(*reversed(read))
        assert in_two_epochs.sum() == 2 * ROWS_OUTSIDE, f"an epoch reads each row once; in two: {in_two_epochs}"
        assert in_two_epochs.min() > 0.7 * ROWS_OUTSIDE, f"the ranks read unequal shares: {in_two_epochs}"


def rows_read_in(epochs):
    """Fit rows outside memory and count how often this rank has read one."""
    rows = Watched(np.tile(table(), (ROWS_OUTSIDE // 201, 1)))
    settings = {"batch_size": 4096, "validation_fraction": 0, "device": "cpu", "scaling": "standard"}
    isthmus.DenseAutoencoder(2, hidden=(4,), max_epochs=epochs, **settings).fit(rows)
    return rows.rows_read


def launch(*arguments, **settings):
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}
    return subprocess.Popen(
        [*TORCHRUN, "2", *map(str, arguments)], env=environment, stderr=subprocess.PIPE, text=True, **settings
    )


@pytest.fixture(scope="module")
def together(tmp_path_factory):
    folder = tmp_path_factory.mktemp("together")
    run = launch(__file__, folder)
    _, errors = run.communicate(timeout=300)
    assert run.returncode == 0, errors
    return folder


@pytest.mark.parametrize("name", FITS)
def test_two_processes_give_what_one_gives(together, name):
    alone, shared = FITS[name](), isthmus.load(together / f"{name}.safetensors")
    X = table()[:, :9].reshape(-1, 3, 3) if name == "convolutional" else table()
    np.testing.assert_allclose(shared.reconstruct(X), alone.reconstruct(X), rtol=1e-3, atol=1e-3)
    for one, two in zip(alone.history_, shared.history_, strict=True):
        assert two.loss == pytest.approx(one.loss, rel=1e-3)
        assert two.monitored == pytest.approx(one.monitored, rel=1e-3)


# ---------------------------------------------------------------- shares


@settings(max_examples=50, deadline=None)
@given(rows=st.integers(0, 60), batch=st.integers(1, 20), count=st.integers(1, 5), seed=st.integers(0, 9))
def test_shares_of_rows_make_up_each_batch(rows, batch, count, seed):
    batch = max(batch, count)
    order = np.random.RandomState(seed).permutation(rows)
    shares = [Ranks(rank, count).batches(Pieces(rows), Order(order), batch) for rank in range(count)]
    starts = [0] * count
    for step in range(-(-rows // batch)):
        whole = order[step * batch : (step + 1) * batch]
        parts = []
        for rank, (own, size, steps) in enumerate(shares):
            assert steps == -(-rows // batch)
            parts.append(own.pieces[starts[rank] : starts[rank] + size])
            starts[rank] += len(parts[-1])
        assert sorted(np.concatenate(parts)) == sorted(whole)
    assert starts == [len(own.pieces) for own, *_ in shares]


@settings(max_examples=50, deadline=None)
@given(sizes=st.lists(st.integers(1, 9), min_size=1, max_size=30), count=st.integers(1, 5))
def test_shares_of_pieces_are_all_pieces_once_and_about_equal(sizes, count):
    cut, pieces = Pieces(len(sizes), np.array(sizes)), np.random.RandomState(0).permutation(len(sizes))
    shares = [Ranks(rank, count).share(cut, pieces) for rank in range(count)]
    assert np.concatenate(shares).tolist() == pieces.tolist()
    rows = [cut.rows(share) for share in shares]
    assert max(rows) - min(rows) <= 2 * max(sizes)
    steps = {Ranks(rank, count).batches(cut, Order(pieces, 0), 10)[2] for rank in range(count)}
    assert len(steps) == 1
    sizes_of_batches = [Ranks(rank, count).batches(cut, Order(pieces, 0), 10)[1] for rank in range(count)]
    assert sum(sizes_of_batches) == 10
    assert max(-(-own // size) for own, size in zip(rows, sizes_of_batches, strict=True)) <= steps.pop()


def test_a_batch_has_a_row_for_each_process():
    with pytest.raises(ParameterError, match="batch_size must be at least the number of processes, 3; got 2"):
        Ranks(0, 3).batches(Pieces(9), Order(np.arange(9)), 2)


def test_one_process_is_alone():
    assert ranks() == Ranks(0, 1)
    assert not launched()
    with joined() as group:
        assert group == Ranks(0, 1)
    assert group.gathered(1) == [1]
    assert group.agreed(2) == 2


# ---------------------------------------------------------------- the command line, and a process that is lost


def train(folder, *flags):
    flags = ("--max-epochs", "100", "--hidden", "8", "--code-size", "2", "--random-state", "0", "--no-verbose", *flags)
    return ("-m", "isthmus", "train", "digits", *flags, "--out", folder / "out", "--checkpoint", folder / "run")


def ranks_of(run):
    """Give the processes that torchrun has started, by their parent."""
    found = []
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            lines = status.read_text().splitlines()
        except OSError:
            continue
        if f"PPid:\t{run.pid}" in lines:
            found.append(int(status.parent.name))
    return found


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc to find the processes")
def test_all_stop_if_one_is_killed_and_the_run_is_resumed(tmp_path):
    run = launch(*train(tmp_path))
    deadline = time.monotonic() + 120
    while len(list((tmp_path / "run").glob("step-*"))) < 2:
        assert run.poll() is None, run.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.05)
    os.kill(max(ranks_of(run)), signal.SIGKILL)
    _, errors = run.communicate(timeout=120)
    assert run.returncode != 0
    assert "another process of this run has ended" in errors or "SIGTERM" in errors or "SIGKILL" in errors
    assert not (tmp_path / "out").exists()
    run = launch(*train(tmp_path, "--resume"), stdout=subprocess.PIPE)
    shown, errors = run.communicate(timeout=240)
    assert run.returncode == 0, errors
    assert shown.count("variance explained") == 1
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert metrics["epochs"] == 100


if __name__ == "__main__":
    program(Path(sys.argv[1]))
