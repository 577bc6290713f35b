"""The gradient of a batch that is taken in parts, because it does not fit into memory whole."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Generator, Tensor

from isthmus.batches import Batch
from isthmus.engines.engine import Engine


def accumulated(
    engine: Engine, parts: Sequence[Batch], progress: float, generator: Generator
) -> tuple[dict[str, Tensor], Tensor | float]:
    """Leave the gradient of all parts together in ``grad`` of the parameters.

    It is that of the whole batch where a loss is a mean over rows. A penalty on the mean activations of a batch sees
    those of a part.

    Returns
    -------
    losses : dict of str to Tensor
        The mean losses of the batch.
    error : Tensor or float
        Its sum of squared errors.
    """
    rows = sum(len(part) for part in parts)
    losses: dict[str, Tensor] = {}
    error: Tensor | float = 0.0
    gradients: list[Tensor | None] = [None] * len(engine.parameters)
    for part in parts:
        share = len(part) / rows
        own, own_error = engine(part, progress, generator)
        losses = {name: losses.get(name, 0.0) + share * loss.detach() for name, loss in own.items()}
        error = error + own_error
        gradients = [
            _added(sum_so_far, parameter.grad, share)
            for sum_so_far, parameter in zip(gradients, engine.parameters, strict=True)
        ]
    for parameter, gradient in zip(engine.parameters, gradients, strict=True):
        if gradient is not None and parameter.grad is not None:
            parameter.grad.copy_(gradient)
    return losses, error


def _added(sum_so_far: Tensor | None, gradient: Tensor | None, share: float) -> Tensor | None:
    if gradient is None:
        return sum_so_far
    return gradient * share if sum_so_far is None else sum_so_far.add_(gradient, alpha=share)
