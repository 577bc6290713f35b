"""Intrinsic dimension, on manifolds of known dimension and against the definition."""

import numpy as np
import pytest
from sklearn.datasets import make_swiss_roll
from sklearn.neighbors import NearestNeighbors

from isthmus.errors import DataError, ParameterError
from isthmus.metrics import intrinsic_dimension


def turned(rows, columns=10, seed=1):
    """Put rows into a space of more columns, at an angle."""
    basis = np.linalg.qr(np.random.RandomState(seed).randn(columns, columns))[0]
    return rows @ basis[: rows.shape[1]]


def uniform(dimension, n=2000):
    return np.random.RandomState(0).uniform(size=(n, dimension))


@pytest.mark.parametrize(("dimension", "error"), [(1, 0.05), (2, 0.1), (3, 0.2), (5, 0.5)])
def test_flat_pieces_have_their_dimension(dimension, error):
    assert intrinsic_dimension(turned(uniform(dimension))) == pytest.approx(dimension, abs=error)


def test_a_swiss_roll_has_two():
    assert intrinsic_dimension(turned(make_swiss_roll(2000, random_state=0)[0])) == pytest.approx(2, abs=0.1)


def test_a_sphere_has_one_less_than_its_space():
    rows = np.random.RandomState(0).randn(2000, 4)
    assert intrinsic_dimension(rows / np.linalg.norm(rows, axis=1, keepdims=True)) == pytest.approx(3, abs=0.25)


@pytest.mark.parametrize("share", [0, 0.1, 0.5])
def test_it_is_the_slope_of_the_definition(share):
    rows = uniform(3, 300)
    first, second = NearestNeighbors(n_neighbors=2).fit(rows).kneighbors()[0].T
    ratios = np.sort(second / first)
    below = np.arange(1, 301) / 300
    kept = min(round(300 * (1 - share)), 299)
    x, y = np.log(ratios[:kept]), -np.log(1 - below[:kept])
    slope = np.linalg.lstsq(x[:, None], y, rcond=None)[0][0]
    assert intrinsic_dimension(rows, discard_fraction=share) == pytest.approx(slope, rel=1e-10)


def test_units_and_offset_change_nothing():
    rows = uniform(2, 300)
    expected = intrinsic_dimension(rows)
    assert intrinsic_dimension(rows * 1e9) == pytest.approx(expected, rel=1e-9)
    assert intrinsic_dimension(rows + 1e6) == pytest.approx(expected, rel=1e-4)
    assert intrinsic_dimension(rows.astype(np.float32)) == pytest.approx(expected, rel=1e-3)


def test_images_are_rows():
    rows = uniform(2, 300)
    assert intrinsic_dimension(turned(rows, 12).reshape(300, 3, 4)) == pytest.approx(intrinsic_dimension(rows))


def test_a_sample_looks_for_neighbours_among_all_rows():
    rows = turned(uniform(2, 4000))
    estimates = [intrinsic_dimension(rows, n_samples=500, random_state=seed) for seed in range(20)]
    assert np.mean(estimates) == pytest.approx(intrinsic_dimension(rows, n_samples=None), abs=0.06)
    assert estimates[0] == intrinsic_dimension(rows, n_samples=500, random_state=0)
    assert estimates[0] != estimates[1]


def test_copies_of_rows_count_once():
    rows = uniform(2, 300)
    rows[0] = 0
    copies = np.concatenate([rows, rows[:100], -rows[:1]])
    assert intrinsic_dimension(copies) == pytest.approx(intrinsic_dimension(rows))


def test_a_grid_is_refused():
    with pytest.raises(DataError, match=r"distances to two neighbours must differ.* of 50 rows taken they do for 2"):
        intrinsic_dimension(np.arange(50.0)[:, None])


@pytest.mark.parametrize("rows", [np.ones((50, 3)), np.repeat(uniform(2, 2), 2, axis=0)])
def test_too_few_distinct_rows_are_refused(rows):
    with pytest.raises(DataError, match=r"X must have at least 3 distinct rows, for two neighbours each; got [12]"):
        intrinsic_dimension(rows)


@pytest.mark.parametrize("share", [-0.1, 1, np.nan, "some", None])
def test_a_share_that_cannot_be_is_refused(share):
    with pytest.raises(ParameterError, match=r"discard_fraction must be a number in \[0, 0.99\]; got"):
        intrinsic_dimension(uniform(2, 50), discard_fraction=share)
