"""torch's optimizers, without what they do for its compiler."""

from __future__ import annotations

import inspect
from typing import Any

import torch
from torch import optim


def lean(kind: type[optim.Optimizer]) -> Any:
    """Give an optimizer that does not import torch's compiler.

    torch wraps ``step`` and ``add_param_group`` for the compiler. The wrappers import it, which takes a second and more
    in each process that trains, and tell it of every step. What they wrap is the same arithmetic.

    Parameters
    ----------
    kind : type
        A class of ``torch.optim``.

    Returns
    -------
    type
        A class with the same parameters, state and steps.
    """
    changed = {
        "step": torch.no_grad()(inspect.unwrap(kind.step)),
        "add_param_group": inspect.unwrap(kind.add_param_group),
        "__doc__": kind.__doc__,
    }
    return type(kind.__name__, (kind,), changed)
