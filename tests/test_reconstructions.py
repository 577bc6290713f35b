"""Reconstruction losses against independent formulas, in float64."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from torch.distributions import Bernoulli as TorchBernoulli
from torch.nn import functional

from isthmus import DenseAutoencoder
from isthmus.errors import DataError
from isthmus.parts import AbsoluteError, Bernoulli, Huber, SquaredError
from isthmus.recipe import reconstruction_of

SHAPES = [(5, 7), (3, 2, 4), (4, 3, 5, 2)]
ALL = [SquaredError(), AbsoluteError(), Huber(), Huber(0.3), Bernoulli()]


def huber(output, rows, delta):
    error = np.abs(output - rows)
    return np.where(error <= delta, error**2 / 2, delta * (error - delta / 2))


NUMPY = {
    SquaredError(): lambda output, rows: (output - rows) ** 2,
    AbsoluteError(): lambda output, rows: np.abs(output - rows),
    Huber(): lambda output, rows: huber(output, rows, 1.0),
    Huber(0.3): lambda output, rows: huber(output, rows, 0.3),
    Bernoulli(): lambda output, rows: np.logaddexp(0, output) - rows * output,
}

TORCH = {
    SquaredError(): lambda output, rows: functional.mse_loss(output, rows, reduction="none"),
    AbsoluteError(): lambda output, rows: functional.l1_loss(output, rows, reduction="none"),
    Huber(): lambda output, rows: functional.smooth_l1_loss(output, rows, reduction="none"),
    Huber(0.3): lambda output, rows: functional.huber_loss(output, rows, reduction="none", delta=0.3),
    Bernoulli(): lambda output, rows: -TorchBernoulli(logits=output, validate_args=False).log_prob(rows),
}


def example(shape, seed=0):
    random = np.random.RandomState(seed)
    return torch.from_numpy(random.randn(*shape) * 3), torch.from_numpy(random.rand(*shape))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("loss", ALL)
def test_the_loss_is_its_formula_summed_over_columns_and_averaged_over_rows(loss, shape):
    output, rows = example(shape)
    expected = NUMPY[loss](output.numpy(), rows.numpy()).reshape(len(rows), -1).sum(axis=1).mean()
    torch.testing.assert_close(loss.loss(output, rows).item(), expected, rtol=1e-12, atol=0)


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
    expected = -TorchBernoulli(logits=output, validate_args=False).log_prob(rows).sum(dim=1).mean()
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
    entropy = TorchBernoulli(probs=rows).entropy().sum(dim=1).mean()
    torch.testing.assert_close(Bernoulli().loss(torch.logit(rows), rows), entropy)


def test_bernoulli_stays_finite_for_huge_logits():
    output = torch.tensor([[1e4, -1e4]])
    assert Bernoulli().loss(output, torch.tensor([[1.0, 0.0]])) == 0
    assert Bernoulli().loss(output, torch.tensor([[0.0, 1.0]])) == 2e4


def test_a_huge_delta_makes_huber_half_the_squared_error():
    output, rows = example((5, 6))
    torch.testing.assert_close(2 * Huber(1e6).loss(output, rows), SquaredError().loss(output, rows))


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


@pytest.mark.parametrize("loss", [SquaredError(), AbsoluteError(), Huber()])
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
    [("squared", SquaredError()), ("absolute", AbsoluteError()), ("huber", Huber()), ("bernoulli", Bernoulli())],
)
def test_a_name_means_its_part(name, loss):
    assert reconstruction_of(name) == loss


def test_a_part_means_itself():
    assert reconstruction_of(Huber(0.3)) == Huber(0.3)
