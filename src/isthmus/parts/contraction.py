"""The contractive penalty: the squared Frobenius norm of the encoder's Jacobian."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, ClassVar

import torch
from torch import Generator, Tensor, nn

from isthmus.batches import Pass
from isthmus.legal import Either, Number, OneOf, PartOf
from isthmus.params import param, part
from isthmus.parts.layers import ELEMENTWISE
from isthmus.parts.schedules import Exponential, Ramp, value_at

_WIDEST = 128


@part
class Contraction:
    """Mean over rows of the sum of squares of the encoder's Jacobian, d code / d input.

    Rifai et al., "Contractive auto-encoders: explicit invariance during feature extraction", 2011, for any
    network. ``method="auto"`` takes the closed form for stacks of dense layers and elementwise activations,
    automatic differentiation (one backward pass for each number of the code) for other networks, and for
    their codes of more than 128 numbers Hutchinson's unbiased estimate, |J^T v|^2 with random signs v.

    Examples
    --------
    >>> from torch import nn
    >>> from isthmus.parts import Contraction
    >>> Contraction(0.1).method_for(nn.Sequential(nn.Linear(9, 4), nn.Sigmoid()), code_size=4)
    'closed'
    >>> Contraction(0.1).method_for(nn.Sequential(nn.Conv2d(1, 4, 3), nn.Flatten()), code_size=196)
    'hutchinson'
    """

    kind: ClassVar[str] = "penalty"
    name: ClassVar[str] = "contraction"

    weight: float | Ramp | Exponential = param(
        0.1, Either(Number(0), PartOf("schedule")), "Factor; a schedule changes it.", positional=True
    )
    method: str = param("auto", OneOf(("auto", "closed", "autograd", "hutchinson")), "How the norm is computed.")

    def __call__(self, run: Pass) -> Tensor:
        """Give the weighted term."""
        size = math.prod(run.latent.features.shape[1:])
        norm = _METHODS[self.method_for(run.encoder, size)]
        return value_at(self.weight, run.progress) * run.mean(norm(run.encoder, run.inputs, run.generator))

    def method_for(self, encoder: nn.Module, code_size: int) -> str:
        """Name the method that is taken for an encoder: ``"closed"``, ``"autograd"`` or ``"hutchinson"``."""
        if self.method != "auto":
            return self.method
        if _is_dense_stack(encoder):
            return "closed"
        return "autograd" if code_size <= _WIDEST else "hutchinson"


def closed(encoder: nn.Module, inputs: Tensor, generator: Generator | None = None) -> Tensor:
    """Give |J|^2 of each row for a stack of dense layers, by accumulating the layers' Jacobians.

    With J = D_L W_L ... D_1 W_1, where D holds the slopes of the activations, the product of all but the
    last factor is built from the code's side, and |M W_1|^2 = tr(M (W_1 W_1^T) M^T) spares the widest matrix.
    """
    weights, slopes = _linearised(encoder, inputs)
    if len(weights) == 1:
        return slopes[0].square() @ weights[0].square().sum(dim=1)
    product = slopes[-1][:, :, None] * weights[-1]
    for weight, slope in zip(reversed(weights[1:-1]), reversed(slopes[1:-1]), strict=True):
        product = (product * slope[:, None, :]) @ weight
    product = product * slopes[0][:, None, :]
    gram = weights[0] @ weights[0].T
    return ((product @ gram) * product).sum(dim=(1, 2))


def autograd(encoder: nn.Module, inputs: Tensor, generator: Generator | None = None) -> Tensor:
    """Give |J|^2 of each row for any encoder, one backward pass for each number of the code."""
    with torch.enable_grad():
        inputs = inputs.detach().requires_grad_()
        code = encoder(inputs).flatten(1)
        rows = [_backward(code[:, place].sum(), inputs) for place in range(code.shape[1])]
    return torch.stack([row.square().flatten(1).sum(dim=1) for row in rows]).sum(dim=0)


def hutchinson(encoder: nn.Module, inputs: Tensor, generator: Generator | None = None) -> Tensor:
    """Estimate |J|^2 of each row without bias, by one backward pass with random signs."""
    with torch.enable_grad():
        inputs = inputs.detach().requires_grad_()
        code = encoder(inputs)
        signs = torch.randint(0, 2, code.shape, generator=generator, device=code.device).to(code) * 2 - 1
        return _backward((code * signs).sum(), inputs).square().flatten(1).sum(dim=1)


_METHODS: dict[str, Callable[[nn.Module, Tensor, Generator | None], Tensor]] = {
    "closed": closed,
    "autograd": autograd,
    "hutchinson": hutchinson,
}


def _backward(value: Tensor, inputs: Tensor) -> Tensor:
    return torch.autograd.grad(value, inputs, create_graph=True)[0]


def _is_dense_stack(encoder: nn.Module) -> bool:
    """Whether an encoder is linear layers with elementwise activations between and behind them."""
    if not isinstance(encoder, nn.Sequential) or not isinstance(encoder[0], nn.Linear):
        return False
    return all(isinstance(layer, (nn.Linear, *ELEMENTWISE)) for layer in encoder)


def _linearised(encoder: Any, inputs: Tensor) -> tuple[list[Tensor], list[Tensor]]:
    """Give the weights of each dense layer and the slopes of what follows it, at each row."""
    weights: list[Tensor] = []
    slopes: list[Tensor] = []
    with torch.enable_grad():
        values = inputs.detach()
        for layer in encoder:
            if isinstance(layer, nn.Linear):
                values = layer(values)
                weights.append(layer.weight)
                slopes.append(torch.ones_like(values))
            else:
                before = values if values.requires_grad else values.requires_grad_()
                values = layer(before)
                slopes[-1] = slopes[-1] * _backward(values.sum(), before)
    return weights, slopes
