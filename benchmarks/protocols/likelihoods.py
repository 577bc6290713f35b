"""Protocols that measure likelihoods. The docstring of each is its paper."""

import numpy as np

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
    epochs = 20
    X, _, T, _ = mnist()
    draw = np.random.RandomState(0)
    binary = (draw.random_sample(T.shape) < T).astype(np.float32)
    nats = {}
    for k in (1, 5):
        model = VariationalAutoencoder(
            50,
            hidden=(200, 200),
            activation="tanh",
            reconstruction="bernoulli",
            n_importance=k,
            batch_size=20,
            learning_rate=1e-3,
            random_state=0,
        )
        for _ in range(epochs):
            model.partial_fit((draw.random_sample(X.shape) < X).astype(np.float32))
        nats[k] = -float(model.log_likelihood(binary, n_samples=500, random_state=0).mean())
    return Outcome(
        "86.76 (k=1), 85.54 (k=5), 84.78 (k=50) after 3,280 epochs",
        f"{nats[1]:.2f} (k=1), {nats[5]:.2f} (k=5) after {epochs} epochs",
        "k=5 below k=1 by 0.8 nats at equal epochs",
        nats[1] - nats[5] >= 0.8,
        f"{epochs} epochs at a constant rate; 500 draws for the likelihood",
    )
