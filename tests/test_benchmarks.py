"""The short forms of the benchmarks whose tables are promises, and what the long ones are made of."""

import math
import sys

import numpy as np
import pytest
from benchmarks import faults, growth, memory
from benchmarks.page import put, table
from benchmarks.speed import environments, goals, measure, page, works
from benchmarks.speed.contestants import CONTESTANTS, environment_of
from benchmarks.speed.peers import floor

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="memory and disks are looked at as on Linux")


def test_data_larger_than_what_is_kept_are_read_once_an_epoch_in_bounded_memory(tmp_path):
    found = memory.measured("memory map", 300, tmp_path)
    assert found["peak"] < memory.BOUND
    assert found["encode_peak"] < memory.BOUND
    assert 1.9 < found["passes"] < 2.5  # for the scaling, for the epoch, and some rows to look at
    assert list(tmp_path.iterdir()) == []


def test_faults_end_as_promised():
    found = list(faults.faults(short=True))
    assert [fault.name for fault in found if not fault.held] == []
    assert len(found) >= 5


def test_a_table_takes_the_place_of_the_one_before(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("# A\n<!-- one -->\n<!-- /one -->\nrest\n")
    put(page, "one", "old")
    put(page, "one", table(("a", "b"), [(1, "x")]))
    assert page.read_text() == "# A\n<!-- one -->\n| a | b |\n| --- | --- |\n| 1 | x |\n<!-- /one -->\nrest\n"


def timed(seconds):
    """What a run keeps of one contestant that was measured twice."""
    one = {"import": 1.0, "first": 0.5, "epoch": {"64": seconds}, "timed": {"64": 12_800}, "peak": 5e8, "encode": 0.1}
    return [one | {"python": "3.11", "versions": "a 1"}, one | {"python": "3.11", "versions": "a 1"}]


def test_the_page_of_speed_tells_ratios_to_isthmus_and_which_goals_are_held():
    peers = {"isthmus": timed(2.0), "keras-jax": timed(3.0), "floor": timed(1.0)}
    waits = {
        "isthmus": [{"seconds": 5.0, "error": 0.01, "epochs": 3, "reached": True}],
        "keras-jax": [{"seconds": 90.0, "error": 0.02, "epochs": 9, "reached": False}],
    }
    found = {
        **{"machine": "a machine", "batches": [64], "left_out": {"encdr": "no Python"}},
        **{"speed": {"dense": peers}, "to_error": {"dense": waits}},
    }
    text = page.text(found)
    assert "| Keras on JAX | 1 s | 0.5 s | 3 s * | 1.50 | 0.0200 after 90 s | 100,000 | 500 MB |" in text
    assert "| dense: epoch of Isthmus / Keras on JAX | at most 1 x | 0.667 x | yes |" in text
    assert "| dense: epoch of Isthmus / the matrix products alone | at most 1.6 x | 2 x | **no** |" in text
    assert "- encdr: left out: no Python" in text
    assert math.isinf(goals.lead(found, "dense"))
    assert math.isnan(goals.lead(found, "convolutional"))


def test_a_watch_times_epochs_and_says_when_it_has_seen_enough():
    watch = measure.Watch.of(2)
    work = works.Work("", "dense", 30, (16, 4))
    floor.Peer(work, 4).train(np.zeros((8, 30), dtype=np.float32), watch)
    assert len(watch.seconds) == 2


def test_the_floor_counts_the_products_of_each_layer():
    peer = floor.Peer(works.Work("", "variational", 30, (16, 4)), 4)
    assert [tuple(weight.shape) for weight in peer._weights] == [(16, 30), (8, 16), (16, 4), (30, 16)]


def test_rows_are_read_as_their_users_hold_them(tmp_path, monkeypatch):
    monkeypatch.setattr(works, "TABLE_ROWS", 100)
    images = np.arange(60_000, dtype=np.uint8).reshape(-1, 1, 1)
    works.write(tmp_path, images, images[:3])
    learned, held_out = works.read(tmp_path, "training.npy"), works.read(tmp_path, "held_out.npy")
    assert (learned.shape, held_out.shape) == ((54_000, 1), (6_000, 1))
    assert learned.max() == held_out.max() == 1
    assert works.read(tmp_path, "table.npy").shape == (100, works.TABLE_COLUMNS)


def test_an_environment_that_wants_a_newer_python_than_there_is_says_so(monkeypatch):
    assert environments.interpreter_for("# a\n").startswith(sys.base_prefix)
    monkeypatch.setattr(environments, "other_pythons", lambda least: iter(()))
    with pytest.raises(environments.NotInstallableError, match=r"Python 3.99 is wanted"):
        environments.interpreter_for("# a; python>=3.99\n")


def test_peers_choose_their_own_numbers_of_threads(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    assert "OMP_NUM_THREADS" not in environment_of(CONTESTANTS["keras-jax"], 0)
    assert environment_of(CONTESTANTS["keras-jax"], 1)["OMP_NUM_THREADS"] == "1"
    assert environment_of(CONTESTANTS["keras-jax"], 0)["KERAS_BACKEND"] == "jax"


def test_growth_measures_a_fit_of_a_memory_map(tmp_path):
    size = growth.Size(2_000, epochs=3, mapped=True)
    path = tmp_path / "rows.npy"
    growth.write(path, size)
    assert np.load(path).shape == (2_000, 8)
    found = growth.measure(str(path), size)
    assert 0 < found["epoch"] <= found["fit"]
    assert len(growth.line(size, found)) == len(growth.HEADS)
