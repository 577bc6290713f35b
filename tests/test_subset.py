"""The choice of columns against scikit-learn's linear regression on every subset."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LinearRegression

from isthmus.parts.subset import best_columns

SEEDS = range(8)


def table(seed, rows=30, columns=7):
    """Columns that depend on each other, of different variance."""
    random = np.random.RandomState(seed)
    return random.randn(rows, 4) @ random.randn(4, columns) + random.rand(columns) * random.randn(rows, columns)


def error(rows, columns):
    """Give the squared error of the regression of all columns on some."""
    chosen = rows[:, list(columns)]
    return np.square(LinearRegression().fit(chosen, rows).predict(chosen) - rows).sum()


def least_error(rows, count):
    return min(error(rows, columns) for columns in combinations(range(rows.shape[1]), count))


@pytest.mark.parametrize("seed", SEEDS)
def test_one_column_is_the_best_one(seed):
    rows = table(seed)
    (chosen,) = best_columns(rows, 1)
    assert chosen == np.argmin([error(rows, [column]) for column in range(7)])


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("count", [2, 3, 4])
def test_several_are_within_a_tenth_of_the_best_subset(seed, count):
    rows = table(seed)
    assert error(rows, best_columns(rows, count)) <= 1.1 * least_error(rows, count)


def test_most_often_they_are_the_best_subset():
    tables = [table(seed) for seed in SEEDS]
    errors = [(error(rows, best_columns(rows, 3)), least_error(rows, 3)) for rows in tables]
    assert sum(found <= 1.000001 * least for found, least in errors) >= 6


@pytest.mark.parametrize("seed", SEEDS)
def test_no_single_exchange_makes_them_better(seed):
    rows = table(seed, columns=9)
    chosen = list(best_columns(rows, 3))
    for place, new in np.ndindex(3, 9):
        if new not in chosen:
            assert error(rows, [*chosen[:place], new, *chosen[place + 1 :]]) >= (1 - 1e-5) * error(rows, chosen)


@settings(deadline=None, max_examples=50)
@given(st.integers(1, 6), st.integers(1, 8), st.data())
def test_the_columns_are_distinct_whatever_the_table(n, columns, data):
    count = data.draw(st.integers(1, columns))
    cells = data.draw(st.lists(st.integers(-2, 2), min_size=n * columns, max_size=n * columns))
    chosen = best_columns(np.reshape(cells, (n, columns)), count)
    assert chosen.shape == (count,)
    assert len(set(chosen)) == count
    assert set(chosen) <= set(range(columns))


def test_constant_columns_come_last():
    rows = table(0)
    rows[:, [1, 4]] = 5
    assert not {1, 4} & set(best_columns(rows, 5))
    assert sorted(best_columns(rows, 7)) == list(range(7))


@pytest.mark.parametrize("rows", [np.ones((1, 5)), np.arange(5.0)[None], np.zeros((3, 5))])
def test_a_table_without_variance_gives_some_columns(rows):
    assert len(set(best_columns(rows, 3))) == 3


def test_a_copy_of_a_column_is_not_taken_beside_it():
    rows = table(0, columns=3)
    assert {column % 3 for column in best_columns(np.hstack([rows, rows, rows]), 3)} == {0, 1, 2}


def test_neither_an_offset_nor_single_precision_changes_the_choice():
    rows = table(0)
    shifted = (rows + 100 * np.arange(7)).astype(np.float32)
    np.testing.assert_array_equal(best_columns(shifted, 3), best_columns(rows, 3))


def test_the_rows_are_left_as_they_are():
    rows = table(0)
    best_columns(rows, 3)
    np.testing.assert_array_equal(rows, table(0))


@pytest.mark.parametrize(("noisy", "looked_at"), [(2_047, True), (2_048, False)])
def test_of_more_than_2048_columns_those_of_the_largest_variance_are_looked_at(noisy, looked_at):
    random = np.random.RandomState(0)
    signal = random.randn(20, 1)
    rows = np.hstack([signal + random.randn(20, noisy), 1e-3 * signal])
    assert (noisy in best_columns(rows, 1)) == looked_at
