"""Protocols that measure likelihoods. The docstring of each is its paper."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from benchmarks.protocols.outcome import Outcome, mnist
from isthmus import VariationalAutoencoder


def variational() -> Outcome:
    """PyTorch's VAE example: 784-400-20, grey targets."""
    X, _, T, _ = mnist()
    model = VariationalAutoencoder(
        20,
        hidden=(400,),
        reconstruction="bernoulli",
        max_epochs=10,
        batch_size=128,
        learning_rate=1e-3,
        schedule="constant",
        validation_fraction=0.0,
        random_state=0,
    ).fit(X)
    loss = -float(model.elbo(T, random_state=0).mean())
    return Outcome("105.6 after 10 epochs", f"{loss:.2f}", "105.6 +- .5", abs(loss - 105.6) <= 0.5, "Glorot start")


def importance_weighted() -> Outcome:
    """Burda, Grosse & Salakhutdinov 2016: one stochastic layer of 50, k = 1 and 5."""
    epochs = 80
    X, _, T, _ = mnist()
    test = (np.random.RandomState(1).random_sample(T.shape) < T).astype(np.float32)
    nats = {}
    for k in (1, 5):
        model = VariationalAutoencoder(
            50,
            hidden=(200, 200),
            activation="tanh",
            reconstruction="bernoulli",
            n_importance=k,
            batch_size=100,
            learning_rate=2e-3,
            max_epochs=epochs,
            validation_fraction=0.0,
            random_state=0,
        ).fit(_Binarised(X, 100))
        nats[k] = -float(model.log_likelihood(test, n_samples=500, random_state=0).mean())
    return Outcome(
        "86.76 (k=1), 85.54 (k=5), 84.78 (k=50) after 3,280 epochs",
        f"{nats[1]:.2f} (k=1), {nats[5]:.2f} (k=5) after {epochs} epochs",
        "k=5 below k=1 by 0.8 nats at equal epochs",
        nats[1] - nats[5] >= 0.8,
        f"{epochs} epochs in batches of 100, Adam at .002 under a cosine schedule; 500 draws for the likelihood",
    )


class _Binarised:
    """Batches of rows whose pixels are drawn anew, black or white, each time they are read."""

    def __init__(self, rows: NDArray, batch_size: int) -> None:
        self._rows, self._size, self._random = rows, batch_size, np.random.RandomState(0)

    def __iter__(self) -> Iterator[NDArray]:
        order = self._random.permutation(len(self._rows))
        for start in range(0, len(order), self._size):
            rows = self._rows[order[start : start + self._size]]
            yield (self._random.random_sample(rows.shape) < rows).astype(np.float32)
