"""Lean optimizers take the same steps as torch's own."""

import copy
from functools import partial

import pytest
import torch
from torch import nn, optim

from isthmus.optimizers import lean

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
    makers = partial(lean(kind), **settings), partial(kind, **settings)
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
