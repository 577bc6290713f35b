"""When training leaves the finite numbers: in which batch, in which layer, and why."""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import reduce

import torch
from torch import Tensor

from isthmus.batches import Batch
from isthmus.errors import DivergedError
from isthmus.module import AutoencoderModule
from isthmus.parts.layers import watched

_STEPS_APART = 50
_LARGE = 100.0


class LossWatch:
    """Looks whether losses are finite: on a CPU at each step, elsewhere, where a look waits for the device, at some.

    Parameters
    ----------
    device : device
        Where the losses are.
    """

    def __init__(self, device: torch.device) -> None:
        self._every = 1 if device.type == "cpu" else _STEPS_APART
        self._waiting: list[Tensor] = []

    def ago(self, losses: dict[str, Tensor]) -> int | None:
        """Take the losses of a step; give how many steps ago the first was that are not finite, None if all are."""
        if self._every == 1:
            return None if all(math.isfinite(loss.item()) for loss in losses.values()) else 0
        self._waiting.append(reduce(torch.add, losses.values()).detach())
        return self.look() if len(self._waiting) == self._every else None

    def look(self) -> int | None:
        """Look at the losses that wait."""
        waiting, self._waiting = self._waiting, []
        values = torch.stack(waiting).tolist() if waiting else []
        bad = [place for place, value in enumerate(values) if not math.isfinite(value)]
        return len(values) - 1 - bad[0] if bad else None


def diverged(where: str, what: str, reach: float, rate: float) -> DivergedError:
    """Say in a sentence where training diverged, what was seen, why, and what helps.

    Parameters
    ----------
    where : str
        Epoch and batch.
    what : str
        What is not finite.
    reach : float
        Largest absolute value of the scaled rows.
    rate : float
        Learning rate.
    """
    if reach > _LARGE:
        cause = (
            f"the likely cause is the scale of the data, as scaled rows reach {reach:.3g}: set scaling='standard' or "
            f"drop outlying rows, else lower learning_rate (now {rate:.3g})"
        )
    else:
        cause = (
            f"the likely cause is learning_rate={rate:.3g}, as scaled rows reach only {reach:.3g}: lower it, or set "
            "clip_gradient=1.0 or retries=1"
        )
    return DivergedError(f"training diverged in {where}: {what}; {cause}")


def seen_in(module: AutoencoderModule, batch: Batch, loss: str = "loss") -> str:
    """Say what is too large while a batch, whose loss is not finite, goes through a module."""
    weights = _largest(module.named_parameters())
    if not math.isfinite(weights[1]):
        return f"the {loss} is not finite, as the step before overflowed the weights {weights[0]}"
    name, value = largest_activation(module, batch)
    words = f"the {loss} is not finite; the largest activation is {value:.3g} in {name}"
    name, value = _largest((name, parameter.grad) for name, parameter in module.named_parameters())
    return f"{words}, the largest gradient {value:.3g} in {name}" if name and not math.isnan(value) else words


@torch.no_grad()
def largest_activation(module: AutoencoderModule, batch: Batch) -> tuple[str, float]:
    """Give the layer with the largest output, and its absolute value; the first one that is not finite is larger."""
    with watched([module]) as outputs:
        module.decoder(module.encode(batch.rows, batch.present))
    return _largest(outputs)


def overflowed(module: AutoencoderModule, states: Iterable[Tensor]) -> str:
    """Say what is not finite in the weights, or in what an optimizer remembers of gradients; empty if all is."""
    name, largest = _largest(module.named_parameters())
    if not math.isfinite(largest):
        return f"the weights {name} are not finite"
    if math.isfinite(_largest(("", state) for state in states)[1]):
        return ""
    name, largest = _largest((name, value.grad) for name, value in module.named_parameters())
    return f"the gradient reaches {largest:.3g} in {name}, and its square is not finite"


def _largest(named: Iterable[tuple[str, Tensor | None]]) -> tuple[str, float]:
    """Give the name and the absolute value of the largest cell; the first one that is not finite is larger."""
    found = "", 0.0
    for name, tensor in named:
        if tensor is None or not tensor.numel():
            continue
        value = float(torch.linalg.vector_norm(tensor.detach(), math.inf))
        if not math.isfinite(value):
            return name, value
        if value > found[1]:
            found = name, value
    return found
