"""What is trained: networks and rows, as plain values that every peer's environment can read."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

TRAINING, HELD_OUT, TABLE_ROWS, TABLE_COLUMNS = 54_000, 6_000, 1_000_000, 30
BATCHES = (64, 512)


@dataclass(frozen=True)
class Work:
    """One network on one set of rows.

    Attributes
    ----------
    words : str
        What the page calls it.
    kind : str
        ``dense``, ``convolutional`` or ``variational``.
    columns : int
        Numbers in a row.
    widths : tuple of int
        Of the hidden layers and the code; of a convolutional network the channels.
    rows : int
        Rows of an epoch.
    sample : int
        Rows that are timed where an epoch takes long; a multiple of every batch size.
    target : float or None
        The held-out error that is waited for, a mean over pixels from 0 to 1.
    seed : int
        Of first weights, order and noise.
    """

    words: str
    kind: str
    columns: int
    widths: tuple[int, ...]
    rows: int = TRAINING
    sample: int = 12_800
    target: float | None = None
    seed: int = 0

    @property
    def last(self) -> str:
        """Activation of the last layer."""
        return "sigmoid" if self.kind != "convolutional" and self.columns != TABLE_COLUMNS else "linear"

    @property
    def training_file(self) -> str:
        """Name of the file of rows to learn from."""
        return "table.npy" if self.columns == TABLE_COLUMNS else "training.npy"

    @property
    def encoded_file(self) -> str:
        """Name of the file of rows to encode."""
        return "table.npy" if self.columns == TABLE_COLUMNS else "test.npy"


WORKS = {
    "dense": Work("784-128-64-32 and back", "dense", 784, (128, 64, 32), target=0.0150),
    "convolutional": Work("3x3 convolutions of 16 and 1, code 7x7", "convolutional", 784, (16, 1), target=0.0200),
    "wide": Work("784-1000-500-250-30 and back", "dense", 784, (1000, 500, 250, 30)),
    "table": Work("a table of 30 columns, 30-16-4 and back", "dense", 30, (16, 4), TABLE_ROWS, 102_400),
    "variational": Work("784-128-64-2 and back, variational", "variational", 784, (128, 64, 2)),
}
ENCODED = 10_000


def read(folder: Path, name: str) -> NDArray:
    """Read rows as the peers' users do: pixels divided by 255, a table as it is; float32 of shape (n, columns)."""
    rows = np.load(folder / name)
    if rows.dtype != np.uint8:
        return rows
    return rows.reshape(len(rows), -1).astype(np.float32) / 255


def write(folder: Path, images: NDArray, test: NDArray) -> None:
    """Write the files of rows: MNIST in a random order, and a table of four numbers seen in 30 columns."""
    random = np.random.RandomState(0)
    order = random.permutation(len(images))
    np.save(folder / "training.npy", images[order[:TRAINING]])
    np.save(folder / "held_out.npy", images[order[TRAINING : TRAINING + HELD_OUT]])
    np.save(folder / "test.npy", test[:ENCODED])
    plane = random.randn(4, TABLE_COLUMNS).astype(np.float32)
    seen = np.tanh(random.standard_normal((TABLE_ROWS, 4)).astype(np.float32)) @ plane
    np.save(folder / "table.npy", seen + 0.1 * random.standard_normal(seen.shape).astype(np.float32))
