"""The variational autoencoder's likelihoods against probabilistic PCA, and its behaviour (evidence.py too)."""

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA
from sklearn.neighbors import NearestNeighbors

import isthmus
from isthmus.errors import CollapseWarning, ParameterError
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


def test_samples_lie_as_near_to_held_out_rows_as_rows_do():
    X = isthmus.datasets.load_digits()[0].reshape(-1, 64) / np.float32(255)
    train, test = X[:1200], X[1200:]
    model = isthmus.VariationalAutoencoder(10, reconstruction="bernoulli", max_epochs=100, random_state=0).fit(train)
    own = nearest(train[:597], test)
    assert nearest(model.sample(597, random_state=0), test) == pytest.approx(own, rel=0.3)
    shuffled = np.random.default_rng(0).permuted(train[:597], axis=0)
    assert nearest(shuffled, test) > 1.3 * own
