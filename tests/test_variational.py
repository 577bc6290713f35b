"""The variational autoencoder's likelihoods against probabilistic PCA, and its behaviour (evidence.py too)."""

import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.datasets import load_breast_cancer
from sklearn.decomposition import PCA
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import StandardScaler

import isthmus
from isthmus.batches import Batch
from isthmus.errors import CollapseWarning, ParameterError
from isthmus.module import AutoencoderModule
from isthmus.parts import GaussianLikelihood

K, COLUMNS, NOISE = 2, 5, 0.5


@pytest.fixture(scope="module")
def rows():
    random = np.random.RandomState(0)
    return random.randn(400, K) @ random.randn(K, COLUMNS) * 2 + NOISE * random.randn(400, COLUMNS)


@pytest.fixture(scope="module")
def linear_gaussian(rows):
    """A linear model whose weights are probabilistic PCA's, with the exact posterior."""
    model = isthmus.VariationalAutoencoder(
        K, hidden=(), reconstruction=GaussianLikelihood(NOISE), scaling="none", max_epochs=1, random_state=0
    ).fit(rows)
    pca = PCA(K).fit(rows)
    values, directions = pca.explained_variance_, pca.components_
    weights = directions.T * np.sqrt(values - NOISE**2)
    inner = weights.T @ weights + NOISE**2 * np.eye(K)
    encoder, decoder = model.encoder_[0], model.decoder_[0]
    projection = np.linalg.solve(inner, weights.T)
    with torch.no_grad():
        decoder.weight.copy_(torch.from_numpy(weights))
        decoder.bias.copy_(torch.from_numpy(pca.mean_))
        encoder.weight.zero_()
        encoder.weight[:K] = torch.from_numpy(projection)
        encoder.bias[:K] = torch.from_numpy(-projection @ pca.mean_)
        encoder.bias[K:] = torch.from_numpy(np.log(NOISE**2 * np.diag(np.linalg.inv(inner))))
    covariance = weights @ weights.T + NOISE**2 * np.eye(COLUMNS)
    return model, torch.distributions.MultivariateNormal(torch.from_numpy(pca.mean_), torch.from_numpy(covariance))


def test_the_likelihood_is_probabilistic_pcas(linear_gaussian, rows):
    model, truth = linear_gaussian
    expected = truth.log_prob(torch.from_numpy(rows)).numpy()
    np.testing.assert_allclose(model.log_likelihood(rows, 5, random_state=0), expected, atol=1e-3)
    np.testing.assert_allclose(model.elbo(rows, 2000, random_state=0).mean(), expected.mean(), atol=0.02)


def test_the_bound_rises_with_the_number_of_draws(rows):
    model = isthmus.VariationalAutoencoder(2, hidden=(8,), beta=0.1, max_epochs=3, random_state=0).fit(rows)
    bounds = [model.log_likelihood(rows, n, random_state=0).mean() for n in (1, 10, 100)]
    assert bounds[0] < bounds[1] < bounds[2]


def test_samples_and_posteriors(rows):
    model = isthmus.VariationalAutoencoder(2, hidden=(8,), beta=0.1, max_epochs=20, random_state=0).fit(rows)
    mean, scale = model.posterior(rows)
    np.testing.assert_array_equal(mean, model.transform(rows))
    assert (scale > 0).all()
    np.testing.assert_array_equal(model.sample(4, random_state=1), model.sample(4, random_state=1))
    assert model.sample(4).shape == (4, COLUMNS)


def test_a_collapsed_code_is_reported_in_words(rows):
    with pytest.warns(CollapseWarning, match="collapsed to the prior"):
        isthmus.VariationalAutoencoder(2, beta=1000.0, max_epochs=2, random_state=0).fit(rows)


def test_importance_weighting_excludes_what_it_replaces(rows):
    with pytest.raises(ParameterError, match="n_importance"):
        isthmus.VariationalAutoencoder(2, n_importance=5, beta=2.0).fit(rows)
    with pytest.raises(ParameterError, match="likelihood"):
        isthmus.VariationalAutoencoder(2, reconstruction="squared", max_epochs=1, random_state=0).fit(rows).elbo(rows)


def nearest(rows, others):
    return float(np.median(NearestNeighbors(n_neighbors=1).fit(others).kneighbors(rows)[0]))


@pytest.mark.parametrize(
    ("X", "settings"),
    [
        (isthmus.datasets.load_digits()[0].reshape(-1, 64) / np.float32(255), {"reconstruction": "bernoulli"}),
        (StandardScaler().fit_transform(load_breast_cancer().data), {"learning_rate": 5e-3}),
    ],
    ids=["digits", "table"],
)
def test_samples_lie_as_near_to_held_out_rows_as_rows_do(X, settings):
    half = len(X) // 3
    train, test = X[: 2 * half], X[2 * half :]
    model = isthmus.VariationalAutoencoder(10, max_epochs=60, random_state=0, **settings)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CollapseWarning)
        model.fit(train)
    own = nearest(train[:half], test)
    assert nearest(model.sample(half, random_state=0), test) == pytest.approx(own, rel=0.3)
    shuffled = np.random.default_rng(0).permuted(train[:half], axis=0)
    assert nearest(shuffled, test) > 1.3 * own


def test_free_bits_keep_numbers_of_the_code_alive(rows):
    settings = {"code_size": 4, "hidden": (8,), "beta": 20.0, "max_epochs": 40, "random_state": 0}
    with pytest.warns(CollapseWarning):
        collapsed = isthmus.VariationalAutoencoder(**settings).fit(rows)
    alive = isthmus.VariationalAutoencoder(free_bits=0.3, **settings).fit(rows)
    assert collapsed.kl_per_unit_.max() < 0.02
    assert alive.kl_per_unit_.min() > 0.1


def test_warm_up_starts_without_the_divergence_and_ends_with_all_of_it(rows):
    settings = {"code_size": 2, "hidden": (8,), "max_epochs": 10, "validation_fraction": 0.0, "random_state": 0}
    model = isthmus.VariationalAutoencoder(warmup=0.5, **settings).fit(rows)
    assert model.history_[0].losses["divergence"] < 0.2 * model.kl_per_unit_.sum()
    assert model.history_[-1].losses["divergence"] == pytest.approx(model.kl_per_unit_.sum(), rel=0.1)


def test_the_importance_weighted_loss_is_the_likelihood_where_the_posterior_is_exact(linear_gaussian, rows):
    model, truth = linear_gaussian
    module = AutoencoderModule(replace(model.module_.recipe, n_importance=5), model.schema_).materialise(
        torch.Generator()
    )
    module.load_state_dict(model.module_.state_dict())
    batch = Batch(torch.from_numpy(rows).float())
    losses, _ = module.losses(batch, batch.rows, 1.0, torch.Generator().manual_seed(0), training=True)
    expected = -float(truth.log_prob(torch.from_numpy(rows)).mean())
    assert losses["bound"].item() == pytest.approx(expected, abs=1e-3)
