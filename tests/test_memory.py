"""What does not fit into memory is done in smaller portions."""

import json
import subprocess
import sys

import numpy as np
import pytest

from isthmus.errors import HalvedBatchWarning, NotEnoughMemoryError
from isthmus.memory import Portions, collected, portioned

LIMITED = """
import json, resource, sys, warnings
import numpy as np, isthmus
cls = isthmus.DenseAutoencoder
X = np.random.default_rng(0).random((4096, 20), dtype=np.float32)
settings = {"hidden": (1024,), "batch_size": 4096}
settings |= {"max_epochs": 2, "random_state": 0, "validation_fraction": 0.0}
free = cls(2, **settings).fit(X)
codes = free.transform(X)

def limited(work):
    used = int(open("/proc/self/statm").read().split()[0]) * 4096
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (used + 10 * 2**20, before[1]))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        answer = work()
    resource.setrlimit(resource.RLIMIT_AS, before)
    return answer, [str(one.message) for one in caught if "Halved" in one.category.__name__]

model, in_training = limited(lambda: cls(2, **settings).fit(X))
many, in_prediction = limited(lambda: free.transform(X))
print(json.dumps({
    "in_training": in_training,
    "in_prediction": in_prediction,
    "loss": abs(model.history_[-1].loss / free.history_[-1].loss - 1),
    "codes": float(abs(many - codes).max()),
}))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the limit is Linux's")
def test_with_too_little_memory_for_a_batch_training_and_prediction_go_on_in_parts():
    answer = subprocess.run([sys.executable, "-c", LIMITED], check=True, capture_output=True, text=True)
    seen = json.loads(answer.stdout)
    first = "4,096 rows do not fit into memory at once: they are taken in parts of 2,048"
    assert seen["in_training"][0] == seen["in_prediction"][0] == first
    assert seen["loss"] < 1e-4
    assert seen["codes"] < 1e-5


def needing(most):
    """Work that has memory for some rows only."""

    def work(at_once):
        if at_once > most:
            return np.empty((at_once, 2**50), np.uint8)
        return at_once

    return work


def test_portions_are_halved_until_they_fit_and_stay_small():
    portions = Portions()
    with pytest.warns(HalvedBatchWarning) as caught:
        assert portions.attempt(needing(7), 100) == 7
    assert len(caught) == 4
    assert portions.attempt(needing(7), 100) == 7
    assert portions.attempt(needing(7), 3) == 3


@pytest.mark.filterwarnings("ignore::isthmus.errors.HalvedBatchWarning")
def test_a_row_that_does_not_fit_is_one_sentence():
    with pytest.raises(NotEnoughMemoryError, match="not even one row fits into memory") as caught:
        Portions().attempt(needing(0), 100)
    assert isinstance(caught.value, MemoryError)


def test_other_errors_are_left_alone():
    def work(at_once):
        raise RuntimeError("something else")

    with pytest.raises(RuntimeError, match="something else"):
        Portions().attempt(work, 100)


def test_every_row_of_every_batch_is_worked_on_once():
    batches = np.split(np.arange(100), [40, 90])

    def work(rows):
        needing(16)(len(rows))
        return rows

    with pytest.warns(HalvedBatchWarning):
        parts = list(portioned(batches, work))
    np.testing.assert_array_equal(np.concatenate(parts), np.arange(100))
    assert max(map(len, parts)) <= 16


@pytest.mark.parametrize("rows", [10, 0], ids=["counted", "not counted"])
def test_blocks_are_collected_in_their_order(rows):
    X = np.arange(20.0).reshape(10, 2)
    np.testing.assert_array_equal(collected(iter([X[:4], X[4:9], X[9:]]), rows), X)
