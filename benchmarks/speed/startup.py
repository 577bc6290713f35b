"""Seconds until Isthmus answers: its import, its help, and its first epoch after torch is imported."""

import statistics
import subprocess
import sys
import time
from collections.abc import Mapping

FIRST_EPOCH = """
import time
import numpy as np
X = np.load(PATH)
import torch
started = time.perf_counter()
import isthmus

class Listener:
    def setup(self, estimator, context): pass
    def teardown(self, estimator, context): pass
    def on_fit_task_begin(self, estimator, context):
        if context.task_name == "epoch": print(time.perf_counter() - started)
    def on_fit_task_end(self, estimator, context): return True

isthmus.DenseAutoencoder(max_epochs=15, random_state=0).set_callbacks(Listener()).fit(X)
"""
COMMANDS = {
    "python": ["-c", "pass"],
    "import isthmus": ["-c", "import isthmus"],
    "isthmus --help": ["-m", "isthmus", "--help"],
}


def startup(training: str, environment: Mapping[str, str], repeats: int) -> dict[str, float]:
    """Give medians, interleaved; those of commands are beyond Python's own start."""
    times: dict[str, list[float]] = {name: [] for name in (*COMMANDS, "first epoch")}
    first_epoch = [sys.executable, "-c", FIRST_EPOCH.replace("PATH", repr(training))]
    for _ in range(repeats):
        for name, arguments in COMMANDS.items():
            started = time.perf_counter()
            subprocess.run([sys.executable, *arguments], check=True, capture_output=True, env=environment)
            times[name].append(time.perf_counter() - started)
        answer = subprocess.run(first_epoch, check=True, capture_output=True, text=True, env=environment)
        times["first epoch"].append(float(answer.stdout.split()[0]))
    medians = {name: statistics.median(values) for name, values in times.items()}
    own = medians.pop("python")
    return {name: value - own if name in COMMANDS else value for name, value in medians.items()}
