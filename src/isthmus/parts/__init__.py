"""Parts of an autoencoder: small frozen descriptions that combine freely."""

from isthmus.parts.bottlenecks import Gaussian, Point, TopK, WinnerTakeAll
from isthmus.parts.contraction import Contraction
from isthmus.parts.corruptions import GaussianNoise, Masking, SaltAndPepper
from isthmus.parts.custom import Custom
from isthmus.parts.networks import Convolutional, Dense
from isthmus.parts.penalties import L1, Divergence, KLSparsity, Revival
from isthmus.parts.reconstructions import (
    AbsoluteError,
    Bernoulli,
    ContinuousBernoulli,
    GaussianLikelihood,
    Huber,
    SquaredError,
)
from isthmus.parts.schedules import Exponential, Ramp
from isthmus.parts.selecting import Selecting

__all__ = [
    "L1",
    "AbsoluteError",
    "Bernoulli",
    "ContinuousBernoulli",
    "Contraction",
    "Convolutional",
    "Custom",
    "Dense",
    "Divergence",
    "Exponential",
    "Gaussian",
    "GaussianLikelihood",
    "GaussianNoise",
    "Huber",
    "KLSparsity",
    "Masking",
    "Point",
    "Ramp",
    "Revival",
    "SaltAndPepper",
    "Selecting",
    "SquaredError",
    "TopK",
    "WinnerTakeAll",
]
