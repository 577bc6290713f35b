"""The order of coordinates, against principal components and a search by hand."""

import numpy as np
import pytest
from sklearn.decomposition import PCA

from isthmus import LinearAutoencoder
from isthmus.datasets import load_digits
from isthmus.errors import DataError, ParameterError
from isthmus.metrics import explained_variance, importance_order

DIGITS = load_digits()[0].reshape(-1, 64)


class Shuffled:
    """Principal components in another order."""

    def __init__(self, order, rows):
        self.order = order
        self.pca = PCA(len(order)).fit(rows)

    def transform(self, X):
        return self.pca.transform(X)[:, self.order]

    def inverse_transform(self, X):
        return self.pca.inverse_transform(X[:, np.argsort(self.order)])


@pytest.mark.parametrize("kind", [PCA, LinearAutoencoder])
def test_principal_components_are_in_order_and_add_their_ratios(kind):
    model = kind(6).fit(DIGITS)
    found = importance_order(model, DIGITS)
    np.testing.assert_array_equal(found.order, np.arange(6))
    np.testing.assert_allclose(found.added, model.explained_variance_ratio_, rtol=1e-4)
    assert found.start == pytest.approx(0, abs=1e-6)


def test_a_shuffle_of_components_is_found_out():
    found = importance_order(Shuffled([3, 1, 0, 4, 2], DIGITS), DIGITS)
    np.testing.assert_array_equal(found.order, [2, 1, 4, 0, 3])


def test_each_model_gets_an_order_that_ends_at_its_score(fitted, rows):
    order, added, start = importance_order(fitted, rows)
    np.testing.assert_array_equal(np.sort(order), [*range(fitted.transform(rows).shape[1])])
    assert start + added.sum() == pytest.approx(fitted.score(rows), abs=1e-5)


def test_it_is_greedy_with_the_others_at_their_mean(fitted, rows):
    codes = fitted.transform(rows)
    held = np.tile(codes.mean(axis=0), (len(rows), 1))
    scores = []
    for coordinate in range(codes.shape[1]):
        freed = held.copy()
        freed[:, coordinate] = codes[:, coordinate]
        scores.append(explained_variance(rows, fitted.inverse_transform(freed)))
    found = importance_order(fitted, rows, n_coordinates=1)
    assert found.start + found.added[0] == pytest.approx(max(scores), abs=1e-5)
    assert scores[found.order[0]] == pytest.approx(max(scores), abs=1e-5)


def test_the_first_coordinates_are_those_of_the_whole_order():
    model = PCA(8).fit(DIGITS)
    whole, some = importance_order(model, DIGITS), importance_order(model, DIGITS, n_coordinates=3)
    np.testing.assert_array_equal(some.order, whole.order[:3])
    np.testing.assert_allclose(some.added, whole.added[:3])


def test_a_sample_is_drawn_by_its_seed():
    model = PCA(3).fit(DIGITS)
    first, again, other = (importance_order(model, DIGITS, n_samples=200, random_state=seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first.added, again.added)
    assert not np.array_equal(first.added, other.added)
    np.testing.assert_allclose(first.added, model.explained_variance_ratio_, atol=0.04)


def test_images_and_tables_with_names_are_taken_as_they_were_fitted(models, frame):
    model = models["DenseAutoencoder"]
    assert len(importance_order(model, frame, n_samples=30).order) == 2
    images = DIGITS.reshape(-1, 8, 8)[:100]
    order = importance_order(LinearAutoencoder(3).fit(images), images).order
    np.testing.assert_array_equal(order, [0, 1, 2])


def test_what_is_no_model_is_refused():
    with pytest.raises(ParameterError, match="must have transform and inverse_transform; int lacks transform"):
        importance_order(3, DIGITS)


@pytest.mark.parametrize("value", [0, 4, 1.5, "all"])
def test_a_number_of_coordinates_that_cannot_be_is_refused(value):
    with pytest.raises(ParameterError, match=r"n_coordinates must be an integer in \[1, 3\] or None; got"):
        importance_order(PCA(3).fit(DIGITS), DIGITS, n_coordinates=value)


def test_rows_that_do_not_vary_are_refused():
    with pytest.raises(DataError, match="no variance to explain"):
        importance_order(PCA(3).fit(DIGITS), np.tile(DIGITS[:1], (5, 1)))
