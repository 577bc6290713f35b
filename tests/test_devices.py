"""Fitted models in other processes, and how many threads the arithmetic takes there."""

import json
import os
import subprocess
import sys

import pytest
import torch

from isthmus.devices import device_of
from isthmus.errors import ParameterError

PROGRAM = """
import json, multiprocessing, sys
import joblib, numpy as np, torch, isthmus

X = np.random.default_rng(0).random((3000, 16, 16), dtype=np.float32)

def codes_of(model, answers):
    answers.put(model.transform(X))

def codes_of_a_fit(answers):
    answers.put(fitted(isthmus.DenseAutoencoder(2, hidden=(64,), **SETTINGS)).transform(X[:50]))

def fitted(model):
    return model.fit(X[:256])

def answered(start, target, *arguments):
    context = multiprocessing.get_context(start)
    answers = context.Queue()
    process = context.Process(target=target, args=(*arguments, answers), daemon=True)
    process.start()
    answer = answers.get(timeout=300)
    process.join()
    return answer

SETTINGS = {"max_epochs": 1, "random_state": 0}

if __name__ == "__main__":
    torch.set_num_threads(2)
    seen = {}
    models = [isthmus.ConvolutionalAutoencoder(**SETTINGS), isthmus.DenseAutoencoder(2, hidden=(64,), **SETTINGS)]
    for model in models:
        codes = fitted(model).transform(X)
        for start in ("fork", "spawn"):
            seen[f"{type(model).__name__} {start}"] = float(abs(answered(start, codes_of, model) - codes).max())
    seen["fit"] = float(abs(answered("fork", codes_of_a_fit) - codes[:50]).max())
    seen["threads"] = joblib.Parallel(n_jobs=2)(joblib.delayed(torch.get_num_threads)() for _ in range(4))
    print(json.dumps(seen))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_forked_and_spawned_processes_give_the_same_codes_and_workers_share_the_cores(tmp_path):
    (tmp_path / "program.py").write_text(PROGRAM)
    environment = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
    command = [sys.executable, "-W", "ignore::DeprecationWarning", tmp_path / "program.py"]
    answer = subprocess.run(command, check=True, capture_output=True, text=True, env=environment, timeout=600)
    seen = json.loads(answer.stdout)
    threads = seen.pop("threads")
    assert len(seen) == 5
    assert max(seen.values()) < 1e-5
    assert 2 * max(threads) <= max(2, os.cpu_count())


def test_a_device_that_is_not_there_is_one_sentence():
    assert device_of("cpu") == torch.device("cpu")
    if not torch.backends.mps.is_available():
        with pytest.raises(ParameterError, match="device must be one that this machine has; got 'mps'"):
            device_of("mps")
