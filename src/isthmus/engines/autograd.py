"""The engine for every module: torch's automatic differentiation."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Generator, Tensor

from isthmus.module import AutoencoderModule
from isthmus.records import Batch


class Autograd:
    """Differentiates what the module computes."""

    def __init__(self, module: AutoencoderModule, reason: str = "") -> None:
        self.name = f"autograd ({reason})" if reason else "autograd"
        self.parameters = list(module.parameters())
        self._module = module

    def __call__(self, batch: Batch, progress: float, generator: Generator) -> tuple[dict[str, Tensor], Tensor]:
        """Leave the gradient of a batch's loss in ``grad`` of the parameters."""
        inputs = self._module.corrupted(batch, generator)
        losses, error = self._module.losses(batch, inputs, progress, generator)
        for parameter in self.parameters:
            parameter.grad = None
        torch.stack(list(losses.values())).sum().backward()
        return losses, error

    def threads(self, rows: int) -> AbstractContextManager[None]:
        """Use all of torch's threads."""
        return nullcontext()

    def release(self) -> None:
        """Give back the gradients."""
        for parameter in self.parameters:
            parameter.grad = None
