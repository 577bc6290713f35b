"""Nearest rows and ranks, against scikit-learn and sorting."""

import numpy as np
import pytest
from sklearn.metrics import pairwise_distances
from sklearn.neighbors import NearestNeighbors

from isthmus.metrics.distances import centred, nearest, ranks


@pytest.fixture(params=[np.float32, np.float64])
def rows(request):
    return centred(np.random.RandomState(0).randn(200, 5).astype(request.param))


@pytest.mark.parametrize("k", [1, 7, 199])
def test_the_nearest_are_scikit_learns(rows, k):
    expected = NearestNeighbors(n_neighbors=k).fit(rows).kneighbors(return_distance=False)
    queries = np.array([3, 50, 199])
    np.testing.assert_array_equal(nearest(rows, queries, k), expected[queries])


def test_a_row_is_no_neighbour_of_itself_even_among_copies():
    rows = np.repeat(np.eye(3), 20, axis=0)
    queries = np.arange(60)
    found = nearest(rows, queries, 19)
    np.testing.assert_array_equal(np.sort(np.column_stack([found, queries])), np.repeat(queries.reshape(3, 20), 20, 0))


def test_near_ones_are_put_in_order_beyond_the_precision_of_products():
    far = np.array([[1e3], [-1e3]])
    rows = np.concatenate([1e3 + np.arange(6)[:, None] / 2**12, far]).astype(np.float32)
    np.testing.assert_array_equal(nearest(rows, np.array([0]), 3), [[6, 1, 2]])


def test_ranks_are_places_in_the_sorted_distances(rows):
    queries, others = np.array([0, 9]), np.array([[1, 2, 3], [0, 5, 199]])
    distances = pairwise_distances(rows)
    np.fill_diagonal(distances, np.inf)
    expected = 1 + np.argsort(np.argsort(distances[queries]))[np.arange(2)[:, None], others]
    np.testing.assert_array_equal(ranks(rows, queries, others), expected)


def test_equal_distances_share_the_lowest_rank():
    line = np.array([[0.0], [1.0], [-1.0], [2.0]])
    np.testing.assert_array_equal(ranks(line, np.array([0]), np.array([[1, 2, 3]])), [[1, 1, 3]])


@pytest.mark.parametrize(
    ("given", "kept"),
    [(np.float32, np.float32), (np.uint8, np.float32), (bool, np.float32), (float, float), (np.int64, float)],
)
def test_centred_rows_keep_the_digits_of_their_type(given, kept):
    rows = np.random.RandomState(0).rand(50, 4) * 200
    rows = rows > 100 if given is bool else rows.astype(given)
    found = centred(rows)
    assert found.dtype == kept
    wide = rows.astype(float) - rows.astype(float).mean(axis=0)
    scale = np.abs(wide).max() / np.abs(found).max()
    assert np.log2(scale) == pytest.approx(round(np.log2(scale)), abs=1e-5)
    np.testing.assert_allclose(found * scale, wide, atol=1e-4)
    assert 0.5 <= np.abs(found).max() < 1


def test_rows_that_are_all_the_same_stay_finite():
    np.testing.assert_array_equal(centred(np.full((3, 2), 7.0)), np.zeros((3, 2)))
