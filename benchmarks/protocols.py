"""The protocols of the papers, shortened where two cores ask for it; each gives what it measured.

A protocol is a function of no arguments that returns an `Outcome`. Its docstring is the paper.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.linear_model import LinearRegression
from sklearn.neighbors import KNeighborsClassifier

from benchmarks.probes import fine_tuned_accuracy, linear_accuracy
from isthmus import (
    ConcreteAutoencoder,
    ContractiveAutoencoder,
    ConvolutionalAutoencoder,
    DenoisingAutoencoder,
    DenseAutoencoder,
    LinearAutoencoder,
    SparseAutoencoder,
    VariationalAutoencoder,
    parts,
)
from isthmus.datasets import load_mnist


@dataclass(frozen=True)
class Outcome:
    """What a protocol measured, what its paper says, and whether the bar is reached."""

    published: str
    measured: str
    bar: str
    reached: bool
    differences: str


def mnist() -> tuple[NDArray, NDArray, NDArray, NDArray]:
    """Give training rows and labels, test rows and labels; rows are flat float32 within [0, 1]."""
    (X, y), (T, t) = load_mnist(), load_mnist("test")
    return X.reshape(-1, 784).astype(np.float32) / 255, y, T.reshape(-1, 784).astype(np.float32) / 255, t


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
        reconstruction="bernoulli",
        max_epochs=20,
        batch_size=128,
        learning_rate=1e-3,
        random_state=0,
    ).fit(X)
    error = 784 * model.reconstruction_error(T).mean()
    words = "no pre-training; relu; Adam under a cosine schedule; 20 epochs"
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
    settings = {"max_epochs": 5, "batch_size": 128, "learning_rate": 1e-3, "schedule": "constant", "random_state": 0}
    settings |= {"reconstruction": "bernoulli", "validation_fraction": 0.0}
    clean = ConvolutionalAutoencoder(channels=(32, 32), **settings).fit(X)
    network = parts.Convolutional((32, 32))
    noisy = DenoisingAutoencoder(None, network=network, noise_level=0.4, **settings).fit(X)
    rows = T.astype(np.float32) / 255
    corrupted = np.clip(rows + 0.4 * np.random.RandomState(0).randn(*rows.shape).astype(np.float32), 0, 1)
    first = _cross_entropy(clean.reconstruct(T) / 255, rows)
    second = _cross_entropy(noisy.reconstruct(255 * corrupted) / 255, rows)
    return Outcome(
        "after 5 epochs: clean .0664, denoising .0882 a pixel",
        f"clean {first:.4f}, denoising {second:.4f}",
        "at most those",
        first <= 0.0664 and second <= 0.0882,
        "nearest up-sampling where Keras has transposed convolutions; fresh noise; the denoising network starts "
        "anew, Keras goes on with the clean one",
    )


def _cross_entropy(rebuilt: NDArray, rows: NDArray) -> float:
    p = np.clip(rebuilt, 1e-7, 1 - 1e-7)
    return float(-(rows * np.log(p) + (1 - rows) * np.log1p(-p)).mean())


def stacked_denoising() -> Outcome:
    """Vincent et al. 2010: three layers pre-trained with and without noise, then fine-tuned with labels."""
    X, y, T, t = mnist()
    some = np.random.RandomState(0).permutation(60_000)
    train, test = some[:10_000], some[12_000:]
    T, t = np.concatenate([X[test], T])[:50_000], np.concatenate([y[test], t])[:50_000]
    errors = {
        level: [_stacked_error(level, X[train], y[train], T, t, seed) for seed in range(3)] for level in (0, 0.25)
    }
    plain, noisy = (100 * float(np.mean(values)) for values in errors.values())
    return Outcome(
        "SAE-3 3.46 % -> SDAE-3 2.84 %",
        f"{plain:.2f} % -> {noisy:.2f} % (means of 3 seeds)",
        "better by 0.3 points, at most 3.1 %",
        plain - noisy >= 0.3 and noisy <= 3.1,
        "10,000 training rows, 50,000 test rows drawn by us; 1,000 units a layer; 10 epochs a layer, 10 together, "
        "20 with labels; no choice of hyper-parameters on validation rows",
    )


def _stacked_error(level: float, X: NDArray, y: NDArray, T: NDArray, t: NDArray, seed: int) -> float:
    model = DenoisingAutoencoder(
        1000,
        hidden=(1000, 1000),
        activation="sigmoid",
        code_activation="sigmoid",
        output_activation="linear",
        reconstruction="bernoulli",
        noise="masking",
        noise_level=level,
        pretrain=True,
        max_epochs=10,
        learning_rate=1e-3,
        validation_fraction=0.0,
        random_state=seed,
    ).fit(X)
    return 1 - fine_tuned_accuracy([model.encoder_], X, y, T, t, epochs=20, seed=seed)


def kl_sparse() -> Outcome:
    """UFLDL tutorial (Ng et al.): two stacked sparse layers of 200."""
    X, y, T, t = mnist()
    settings = {"sparsity": "kl", "sparsity_weight": 6.0, "target_activation": 0.1, "weight_decay": 6e-3}
    settings |= {"output_activation": "sigmoid", "max_epochs": 20, "batch_size": 256, "random_state": 0}
    first = SparseAutoencoder(200, **settings).fit(X)
    codes, test_codes = first.transform(X), first.transform(T)
    second = SparseAutoencoder(200, **settings).fit(codes)
    before = linear_accuracy(second.transform(codes), y, second.transform(test_codes), t, C=1 / 6)
    after = fine_tuned_accuracy([first.encoder_, second.encoder_], X, y, T, t, epochs=20)
    return Outcome(
        "87.7 % -> 97.6 %",
        f"{100 * before:.1f} % -> {100 * after:.1f} %",
        "87.7 +- 3, at least 97.5",
        abs(100 * before - 87.7) <= 3 and after >= 0.975,
        "Adam in place of L-BFGS, 20 epochs a layer and 20 with labels; factors doubled because our squared error "
        "has no 1/2; softmax regression with the same factor 1e-4 on its weights",
    )


def k_sparse() -> Outcome:
    """Makhzani & Frey 2013: 1,000 units of which k stay active."""
    X, y, T, t = mnist()
    errors = {}
    for k in (40, 25, 10):
        model = SparseAutoencoder(
            1000, sparsity="top_k", n_active=parts.Ramp(100, k), max_epochs=6, batch_size=128, random_state=0
        ).fit(X)
        errors[k] = 100 * (1 - linear_accuracy(model.transform(X), y, model.transform(T), t))
    return Outcome(
        "logistic regression: k=40 1.54, k=25 1.35, k=10 2.10 % (unconfirmed)",
        ", ".join(f"k={k} {error:.2f}" for k, error in errors.items()) + " %",
        "best at most 1.6 %, in that order",
        min(errors.values()) <= 1.6 and errors[25] < errors[40] < errors[10],
        "6 epochs; weights not tied; k falls from 100 over the first half",
    )


def winner_take_all() -> Outcome:
    """Makhzani & Frey 2015: 2,000 units, each active for 5 % of a batch."""
    X, y, T, t = mnist()
    model = SparseAutoencoder(
        2000, sparsity="winner_take_all", target_activation=0.05, max_epochs=10, batch_size=100, random_state=0
    ).fit(X)
    accuracy = 100 * linear_accuracy(model.transform(X), y, model.transform(T), t)
    return Outcome(
        "98.80 % with a linear SVM (second-hand)",
        f"{accuracy:.2f} % with logistic regression",
        "at least 98.5 %",
        accuracy >= 98.5,
        "10 epochs of 50; logistic regression in place of the SVM",
    )


def contractive() -> Outcome:
    """Rifai et al. 2011: 1,000 sigmoid units, plain and contractive."""
    X, y, T, t = mnist()
    settings = {"max_epochs": 10, "batch_size": 128, "learning_rate": 1e-3, "random_state": 0}
    settings |= {"reconstruction": "bernoulli", "output_activation": "linear"}
    plain = DenseAutoencoder(1000, hidden=(), code_activation="sigmoid", **settings).fit(X)
    smooth = ContractiveAutoencoder(1000, hidden=(), contraction=0.1, **settings).fit(X)
    norms = [_jacobian_norm(model, T) for model in (plain, smooth)]
    error = 100 * (1 - fine_tuned_accuracy([smooth.encoder_], X, y, T, t, epochs=15))
    ratio = norms[0] / norms[1]
    return Outcome(
        "norm 17.5e-4 -> .73e-4 (24 times), error 1.14 % (unconfirmed)",
        f"norm {ratio:.1f} times smaller ({norms[0]:.3g} -> {norms[1]:.3g}), error {error:.2f} %",
        "at least 5 times, at most 1.4 %",
        ratio >= 5 and error <= 1.4,
        "weights not tied; 10 epochs; contraction .1; 15 epochs with labels",
    )


def _jacobian_norm(model: DenseAutoencoder, rows: NDArray) -> float:
    """Give the mean squared Frobenius norm of the Jacobian of one sigmoid layer, by its formula."""
    weight = next(parameter for parameter in model.encoder_.parameters() if parameter.ndim == 2).detach().numpy()
    codes = model.transform(rows)
    return float(((codes * (1 - codes)) ** 2 @ np.square(weight).sum(axis=1)).mean())


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


PROTOCOLS: dict[str, Callable[[], Outcome]] = {
    "linear": linear,
    "variational": variational,
    "concrete": concrete,
    "kl_sparse": kl_sparse,
    "dense_plane": dense_plane,
    "deep_dense": deep_dense,
    "contractive": contractive,
    "importance_weighted": importance_weighted,
    "k_sparse": k_sparse,
    "winner_take_all": winner_take_all,
    "keras_denoising": keras_denoising,
    "stacked_denoising": stacked_denoising,
}
