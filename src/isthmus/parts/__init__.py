"""Parts of an autoencoder: small frozen descriptions that combine freely."""

from isthmus.parts.bottlenecks import Point
from isthmus.parts.networks import Convolutional, Dense
from isthmus.parts.reconstructions import AbsoluteError, Bernoulli, Huber, SquaredError

__all__ = [
    "AbsoluteError",
    "Bernoulli",
    "Convolutional",
    "Dense",
    "Huber",
    "Point",
    "SquaredError",
]
