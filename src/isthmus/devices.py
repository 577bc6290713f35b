"""Where the arithmetic runs."""

import os

import torch
from torch import Tensor

from isthmus.errors import ParameterError

_LOADED_IN = os.getpid()


def device_of(name: str) -> torch.device:
    """Give the torch device of a name; ``"auto"`` is CUDA, else MPS, else the CPU.

    A forked process has none of the threads that its parent's arithmetic waits for: it works with one from then on.

    Raises
    ------
    ParameterError
        If this machine or this build of torch has no such device.
    """
    if os.getpid() != _LOADED_IN and torch.get_num_threads() > 1:
        torch.set_num_threads(1)
    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        return torch.device(next(kind for kind, there in available.items() if there))
    if not available[name]:
        raise ParameterError(f"device must be one that this machine has; got {name!r}: take 'auto' or 'cpu'")
    return torch.device(name)


def number_of(value: Tensor) -> Tensor | float:
    """Give a single number as a float, or from elsewhere than the CPU as it is: to look at it would mean to wait."""
    return value.item() if value.device.type == "cpu" else value.detach()
