"""torch's optimizers, without what they do for its compiler."""

from __future__ import annotations

import inspect
from typing import Any

import torch
from torch import optim


def lean(kind: type[optim.Optimizer]) -> Any:
    """Give an optimizer that does not import torch's compiler.

    torch wraps ``step`` and ``add_param_group`` for the compiler. The wrappers import it, which takes a second and more
    in each process that trains, and tell it of every step. Another wrapper names each step for torch's profiler and
    calls the optimizer's hooks, of which there are none: it takes as long as the rest of a small step. What they wrap
    is the same arithmetic.

    Parameters
    ----------
    kind : type
        A class of ``torch.optim``.

    Returns
    -------
    type
        A class with the same parameters, state and steps.
    """
    step = torch.no_grad()(inspect.unwrap(kind.step))
    step.hooked = True  # torch's own sign of a step that is wrapped already
    changed = {
        "step": step,
        "add_param_group": inspect.unwrap(kind.add_param_group),
        "__doc__": kind.__doc__,
    }
    return type(kind.__name__, (kind,), changed)
