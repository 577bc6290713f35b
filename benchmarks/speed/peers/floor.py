"""The floor: the matrix products of an epoch alone, written into memory that stays."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from numpy.typing import NDArray

from benchmarks.speed.measure import EPOCHS, Watch
from benchmarks.speed.works import Work, read


class Peer:
    """Products forwards (one a layer) and backwards (two a layer, but for the first)."""

    def __init__(self, work: Work, batch_size: int) -> None:
        assert work.kind != "convolutional"
        widths = (work.columns, *work.widths)
        heads = 2 if work.kind == "variational" else 1
        encoder = [*pairwise(widths[:-1]), (widths[-2], widths[-1] * heads)]
        layers = [*encoder, *pairwise(reversed(widths))]
        self._batch_size = batch_size
        self._inputs = [torch.zeros(batch_size, before) for before, _ in layers]
        self._outputs = [torch.zeros(batch_size, after) for _, after in layers]
        self._weights = [torch.zeros(after, before) for before, after in layers]
        self._gradients = [torch.zeros_like(weight) for weight in self._weights]

    @staticmethod
    def versions() -> str:
        """Name what is measured."""
        return f"torch {torch.__version__}"

    @staticmethod
    def rows(folder: Path, name: str) -> NDArray:
        """Give floats; only their number counts."""
        return read(folder, name)

    def train(self, X: NDArray, watch: Watch) -> None:
        """Multiply as often as an epoch has batches."""
        for _ in range(EPOCHS):
            watch.began()
            for _ in range(-(-len(X) // self._batch_size)):
                self._step()
            if watch.ended():
                return

    def _step(self) -> None:
        for values, weight, output in zip(self._inputs, self._weights, self._outputs, strict=True):
            torch.mm(values, weight.t(), out=output)
        for place in reversed(range(len(self._weights))):
            torch.mm(self._outputs[place].t(), self._inputs[place], out=self._gradients[place])
            if place:
                torch.mm(self._outputs[place], self._weights[place], out=self._inputs[place])


def peer(choice: str) -> Any:
    """Give the class."""
    return Peer
