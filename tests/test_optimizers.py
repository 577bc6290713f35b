"""Lean optimizers take the same steps as torch's own, at the rates that are documented."""

import copy
from functools import partial

import pytest
import torch
from torch import nn, optim

from isthmus.hyperparameters import Training
from isthmus.optimizers import lean, optimizer_for

KINDS = {
    "adam": (optim.Adam, {"fused": True, "weight_decay": 0.1}),
    "adamw": (optim.AdamW, {"fused": True}),
    "sgd": (optim.SGD, {"fused": True, "momentum": 0.9, "lr": 0.1}),
    "adadelta": (optim.Adadelta, {"lr": 1.0}),
    "rmsprop": (optim.RMSprop, {}),
}


@pytest.mark.parametrize("name", KINDS)
def test_steps_and_state_are_the_same(name):
    kind, settings = KINDS[name]
    layer = nn.Linear(5, 3)
    nn.init.normal_(layer.weight, generator=torch.Generator().manual_seed(0))
    twin = copy.deepcopy(layer)
    kernel = torch._fused_adam_ if name == "adam" else None
    makers = partial(lean(kind, kernel), **settings), partial(kind, **settings)
    ours, theirs = (make(network.parameters()) for make, network in zip(makers, (layer, twin), strict=True))
    for seed in range(4):
        rows = torch.rand(8, 5, generator=torch.Generator().manual_seed(seed))
        for network, optimizer in ((layer, ours), (twin, theirs)):
            optimizer.zero_grad()
            network(rows).square().sum().backward()
            optimizer.step()
    assert torch.equal(layer.weight, twin.weight)
    torch.testing.assert_close(ours.state_dict(), theirs.state_dict(), rtol=0, atol=0)
    assert all(not value.requires_grad for state in ours.state.values() for value in state.values())


@pytest.mark.parametrize(
    ("optimizer", "rate"), [("adam", 2e-3), ("adamw", 2e-3), ("sgd", 1e-3), ("rmsprop", 1e-3), ("adadelta", 1.0)]
)
def test_without_a_learning_rate_it_is_the_optimizers_own(optimizer, rate):
    for settings, expected in (
        (Training(optimizer=optimizer), rate),
        (Training(optimizer=optimizer, learning_rate=0.5), 0.5),
    ):
        assert optimizer_for(list(nn.Linear(2, 2).parameters()), settings).param_groups[0]["lr"] == expected


def test_parameters_of_two_types_and_without_a_gradient_are_taken_as_torch_takes_them():
    parameters = [nn.Parameter(torch.ones(3)), nn.Parameter(torch.ones(3).double()), nn.Parameter(torch.ones(2))]
    twins = [nn.Parameter(own.detach().clone()) for own in parameters]
    groups = ([parameters, parameters[:1], parameters[2:]], [twins, twins[:1], twins[2:]])
    for own, other in zip(parameters[:2], twins[:2], strict=True):
        own.grad, other.grad = torch.full_like(own, 0.5), torch.full_like(other, 0.5)
    for some, others in zip(*groups, strict=True):
        lean(optim.Adam, torch._fused_adam_)(some, fused=True).step()
        optim.Adam(others, fused=True).step()
    for own, other in zip(parameters, twins, strict=True):
        assert torch.equal(own, other)
    assert not torch.equal(parameters[0], torch.ones(3))


def test_sgd_has_momentum():
    assert (
        optimizer_for(list(nn.Linear(2, 2).parameters()), Training(optimizer="sgd")).param_groups[0]["momentum"] == 0.9
    )
