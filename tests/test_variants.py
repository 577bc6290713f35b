"""Every variation does what its name says, on held-out rows of images and of a table."""

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split

import isthmus
from isthmus import metrics, parts

torch.set_num_threads(1)

DATA = {
    "digits": lambda: isthmus.datasets.load_digits()[0] / np.float32(255),
    "table": lambda: load_breast_cancer().data,
}
QUICK, LONG = {"random_state": 0}, {"random_state": 0, "max_epochs": 60}


@pytest.fixture(params=DATA, scope="module")
def split(request):
    """Training rows, held-out rows, and the standard deviation that a unit of noise stands for in each."""
    train, test = train_test_split(DATA[request.param](), test_size=0.3, random_state=0)
    return train, test, 1.0 if train.ndim > 2 else train.std(axis=0)


def noisy(rows, unit, level):
    return rows + level * unit * np.random.RandomState(0).standard_normal(rows.shape)


def error(rebuilt, rows, unit):
    return float(np.square((rebuilt - rows) / unit).mean())


def moves(model, rows, unit):
    """How far codes go when rows move a little."""
    return float(np.linalg.norm(model.transform(noisy(rows, unit, 0.05)) - model.transform(rows), axis=1).mean())


def test_a_denoising_autoencoder_cleans_rows_better_than_a_plain_one(split):
    train, test, unit = split
    settings = {"code_size": 20, "hidden": (64,), **QUICK}
    plain = isthmus.DenseAutoencoder(**settings).fit(train)
    denoising = isthmus.DenoisingAutoencoder(noise_level=0.4, **settings).fit(train)
    corrupted = noisy(test, unit, 0.4)
    cleaned = error(denoising.reconstruct(corrupted), test, unit)
    assert cleaned < 0.9 * error(plain.reconstruct(corrupted), test, unit)
    assert cleaned < error(corrupted, test, unit)


@pytest.mark.parametrize(("noise", "level"), [("masking", 0.3), ("salt_and_pepper", 0.2)])
def test_lost_cells_are_filled_better_by_the_autoencoder_that_saw_such_losses(noise, level):
    train, test = train_test_split(DATA["digits"](), test_size=0.3, random_state=0)
    corrupt = {"masking": parts.Masking, "salt_and_pepper": parts.SaltAndPepper}[noise](level)
    corrupted = corrupt(torch.from_numpy(test), torch.Generator().manual_seed(0)).numpy()
    settings = {"code_size": 20, "hidden": (64,), **QUICK}
    plain = isthmus.DenseAutoencoder(**settings).fit(train).reconstruct(corrupted)
    filled = isthmus.DenoisingAutoencoder(noise=noise, noise_level=level, **settings).fit(train).reconstruct(corrupted)
    assert error(filled, test, 1.0) < 0.8 * error(plain, test, 1.0)


def test_an_l1_penalty_makes_codes_sparse(split):
    train, test, _ = split
    mean = {}
    for weight in (0.0, 0.2):
        model = isthmus.SparseAutoencoder(100, sparsity="l1", sparsity_weight=weight, **QUICK).fit(train)
        mean[weight] = np.abs(model.transform(test)).mean()
    assert mean[0.2] < mean[0.0] / 2


def test_kl_sparsity_brings_the_mean_activation_to_its_target(split):
    train, test, _ = split
    model = isthmus.SparseAutoencoder(
        60, sparsity="kl", sparsity_weight=3.0, target_activation=0.1, learning_rate=0.01, **QUICK
    ).fit(train)
    assert model.transform(test).mean() == pytest.approx(0.1, abs=0.03)


@pytest.mark.parametrize("k", [1, 5])
def test_top_k_keeps_k_units_of_a_row(split, k):
    train, test, _ = split
    model = isthmus.SparseAutoencoder(100, sparsity="top_k", n_active=k, **QUICK).fit(train)
    assert (model.transform(test) != 0).sum(axis=1).max() <= k
    assert metrics.mean_active_units(model.transform(test)) <= k
    assert model.score(test) > 0.2


