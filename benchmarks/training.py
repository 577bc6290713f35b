"""An epoch of the article's convolutional autoencoder beside a hand-written torch loop, in one run.

``python -m benchmarks.training`` prints seconds of each, interleaved, and the median of the ratios.
"""

import statistics
import time

import numpy as np
import torch
from torch import nn

from benchmarks.machine import machine
from isthmus import ConvolutionalAutoencoder
from isthmus.datasets import load_mnist

ROWS, BATCH, REPEATS = 64 * 150, 64, 5


def network() -> nn.Module:
    """Give the article's network as anyone would write it."""
    return nn.Sequential(
        *(nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(16, 1, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(1, 1, 3, padding=1), nn.ReLU(), nn.Upsample(scale_factor=2)),
        *(nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.Upsample(scale_factor=2)),
        nn.Conv2d(16, 1, 3, padding=1),
    )


def by_hand(X: np.ndarray) -> float:
    """Time an epoch of slices, channels_last and a fused Adam."""
    model = network().to(memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(model.parameters(), fused=True)
    started = time.perf_counter()
    for rows in torch.from_numpy(X[np.random.RandomState(0).permutation(len(X))]).split(BATCH):
        batch = rows.float().div_(255).unsqueeze(1).contiguous(memory_format=torch.channels_last)
        optimizer.zero_grad()
        nn.functional.mse_loss(model(batch), batch).backward()
        optimizer.step()
    return time.perf_counter() - started


def by_isthmus(X: np.ndarray) -> float:
    """Time an epoch of the estimator."""
    model = ConvolutionalAutoencoder(max_epochs=1, validation_fraction=0.0, batch_size=BATCH, random_state=0)
    return model.fit(X).history_[0].seconds


def main() -> None:
    """Print the times and their ratio."""
    X = load_mnist()[0][:ROWS]
    by_hand(X[:640]), by_isthmus(X[:640])
    pairs = [(by_hand(X), by_isthmus(X)) for _ in range(REPEATS)]
    print(machine())
    print(f"{ROWS:,} images, batches of {BATCH}")
    for hand, ours in pairs:
        print(f"by hand {hand:.2f} s, isthmus {ours:.2f} s, ratio {ours / hand:.3f}")
    print(f"median ratio {statistics.median(ours / hand for hand, ours in pairs):.3f}")


if __name__ == "__main__":
    main()
