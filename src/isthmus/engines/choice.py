"""Which engine trains a module."""

from __future__ import annotations

from collections.abc import Callable

from isthmus.engines.autograd import Autograd
from isthmus.engines.chain import Chain, why_not
from isthmus.engines.engine import Engine
from isthmus.engines.fused import Work, convolves, fused_for
from isthmus.errors import ParameterError
from isthmus.module import AutoencoderModule

_NOTHING = Work()


def engine_for(
    module: AutoencoderModule,
    backend: str = "auto",
    work: Work = _NOTHING,
    tell: Callable[[str], None] = lambda text: None,
    precision: str = "float32",
) -> Engine:
    """Choose the fastest engine that covers a module; its name tells which, and why.

    Parameters
    ----------
    module : AutoencoderModule
        What is trained; an engine may move its parameters into one block of memory.
    backend : {"auto", "fused", "torch"}, default="auto"
        Whether code may, must or must not be compiled for the network.
    work : Work
        What the run has before it: to compile has to pay.
    tell : callable
        Hears what takes long.
    precision : {"float32", "tf32", "bfloat16"}, default="float32"
        How exactly layers multiply; only automatic differentiation knows others than the first.

    Raises
    ------
    ParameterError
        If code must be compiled and cannot be, or there is no such precision on the module's device.
    """
    if precision != "float32":
        _check_precision(precision, backend, next(module.parameters()).device.type)
        return Autograd(module, precision, precision)
    if backend == "fused":
        engine = fused_for(module, work, tell, forced=True)
        if isinstance(engine, str):
            raise ParameterError(f'backend="fused" cannot be had ({engine}); take backend="auto"')
        return engine
    reason = why_not(module)
    if not reason:
        return Chain(module)
    if backend == "auto" and convolves(module):
        engine = fused_for(module, work, tell, forced=False)
        if not isinstance(engine, str):
            return engine
        reason = engine
    return Autograd(module, reason)


def _check_precision(precision: str, backend: str, device: str) -> None:
    """Refuse a precision that the backend or the device does not have."""
    if backend == "fused":
        raise ParameterError(f'backend="fused" computes in float32; got precision={precision!r}: take backend="auto"')
    if precision == "tf32" and device != "cuda":
        raise ParameterError(f"precision must be 'float32' or 'bfloat16' on the device {device!r}; got 'tf32'")
