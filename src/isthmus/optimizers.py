"""How weights follow the gradient: torch's optimizers, without what they do for its compiler, and learning rates."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import nn, optim

from isthmus.hyperparameters import Training


def lean(kind: type[optim.Optimizer], kernel: Callable[..., None] | None = None) -> Any:
    """Give an optimizer that does not import torch's compiler.

    torch wraps ``step`` and ``add_param_group`` for the compiler. The wrappers import it, which takes a second and more
    in each process that trains, and tell it of every step. Another wrapper names each step for torch's profiler and
    calls the optimizer's hooks, of which there are none: it takes as long as the rest of a small step. What they wrap
    is the same arithmetic.

    Parameters
    ----------
    kind : type
        A class of ``torch.optim``.
    kernel : callable or None, default=None
        What makes a fused step of Adam, to be called directly: torch groups the parameters by their type at each step,
        which takes twice as long as the arithmetic of a small network.

    Returns
    -------
    type
        A class with the same parameters, state and steps.
    """
    whole = torch.no_grad()(inspect.unwrap(kind.step))

    def direct(self: Any) -> None:
        for group in self.param_groups:
            if len({parameter.dtype for parameter in group["params"]}) > 1:
                return whole(self)
        with torch.no_grad():
            for group in self.param_groups:
                _direct_step(self, group, kernel)
        return None

    step: Any = whole if kernel is None else direct
    step.hooked = True  # torch's own sign of a step that is wrapped already
    changed = {
        "step": step,
        "add_param_group": inspect.unwrap(kind.add_param_group),
        "__doc__": kind.__doc__,
    }
    return type(kind.__name__, (kind,), changed)


def _direct_step(optimizer: Any, group: dict[str, Any], kernel: Any) -> None:
    """Let Adam's kernel change the parameters of a group that have a gradient, which are all of one type."""
    lists: list[list[torch.Tensor]] = [[] for _ in range(6)]
    optimizer._init_group(group, *lists)
    if lists[0]:
        torch._foreach_add_(lists[-1], 1)
        settings = {name: group[name] for name in ("amsgrad", "lr", "weight_decay", "eps", "maximize")}
        kernel(*lists, beta1=group["betas"][0], beta2=group["betas"][1], **settings)


_OPTIMIZERS: dict[str, Callable[..., optim.Optimizer]] = {
    "adam": partial(lean(optim.Adam, torch._fused_adam_), fused=True),
    "adamw": partial(lean(optim.AdamW), fused=True),
    "sgd": partial(lean(optim.SGD), momentum=0.9, fused=True),
    "adadelta": lean(optim.Adadelta),
    "rmsprop": lean(optim.RMSprop),
}
_RATES = {"adam": 2e-3, "adamw": 2e-3, "sgd": 1e-3, "adadelta": 1.0, "rmsprop": 1e-3}
SCHEDULES: dict[str, Callable[[float], float]] = {
    "constant": lambda progress: 1.0,
    "linear": lambda progress: 1 - progress,
    "cosine": lambda progress: (1 + math.cos(math.pi * progress)) / 2,
}


def optimizer_for(parameters: Sequence[nn.Parameter], settings: Training) -> optim.Optimizer:
    """Make the optimizer that the settings name, at its own learning rate if they give none."""
    rate = settings.learning_rate or _RATES[settings.optimizer]
    optimizer = _OPTIMIZERS[settings.optimizer](parameters, lr=rate, weight_decay=settings.weight_decay)
    for group in optimizer.param_groups:
        group["initial_lr"] = group["lr"]
    return optimizer
