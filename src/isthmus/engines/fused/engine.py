"""The engine that runs emitted code: a whole step for each row, so that nothing leaves the processor's cache."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import torch
from torch import Generator, Tensor

from isthmus.batches import Batch
from isthmus.engines.autograd import Autograd
from isthmus.engines.flat import flattened
from isthmus.engines.fused.passes import Passes, matrix
from isthmus.engines.fused.reading import Network
from isthmus.engines.threads import Crew, one_thread
from isthmus.module import AutoencoderModule

# Rows are always cut into as many shares, each with a gradient of its own, and these are summed in their order:
# the result does not depend on the number of threads.
_SHARES = 8


class Fused:
    """Trains by emitted code.

    Parameters
    ----------
    module : AutoencoderModule
        What is trained; its parameters move into one block of memory.
    network : Network
        What was read of it.
    code : module
        The compiled code.

    Attributes
    ----------
    gradients : list of Tensor
        Of each of the module's parameters, views of the ``grad`` of the vector of all.
    """

    name = "fused"

    def __init__(self, module: AutoencoderModule, network: Network, code: Any) -> None:
        self._module, self._network, self._code, self._crew = module, network, code, Crew()
        self._own = list(module.parameters())
        vector, self.gradients = flattened(self._own)
        self.parameters = [vector]
        self._packed, self._total = np.zeros((2, network.packed), np.float32)
        self._partial = np.zeros((_SHARES, network.packed), np.float32)

    def __call__(self, batch: Batch, progress: float, generator: Generator) -> tuple[dict[str, Tensor], Tensor | float]:
        """Leave the gradient of a batch's loss in ``grad`` of the parameters."""
        if not batch.plain:
            return self._by_autograd(batch, progress, generator)
        targets = matrix(batch.rows).numpy()
        inputs = targets if self._module.recipe.corruption is None else self._corrupted(batch, generator)
        rows, (vector,) = len(batch), self.parameters
        self._code.prepare(vector.detach().numpy(), self._packed)

        def share(number: int) -> tuple[float, float]:
            first, last = number * rows // _SHARES, (number + 1) * rows // _SHARES
            return self._code.learn(inputs, targets, first, last, self._packed, self._partial[number], 1 / rows)

        losses, errors = zip(*self._crew.each(share, _SHARES), strict=True)
        assert vector.grad is not None
        self._code.finish(self._partial, self._total, vector.grad.numpy())
        return {"reconstruction": torch.tensor(sum(losses) / rows)}, sum(errors)

    def measure(self, batch: Batch, inputs: Tensor) -> tuple[dict[str, Tensor], Tensor | float]:
        """Give the losses of a batch and its sum of squared errors; nothing is drawn."""
        passes = Passes(self._module, self._network, self._code, self._crew)
        output = passes.output(passes.encode(inputs))
        losses = self._module.compared(output, batch)
        return losses, self._module.squared_error(output, batch, losses)

    def arithmetic(self, rows: int) -> AbstractContextManager[None]:
        """Keep torch's threads away from the cores that this engine's use."""
        return one_thread()

    def release(self) -> None:
        """Keep what there is: it does not grow with the batch."""

    def _corrupted(self, batch: Batch, generator: Generator) -> np.ndarray:
        return matrix(self._module.corrupted(batch, generator)).numpy()

    def _by_autograd(
        self, batch: Batch, progress: float, generator: Generator
    ) -> tuple[dict[str, Tensor], Tensor | float]:
        """Take the gradient of a batch with missing cells or weights."""
        taken = Autograd(self._module)(batch, progress, generator)
        for parameter, view in zip(self._own, self.gradients, strict=True):
            if parameter.grad is not None:
                view.copy_(parameter.grad)
            parameter.grad = view
        return taken
