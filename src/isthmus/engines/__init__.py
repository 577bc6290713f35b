"""Engines: ways to take the gradient of a batch. They give the same numbers, at different speeds."""

from isthmus.engines.autograd import Autograd
from isthmus.engines.choice import engine_for
from isthmus.engines.engine import Engine

__all__ = ["Autograd", "Engine", "engine_for"]
