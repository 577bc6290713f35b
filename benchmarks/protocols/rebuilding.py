"""Protocols that measure how well rows are rebuilt. The docstring of each is its paper."""

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.linear_model import LinearRegression
from sklearn.neighbors import KNeighborsClassifier

from benchmarks.protocols.outcome import Outcome, mnist
from isthmus import (
    Autoencoder,
    ConcreteAutoencoder,
    DenoisingAutoencoder,
    DenseAutoencoder,
    LinearAutoencoder,
    parts,
)
from isthmus.datasets import load_mnist


def linear() -> Outcome:
    """Baldi & Hornik 1989: the optimum is PCA."""
    X, _, T, _ = mnist()
    settings = {"max_epochs": 30, "validation_fraction": 0.0, "random_state": 0}
    gradient = 784 * LinearAutoencoder(30, solver="gradient", **settings).fit(X).reconstruction_error(T).mean()
    exact = 784 * LinearAutoencoder(30).fit(X).reconstruction_error(T).mean()
    measured = f"{exact:.3f} exact, {gradient:.3f} by gradient"
    return Outcome("13.866 an image at k=30 (PCA)", measured, "within 0.1 %", gradient <= 1.001 * 13.866, "none")


def deep_dense() -> Outcome:
    """Hinton & Salakhutdinov 2006: 784-1000-500-250-30."""
    X, _, T, _ = mnist()
    model = DenseAutoencoder(
        30,
        hidden=(1000, 500, 250),
        activation="gelu",
        reconstruction="bernoulli",
        max_epochs=50,
        batch_size=128,
        learning_rate=1e-3,
        validation_fraction=0.0,
        random_state=0,
    ).fit(X)
    error = 784 * model.reconstruction_error(T).mean()
    words = "no pre-training; gelu; Adam under a cosine schedule; 50 epochs"
    return Outcome("3.00 squared error an image", f"{error:.3f}", "at most 3.00", error <= 3.0, words)


def dense_plane() -> Outcome:
    """Sainburg et al. 2021 (ParametricUMAP), autoencoder with a code of 2."""
    X, y, T, t = mnist()
    X, y = X[:50_000], y[:50_000]
    model = DenseAutoencoder(2, hidden=(1000, 500, 250), max_epochs=15, batch_size=128, random_state=0).fit(X)
    error = model.reconstruction_error(T).mean()
    accuracy = KNeighborsClassifier(5).fit(model.transform(X), y).score(model.transform(T), t)
    return Outcome(
        "5-NN .7926, test error .0369",
        f"5-NN {accuracy:.4f}, test error {error:.4f}",
        "at least .79, at most .0369",
        accuracy >= 0.79 and error <= 0.0369,
        "15 epochs; 784-1000-500-250-2",
    )


def keras_denoising() -> Outcome:
    """keras.io example "Convolutional autoencoder for image denoising"."""
    X, T = load_mnist()[0], load_mnist("test")[0]
    rows = T.astype(np.float32) / 255
    corrupted = np.clip(rows + 0.4 * np.random.RandomState(0).randn(*rows.shape).astype(np.float32), 0, 1)
    settings = {"network": parts.Convolutional((32, 32)), "reconstruction": "bernoulli"}
    settings |= {"batch_size": 32, "max_epochs": 5, "validation_fraction": 0.0, "random_state": 0}
    clean = Autoencoder(None, **settings).fit(X)
    noisy = DenoisingAutoencoder(None, noise_level=0.4, **settings).fit(X)
    first = _cross_entropy(clean.reconstruct(T) / 255, rows)
    second = _cross_entropy(noisy.reconstruct(255 * corrupted) / 255, rows)
    return Outcome(
        "clean .0664 after 5 epochs, denoising .0882 after 5 more",
        f"clean {first:.4f}, denoising {second:.4f}",
        "at most those",
        first <= 0.0664 and second <= 0.0882,
        "nearest up-sampling where Keras has transposed convolutions; batches of 32, Keras's of 128; Adam under a "
        "cosine schedule; fresh noise in each epoch; the denoising network starts anew, Keras's after 50 clean epochs",
    )


def _cross_entropy(rebuilt: NDArray, rows: NDArray) -> float:
    p = np.clip(rebuilt, 1e-7, 1 - 1e-7)
    return float(-(rows * np.log(p) + (1 - rows) * np.log1p(-p)).mean())


def concrete() -> Outcome:
    """Balin, Abid & Zou 2019: 50 pixels of MNIST's test images, 4,000 to train and 6,000 to test."""
    _, _, rows, labels = mnist()
    order = np.random.RandomState(0).permutation(10_000)
    X, y, T, t = rows[order[:4000]], labels[order[:4000]], rows[order[4000:]], labels[order[4000:]]
    model = ConcreteAutoencoder(
        50, max_epochs=300, batch_size=16, learning_rate=1e-3, validation_fraction=0.0, random_state=0
    ).fit(X)
    chosen = model.get_support(indices=True)
    error = np.square(LinearRegression().fit(X[:, chosen], X).predict(T[:, chosen]) - T).mean()
    accuracy = ExtraTreesClassifier(50, random_state=0).fit(X[:, chosen], y).score(T[:, chosen], t)
    distinct = len(set(chosen.tolist()))
    own = model.reconstruction_error(T).mean()
    return Outcome(
        "linear regression .026, extra trees .906",
        f"linear regression {error:.5f}, own decoder {own:.5f}, extra trees {accuracy:.4f}, {distinct} distinct pixels",
        "at most .0181 (greedy selection), at least .90, 50 distinct",
        error <= 0.0181 and accuracy >= 0.9 and distinct == 50,
        "the selection starts at the best columns for linear regression (greedy, then exchange); cosine schedule",
    )
