"""Parameters in one block of memory: an optimizer then takes one long step instead of many short ones."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


def flattened(parameters: Sequence[nn.Parameter]) -> tuple[nn.Parameter, list[Tensor]]:
    """Move parameters into one vector.

    Parameters
    ----------
    parameters : sequence of Parameter
        Parameters of one type on one device; each becomes a view of the vector, in its shape and strides, and its
        ``grad`` a view of the vector's.

    Returns
    -------
    vector : Parameter of shape (n,)
        All of them, with a ``grad`` that has memory.
    gradients : list of Tensor
        Views of that ``grad``, one for each parameter.
    """
    vector = nn.Parameter(torch.cat([in_memory_order(parameter.data) for parameter in parameters]))
    vector.grad = torch.zeros_like(vector)
    gradients, start = [], 0
    for parameter in parameters:
        shape, strides = parameter.shape, parameter.stride()
        parameter.data = vector.data.as_strided(shape, strides, start)
        parameter.grad = vector.grad.as_strided(shape, strides, start)
        gradients.append(parameter.grad)
        start += parameter.numel()
    return vector, gradients


def in_memory_order(values: Tensor) -> Tensor:
    """View a dense tensor as the vector that lies in memory."""
    return values.as_strided((values.numel(),), (1,))
