"""Schedules against numpy's interpolation."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.errors import ParameterError
from isthmus.parts import Exponential, Ramp
from isthmus.parts.schedules import value_at

PROGRESS = st.floats(0, 1)
VALUES = st.floats(-1e3, 1e3)
POSITIVE = st.floats(1e-3, 1e3)


@given(VALUES, VALUES, st.floats(0.01, 1), PROGRESS)
def test_a_ramp_is_linear_and_then_level(start, end, share, progress):
    expected = np.interp(progress, [0, share], [start, end])
    assert Ramp(start, end, share=share).at(progress) == pytest.approx(expected, rel=1e-9, abs=1e-9)


@given(VALUES, VALUES, PROGRESS)
def test_a_ramp_without_a_way_starts_at_its_end(start, end, progress):
    assert Ramp(start, end, share=0).at(progress) == pytest.approx(end, abs=1e-9)


@given(POSITIVE, POSITIVE, PROGRESS)
def test_an_exponential_is_linear_in_the_logarithm(start, end, progress):
    expected = np.exp(np.interp(progress, [0, 1], np.log([start, end])))
    assert Exponential(start, end).at(progress) == pytest.approx(expected, rel=1e-9)


def test_equal_steps_of_an_exponential_are_equal_factors():
    values = [Exponential(10.0, 0.01).at(step / 6) for step in range(7)]
    np.testing.assert_allclose(np.divide(values[1:], values[:-1]), 10**-0.5, rtol=1e-12)


@given(PROGRESS)
def test_a_number_stays_as_it_is(progress):
    assert value_at(3, progress) == 3
    assert value_at(Ramp(0.0, 2.0, share=1.0), progress) == pytest.approx(2 * progress)
    assert value_at(Exponential(1.0, 4.0), progress) == pytest.approx(4**progress)


@pytest.mark.parametrize(("start", "end"), [(0, 1), (1, 0), (-1, 1), (1, np.inf), (np.nan, 1)])
def test_factors_take_positive_numbers_only(start, end):
    with pytest.raises(ParameterError, match="start" if not start > 0 else "end"):
        Exponential(start, end)


@pytest.mark.parametrize("share", [-0.1, 1.1, np.nan])
def test_the_way_of_a_ramp_is_a_share(share):
    with pytest.raises(ParameterError, match="share"):
        Ramp(share=share)
