"""How well rows are rebuilt in the scaled units of training, row by row."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from isthmus.batches import Batch
from isthmus.memory import portioned
from isthmus.module import AutoencoderModule
from isthmus.records import Reference
from isthmus.rows import Rows, predictions_size, tensor_of
from isthmus.sources.protocol import spaced
from isthmus.training import Trainer

_MOST_ROWS = 4_096


@torch.inference_mode()
def scaled_errors(module: AutoencoderModule, batch: Batch) -> NDArray:
    """Give the squared error of each row per cell that is there, float64; nothing is drawn."""
    squares = (module.decode(module.encode(batch.rows, batch.present)) - batch.rows).flatten(1).square()
    if batch.present is None:
        return squares.mean(dim=1).cpu().numpy().astype(np.float64)
    present = batch.present.flatten(1)
    errors = (squares * present).sum(dim=1) / present.sum(dim=1).clamp_min(1)
    return errors.cpu().numpy().astype(np.float64)


def errors_of(module: AutoencoderModule, rows: Rows, array: NDArray) -> NDArray:
    """Give `scaled_errors` of an array of rows, batch by batch."""
    size = predictions_size(module.schema, module.widest)
    parts = (array[start : start + size] for start in range(0, len(array), size))

    def measured(part: NDArray) -> NDArray:
        return scaled_errors(module, rows.batch(tensor_of(part).to(rows.device)))

    return np.concatenate(list(portioned(parts, measured)))


def reference_of(trainer: Trainer) -> Reference:
    """Measure rows that were held out, or without such rows some that were learned; 4,096 at most."""
    held_out = len(trainer.validation) > 0
    pieces = trainer.validation if held_out else trainer.training
    rows = spaced(trainer.rows.source, pieces, _MOST_ROWS)[:_MOST_ROWS]
    errors = errors_of(trainer.module, trainer.rows, rows)
    return Reference(held_out, len(errors), float(errors.mean()), float(errors.std()), float(np.quantile(errors, 0.99)))
