"""The engine for dense stacks: their forward and backward passes written out, into memory that stays.

What lies between and behind the stacks (the bottleneck, penalties on the code, unusual losses) works on small
tensors. Where it has its gradients written out these are taken, the rest is left to automatic differentiation.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from functools import reduce
from typing import Any

import torch
from torch import Generator, Tensor, nn

from isthmus.batches import Batch, Latent, Pass
from isthmus.engines.flat import flattened
from isthmus.engines.stack import Stack, is_stack
from isthmus.engines.threads import one_thread
from isthmus.module import AutoencoderModule

# Products of a step forward up to which two threads took no less time than one. It is a constant, not a measurement:
# sums of one thread and of several may differ in their last bits, and a run must not depend on what else goes on.
_SHARED_OUT = 1_000_000


def why_not(module: AutoencoderModule) -> str:
    """Say what keeps a module from this engine; empty if nothing does."""
    recipe = module.recipe
    if next(module.parameters()).device.type != "cpu":
        return "the arithmetic is not on the CPU"
    if not (is_stack(module.encoder) and is_stack(module.decoder)):
        return "not only dense layers"
    if recipe.n_importance > 1:
        return "several draws for each row"
    distant = [penalty.name for penalty in recipe.penalties if not getattr(penalty, "local", False)]
    return f"the penalty {distant[0]} looks at the network" if distant else ""


class Chain:
    """Writes the passes of a dense encoder and decoder out."""

    name = "chain"

    def __init__(self, module: AutoencoderModule) -> None:
        self._module, self._recipe = module, module.recipe
        stacked = [*module.encoder.parameters(), *module.decoder.parameters()]
        vector, gradients = flattened(stacked)
        self._others = [other for other in module.parameters() if all(other is not own for own in stacked)]
        self.parameters = [vector, *self._others]
        split = len(list(module.encoder.parameters()))
        self._encoder = Stack(module.encoder, gradients[:split])
        self._decoder = Stack(module.decoder, gradients[split:])
        self._compares = _writes_out(module.reconstruction, "loss_and_gradient", of="loss")
        self._writes_out = _writes_out(self._recipe.bottleneck, "gradient") and all(
            _writes_out(penalty, "loss_and_gradient") for penalty in self._recipe.penalties
        )

    def __call__(self, batch: Batch, progress: float, generator: Generator) -> tuple[dict[str, Tensor], Tensor | float]:
        """Leave the gradient of a batch's loss in ``grad`` of the parameters."""
        inputs = self._module.corrupted(batch, generator)
        with torch.no_grad():
            features = self._encoder.forward(inputs)
            features, latent = self._coded(features, progress, generator, plain=batch.plain)
            output = self._decoder.forward(latent.code.detach())
            losses, gradient = self._compared(output, batch)
            gradient = self._decoder.backward(gradient, inputs_too=True)
            if features.requires_grad:
                run = self._pass(batch, inputs, latent, output, generator, progress)
                gradient = self._through_the_code(features, gradient, run, losses)
            else:
                gradient = self._written_out(latent, gradient, progress, losses)
            self._encoder.backward(gradient, inputs_too=False)
            return losses, self._module.squared_error(output, batch, losses)

    def arithmetic(self, rows: int) -> AbstractContextManager[None]:
        """Use one thread for steps that are so short that to share them out takes longer."""
        return one_thread() if rows * self.parameters[0].numel() < _SHARED_OUT else nullcontext()

    def release(self) -> None:
        """Give back the memory of the layers' outputs."""
        self._encoder.release()
        self._decoder.release()

    def _coded(self, features: Tensor, progress: float, generator: Generator, *, plain: bool) -> tuple[Tensor, Latent]:
        """Pass features through the bottleneck, recorded if it or a penalty cannot write its gradient out."""
        if self._writes_out and (plain or not self._recipe.penalties):
            return features, self._recipe.bottleneck(features, progress, generator)
        with torch.enable_grad():
            features = features.detach().requires_grad_()
            return features, self._recipe.bottleneck(features, progress, generator)

    def _compared(self, output: Tensor, batch: Batch) -> tuple[dict[str, Tensor], Tensor]:
        """Give the reconstruction losses and their gradient at the decoder's output."""
        if batch.plain and self._compares:
            loss, gradient = self._module.reconstruction.loss_and_gradient(output, batch.rows)
            return {"reconstruction": loss}, gradient
        with torch.enable_grad():
            output = output.detach().requires_grad_()
            losses = self._module.compared(output, batch)
            loss = torch.stack(list(losses.values())).sum()
        learned = [parameter for parameter in self._others if parameter.requires_grad]
        gradient, *others = torch.autograd.grad(loss, [output, *learned])
        for parameter, own in zip(learned, others, strict=True):
            parameter.grad = own
        return {name: loss.detach() for name, loss in losses.items()}, gradient

    def _pass(
        self, batch: Batch, inputs: Tensor, latent: Latent, output: Tensor, generator: Generator, progress: float
    ) -> Pass:
        encoder: nn.Module = self._module.encoder
        return Pass(batch, inputs, latent, output, encoder, self._module.decoder, generator, progress)

    def _written_out(self, latent: Latent, gradient: Tensor, progress: float, losses: dict[str, Tensor]) -> Tensor:
        """Give the gradient at the features without automatic differentiation; note the penalties."""
        bottleneck: Any = self._recipe.bottleneck
        penalties: tuple[Any, ...] = self._recipe.penalties
        gradient = bottleneck.gradient(latent, gradient)
        for penalty in penalties:
            losses[penalty.name], own = penalty.loss_and_gradient(latent, progress)
            gradient = gradient + own
        return gradient

    def _through_the_code(self, features: Tensor, gradient: Tensor, run: Pass, losses: dict[str, Tensor]) -> Tensor:
        """Give the gradient at the features: of the code's way to the decoder, and of the penalties.

        The code's is that of a number, its product with ``gradient``: for one that is handed over torch would import
        what takes as long as an epoch.
        """
        with torch.enable_grad():
            penalties = {penalty.name: penalty(run) for penalty in self._recipe.penalties}
            onward = (run.latent.code * gradient).sum()
            terms = [onward, *(penalty for penalty in penalties.values() if penalty.requires_grad)]
            whole = reduce(torch.add, terms)
        losses |= {name: penalty.detach() for name, penalty in penalties.items()}
        return torch.autograd.grad(whole, [features])[0]


def _writes_out(part: Any, derivative: str, of: str = "__call__") -> bool:
    """Whether a part has its derivative written out, where it does what it derives: one may inherit the former only."""
    owner = next((kind for kind in type(part).__mro__ if of in vars(kind)), object)
    return derivative in vars(owner)
