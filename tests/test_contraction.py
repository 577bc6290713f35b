"""The contractive penalty against torch's own Jacobian, in float64."""

import pytest
import torch
from torch import nn

from isthmus.parts import Contraction
from isthmus.parts.contraction import autograd, closed, hutchinson

DENSE = [
    nn.Sequential(nn.Linear(7, 4), nn.Sigmoid()),
    nn.Sequential(nn.Linear(7, 5), nn.Tanh(), nn.Linear(5, 4)),
    nn.Sequential(nn.Linear(7, 6), nn.ReLU(), nn.Linear(6, 5), nn.ELU(), nn.Linear(5, 3), nn.Softplus()),
]
OTHERS = [
    nn.Sequential(nn.Conv2d(1, 2, 3, padding=1), nn.Tanh(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(8, 3)),
    nn.Sequential(nn.Conv2d(1, 2, 3, padding=1), nn.ReLU()),
]


def jacobian_norms(encoder, rows):
    norms = []
    for row in rows:
        jacobian = torch.autograd.functional.jacobian(lambda x: encoder(x[None])[0].flatten(), row)
        norms.append(jacobian.square().sum())
    return torch.stack(norms)


def rows_for(encoder):
    shape = (6, 7) if isinstance(encoder[0], nn.Linear) else (6, 1, 4, 4)
    return torch.randn(shape, generator=torch.Generator().manual_seed(0)).double()


@pytest.mark.parametrize("encoder", DENSE)
def test_the_closed_form_is_the_jacobians_norm(encoder):
    encoder = encoder.double()
    rows = rows_for(encoder)
    torch.testing.assert_close(closed(encoder, rows), jacobian_norms(encoder, rows), rtol=1e-10, atol=1e-10)
    assert Contraction().method_for(encoder, 4) == "closed"


@pytest.mark.parametrize("encoder", [*DENSE, *OTHERS])
def test_differentiation_is_the_jacobians_norm(encoder):
    encoder = encoder.double()
    rows = rows_for(encoder)
    torch.testing.assert_close(autograd(encoder, rows), jacobian_norms(encoder, rows), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("encoder", [DENSE[1], OTHERS[0]])
def test_the_estimate_is_unbiased(encoder):
    encoder = encoder.double()
    row = rows_for(encoder)[:1]
    repeated = row.expand(40_000, *row.shape[1:])
    draws = hutchinson(encoder, repeated, torch.Generator().manual_seed(0))
    standard_error = draws.std() / len(draws) ** 0.5
    assert abs(draws.mean() - jacobian_norms(encoder, row)[0]) < 4 * standard_error


def test_the_weights_get_the_gradient_of_the_norm():
    encoder = nn.Sequential(nn.Linear(7, 5), nn.Tanh(), nn.Linear(5, 4)).double()
    rows = rows_for(encoder)
    expected = torch.autograd.grad(autograd(encoder, rows).sum(), [encoder[0].weight, encoder[2].weight])
    found = torch.autograd.grad(closed(encoder, rows).sum(), [encoder[0].weight, encoder[2].weight])
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-10)


def test_a_wide_code_of_another_network_is_estimated():
    assert Contraction().method_for(OTHERS[1], 128) == "autograd"
    assert Contraction().method_for(OTHERS[1], 129) == "hutchinson"
    assert Contraction(method="autograd").method_for(OTHERS[1], 129) == "autograd"
