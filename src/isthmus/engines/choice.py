"""Which engine trains a module."""

from __future__ import annotations

from isthmus.engines.autograd import Autograd
from isthmus.engines.chain import Chain, why_not
from isthmus.engines.engine import Engine
from isthmus.module import AutoencoderModule


def engine_for(module: AutoencoderModule) -> Engine:
    """Choose the fastest engine that covers a module; its name tells which, and why.

    Parameters
    ----------
    module : AutoencoderModule
        What is trained; an engine may move its parameters into one block of memory.
    """
    reason = why_not(module)
    return Autograd(module, reason) if reason else Chain(module)
