"""An encoder and decoder by emitted code."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from isthmus.engines.flat import in_memory_order
from isthmus.engines.fused.reading import Network
from isthmus.engines.threads import Crew
from isthmus.module import AutoencoderModule

_LEAST_ROWS = 8


class Passes:
    """Encodes and decodes as the module does, row by row.

    Parameters
    ----------
    module : AutoencoderModule
        Whose weights are used, as they are now.
    network : Network
        What was read of it.
    code : module
        The compiled code.
    """

    def __init__(self, module: AutoencoderModule, network: Network, code: Any, crew: Crew | None = None) -> None:
        self._module, self._code, self._crew = module, code, crew or Crew()
        weights = torch.cat([in_memory_order(own.detach()) for own in module.parameters()])
        self._packed = torch.empty(network.packed).numpy()
        code.prepare(weights.numpy(), self._packed)

    def encode(self, rows: Tensor, present: Tensor | None = None) -> Tensor:
        """Give the codes of scaled rows; missing cells hold the centre of their column."""
        return self._made(self._code.encode, rows, self._module.code_tensor_shape)

    def decode(self, codes: Tensor) -> Tensor:
        """Give the scaled rows that codes stand for."""
        return self._module.reconstruction.mean(self.output(codes))

    def output(self, codes: Tensor) -> Tensor:
        """Give what the decoder gives, before the reconstruction's link."""
        return self._made(self._code.decode, codes, self._module.schema.tensor_shape)

    def _made(self, work: Callable[..., None], values: Tensor, shape: tuple[int, ...]) -> Tensor:
        """Give what work makes of each of some values, as tensors of a shape, channels first."""
        count, source = len(values), matrix(values).numpy()
        made = torch.empty(count, math.prod(shape))
        target, shares = made.numpy(), min(self._crew.size, max(count // _LEAST_ROWS, 1))

        def share(number: int) -> None:
            work(source, target, number * count // shares, (number + 1) * count // shares, self._packed)

        self._crew.each(share, shares)
        return made.reshape(count, *shape[1:], shape[0]).movedim(-1, 1)


def matrix(values: Tensor) -> Tensor:
    """Give tensors with the channels first as a matrix of rows, channels last."""
    return values.detach().movedim(1, -1).reshape(len(values), -1).to(torch.float32).contiguous()
