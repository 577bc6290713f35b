"""Isthmus: autoencoders as unsupervised dimension reduction, behind the scikit-learn API.

Names are imported when they are first used, so that ``import isthmus`` answers at once.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from isthmus.loading import load
    from isthmus.variants import Autoencoder, ConvolutionalAutoencoder, DenseAutoencoder, LinearAutoencoder

_HOMES = {
    "Autoencoder": "variants",
    "ConvolutionalAutoencoder": "variants",
    "DenseAutoencoder": "variants",
    "LinearAutoencoder": "variants",
    "load": "loading",
}

__all__ = ["Autoencoder", "ConvolutionalAutoencoder", "DenseAutoencoder", "LinearAutoencoder", "load"]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"isthmus.{_HOMES[name]}"), name)
    if name in ("datasets", "metrics", "parts", "plots"):
        return import_module(f"isthmus.{name}")
    raise AttributeError(f"module 'isthmus' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES, "datasets", "metrics", "parts", "plots"])
