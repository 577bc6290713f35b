"""Whether a network is trained by emitted code: is it covered, is there work enough to compile for, is it faster."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from typing import Any

import torch
from torch import Generator, nn

from isthmus.batches import Batch
from isthmus.engines.autograd import Autograd
from isthmus.engines.engine import Engine
from isthmus.engines.fused.caching import VARIABLE, Kept, Tell, cache_folder
from isthmus.engines.fused.engine import Fused
from isthmus.engines.fused.layers import NotCoveredError
from isthmus.engines.fused.passes import Passes
from isthmus.engines.fused.reading import Network, read
from isthmus.engines.fused.writing import source_of
from isthmus.module import AutoencoderModule

# Torch spends about 1 ns for each product of the way forward, emitted code a sixth of it, and to compile takes about
# 20 s: below so many products that does not pay. It is a constant, not a measurement, so that a run does not depend on
# what ran before it.
_LEAST_PRODUCTS = 3e10
_CLEARLY = 0.8
_TRIALS, _TOLERANCE = 6, 1e-3


@dataclass(frozen=True)
class Work:
    """What a run has before it.

    Attributes
    ----------
    rows : int
        Rows in all epochs together.
    batch_size : int
        Rows in a step.
    plain : bool
        Whether no cell is missing and all rows count the same.
    alone : bool
        Whether one process trains.
    """

    rows: int = 0
    batch_size: int = 1
    plain: bool = True
    alone: bool = True


def convolves(module: nn.Module) -> bool:
    """Whether a network has convolutions: others are trained by engines of their own."""
    return any(isinstance(layer, nn.Conv1d | nn.Conv2d) for layer in module.modules())


def fused_for(module: AutoencoderModule, work: Work, tell: Tell, *, forced: bool) -> Fused | str:
    """Give the engine, or say why there is none.

    Parameters
    ----------
    module : AutoencoderModule
        What is trained.
    work : Work
        What the run has before it.
    tell : callable
        Hears what takes long.
    forced : bool
        Whether to compile whatever it costs, and without a look at whether it is faster.
    """
    try:
        network = read(module)
        if find_spec("numba") is None:
            return "numba is not installed"
        too_little = "" if forced else _not_worth(network, work)
        if too_little:
            return too_little
        kept = _kept(network, os.environ.get(VARIABLE), torch.get_num_threads())
        decision = {"faster": True} if forced else kept.decision
        if decision is None:
            decision = kept.decide(_tried(module, network, _loaded(kept, tell), work.batch_size))
        if not decision["faster"]:
            return "fused code is not faster"
        return Fused(module, network, _loaded(kept, tell))
    except NotCoveredError as reason:
        return f"not fused: {reason}"
    except OSError as error:
        return f"the cache folder {cache_folder()} cannot be written to: {error.strerror}"


def passes_for(module: AutoencoderModule, backend: str) -> Passes | None:
    """Give the way through a network by emitted code; None if torch's is to be taken.

    Unless it is asked for, code is taken that was compiled for a training on this machine and found to be faster.
    """
    if backend == "torch" or (backend == "auto" and not convolves(module)) or find_spec("numba") is None:
        return None
    try:
        network = read(module)
        kept = _kept(network, os.environ.get(VARIABLE), torch.get_num_threads())
        decision = {"faster": True} if backend == "fused" else kept.decision
        return Passes(module, network, _loaded(kept, _silent)) if decision and decision["faster"] else None
    except (NotCoveredError, OSError):
        return None


@lru_cache(maxsize=32)
def _kept(network: Network, folder: str | None, threads: int) -> Kept:
    """Find the code of a network; what else decides about its place is named, so that it is found anew."""
    return Kept(source_of(network))


def _loaded(kept: Kept, tell: Tell) -> Any:
    """Give the compiled code, or say that this numba cannot compile it."""
    from numba.core.errors import NumbaError

    try:
        return kept.load(tell)
    except NumbaError as error:
        first = next(iter(str(error).splitlines()), type(error).__name__)
        raise NotCoveredError(f"numba cannot compile the network: {first}") from error


def _silent(text: str) -> None:
    """Tell nobody."""


def _not_worth(network: Network, work: Work) -> str:
    if not work.alone:
        return "several processes train"
    if not work.plain:
        return "missing cells or weights"
    return "" if network.products * work.rows >= _LEAST_PRODUCTS else "too little work to compile for"


def _tried(module: AutoencoderModule, network: Network, code: Any, batch_size: int) -> dict[str, Any]:
    """Take the gradient of made-up rows by both ways, and time them in turns."""
    rows = torch.rand(batch_size, *module.schema.layout, generator=Generator().manual_seed(0)).movedim(-1, 1)
    fused, autograd = Fused(module, network, code), Autograd(module)
    if not _agree(module, autograd, fused, Batch(rows)):
        return {"faster": False, "agrees": False}
    times = [[_seconds(engine, Batch(rows)) for engine in (autograd, fused)] for _ in range(_TRIALS)]
    default, own = (min(column) for column in zip(*times, strict=True))
    return {"faster": own < _CLEARLY * default, "agrees": True, "torch_ms": 1e3 * default, "fused_ms": 1e3 * own}


def _seconds(engine: Engine, batch: Batch) -> float:
    began = time.perf_counter()
    engine(batch, 0.0, Generator().manual_seed(0))
    return time.perf_counter() - began


def _agree(module: AutoencoderModule, autograd: Autograd, fused: Fused, batch: Batch) -> bool:
    """Whether both ways give the same loss and gradients, but for rounding."""
    losses, _ = autograd(batch, 0.0, Generator().manual_seed(0))
    gradients = [own.grad for own in module.parameters() if own.grad is not None]
    expected = [losses["reconstruction"].detach(), *gradients]
    losses, _ = fused(batch, 0.0, Generator().manual_seed(0))
    return _near([losses["reconstruction"], *fused.gradients], expected)


def _near(found: Sequence[torch.Tensor], expected: Sequence[torch.Tensor]) -> bool:
    pairs = zip(found, expected, strict=True)
    return all(bool((own - other).abs().max() <= _TOLERANCE * (other.abs().max() + _TOLERANCE)) for own, other in pairs)
