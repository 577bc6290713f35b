"""Isthmus: autoencoders as unsupervised dimension reduction, behind the scikit-learn API.

Names are imported when they are first used, so that ``import isthmus`` answers at once.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from isthmus.concrete import ConcreteAutoencoder
    from isthmus.keras import from_keras
    from isthmus.loading import load
    from isthmus.principal import LinearAutoencoder
    from isthmus.variants import (
        Autoencoder,
        ContractiveAutoencoder,
        ConvolutionalAutoencoder,
        DenoisingAutoencoder,
        DenseAutoencoder,
        SparseAutoencoder,
    )
    from isthmus.variational import VariationalAutoencoder

_HOMES = {
    "Autoencoder": "variants",
    "ConcreteAutoencoder": "concrete",
    "ContractiveAutoencoder": "variants",
    "ConvolutionalAutoencoder": "variants",
    "DenoisingAutoencoder": "variants",
    "DenseAutoencoder": "variants",
    "LinearAutoencoder": "principal",
    "SparseAutoencoder": "variants",
    "VariationalAutoencoder": "variational",
    "from_keras": "keras",
    "load": "loading",
}
_MODULES = ("datasets", "health", "metrics", "parts", "plots", "report", "ray", "selection")

__all__ = [
    "Autoencoder",
    "ConcreteAutoencoder",
    "ContractiveAutoencoder",
    "ConvolutionalAutoencoder",
    "DenoisingAutoencoder",
    "DenseAutoencoder",
    "LinearAutoencoder",
    "SparseAutoencoder",
    "VariationalAutoencoder",
    "from_keras",
    "load",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"isthmus.{_HOMES[name]}"), name)
    if name in _MODULES:
        return import_module(f"isthmus.{name}")
    raise AttributeError(f"module 'isthmus' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES, *_MODULES})
