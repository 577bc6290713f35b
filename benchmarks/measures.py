"""Time of the measures on MNIST's 70,000 images: ``python -m benchmarks.measures``."""

import time

import numpy as np

from benchmarks.machine import machine
from isthmus import LinearAutoencoder, metrics
from isthmus.datasets import load_mnist


def main() -> None:
    """Measure codes of 32 principal components, in wall-clock and processor time."""
    X, y = (np.concatenate(pair) for pair in zip(load_mnist("train"), load_mnist("test"), strict=True))
    codes = LinearAutoencoder(32).fit(X).transform(X)
    measures = {
        "trustworthiness": lambda: metrics.trustworthiness(X, codes, random_state=0),
        "continuity": lambda: metrics.continuity(X, codes, random_state=0),
        "neighbourhood_overlap": lambda: metrics.neighbourhood_overlap(X, codes, random_state=0),
        "knn_accuracy": lambda: metrics.knn_accuracy(codes, y, random_state=0),
        "intrinsic_dimension": lambda: metrics.intrinsic_dimension(X, random_state=0),
    }
    print(machine(), f"{len(X):,} rows")
    for name, measure in measures.items():
        started, used = time.perf_counter(), time.process_time()
        value = measure()
        seconds, processor = time.perf_counter() - started, time.process_time() - used
        print(f"{name}: {value:.4f} in {seconds:.1f} s ({processor:.1f} s of processor time)")


if __name__ == "__main__":
    main()
