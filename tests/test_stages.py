"""Pairs of layers in one step: the numbers and gradients are those of the layers one by one."""

import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from isthmus.parts import Convolutional
from isthmus.parts.stages import Stages


def one_by_one(stages):
    """The same layers with the same weights, as torch runs them."""
    return nn.Sequential(*copy.deepcopy(list(stages)))


def agree(stages, rows):
    plain, twin = one_by_one(stages), rows.clone().requires_grad_()
    rows = rows.requires_grad_()
    ours, theirs = stages(rows), plain(twin)
    torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-12)
    ours.square().sum().backward()
    theirs.square().sum().backward()
    torch.testing.assert_close(rows.grad, twin.grad, rtol=1e-10, atol=1e-12)
    for own, other in zip(stages.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(own.grad, other.grad, rtol=1e-10, atol=1e-12)


@settings(max_examples=60, deadline=None)
@given(
    size=st.lists(st.integers(1, 13), min_size=1, max_size=2),
    channels=st.lists(st.integers(1, 4), min_size=1, max_size=3),
    kernel_size=st.sampled_from([1, 3, 5, 7]),
    activation=st.sampled_from(["linear", "relu", "leaky_relu", "elu", "selu", "gelu", "softplus", "tanh", "sigmoid"]),
    code_size=st.sampled_from([None, 3]),
)
def test_any_convolutional_network_gives_the_same_numbers(size, channels, kernel_size, activation, code_size):
    torch_random = torch.Generator().manual_seed(0)
    network = Convolutional(channels, kernel_size=kernel_size, activation=activation)
    encoder, decoder = network.build((*size, 2), code_size, 1)
    network.initialise(encoder, decoder, torch_random)
    rows = torch.randn(3, 2, *size, generator=torch_random).double()
    agree(encoder.double(), rows)
    agree(decoder.double(), encoder(rows).detach())


@pytest.mark.parametrize(
    "changes",
    [{"stride": 2}, {"padding": 0}, {"dilation": 2}, {"groups": 2}, {"kernel_size": 2}, {"padding_mode": "circular"}],
)
def test_other_convolutions_are_run_as_they_are(changes):
    convolution = nn.Conv2d(2, 4, **({"kernel_size": 3, "padding": 1} | changes))
    agree(Stages(nn.Upsample((8, 8)), convolution).double(), torch.randn(2, 2, 4, 4).double())


@pytest.mark.parametrize("upsample", [nn.Upsample((7, 8)), nn.Upsample((8, 8), mode="bilinear")])
def test_other_upsampling_is_run_as_it_is(upsample):
    agree(Stages(upsample, nn.Conv2d(2, 3, 3, padding=1)).double(), torch.randn(2, 2, 4, 4).double())


def test_a_layer_with_a_hook_is_run_by_itself():
    stages = Stages(nn.ReLU(), nn.MaxPool2d(2), nn.Upsample((4, 4)), nn.Conv2d(1, 1, 3, padding=1))
    seen = []
    for layer in stages:
        layer.register_forward_hook(lambda layer, inputs, output: seen.append(type(layer).__name__))
    stages(torch.rand(1, 1, 4, 4))
    assert seen == ["ReLU", "MaxPool2d", "Upsample", "Conv2d"]


class Operations(TorchDispatchMode):
    """Notes each operation and the size of its answer."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def __torch_dispatch__(self, function, types, arguments=(), keywords=None):
        output = function(*arguments, **(keywords or {}))
        self.seen.append((function.__name__.partition(".")[0], getattr(output, "shape", None)))
        return output


def test_no_large_map_is_made_for_nothing():
    encoder, decoder = Convolutional((4,)).build((8, 8, 1), None, 1)
    with Operations() as operations:
        decoder(encoder(torch.rand(1, 1, 8, 8)))
    names = [name for name, _ in operations.seen]
    assert not any("upsample" in name for name in names)
    assert dict(operations.seen)["relu"] == (1, 4, 4, 4)