def test_revival_leaves_fewer_dead_units():
    train, dead = DATA["digits"]()[:1200], []
    for weight in (0.0, 1.0):
        model = isthmus.SparseAutoencoder(200, sparsity="top_k", n_active=4, sparsity_weight=weight, **LONG)
        dead.append(metrics.dead_fraction(model.fit(train).transform(train)))
    assert dead[1] < 0.75 * dead[0]


def test_winners_take_all_only_in_training(split):
    train, test, _ = split
    model = isthmus.SparseAutoencoder(50, sparsity="winner_take_all", target_activation=0.1, **QUICK).fit(train)
    codes = model.transform(test)
    assert (codes >= 0).all()
    assert (codes > 0).any(axis=0).mean() > 0.8
    assert model.score(test) > 0.4


def test_a_contractive_code_moves_less(split):
    train, test, unit = split
    settings = {"code_size": 20, "hidden": (64,), "code_activation": "sigmoid", **QUICK}
    plain = isthmus.DenseAutoencoder(**settings).fit(train)
    contractive = isthmus.ContractiveAutoencoder(contraction=1.0, **settings).fit(train)
    assert moves(contractive, test, unit) < 0.7 * moves(plain, test, unit)
    assert contractive.score(test) > 0.5


CONVOLUTIONAL = [
    isthmus.DenoisingAutoencoder(None, network=parts.Convolutional((8, 4)), **QUICK),
    isthmus.SparseAutoencoder(None, network=parts.Convolutional((8, 4)), **QUICK),
    isthmus.ContractiveAutoencoder(None, network=parts.Convolutional((8, 4)), **QUICK),
    isthmus.VariationalAutoencoder(2, network=parts.Convolutional((8, 4)), beta=0.1, **QUICK),
]


@pytest.mark.parametrize("model", CONVOLUTIONAL, ids=lambda model: type(model).__name__)
def test_variations_work_with_convolutions(model, tmp_path):
    train, test = train_test_split(DATA["digits"]()[:400], test_size=0.3, random_state=0)
    fitted = clone(model).set_params(max_epochs=40, batch_size=16).fit(train)
    assert fitted.score(test) > 0.05
    fitted.save(tmp_path / "model.safetensors")
    np.testing.assert_array_equal(isthmus.load(tmp_path / "model.safetensors").transform(test), fitted.transform(test))


def test_all_kinds_of_parts_combine_in_one_line_and_go_through_a_file(tmp_path):
    train, test = train_test_split(DATA["digits"]()[:300], test_size=0.3, random_state=0)
    model = isthmus.Autoencoder(
        8,
        network=parts.Convolutional((8, 4)),
        bottleneck=parts.Gaussian(),
        corruption=parts.Masking(0.1),
        penalties=(parts.Divergence(parts.Ramp(0.0, 0.1)), parts.L1(parts.Exponential(0.1, 0.01))),
        reconstruction="bernoulli",
        learning_rate=0.01,
        max_epochs=30,
        batch_size=16,
        random_state=0,
    ).fit(train)
    assert set(model.history_[-1].losses) == {"reconstruction", "divergence", "l1"}
    assert model.history_[-1].denoising_loss > model.history_[-1].validation_losses["reconstruction"]
    assert model.score(test) > 0.1
    model.save(tmp_path / "model.safetensors")
    loaded = isthmus.load(tmp_path / "model.safetensors")
    assert repr(loaded) == repr(model)
    np.testing.assert_array_equal(loaded.reconstruct(test), model.reconstruct(test))


@pytest.mark.parametrize(
    ("network", "size", "method"),
    [
        (None, 8, "closed"),
        (parts.Convolutional((8, 4)), None, "autograd"),
        (parts.Convolutional((8, 4)), 129, "hutchinson"),
    ],
)
def test_the_way_to_the_jacobian_is_visible(network, size, method):
    model = isthmus.ContractiveAutoencoder(size, network=network, max_epochs=1, random_state=0)
    assert model.fit(DATA["digits"]()[:64]).contraction_method_ == method
