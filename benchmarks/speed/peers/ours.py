"""Isthmus: its default path, or the fused engine."""

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

import isthmus
from benchmarks.speed.backends import backends
from benchmarks.speed.measure import EPOCHS, Watch
from benchmarks.speed.works import Work
from isthmus import ConvolutionalAutoencoder, DenseAutoencoder, VariationalAutoencoder


class Listener:
    """Hands the epochs of a fit on to a watch, as scikit-learn's callback interface tells of them."""

    def __init__(self, peer: "Peer", watch: Watch) -> None:
        self._peer, self._watch = peer, watch

    def setup(self, estimator: Any, context: Any) -> None:
        """Nothing to do before a fit."""

    def teardown(self, estimator: Any, context: Any) -> None:
        """Nothing to do after a fit."""

    def on_fit_task_begin(self, estimator: Any, context: Any) -> None:
        """Start the clock of an epoch."""
        if context.task_name == "epoch":
            self._watch.began()

    def on_fit_task_end(self, estimator: Any, context: Any, *, fitted_estimator: Any) -> bool:
        """Stop it; the fitted copy can rebuild rows already."""
        self._peer.model = fitted_estimator
        return context.task_name == "epoch" and self._watch.ended()


class Peer:
    """An estimator with its defaults but for the network and the batch size."""

    backend: ClassVar[dict[str, str]] = {}

    def __init__(self, work: Work, batch_size: int) -> None:
        settings: dict[str, Any] = {"batch_size": batch_size, "max_epochs": EPOCHS, "validation_fraction": 0.0}
        settings |= self.backend | {"random_state": work.seed}
        *hidden, code = work.widths
        if work.kind == "convolutional":
            self.model: Any = ConvolutionalAutoencoder(channels=work.widths, **settings)
        elif work.kind == "variational":
            settings |= {"hidden": tuple(hidden), "reconstruction": "squared"}
            self.model = VariationalAutoencoder(code, **settings)
        else:
            self.model = DenseAutoencoder(code, hidden=tuple(hidden), **settings)
        self._estimator = self.model

    @staticmethod
    def versions() -> str:
        """Name what is measured."""
        return f"isthmus {isthmus.__version__}, torch {torch.__version__}"

    @staticmethod
    def rows(folder: Path, name: str) -> NDArray:
        """Give images as bytes: they are scaled batch by batch."""
        return np.load(folder / name)

    def train(self, X: NDArray, watch: Watch) -> None:
        """Fit from the start."""
        self.model = self._estimator.set_callbacks(Listener(self, watch)).fit(X)

    def encode(self, X: NDArray) -> NDArray:
        """Give codes."""
        return self.model.transform(X)

    def rebuild(self, X: NDArray) -> NDArray:
        """Give rows in [0, 1]."""
        return self.model.reconstruct(X).reshape(len(X), -1) / 255


def peer(backend: str) -> type[Peer]:
    """Give the class for a backend; the default path has no name."""
    return type("Peer", (Peer,), {"backend": backends()[backend]})
