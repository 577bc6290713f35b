"""The exact linear autoencoder beside scikit-learn's PCA with each of its solvers, in one run.

``python -m benchmarks.linear`` prints seconds for 60,000 MNIST images and 50 components.
"""

import random
import statistics
import time
from collections.abc import Callable

import numpy as np
from sklearn.decomposition import PCA

from benchmarks.machine import machine
from isthmus import LinearAutoencoder
from isthmus.datasets import load_mnist

K, REPEATS = 50, 7


def seconds(work: Callable[[], object]) -> float:
    """Time one call."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def measured(repeats: int = REPEATS) -> dict[str, float]:
    """Give the median seconds of each way."""
    images = load_mnist()[0].reshape(60_000, -1)
    X = images.astype(np.float32) / 255
    works: dict[str, Callable[[], object]] = {
        "isthmus, float32": lambda: LinearAutoencoder(K).fit(X),
        "isthmus, uint8": lambda: LinearAutoencoder(K).fit(images),
        "PCA covariance_eigh": lambda: PCA(K, svd_solver="covariance_eigh").fit(X),
        "PCA randomized": lambda: PCA(K, svd_solver="randomized", random_state=0).fit(X),
    }
    times: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(repeats):
        for name in random.sample(list(works), len(works)):  # who follows whom matters: idle threads spin for a while
            times[name].append(seconds(works[name]))
    return {name: statistics.median(values) for name, values in times.items()}


def ratio(medians: dict[str, float]) -> float:
    """Give the time of Isthmus divided by that of PCA's best solver."""
    return medians["isthmus, float32"] / min(value for name, value in medians.items() if name.startswith("PCA"))


def main() -> None:
    """Print medians and the ratio to PCA's best solver."""
    medians = measured()
    print(machine())
    for name, value in medians.items():
        print(f"{name:<22}{value:.2f} s")
    print(f"ratio to PCA's best solver: {ratio(medians):.2f}")


if __name__ == "__main__":
    main()
