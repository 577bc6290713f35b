"""Reconstruction losses against independent formulas, in float64."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from torch import distributions
from torch.nn import functional

from isthmus import DenseAutoencoder
from isthmus.errors import DataError
from isthmus.parts import AbsoluteError, Bernoulli, ContinuousBernoulli, GaussianLikelihood, Huber, SquaredError
from isthmus.recipe import reconstruction_of
from isthmus.records import Facts

SHAPES = [(5, 7), (3, 2, 4), (4, 3, 5, 2)]
ALL = [SquaredError(), AbsoluteError(), Huber(), Huber(0.3), Bernoulli(), ContinuousBernoulli()]


def huber(output, rows, delta):
    error = np.abs(output - rows)
    return np.where(error <= delta, error**2 / 2, delta * (error - delta / 2))


def log_normaliser(logits):
    """log of the integral of exp(logits x) over [0, 1]."""
    size = np.abs(logits)
    return np.maximum(logits, 0) + np.log(-np.expm1(-size) / size)


NUMPY = {
    SquaredError(): lambda output, rows: (output - rows) ** 2,
    AbsoluteError(): lambda output, rows: np.abs(output - rows),
    Huber(): lambda output, rows: huber(output, rows, 1.0),
    Huber(0.3): lambda output, rows: huber(output, rows, 0.3),
    Bernoulli(): lambda output, rows: np.logaddexp(0, output) - rows * output,
    ContinuousBernoulli(): lambda output, rows: log_normaliser(output) - rows * output,
}

TORCH = {
    SquaredError(): lambda output, rows: functional.mse_loss(output, rows, reduction="none"),
    AbsoluteError(): lambda output, rows: functional.l1_loss(output, rows, reduction="none"),
    Huber(): lambda output, rows: functional.smooth_l1_loss(output, rows, reduction="none"),
    Huber(0.3): lambda output, rows: functional.huber_loss(output, rows, reduction="none", delta=0.3),
    Bernoulli(): lambda output, rows: -distributions.Bernoulli(logits=output, validate_args=False).log_prob(rows),
    ContinuousBernoulli(): lambda output, rows: -distributions.ContinuousBernoulli(logits=output).log_prob(rows),
}


def example(shape, seed=0):
    random = np.random.RandomState(seed)
    return torch.from_numpy(random.randn(*shape) * 3), torch.from_numpy(random.rand(*shape))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("loss", ALL)
def test_the_loss_is_its_formula_summed_over_columns_and_averaged_over_rows(loss, shape):
    output, rows = example(shape)
    expected = NUMPY[loss](output.numpy(), rows.numpy()).reshape(len(rows), -1).sum(axis=1).mean()
    torch.testing.assert_close(loss.loss(output, rows).item(), expected, rtol=1e-9, atol=0)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("loss", ALL)
def test_the_loss_is_torchs_own_summed_over_columns_and_averaged_over_rows(loss, shape):
    output, rows = example(shape, seed=1)
    expected = TORCH[loss](output, rows).flatten(1).sum(dim=1).mean()
    torch.testing.assert_close(loss.loss(output, rows), expected, rtol=1e-12, atol=0)


@given(
    hnp.arrays(np.float64, (3, 4), elements=st.floats(-50, 50)),
    hnp.arrays(np.float64, (3, 4), elements=st.floats(0, 1)),
)
def test_bernoulli_is_the_negative_log_likelihood_of_the_sigmoid(output, rows):
    output, rows = torch.from_numpy(output), torch.from_numpy(rows)
    expected = -distributions.Bernoulli(logits=output, validate_args=False).log_prob(rows).sum(dim=1).mean()
    torch.testing.assert_close(Bernoulli().loss(output, rows), expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("loss", ALL)
def test_gradients_are_those_of_the_loss(loss):
    output, rows = example((3, 4))
    assert torch.autograd.gradcheck(lambda output: loss.loss(output, rows), output.requires_grad_())


@pytest.mark.parametrize("loss", ALL)
def test_a_batch_of_equal_rows_costs_what_one_row_costs(loss):
    output, rows = example((1, 6))
    torch.testing.assert_close(loss.loss(output.repeat(5, 1), rows.repeat(5, 1)), loss.loss(output, rows))


@pytest.mark.parametrize("loss", ALL)
def test_the_losses_of_the_columns_add_up(loss):
    output, rows = example((5, 6))
    parts = loss.loss(output[:, :2], rows[:, :2]) + loss.loss(output[:, 2:], rows[:, 2:])
    torch.testing.assert_close(loss.loss(output, rows), parts)


@pytest.mark.parametrize("loss", [SquaredError(), AbsoluteError(), Huber()])
def test_a_perfect_rebuild_costs_nothing(loss):
    _, rows = example((5, 6))
    assert loss.loss(rows, rows) == 0


def test_bernoullis_floor_is_the_entropy_of_the_rows():
    _, rows = example((5, 6))
    entropy = distributions.Bernoulli(probs=rows).entropy().sum(dim=1).mean()
    torch.testing.assert_close(Bernoulli().loss(torch.logit(rows), rows), entropy)


def test_bernoulli_stays_finite_for_huge_logits():
    output = torch.tensor([[1e4, -1e4]])
    assert Bernoulli().loss(output, torch.tensor([[1.0, 0.0]])) == 0
    assert Bernoulli().loss(output, torch.tensor([[0.0, 1.0]])) == 2e4


def test_a_huge_delta_makes_huber_half_the_squared_error():
    output, rows = example((5, 6))
    torch.testing.assert_close(2 * Huber(1e6).loss(output, rows), SquaredError().loss(output, rows))


@pytest.mark.parametrize("loss", [Bernoulli(), ContinuousBernoulli()])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_gradient_is_finite_for_every_logit(loss, dtype):
    output = torch.tensor([[0.0, 1e-9, 1e-3, -1e-3, 0.01, 1.0, -9.0, 50.0, -500.0]], dtype=dtype).requires_grad_()
    loss.loss(output, torch.full_like(output, 0.3).detach()).backward()
    assert torch.isfinite(output.grad).all()


@pytest.mark.parametrize("logit", [-10.0, -2.0, -0.05, -1e-4, 1e-4, 0.05, 2.0, 10.0])
def test_the_continuous_bernoulli_is_a_density_with_its_mean(logit):
    rows = torch.linspace(0, 1, 20_001).double()[:, None]
    density = ContinuousBernoulli().log_likelihood(torch.full_like(rows, logit), rows).exp()
    mean = ContinuousBernoulli().mean(torch.tensor([[logit]]).double()).item()
    assert ContinuousBernoulli().mean(torch.tensor([[logit]])).item() == pytest.approx(mean, abs=3e-7)
    assert torch.trapezoid(density, rows[:, 0]).item() == pytest.approx(1, rel=1e-5)
    assert torch.trapezoid(density * rows[:, 0], rows[:, 0]).item() == pytest.approx(mean, rel=1e-5)


@pytest.mark.parametrize("loss", [Bernoulli(), ContinuousBernoulli()])
def test_the_loss_is_minus_the_mean_log_likelihood_of_the_rows(loss):
    output, rows = example((4, 3, 2))
    likelihood = loss.log_likelihood(output, rows)
    assert likelihood.shape == (4,)
    torch.testing.assert_close(loss.loss(output, rows), -likelihood.mean())


# ---------------------------------------------------------------- a normal distribution around the output


def normal(scale):
    module = GaussianLikelihood(scale).build()
    module.to_empty(device="cpu").reset_parameters()
    return module.double()


@pytest.mark.parametrize("scale", [None, 0.1, 1.0, 7.0])
@pytest.mark.parametrize("shape", SHAPES)
def test_the_gaussian_loss_is_the_negative_log_density(scale, shape):
    output, rows = example(shape)
    expected = distributions.Normal(output, scale or 1.0).log_prob(rows).flatten(1).sum(dim=1)
    torch.testing.assert_close(normal(scale).log_likelihood(output, rows), expected, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(normal(scale).loss(output, rows), -expected.mean(), rtol=1e-6, atol=1e-6)


def test_the_scale_is_learned_unless_it_is_given():
    assert normal(None).log_scale.requires_grad
    assert not normal(0.5).log_scale.requires_grad


@pytest.mark.parametrize("log_scale", [-11.0, -0.5, 0.0, 2.0])
@pytest.mark.parametrize("learned", [False, True])
def test_the_written_out_derivatives_of_the_gaussian_loss_are_those_of_automatic_differentiation(log_scale, learned):
    output, rows = example((5, 6))
    module = normal(None if learned else math.exp(log_scale))
    with torch.no_grad():
        module.log_scale.fill_(log_scale)
    recorded = output.clone().requires_grad_()
    expected = module.loss(recorded, rows)
    by_output, *by_scale = torch.autograd.grad(expected, [recorded, *([module.log_scale] if learned else [])])
    loss, gradient = module.loss_and_gradient(output, rows)
    torch.testing.assert_close((loss, gradient), (expected.detach(), by_output))
    assert [module.log_scale.grad] == ([pytest.approx(by_scale[0].item())] if learned else [None])


def test_the_best_scale_is_the_root_of_the_mean_squared_error():
    output, rows = example((50, 6))
    module = normal(None)
    with torch.no_grad():
        module.log_scale.fill_((output - rows).square().mean().sqrt().log())
    module.loss(output, rows).backward()
    assert module.log_scale.grad.abs() < 1e-9


def test_gradients_of_the_gaussian_loss_are_right():
    output, rows = example((3, 4))
    module = normal(0.7)
    assert torch.autograd.gradcheck(lambda output: module.loss(output, rows), output.requires_grad_())


def test_a_perfect_rebuild_leaves_the_learned_scale_finite():
    _, rows = example((5, 6))
    module = normal(None)
    with torch.no_grad():
        module.log_scale.fill_(-1e4)
    assert torch.isfinite(module.loss(rows, rows))


def test_a_model_learns_the_scale_of_what_is_left():
    X = np.random.RandomState(0).randn(300, 4)
    model = DenseAutoencoder(
        1, hidden=(8,), reconstruction="gaussian", max_epochs=60, learning_rate=0.01, random_state=0
    ).fit(X)
    left = np.sqrt(np.square((X - model.reconstruct(X)) / model.scaling_.scale.numpy()).mean())
    assert model.module_.reconstruction.log_scale.exp().item() == pytest.approx(left, rel=0.1)


# ---------------------------------------------------------------- the link


@pytest.mark.parametrize("loss", [SquaredError(), AbsoluteError(), Huber()])
def test_the_output_is_the_row(loss):
    output, _ = example((5, 6))
    assert torch.equal(loss.mean(output), output)


def test_bernoullis_rows_are_the_sigmoid_of_the_output():
    output, _ = example((5, 6))
    torch.testing.assert_close(Bernoulli().mean(output), 1 / (1 + torch.exp(-output)))


def test_a_model_trained_with_bernoulli_rebuilds_rows_within_0_and_1():
    X = np.random.RandomState(0).rand(50, 6)
    model = DenseAutoencoder(2, reconstruction="bernoulli", max_epochs=2, random_state=0).fit(X)
    rebuilt = model.reconstruct(X)
    assert rebuilt.min() > 0
    assert rebuilt.max() < 1


# ---------------------------------------------------------------- legal ranges


@pytest.mark.parametrize(("low", "high"), [(-0.1, 1), (0, 1.1), (-3, 3), (-1e-9, 1), (0, 255)])
def test_bernoulli_refuses_rows_outside_0_and_1_by_name(low, high):
    with pytest.raises(DataError) as caught:
        Bernoulli().check(low, high)
    message = str(caught.value)
    assert message.startswith("reconstruction='bernoulli' needs rows within [0, 1] after scaling")
    assert f"{low:.6g}" in message
    assert f"{high:.6g}" in message
    assert "scaling='minmax'" in message
    assert "\n" not in message


@pytest.mark.parametrize(("low", "high"), [(0, 1), (0.2, 0.8), (0, 0)])
def test_bernoulli_takes_rows_within_0_and_1(low, high):
    Bernoulli().check(low, high)


@pytest.mark.parametrize(("low", "high"), [(-0.1, 1), (0, 1.1)])
def test_the_continuous_bernoulli_refuses_by_its_own_name(low, high):
    with pytest.raises(DataError, match="reconstruction='continuous_bernoulli' needs rows within"):
        ContinuousBernoulli().check(low, high)


@pytest.mark.parametrize("loss", [SquaredError(), AbsoluteError(), Huber(), GaussianLikelihood()])
def test_the_other_losses_take_any_range(loss):
    loss.check(-1e30, 1e30)


def test_fit_refuses_bernoulli_on_standardised_rows():
    with pytest.raises(DataError, match="reconstruction='bernoulli' needs rows within"):
        DenseAutoencoder(reconstruction="bernoulli").fit(np.random.RandomState(0).randn(20, 3))


def test_fit_takes_bernoulli_after_minmax():
    X = np.random.RandomState(0).randn(20, 3)
    DenseAutoencoder(reconstruction="bernoulli", scaling="minmax", validation_fraction=0, max_epochs=1).fit(X)


@pytest.mark.parametrize("seed", range(5))
def test_minmax_always_lies_within_0_and_1(seed):
    random = np.random.RandomState(seed)
    X = random.randn(30, 5) * 10.0 ** random.randint(-8, 8, 5) + random.randn(5)
    DenseAutoencoder(reconstruction="bernoulli", scaling="minmax", max_epochs=1).fit(X)


# ---------------------------------------------------------------- names


@pytest.mark.parametrize(
    ("name", "loss"),
    [
        ("squared", SquaredError()),
        ("absolute", AbsoluteError()),
        ("huber", Huber()),
        ("bernoulli", Bernoulli()),
        ("continuous_bernoulli", ContinuousBernoulli()),
        ("gaussian", GaussianLikelihood()),
    ],
)
def test_a_name_means_its_part(name, loss):
    assert reconstruction_of(DenseAutoencoder(reconstruction=name), Facts((3,), 0.0, 1.0)) == loss


def test_a_part_means_itself():
    assert reconstruction_of(DenseAutoencoder(reconstruction=Huber(0.3)), Facts((3,), 0.0, 1.0)) == Huber(0.3)
