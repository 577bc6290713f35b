"""Penalties against independent formulas."""

import pytest
import torch
from torch import distributions

from isthmus.batches import Batch, Latent, NormalLatent, Pass
from isthmus.errors import ParameterError
from isthmus.parts import L1, Divergence, Exponential, Gaussian, KLSparsity, Ramp


def run_of(latent, progress=1.0):
    rows = torch.zeros(len(latent.code), 3).double()
    return Pass(Batch(rows), rows, latent, rows, None, None, None, progress)


def random(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)).double()


def normal_latent(rows=8, numbers=3):
    mean, log_scale = random(rows, numbers), random(rows, numbers, seed=1)
    return NormalLatent(mean, mean, mean, log_scale)


def test_the_divergence_is_that_of_torch_distributions():
    latent = normal_latent()
    posterior = distributions.Normal(latent.mean, latent.log_scale.exp())
    expected = distributions.kl_divergence(posterior, distributions.Normal(0.0, 1.0)).sum() / 8
    torch.testing.assert_close(Divergence(2.5)(run_of(latent)), 2.5 * expected, rtol=1e-12, atol=0)


def test_free_bits_are_a_floor_for_each_unit():
    latent = normal_latent()
    mean = latent.mean * 0
    calm = NormalLatent(mean, mean, mean, mean)
    assert float(Divergence(free_bits=0.5)(run_of(calm))) == pytest.approx(1.5)
    assert float(Divergence(free_bits=1e-9)(run_of(latent))) == pytest.approx(float(Divergence()(run_of(latent))))


@pytest.mark.parametrize("free_bits", [0.0, 0.6])
def test_the_written_out_derivative_of_a_divergence_is_that_of_automatic_differentiation(free_bits):
    penalty, features = Divergence(Ramp(0.0, 2.0), free_bits=free_bits), random(8, 6).requires_grad_()
    latent = Gaussian()(features, 0.3)
    expected = penalty(run_of(latent, 0.3))
    loss, gradient = penalty.loss_and_gradient(latent, 0.3)
    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(gradient, torch.autograd.grad(expected, [features])[0])


def test_a_divergence_needs_a_distribution():
    with pytest.raises(ParameterError, match="Gaussian"):
        Divergence()(run_of(Latent(random(4, 2), random(4, 2))))


def test_l1_is_the_sum_of_absolute_values():
    code = random(5, 4)
    expected = 0.1 * code.abs().sum(dim=1).mean()
    torch.testing.assert_close(L1(0.1)(run_of(Latent(code, code))), expected, rtol=1e-12, atol=0)


def test_kl_sparsity_is_the_divergence_of_two_coins():
    code = random(50, 4).sigmoid()
    coins = distributions.Bernoulli(code.mean(dim=0))
    target = distributions.Bernoulli(torch.full((4,), 0.05).double())
    expected = distributions.kl_divergence(target, coins).sum()
    torch.testing.assert_close(KLSparsity(1.0, 0.05)(run_of(Latent(code, code))), expected, rtol=1e-6, atol=0)


def test_the_gradient_of_kl_sparsity_is_right():
    code = random(6, 3).sigmoid().requires_grad_()
    assert torch.autograd.gradcheck(lambda c: KLSparsity(0.5, 0.2)(run_of(Latent(c, c))), code)


def test_weights_follow_schedules():
    code = random(5, 4)
    half = L1(Ramp(0.0, 2.0, share=1.0))(run_of(Latent(code, code), progress=0.5))
    torch.testing.assert_close(half, L1(1.0)(run_of(Latent(code, code))))
    assert Exponential(10.0, 0.1).at(0.5) == pytest.approx(1.0)
