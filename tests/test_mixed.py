"""The loss of mixed tables is the sum of the losses of its blocks."""

import pytest
import torch
from torch.nn import functional

from isthmus.errors import DataError, ParameterError
from isthmus.parts import Bernoulli, Dense, GaussianLikelihood, Huber, SquaredError
from isthmus.parts.mixed import Mixed
from isthmus.recipe import Recipe

WIDTHS = (3, 1, 4)
MIXED = Mixed(SquaredError(), 2, 2, WIDTHS)


def drawn(n=7, seed=0):
    """An output, and rows that fit it."""
    random = torch.Generator().manual_seed(seed)
    categories = [torch.randint(width, (n,), generator=random) for width in WIDTHS]
    cells = [functional.one_hot(own, width) for own, width in zip(categories, WIDTHS, strict=True)]
    numbers, booleans = torch.randn(n, 2, generator=random), torch.randint(2, (n, 2), generator=random)
    return torch.randn(n, 12, generator=random), torch.cat([numbers, booleans, *cells], dim=1), categories


def test_the_terms_are_those_of_torch():
    output, rows, categories = drawn()
    named = MIXED.build().named(MIXED.build().terms(output, rows))
    torch.testing.assert_close(named["numbers"], (output[:, :2] - rows[:, :2]).square())
    logits, there = output[:, 2:4], rows[:, 2:4]
    torch.testing.assert_close(
        named["booleans"], functional.binary_cross_entropy_with_logits(logits, there, reduction="none")
    )
    expected = sum(
        functional.cross_entropy(logits, own, reduction="none")
        for logits, own in zip(output[:, 4:].split(WIDTHS, dim=1), categories, strict=True)
    )
    torch.testing.assert_close(named["categories"].sum(dim=1), expected)
    total = torch.cat(list(named.values()), dim=1).sum() / len(rows)
    torch.testing.assert_close(MIXED.build().loss(output, rows), total)


def test_its_likelihood_is_that_of_distributions():
    output, rows, categories = drawn()
    module = Mixed(GaussianLikelihood(0.5), 2, 2, WIDTHS).build()
    module.reset_parameters()
    expected = torch.distributions.Normal(output[:, :2], 0.5).log_prob(rows[:, :2]).sum(dim=1)
    expected += torch.distributions.Bernoulli(logits=output[:, 2:4]).log_prob(rows[:, 2:4]).sum(dim=1)
    for logits, own in zip(output[:, 4:].split(WIDTHS, dim=1), categories, strict=True):
        expected += torch.distributions.Categorical(logits=logits).log_prob(own)
    torch.testing.assert_close(module.log_likelihood(output, rows), expected)


@pytest.mark.parametrize(
    ("part", "likelihood"),
    [
        (Mixed(SquaredError(), 2, 2, WIDTHS), False),
        (Mixed(GaussianLikelihood(), 2, 0, ()), True),
        (Mixed(SquaredError(), 0, 2, WIDTHS), True),
    ],
)
def test_it_is_a_likelihood_where_the_loss_of_the_numbers_is_one(part, likelihood):
    assert hasattr(part.build(), "log_likelihood") == likelihood


def test_rows_are_rebuilt_as_numbers_and_probabilities():
    output, _, _ = drawn()
    rebuilt = MIXED.build().mean(output)
    torch.testing.assert_close(rebuilt[:, :2], output[:, :2])
    torch.testing.assert_close(rebuilt[:, 2:4], output[:, 2:4].sigmoid())
    for own in rebuilt[:, 4:].split(WIDTHS, dim=1):
        torch.testing.assert_close(own.sum(dim=1), torch.ones(len(own)))
    torch.testing.assert_close(MIXED.build().mean(MIXED.build().link(rebuilt)), rebuilt)


def test_numbers_that_their_loss_refuses_are_refused():
    with pytest.raises(DataError, match="within"):
        Mixed(Bernoulli(), 1, 0, (2,)).check(-1.0, 2.0)
    Mixed(Bernoulli(), 0, 1, (2,)).check(-1.0, 2.0)
    Mixed(Huber(), 1, 0, (2,)).check(-1.0, 2.0)


def test_it_ends_linearly():
    with pytest.raises(ParameterError, match="mixed table brings its own sigmoid"):
        Recipe(2, Dense(output_activation="sigmoid"), reconstruction=MIXED)
