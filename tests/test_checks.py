"""What measures refuse, and which rows they draw."""

import numpy as np
import pandas as pd
import pytest

from isthmus.errors import DataError, ParameterError
from isthmus.metrics.checks import numbers, sampled


def test_arrays_stay_as_they_are_and_images_are_flattened():
    rows = np.zeros((3, 2), np.uint8)
    assert np.shares_memory(numbers("X", rows), rows)
    assert numbers("X", np.zeros((3, 2, 4))).shape == (3, 8)
    assert numbers("X", pd.DataFrame({"a": [1.0, 2.0]})).shape == (2, 1)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_cells_that_are_not_finite_are_refused_with_their_row(bad):
    rows = np.zeros((5000, 2), np.float32)
    rows[4500, 1] = bad
    with pytest.raises(DataError, match="codes has a missing or infinite cell in row 4500"):
        numbers("codes", rows)


@pytest.mark.parametrize("array", [[1.0, 2.0], [], [[]], np.zeros((0, 3)), 3.0])
def test_what_are_no_rows_is_refused(array):
    with pytest.raises(DataError, match=r"X must have shape \(n, columns\)"):
        numbers("X", array)


@pytest.mark.parametrize("array", [[["a"]], [[1j]], [[None]]])
def test_what_are_no_numbers_is_refused(array):
    with pytest.raises(DataError, match="X must be numbers; got"):
        numbers("X", array)


def test_a_sample_has_each_row_at_most_once():
    found = sampled(100, 60, 0)
    assert len({*found}) == 60
    assert (np.diff(found) > 0).all()
    assert not np.array_equal(found, sampled(100, 60, 1))
    for n_samples in (None, 100, 2000):
        np.testing.assert_array_equal(sampled(100, n_samples, 0), np.arange(100))


@pytest.mark.parametrize("n_samples", [0, -1, 1.5, "all", True])
def test_a_number_of_samples_that_cannot_be_is_refused(n_samples):
    with pytest.raises(ParameterError, match="n_samples must be an integer of at least 1 or None; got"):
        sampled(10, n_samples, 0)


@pytest.mark.parametrize("seed", [-1, 2**32, 0.5, "seed"])
def test_a_seed_that_is_none_is_refused(seed):
    with pytest.raises(ParameterError, match="random_state must be an integer"):
        sampled(10, None, seed)
