"""Shapes without arithmetic are those that torch gives, and what does not fit is refused in torch's words."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.overrides import TorchFunctionMode

from isthmus.parts.shapes import ShapesOnly

SIDES = st.integers(1, 3)


class Asked(TorchFunctionMode):
    """Notes what torch is asked to do."""

    def __init__(self):
        super().__init__()
        self.names = set()

    def __torch_function__(self, func, types, args=(), kwargs=None):
        self.names.add(func.__name__)
        return func(*args, **(kwargs or {}))


def shapes(layer, *size):
    """The shape that a layer gives, by torch and without arithmetic."""
    with torch.device("meta"):
        layer, rows = layer(), torch.empty(*size)
        by_torch = layer(rows).shape
        with ShapesOnly():
            return by_torch, layer(rows).shape


@pytest.mark.parametrize("kind", [nn.Conv1d, nn.Conv2d])
@settings(deadline=None)
@given(rows=SIDES, groups=SIDES, width=st.integers(1, 4), step=SIDES, pad=st.integers(0, 2), gap=SIDES)
def test_convolutions(kind, rows, groups, width, step, pad, gap):
    dimensions = 1 if kind is nn.Conv1d else 2
    size = (rows, 2 * groups, *range(13, 13 + dimensions))
    chosen = {"stride": step, "padding": pad, "dilation": gap, "groups": groups}
    by_torch, ours = shapes(lambda: kind(2 * groups, 3 * groups, width, **chosen), *size)
    assert ours == by_torch


@pytest.mark.parametrize("ceil_mode", [True, False])
@settings(deadline=None)
@given(sides=st.lists(st.integers(2, 9), min_size=2, max_size=2))
def test_pooling(ceil_mode, sides):
    by_torch, ours = shapes(lambda: nn.MaxPool2d(2, ceil_mode=ceil_mode), 2, 3, *sides)
    assert ours == by_torch
    by_torch, ours = shapes(lambda: nn.MaxPool1d(2, ceil_mode=ceil_mode), 2, 3, sides[0])
    assert ours == by_torch


LAYERS = {
    "linear": (lambda: nn.Linear(6, 3), (4, 6)),
    "linear on more dimensions": (lambda: nn.Linear(6, 3), (4, 5, 6)),
    "relu": (nn.ReLU, (4, 6)),
    "leaky relu": (nn.LeakyReLU, (4, 6)),
    "elu": (nn.ELU, (4, 6)),
    "selu": (nn.SELU, (4, 6)),
    "gelu": (nn.GELU, (4, 6)),
    "silu": (nn.SiLU, (4, 6)),
    "softplus": (nn.Softplus, (4, 6)),
    "tanh": (nn.Tanh, (4, 6)),
    "sigmoid": (nn.Sigmoid, (4, 6)),
    "up": (lambda: nn.Upsample((7, 5)), (2, 3, 4, 3)),
    "up, one side": (lambda: nn.Upsample((7,)), (2, 3, 4)),
}
LEFT_TO_TORCH = {
    "up by a factor": (lambda: nn.Upsample(scale_factor=2), (2, 3, 4, 3)),
    "wide pooling": (lambda: nn.MaxPool2d(3, padding=1), (2, 3, 8, 8)),
    "padding by name": (lambda: nn.Conv2d(2, 3, 3, padding="same"), (2, 2, 8, 8)),
    "transposed": (lambda: nn.ConvTranspose2d(2, 3, 3), (2, 2, 8, 8)),
}


@pytest.mark.parametrize("name", [*LAYERS, *LEFT_TO_TORCH])
def test_layers(name):
    layer, size = (LAYERS | LEFT_TO_TORCH)[name]
    by_torch, ours = shapes(layer, *size)
    assert ours == by_torch


@pytest.mark.parametrize("name", LAYERS)
def test_nothing_is_computed(name):
    layer, size = LAYERS[name]
    with torch.device("meta"):
        layer, rows = layer(), torch.empty(*size)
        with Asked() as asked, ShapesOnly():
            layer(rows)
    assert {name for name in asked.names if not name.startswith("__")} == {"new_empty"}


@pytest.mark.parametrize(
    ("layer", "size"),
    [
        (lambda: nn.Linear(6, 3), (4, 5)),
        (lambda: nn.Conv2d(2, 3, 3), (4, 3, 8, 8)),
        (lambda: nn.MaxPool2d(2), (1, 1, 1, 1)),
    ],
)
def test_what_does_not_fit_is_refused_by_torch(layer, size):
    with torch.device("meta"), ShapesOnly():
        layer, rows = layer(), torch.empty(*size)
        with pytest.raises(RuntimeError):
            layer(rows)


def test_real_tensors_are_computed():
    with ShapesOnly():
        assert torch.equal(torch.relu(torch.tensor([-1.0, 2.0])), torch.tensor([0.0, 2.0]))
