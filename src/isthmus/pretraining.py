"""Layer-wise pre-training: a deep denoising network learned one layer at a time (Vincent et al., 2010)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn

from isthmus.errors import ParameterError
from isthmus.module import AutoencoderModule
from isthmus.parts import Dense
from isthmus.parts.reconstructions import SquaredError
from isthmus.records import Schema
from isthmus.scaling import Scaling
from isthmus.sources import Rows
from isthmus.training import Trainer, TrainingState, optimizer_for

Layer = tuple[nn.Linear, list[nn.Module]]


def pretrain(trainer: Trainer) -> None:
    """Train the layers of a dense network one by one, each to denoise what the layers before it give.

    Each layer is an autoencoder of its own for as many epochs as the whole training; its two halves become
    the first weights of the layer and of its mirror in the decoder. The first one rebuilds rows with the
    recipe's loss, the others their inputs with the squared error.

    Parameters
    ----------
    trainer : Trainer
        A trainer whose module is not trained yet; its weights are changed in place.

    Raises
    ------
    ParameterError
        If the network is not a stack of dense layers.
    """
    encoder, decoder = _layers(trainer.module.encoder), _layers(trainer.module.decoder)
    rows = trainer.rows
    for depth, (down, up) in enumerate(zip(encoder, reversed(decoder), strict=True)):
        own = _one_layer(trainer, rows, depth, down, up)
        own.run()
        _copy(own.module, down[0], up[0])
        rows = _encoded(own)
