"""Parts of an autoencoder: small frozen descriptions that combine freely."""

from isthmus.parts.bottlenecks import Gaussian, Point, TopK, WinnerTakeAll
from isthmus.parts.contraction import Contraction
from isthmus.parts.corruptions import GaussianNoise, Masking, SaltAndPepper
from isthmus.parts.custom import Custom
from isthmus.parts.flat_layers import (
    Activation,
    BatchNormalization,
    Dropout,
    Flatten,
    Linear,
    Noise,
    Reshape,
)
from isthmus.parts.image_layers import (
    AveragePooling,
    Convolution,
    Cropping,
    MaxPooling,
    TransposedConvolution,
    UpSampling,
    ZeroPadding,
)
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
from isthmus.parts.sequence import Layers

__all__ = [
    "L1",
    "AbsoluteError",
    "Activation",
    "AveragePooling",
    "BatchNormalization",
    "Bernoulli",
    "ContinuousBernoulli",
    "Contraction",
    "Convolution",
    "Convolutional",
    "Cropping",
    "Custom",
    "Dense",
    "Divergence",
    "Dropout",
    "Exponential",
    "Flatten",
    "Gaussian",
    "GaussianLikelihood",
    "GaussianNoise",
    "Huber",
    "KLSparsity",
    "Layers",
    "Linear",
    "Masking",
    "MaxPooling",
    "Noise",
    "Point",
    "Ramp",
    "Reshape",
    "Revival",
    "SaltAndPepper",
    "Selecting",
    "SquaredError",
    "TopK",
    "TransposedConvolution",
    "UpSampling",
    "WinnerTakeAll",
    "ZeroPadding",
]
