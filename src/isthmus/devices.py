"""Where the arithmetic runs."""

import torch

from isthmus.errors import ParameterError


def device_of(name: str) -> torch.device:
    """Give the torch device of a name; ``"auto"`` is CUDA, else MPS, else the CPU.

    Raises
    ------
    ParameterError
        If this machine or this build of torch has no such device.
    """
    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        return torch.device(next(kind for kind, there in available.items() if there))
    if not available[name]:
        raise ParameterError(f"device must be one that this machine has; got {name!r}: take 'auto' or 'cpu'")
    return torch.device(name)
