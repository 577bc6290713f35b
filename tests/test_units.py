"""Active units and divergences, against closed forms, torch and the models' own numbers."""

import numpy as np
import pytest
import torch
from torch.distributions import Normal, kl_divergence

from isthmus import VariationalAutoencoder
from isthmus.errors import DataError, ParameterError
from isthmus.metrics import activation_frequencies, active_units, dead_fraction, kl_per_unit, mean_active_units


def test_a_unit_is_active_where_its_variance_is_above_the_threshold():
    waves = np.sqrt(2) * np.sin(2 * np.pi * np.arange(100) / 100)[:, None]  # of variance 1
    codes = 5 + waves * np.sqrt([0.0099, 0.0101, 1, 0])
    np.testing.assert_array_equal(active_units(codes), [False, True, True, False])
    np.testing.assert_array_equal(active_units(codes, threshold=0.5), [False, False, True, False])
    np.testing.assert_array_equal(active_units(codes.astype(np.float32)), [False, True, True, False])


@pytest.mark.parametrize("threshold", [-1, np.nan, np.inf, "some", None])
def test_a_threshold_that_cannot_be_is_refused(threshold):
    with pytest.raises(ParameterError, match="threshold must be a number of at least 0; got"):
        active_units(np.ones((3, 2)), threshold)


def test_sparse_codes_are_counted():
    codes = np.array([[0, 1, 0, 7], [0, -2, 0, 7], [0, 0, 3, 7.0]])
    np.testing.assert_allclose(activation_frequencies(codes), [0, 2 / 3, 1 / 3, 1])
    assert mean_active_units(codes) == activation_frequencies(codes).sum() == 2
    assert dead_fraction(codes) == 0.5


def test_divergence_is_torchs():
    random = np.random.RandomState(0)
    mean, scale = random.randn(50, 3), np.exp(random.randn(50, 3))
    prior = Normal(torch.zeros(3).double(), 1.0)
    expected = kl_divergence(Normal(torch.tensor(mean), torch.tensor(scale)), prior).mean(dim=0)
    np.testing.assert_allclose(kl_per_unit(mean, scale), expected)


def test_the_prior_itself_diverges_by_nothing():
    np.testing.assert_array_equal(kl_per_unit(np.zeros((4, 2)), np.ones((4, 2))), [0, 0])


def test_divergence_of_a_models_posterior_is_what_it_learned_with(rows):
    model = VariationalAutoencoder(2, hidden=(8,), max_epochs=2, validation_fraction=0, random_state=0).fit(rows)
    np.testing.assert_allclose(kl_per_unit(*model.posterior(rows)), model.kl_per_unit_, rtol=1e-4, atol=1e-7)


def test_posteriors_that_cannot_be_are_refused():
    with pytest.raises(DataError, match="scale must be above 0, as standard deviations are; got -1"):
        kl_per_unit(np.zeros((2, 1)), [[1.0], [-1.0]])
    with pytest.raises(DataError, match=r"scale must have the shape of mean, \(2, 1\); got \(2, 3\)"):
        kl_per_unit(np.zeros((2, 1)), np.ones((2, 3)))
    with pytest.raises(DataError, match="scale must have as many rows as mean, 2; got 3"):
        kl_per_unit(np.zeros((2, 1)), np.ones((3, 1)))


@pytest.mark.parametrize("measure", [active_units, activation_frequencies, mean_active_units, dead_fraction])
def test_codes_that_are_not_finite_are_refused(measure):
    with pytest.raises(DataError, match="codes has a missing or infinite cell in row 1"):
        measure([[0.0], [np.nan]])
