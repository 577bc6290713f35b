"""Engines: ways to take the gradient of a batch. They give the same numbers, at different speeds."""

from isthmus.engines.accumulation import accumulated
from isthmus.engines.autograd import Autograd
from isthmus.engines.choice import engine_for
from isthmus.engines.engine import Engine, Measuring
from isthmus.engines.fused import Work, passes_for

__all__ = ["Autograd", "Engine", "Measuring", "Work", "accumulated", "engine_for", "passes_for"]
