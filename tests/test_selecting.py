"""The selector against torch's concrete distribution and an exhaustive search."""

from itertools import permutations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from torch import distributions

from isthmus.errors import ParameterError
from isthmus.parts import Exponential, Selecting
from isthmus.parts.selecting import Selector
from isthmus.parts.subset import best_columns

DRAWS = 20_000
FALLING = Exponential(10.0, 0.01)
LOGITS = torch.tensor([1.0, 0.0, -1.0, 0.5])


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def selector(logits, temperature=FALLING):
    chosen = Selector(logits.shape[1], len(logits), temperature)
    with torch.no_grad():
        chosen.logits.copy_(logits)
    return chosen


def weights(progress):
    """Give many draws of the weights for `LOGITS`: what a selector makes of the identity."""
    drawn = selector(LOGITS.expand(DRAWS, 4)).draw(torch.eye(4), progress, generator())
    return drawn.detach().T


@pytest.mark.parametrize(("progress", "temperature"), [(0.0, 10.0), (1 / 3, 1.0), (2 / 3, 0.1)])
def test_weights_are_drawn_from_the_concrete_distribution_of_torch(progress, temperature):
    torch.manual_seed(0)
    concrete = distributions.RelaxedOneHotCategorical(torch.tensor(temperature).double(), logits=LOGITS.double())
    for ours, theirs in zip(weights(progress).T, concrete.sample((DRAWS,)).T, strict=True):
        seen = (drawn.clamp(1e-6, 1 - 1e-6).numpy() for drawn in (ours.double(), theirs))  # single precision
        assert stats.ks_2samp(*seen).pvalue > 0.01


def test_the_largest_weight_falls_on_a_column_as_often_as_its_probability_says():
    drawn = weights(1.0).argmax(dim=1).bincount(minlength=4)
    expected = distributions.OneHotCategorical(logits=LOGITS.double()).probs * DRAWS
    assert stats.chisquare(drawn.numpy(), expected.numpy()).pvalue > 0.01


def test_weights_are_nearly_one_hot_at_the_end_only():
    assert (weights(1.0).amax(dim=1) > 0.99).double().mean() > 0.9
    assert (weights(0.0).amax(dim=1) > 0.99).double().mean() == 0


def test_a_draw_is_one_mixture_of_columns_for_the_whole_batch():
    chosen = selector(torch.randn(2, 5, generator=generator(1)))
    rows = torch.randn(7, 5, generator=generator(2))
    mixture = chosen.draw(torch.eye(5), 0.5, generator())
    torch.testing.assert_close(chosen.draw(rows, 0.5, generator()), rows @ mixture)
    torch.testing.assert_close(mixture.sum(dim=0), torch.ones(2))


def test_draws_stay_finite_and_give_the_logits_a_gradient():
    chosen = selector(torch.zeros(50, 2_000), Exponential(1.0, 1e-4))
    chosen.draw(torch.ones(3, 2_000).cumsum(dim=1), 0.3, generator()).sum().backward()
    assert torch.isfinite(chosen.logits.grad).all()
    assert (chosen.logits.grad != 0).any()


@pytest.mark.parametrize("columns", [3, 6])
def test_the_support_is_distinct_even_where_all_logits_agree(columns):
    assert len(set(selector(torch.zeros(3, columns)).support().tolist())) == 3


@settings(deadline=None)
@given(st.permutations(range(6)))
def test_the_support_is_the_likeliest_columns_where_those_are_distinct(order):
    logits = torch.randn(4, 6, generator=generator())
    logits[torch.arange(4), torch.tensor(order[:4])] = 5.0
    assert selector(logits).support().tolist() == order[:4]


@pytest.mark.parametrize("seed", range(5))
def test_the_support_is_the_likeliest_of_all_distinct_choices(seed):
    logits = 3 * torch.randn(3, 5, generator=generator(seed)) + torch.tensor([3.0, 0, 0, 0, 0])
    likelihood = logits.log_softmax(dim=1)
    best = max(permutations(range(5), 3), key=lambda choice: float(likelihood[[0, 1, 2], choice].sum()))
    assert selector(logits).support().tolist() == list(best)


def test_the_likelihood_of_a_choice_is_a_product():
    assert selector(torch.tensor([[3.0, 0.0], [2.5, -3.0]])).support().tolist() == [1, 0]


def test_after_training_the_code_is_the_columns_of_the_support():
    logits = torch.tensor([[0.0, 9.0, 0.0], [9.0, 0.0, 0.0]])
    rows = torch.randn(4, 3, generator=generator())
    np.testing.assert_array_equal(selector(logits)(rows).detach(), rows[:, [1, 0]])


def test_the_selection_starts_at_the_best_columns():
    random = np.random.RandomState(0)
    rows = random.randn(40, 3) @ random.randn(3, 8) + 0.1 * random.randn(40, 8)
    chosen = selector(torch.randn(3, 8, generator=generator()))
    chosen.start_at(torch.from_numpy(rows).float().reshape(40, 2, 4))
    assert chosen.support().tolist() == best_columns(rows, 3).tolist()
    mixture = chosen.draw(torch.eye(8), 1.0, generator())
    np.testing.assert_array_equal(mixture.argmax(dim=0), best_columns(rows, 3))


def test_selector_and_decoder_have_the_widths_that_were_asked_for():
    encoder, decoder = Selecting((5,)).build(Selecting().layout((2, 4)), 3, 1)
    assert encoder.logits.shape == (3, 8)
    assert decoder(torch.zeros(2, 3)).shape == (2, 8)
    assert decoder[0].out_features == 5


@pytest.mark.parametrize(("code_size", "heads"), [(None, 1), (9, 1), (3, 2)])
def test_a_selection_that_cannot_be_is_refused(code_size, heads):
    with pytest.raises(ParameterError, match=f"n_features = 8.*got {code_size} and {heads} heads"):
        Selecting().build((8,), code_size, heads)
