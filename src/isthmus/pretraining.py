"""Layer-wise pre-training: a deep denoising network learned one layer at a time (Vincent et al., 2010)."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import nn

from isthmus.errors import ParameterError
from isthmus.module import AutoencoderModule
from isthmus.parts import Dense
from isthmus.parts.reconstructions import SquaredError
from isthmus.records import Schema
from isthmus.rows import Rows
from isthmus.scaling import Scaling
from isthmus.sources import ArrayRows
from isthmus.state import TrainingState
from isthmus.training import Trainer


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
    network = trainer.module.recipe.network
    if not isinstance(network, Dense):
        raise ParameterError(f"pretrain=True needs a network of dense layers; got {network!r}")
    if trainer.rows.source.pieces.sizes is not None:
        raise ParameterError("pretrain=True keeps the codes of each layer in memory, so that X must be an array there")
    downs, ups = _linear_layers(trainer.module.encoder), _linear_layers(trainer.module.decoder)
    rows = trainer.rows
    for depth, (down, up) in enumerate(zip(downs, reversed(ups), strict=True)):
        last = depth == len(downs) - 1
        layer = Dense(
            (),
            code_activation=network.code_activation if last else network.activation,
            output_activation="linear" if depth else network.output_activation,
        )
        own = _shallow(trainer, layer, rows, down.out_features, first=depth == 0)
        own.run()
        down.load_state_dict(_linear_layers(own.module.encoder)[0].state_dict())
        up.load_state_dict(_linear_layers(own.module.decoder)[0].state_dict())
        rows = _encoded(own)


def _shallow(trainer: Trainer, layer: Dense, rows: Rows, width: int, *, first: bool) -> Trainer:
    """Give a trainer of one layer and its mirror on what the layers before give."""
    recipe = trainer.module.recipe
    reconstruction = recipe.reconstruction if first else SquaredError()
    indicator = recipe.missing_indicator and first
    own = replace(recipe, code_size=width, network=layer, reconstruction=reconstruction, missing_indicator=indicator)
    weights = torch.Generator().manual_seed(int(trainer.state.shuffler.randint(2**31)))
    module = AutoencoderModule(own, rows.schema).materialise(weights).to(rows.device)
    state = TrainingState(trainer.state.generator, trainer.state.shuffler)
    return replace(trainer, module=module, rows=rows, state=state, callbacks=())


@torch.inference_mode()
def _encoded(trainer: Trainer) -> Rows:
    """Give the codes of all rows as the rows of the next layer."""
    codes = [
        trainer.module.encode(batch.rows, batch.present).cpu()
        for batch in trainer.rows.batches(trainer.rows.every(), 1024)
    ]
    array = torch.cat(codes).numpy()
    schema = Schema(array.shape[1:], array.shape[1:])
    unscaled = Scaling(torch.zeros(1).double(), torch.ones(1).double(), float(array.min()), float(array.max()))
    return Rows(ArrayRows(array), schema, unscaled, trainer.rows.device, weights=trainer.rows.weights)


def _linear_layers(network: nn.Module) -> list[nn.Linear]:
    return [layer for layer in network.modules() if isinstance(layer, nn.Linear)]
