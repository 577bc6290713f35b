"""Rows outside memory, shuffled in blocks, train as well as rows in memory."""

import numpy as np
import pytest

import isthmus

PIECE, BUFFER = 2**9, 2**16
SETTINGS = {"code_size": 2, "hidden": (16,), "max_epochs": 12, "batch_size": 32, "validation_fraction": 0.0}


def sorted_rows(n, seed):
    """Give a curve in 20 columns, in the order of its parameter: neighbours are alike, the ends are not."""
    random = np.random.RandomState(seed)
    place = np.sort(random.rand(n, 1), axis=0)
    waves = np.sin(place * np.linspace(1, 9, 20)) + np.linspace(-1, 1, 20) * place
    return (waves + 0.05 * random.standard_normal(waves.shape)).astype(np.float32)


@pytest.fixture
def on_disk(monkeypatch):
    """Keep little in memory: a piece is a few rows, and a buffer holds 128 pieces, as it does of large files."""
    monkeypatch.setattr("isthmus.sources.arrays.RESIDENT_BYTES", 0)
    monkeypatch.setattr("isthmus.sources.arrays.PIECE_BYTES", PIECE)
    monkeypatch.setattr("isthmus.sources.shuffling.BUFFER_BYTES", BUFFER)


def errors(source, rows):
    """Give the held-out errors of three fits."""
    models = [isthmus.DenseAutoencoder(**SETTINGS, random_state=seed).fit(source) for seed in range(3)]
    return np.array([model.reconstruction_error(rows).mean() for model in models])


def test_sorted_rows_on_disk_train_as_well_as_rows_in_memory(on_disk, tmp_path, monkeypatch):
    train, test = sorted_rows(6_000, 0), sorted_rows(1_000, 1)
    np.save(tmp_path / "rows.npy", train)
    mapped = np.load(tmp_path / "rows.npy", mmap_mode="r")
    in_memory = errors(train, test).mean()
    assert errors(mapped, test).mean() < 1.08 * in_memory
    monkeypatch.setattr("isthmus.sources.shuffling.BUFFER_BYTES", PIECE)
    assert errors(mapped, test).mean() > 1.1 * in_memory, "any order trains as well: the test shows nothing"
