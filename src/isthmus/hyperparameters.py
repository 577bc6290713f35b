"""Every hyper-parameter of the estimators, declared once and without importing anything heavy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from isthmus.legal import Either, Flag, Number, OneOf, PartOf, PathLike, RandomState, Several
from isthmus.params import like, param

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.random import RandomState as NumpyRandomState

    from isthmus.parts.protocols import Network, Reconstruction

ACTIVATIONS = ("linear", "relu", "leaky_relu", "elu", "selu", "gelu", "silu", "softplus", "tanh", "sigmoid")
OPTIMIZERS = ("adam", "adamw", "sgd", "adadelta", "rmsprop")
SCHEDULES = ("constant", "linear", "cosine")
RECONSTRUCTIONS = ("squared", "bernoulli", "continuous_bernoulli", "gaussian", "absolute", "huber")
DEVICES = ("auto", "cpu", "cuda", "mps")
BACKENDS = ("auto", "fused", "torch")
PRECISIONS = ("float32", "tf32", "bfloat16")
SCALINGS = ("auto", "none", "minmax", "standard")

_POSITIVE = Number(0, open=True)
_COUNT = Number(1, integer=True)
_DEEPEST = 256
_ACTIVATION = OneOf(ACTIVATIONS)


@dataclass(eq=False, repr=False)
class Training:
    """How any autoencoder is trained."""

    max_epochs: int | None = param(
        None,
        _COUNT,
        "Passes over the training rows.",
        none="15, or more on few rows so that 1,000 steps are taken",
    )
    batch_size: int = param(64, _COUNT, "Rows in a training step.")
    learning_rate: float | None = param(
        None,
        _POSITIVE,
        "Step size.",
        none="the optimizer's own: adam and adamw .002, sgd and rmsprop .001, adadelta 1.0",
    )
    optimizer: str = param("adam", OneOf(OPTIMIZERS), "How the weights follow the gradient; sgd has momentum .9.")
    schedule: str = param("cosine", OneOf(SCHEDULES), "How the learning rate falls to zero over the epochs of a fit.")
    weight_decay: float = param(0.0, Number(0), "Shrinks the weights: L2 penalty, decoupled for adamw.")
    clip_gradient: float | None = param(None, _POSITIVE, "Longest gradient of a step (2-norm).", none="no limit")
    retries: int = param(
        0,
        Number(0, integer=True),
        "Times that a fit which diverges goes back to its best weights and on, at a tenth of the learning rate.",
    )
    validation_fraction: float = param(
        0.1, Number(0, 0.9), "Share of the rows held out to validate on; drawn once, from random_state."
    )
    patience: int | None = param(
        None,
        _COUNT,
        "Epochs without a better validation loss after which training stops.",
        none="no early stop",
    )
    scaling: str = param(
        "auto",
        OneOf(SCALINGS),
        "Scaling learned on the training rows, undone by inverse_transform. auto: integer images by their "
        "type's maximum, floats within [0, 1] that reach .001 as they are, else standardised (images as a whole, "
        "tables by column).",
    )
    handle_unknown: str = param(
        "error",
        OneOf(("error", "ignore", "infrequent_if_exist")),
        "What becomes of a category of a mixed table that the fitted rows did not have: error refuses it, ignore takes "
        "it as missing, infrequent_if_exist as one of the rare ones where max_categories made a group of these.",
    )
    max_categories: int | None = param(
        None,
        _COUNT,
        "Most cells that the network sees of a category; the rarest values share one.",
        none="as many as there are values, at most 10,000",
    )
    device: str = param("auto", OneOf(DEVICES), "Where the arithmetic runs.")
    backend: str = param(
        "auto",
        OneOf(BACKENDS),
        "Whether code is compiled for the network (extra fast, on a CPU): auto where the run is long enough to pay for "
        "it and the code is faster, fused always, torch never. history_ says which it was, and why.",
    )
    precision: str = param(
        "float32",
        OneOf(PRECISIONS),
        "Arithmetic of the layers in training: tf32 lets CUDA round what it multiplies, bfloat16 takes layers that "
        "multiply in half the bits. Weights, losses and all that is computed after the fit stay float32.",
    )
    random_state: int | NumpyRandomState | None = param(
        None,
        RandomState(),
        "Seed of the split, the weights, the order of rows and the noise.",
        none="a new one each time",
    )
    checkpoint: str | Path | None = param(
        None,
        PathLike(),
        "Folder that keeps the state of the run after each epoch; a killed run resumes from it.",
        none="none is kept",
    )
    checkpoint_minutes: float | None = param(
        None, _POSITIVE, "Minutes after which the state is kept within an epoch too.", none="only after epochs"
    )
    resume: bool = param(False, Flag(), "Whether to go on from the checkpoint, if there is one.")
    verbose: bool = param(False, Either(Flag(), Number(0, integer=True)), "Whether to show a progress bar.")


@dataclass(eq=False, repr=False)
class Rebuilding(Training):
    """How a rebuilt row is compared with the row."""

    reconstruction: str | Reconstruction = param(
        "squared",
        Either(OneOf(RECONSTRUCTIONS), PartOf("reconstruction")),
        "Reconstruction loss, summed over columns. bernoulli is cross-entropy and needs rows within [0, 1]. Of a mixed "
        "table it is the loss of the numbers; booleans and categories have cross-entropies.",
    )
    missing: str = param(
        "centre",
        OneOf(("centre", "mask")),
        "How the encoder sees a missing cell: as the centre of its column, or with mask so that it is also told which "
        "cells are missing.",
    )


@dataclass(eq=False, repr=False)
class Layers(Rebuilding):
    """What the layers of a stack share."""

    activation: str = param("relu", _ACTIVATION, "Activation of the hidden layers.")
    output_activation: str | None = param(
        None,
        _ACTIVATION,
        "Activation of the last layer; losses that bring their own sigmoid (bernoulli) want linear.",
        none="sigmoid where the scaled rows are within [0, 1] and the loss brings none, else linear",
    )


@dataclass(eq=False, repr=False)
class Dense(Layers):
    """Parameters of the dense autoencoder."""

    code_size: int = param(32, _COUNT, "Numbers in the code of a row.", positional=True)
    hidden: Sequence[int] = param(
        (128, 64), Several(_COUNT, longest=_DEEPEST), "Widths of the encoder's hidden layers; the decoder mirrors them."
    )
    code_activation: str = param("linear", _ACTIVATION, "Activation of the code.")


@dataclass(eq=False, repr=False)
class Convolutional(Layers):
    """Parameters of the convolutional autoencoder."""

    code_size: int | None = param(
        None,
        _COUNT,
        "Numbers in the code of a row, by a dense layer.",
        none="the last feature map itself",
        positional=True,
    )
    channels: Sequence[int] = param(
        (16, 1),
        Several(_COUNT, shortest=1, longest=_DEEPEST),
        "Channels of each stage: convolution, activation, pooling by 2.",
    )
    kernel_size: int = param(3, Number(1, integer=True, odd=True), "Width of the convolutions, in pixels.")
    code_activation: str | None = param(
        None,
        _ACTIVATION,
        "Activation of the code.",
        none="the hidden one on a feature map, linear on a dense code",
    )
    image_shape: Sequence[int] | None = param(
        None,
        Several(_COUNT, shortest=2, longest=3),
        "Height, width and channels of the images that the columns of a 2-D X hold.",
        none="the shape of X; a row of a 2-D X is a signal",
    )
    output_activation: str | None = like(Layers, "output_activation", default="linear")


@dataclass(eq=False, repr=False)
class Linear(Training):
    """Parameters of the linear autoencoder."""

    code_size: int | None = param(
        None,
        _COUNT,
        "Numbers in the code of a row.",
        none="32, or fewer if X has fewer columns",
        positional=True,
    )
    solver: str = param(
        "exact",
        OneOf(("exact", "gradient")),
        "exact: the optimum, from the covariance or a randomized SVD; gradient: trained by the loop.",
    )


@dataclass(eq=False, repr=False)
class Networked(Layers):
    """Parameters of the variations: dense layers, or any network."""

    code_size: int | None = param(
        32, _COUNT, "Numbers in the code of a row.", none="what the network gives", positional=True
    )
    network: Network | None = param(
        None, PartOf("network"), "Encoder and decoder.", none="dense layers with hidden, activation and the like"
    )
    hidden: Sequence[int] = like(Dense, "hidden")
    code_activation: str | None = like(Dense, "code_activation")


@dataclass(eq=False, repr=False)
class Denoising(Networked):
    """Parameters of the denoising autoencoder."""

    noise: str = param(
        "gaussian", OneOf(("gaussian", "masking", "salt_and_pepper")), "What is done to the rows in training."
    )
    noise_level: float = param(
        0.3, Number(0), "Standard deviation in scaled units (gaussian), or share of the cells, at most 1 (the others)."
    )
    pretrain: bool = param(
        False,
        Flag(),
        "Whether the hidden layers are first trained one by one, each to denoise what the last one gives.",
    )


@dataclass(eq=False, repr=False)
class Sparse(Networked):
    """Parameters of the sparse autoencoder."""

    code_size: int | None = like(Networked, "code_size", default=256)
    hidden: Sequence[int] = like(Dense, "hidden", default=())
    code_activation: str | None = param(
        None, _ACTIVATION, "Activation of the code.", none="relu for l1, sigmoid for kl, linear for the others"
    )
    sparsity: str = param(
        "l1",
        OneOf(("l1", "kl", "top_k", "winner_take_all")),
        "l1: penalty on absolute values; kl: penalty on mean activations; top_k: the largest of each row are kept; "
        "winner_take_all: for each unit the rows of a batch that excite it most are kept.",
    )
    sparsity_weight: float = param(
        1e-2, Number(0), "Factor of the penalty (l1, kl) or of the revival of dead units (top_k)."
    )
    target_activation: float = param(
        0.05, Number(0, 1, open=True), "Mean activation of a unit (kl), or its share of active rows (winner_take_all)."
    )
    n_active: int | Any = param(
        16,
        Either(_COUNT, PartOf("schedule")),
        "Units that stay active for a row (top_k); a schedule such as Ramp(100, 16) anneals it.",
    )


@dataclass(eq=False, repr=False)
class Concrete(Layers):
    """Parameters of the concrete autoencoder."""

    code_size: int = param(32, _COUNT, "Number of columns to choose.", positional=True)
    hidden: Sequence[int] = like(Dense, "hidden", default=())
    start_temperature: float = param(10.0, _POSITIVE, "Temperature of the selection at the start.")
    end_temperature: float = param(0.01, _POSITIVE, "Temperature of the selection at the end.")


@dataclass(eq=False, repr=False)
class Contractive(Networked):
    """Parameters of the contractive autoencoder."""

    code_activation: str | None = like(Dense, "code_activation", default="sigmoid")
    contraction: float = param(0.1, Number(0), "Factor of the squared norm of the encoder's Jacobian.")


@dataclass(eq=False, repr=False)
class Variational(Networked):
    """Parameters of the variational autoencoder."""

    code_size: int | None = like(Networked, "code_size", default=16)
    reconstruction: str | Reconstruction = like(Rebuilding, "reconstruction", default="gaussian")
    beta: float = param(1.0, Number(0), "Factor of the divergence from the prior.")
    warmup: float = param(0.0, Number(0, 1), "Share of the training over which beta rises from 0.")
    free_bits: float = param(0.0, Number(0), "What each number of the code may cost for nothing, in nats.")
    n_importance: int = param(
        1, _COUNT, "Draws for each row; with more than one the importance-weighted bound is trained."
    )


@dataclass(eq=False, repr=False)
class Parts(Rebuilding):
    """Parameters of the generic autoencoder."""

    code_size: int | None = param(
        32, _COUNT, "Numbers in the code of a row.", none="what the network gives", positional=True
    )
    network: Network | None = param(None, PartOf("network"), "Encoder and decoder.", none="Dense()")
    bottleneck: Any = param(None, PartOf("bottleneck"), "What becomes of the encoder's output.", none="Point()")
    corruption: Any = param(None, PartOf("corruption"), "What is done to the rows in training.", none="nothing")
    penalties: Sequence[Any] = param((), PartOf("penalty", several=True), "Terms added to the loss.")
