"""Bottlenecks against numpy, torch's distributions and its autograd."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats
from torch import nn

from isthmus.parts import Gaussian, Point, Ramp, TopK, WinnerTakeAll

CODES = hnp.arrays(
    np.float32,
    hnp.array_shapes(min_dims=2, max_dims=4, max_side=5),
    elements=st.floats(-4, 4, width=32),
    unique=True,
)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def features(*shape):
    return torch.randn(shape, generator=generator(1)).double()


@settings(deadline=None)
@given(CODES)
def test_a_point_is_the_encoders_output(array):
    latent = Point()(torch.from_numpy(array), generator=generator())
    np.testing.assert_array_equal(latent.code, array)
    np.testing.assert_array_equal(latent.features, array)


@pytest.mark.parametrize("shape", [(5, 6), (5, 6, 2, 3)])
def test_a_gaussian_takes_mean_and_log_variance_from_the_two_halves(shape):
    halves = features(*shape)
    latent = Gaussian()(halves)
    np.testing.assert_array_equal(latent.code, halves[:, :3])
    np.testing.assert_array_equal(latent.mean, halves[:, :3])
    torch.testing.assert_close(latent.log_scale.exp().square(), halves[:, 3:].exp(), rtol=1e-12, atol=0)


def test_draws_have_the_normal_distribution_of_torch():
    parameters = torch.tensor([[1.0, -2.0, np.log(4.0), np.log(0.25)]]).expand(20_000, 4)
    code = Gaussian()(parameters, generator=generator()).code
    quantiles = torch.distributions.Normal(torch.tensor([1.0, -2.0]), torch.tensor([2.0, 0.5])).cdf(code)
    for unit in quantiles.T:
        assert stats.kstest(unit.numpy(), "uniform").pvalue > 0.01
    assert abs(np.corrcoef(quantiles.T)[0, 1]) < 4 / 20_000**0.5


@pytest.mark.parametrize(("bottleneck", "columns"), [(Point(), 3), (Gaussian(), 6)])
def test_the_written_out_derivative_is_that_of_automatic_differentiation(bottleneck, columns):
    recorded, by_code = features(4, columns).requires_grad_(), torch.rand(4, 3, generator=generator(2)).double()
    latent = bottleneck(recorded, 1.0, generator())
    (expected,) = torch.autograd.grad(latent.code, [recorded], by_code, retain_graph=True)
    torch.testing.assert_close(bottleneck.gradient(latent, by_code), expected)


def test_gradients_flow_through_draws():
    assert torch.autograd.gradcheck(
        lambda x: Gaussian()(x, generator=generator()).code, features(3, 4).requires_grad_()
    )


@settings(deadline=None)
@given(CODES, st.integers(1, 8))
def test_top_k_keeps_the_largest_of_a_row_as_far_as_they_are_positive(array, k):
    flat = array.reshape(len(array), -1)
    rank = (-flat).argsort(axis=1).argsort(axis=1)
    expected = np.where((rank < k) & (flat > 0), flat, 0).reshape(array.shape)
    np.testing.assert_array_equal(TopK(k)(torch.from_numpy(array)).code, expected)


@pytest.mark.parametrize(("progress", "active"), [(0.0, 6), (0.5, 4), (1.0, 2)])
def test_a_schedule_anneals_how_many_are_kept(progress, active):
    code = TopK(Ramp(6, 2, share=1.0))(features(5, 9).abs(), progress).code
    np.testing.assert_array_equal((code > 0).sum(dim=1), active)


@pytest.mark.parametrize("start", [-3, 0, 0.4])
def test_a_schedule_from_below_one_keeps_one(start):
    code = TopK(Ramp(start, 5))(features(5, 9).abs(), 0.0).code
    np.testing.assert_array_equal((code > 0).sum(dim=1), 1)


def test_only_what_top_k_keeps_gets_a_gradient():
    rows = torch.tensor([[3.0, -1.0, 2.0, 1.0], [-4.0, -3.0, 1.0, -2.0]], requires_grad=True)
    TopK(2)(rows).code.sum().backward()
    np.testing.assert_array_equal(rows.grad, [[1, 0, 1, 0], [0, 0, 1, 0]])


def test_columns_of_a_dense_decoder_get_length_one_and_keep_their_direction():
    decoder = nn.Sequential(nn.Linear(3, 5), nn.ReLU(), nn.Linear(5, 5)).double()
    with torch.no_grad():
        decoder[0].weight[:, 2] = 0
    first, second = (decoder[place].weight.detach().numpy().copy() for place in (0, 2))
    TopK().constrain(decoder)
    lengths = np.linalg.norm(first, axis=0)
    np.testing.assert_allclose(decoder[0].weight.detach(), first / np.where(lengths > 0, lengths, 1), rtol=1e-12)
    np.testing.assert_array_equal(decoder[2].weight.detach(), second)


@pytest.mark.parametrize(
    ("bottleneck", "decoder"),
    [(TopK(unit_columns=False), nn.Linear(3, 5)), (TopK(), nn.Sequential(nn.Conv2d(2, 2, 3), nn.Linear(3, 5)))],
)
def test_other_decoders_are_left_alone(bottleneck, decoder):
    before = [weight.detach().clone() for weight in decoder.parameters()]
    bottleneck.constrain(decoder)
    for ours, theirs in zip(decoder.parameters(), before, strict=True):
        np.testing.assert_array_equal(ours.detach(), theirs)


@settings(deadline=None)
@given(CODES, st.floats(0, 1))
def test_in_training_each_unit_keeps_its_winners_of_the_batch(array, share):
    winners = max(1, round(share * len(array)))
    rank = (-array).argsort(axis=0).argsort(axis=0)
    expected = np.where((rank < winners) & (array > 0), array, 0)
    np.testing.assert_array_equal(WinnerTakeAll(share)(torch.from_numpy(array), generator=generator()).code, expected)


@settings(deadline=None)
@given(CODES)
def test_without_a_generator_winner_take_all_is_a_rectifier(array):
    np.testing.assert_array_equal(WinnerTakeAll(0.05)(torch.from_numpy(array)).code, np.maximum(array, 0))
