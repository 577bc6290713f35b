"""Corruptions against the distributions they claim, by statistics of many cells with a fixed seed."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats

from isthmus.errors import ParameterError
from isthmus.parts import GaussianNoise, Masking, SaltAndPepper
from isthmus.parts.corruptions import BY_NAME

CELLS = 40_000
SHARES = (0.0, 0.3, 1.0)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def grey(value=0.5):
    """Rows of one value, but for one cell of 0 and one of 1."""
    rows = torch.full((CELLS // 100, 100), value)
    rows[0, 0], rows[0, 1] = 0, 1
    return rows


def assert_share(cells, share):
    """Within four standard errors of a coin's."""
    assert abs(float(cells.double().mean()) - share) <= 4 * (share * (1 - share) / CELLS) ** 0.5 + 2 / CELLS


def test_gaussian_noise_is_normal():
    rows = torch.linspace(-3, 3, CELLS).reshape(-1, 100)
    noise = (GaussianNoise(0.3)(rows, generator()) - rows).flatten().numpy()
    assert stats.kstest(noise, stats.norm(0, 0.3).cdf).pvalue > 0.01


def test_clipped_noise_is_the_same_noise_within_the_unit_range():
    rows = grey()
    clipped = GaussianNoise(0.8, clip=True)(rows, generator())
    np.testing.assert_array_equal(clipped, np.clip(GaussianNoise(0.8)(rows, generator()).numpy(), 0, 1))
    assert_share(clipped == 0, stats.norm.cdf(-0.5 / 0.8))


@pytest.mark.parametrize("share", SHARES)
def test_masking_sets_a_share_to_zero_and_leaves_the_rest(share):
    rows = grey() + 1
    masked = Masking(share)(rows, generator())
    assert_share(masked == 0, share)
    np.testing.assert_array_equal(masked[masked != 0], rows[masked != 0])


@pytest.mark.parametrize("share", SHARES)
def test_salt_and_pepper_are_equally_many_and_leave_the_rest(share):
    rows = 3 * grey() - 1
    peppered = SaltAndPepper(share)(rows, generator())
    assert_share(peppered == -1, share / 2)
    assert_share(peppered == 2, share / 2)
    rest = (peppered != -1) & (peppered != 2)
    np.testing.assert_array_equal(peppered[rest], rows[rest])


@pytest.mark.parametrize("corruption", [Masking(0.5), SaltAndPepper(0.5), GaussianNoise(0.5)])
def test_neighbouring_cells_are_corrupted_independently(corruption):
    change = corruption(grey(), generator()) - grey()
    for one, other in ((change[:, 1:], change[:, :-1]), (change[1:], change[:-1])):
        assert abs(np.corrcoef(one.flatten(), other.flatten())[0, 1]) < 4 / CELLS**0.5


@settings(deadline=None)
@given(
    hnp.arrays(np.float32, hnp.array_shapes(min_dims=2, max_dims=4, max_side=5), elements=st.floats(-1, 1, width=32)),
    st.sampled_from([GaussianNoise(0.5), GaussianNoise(0.5, clip=True), Masking(0.5), SaltAndPepper(0.5)]),
    st.integers(0, 99),
)
def test_a_seed_decides_and_rows_are_neither_changed_nor_reshaped(array, corruption, seed):
    rows = torch.from_numpy(array.copy())
    once, again = corruption(rows, generator(seed)), corruption(rows, generator(seed))
    assert (once.shape, once.dtype) == (rows.shape, rows.dtype)
    np.testing.assert_array_equal(once, again)
    np.testing.assert_array_equal(rows, array)


@pytest.mark.parametrize("corruption", BY_NAME.values())
def test_no_corruption_at_level_zero_and_none_below(corruption):
    rows = grey()
    np.testing.assert_array_equal(corruption(0)(rows, generator()), rows)
    with pytest.raises(ParameterError, match=r"got -0\.1"):
        corruption(-0.1)
