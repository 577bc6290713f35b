"""The engine for every module: torch's automatic differentiation."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from torch import Generator, Tensor

from isthmus.batches import Batch
from isthmus.module import AutoencoderModule


class Autograd:
    """Differentiates what the module computes.

    Parameters
    ----------
    module : AutoencoderModule
        What is trained.
    reason : str, default=""
        Why it was chosen.
    precision : {"float32", "tf32", "bfloat16"}, default="float32"
        How exactly layers multiply; TF32 is CUDA's.
    """

    def __init__(self, module: AutoencoderModule, reason: str = "", precision: str = "float32") -> None:
        self.name = f"autograd ({reason})" if reason else "autograd"
        self.parameters = list(module.parameters())
        self._module, self._precision = module, precision

    def __call__(self, batch: Batch, progress: float, generator: Generator) -> tuple[dict[str, Tensor], Tensor | float]:
        """Leave the gradient of a batch's loss in ``grad`` of the parameters."""
        inputs = self._module.corrupted(batch, generator)
        with self._module.narrowed(self._precision == "bfloat16"):
            losses, error = self._module.losses(batch, inputs, progress, generator)
        for parameter in self.parameters:
            parameter.grad = None
        torch.stack(list(losses.values())).sum().backward()
        return losses, error

    def arithmetic(self, rows: int) -> AbstractContextManager[None]:
        """Use all of torch's threads, and the precision asked for."""
        return rounded_products() if self._precision == "tf32" else nullcontext()

    def release(self) -> None:
        """Give back the gradients."""
        for parameter in self.parameters:
            parameter.grad = None


@contextmanager
def rounded_products() -> Iterator[None]:
    """Let CUDA round the numbers that it multiplies to TF32 in a block."""
    settings: tuple[Any, ...] = torch.backends.cuda.matmul, torch.backends.cudnn
    before = [own.allow_tf32 for own in settings]
    try:
        for own in settings:
            own.allow_tf32 = True
        yield
    finally:
        for own, value in zip(settings, before, strict=True):
            own.allow_tf32 = value
