"""Arrays to codes and back: a trained module with its scaling, batch by batch."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from isthmus.module import AutoencoderModule
from isthmus.scaling import Scaling
from isthmus.sources import channels_first, channels_last, predictions_size, tensor_of


@dataclass(frozen=True)
class Codec:
    """Encodes rows and decodes codes, in the user's shape and units; nothing is drawn.

    Attributes
    ----------
    module : AutoencoderModule
        A trained module.
    scaling : Scaling
        The scaling it was trained with.
    device : device
        Where the arithmetic runs.
    code_scaling : Scaling or None
        Scaling of codes that are columns of the rows; None for codes without units.
    """

    module: AutoencoderModule
    scaling: Scaling
    device: torch.device
    code_scaling: Scaling | None = None

    def encode(self, rows: NDArray) -> NDArray:
        """Give the codes of rows, float32 of shape (n, numbers in a code)."""
        return np.concatenate([self._encode(batch) for batch in self._batches(rows)])

    def decode(self, codes: NDArray) -> NDArray:
        """Give the rows that codes stand for, float32 of shape (n, *row_shape)."""
        return np.concatenate([self._decode(batch) for batch in self._batches(codes)])

    def rebuilt(self, rows: NDArray) -> Iterator[tuple[NDArray, NDArray]]:
        """Yield batches of rows, each with its reconstruction."""
        for batch in self._batches(rows):
            yield batch, self._decode(self._encode(batch))

    def _batches(self, array: NDArray) -> Iterator[NDArray]:
        size = predictions_size(self.module.schema)
        for start in range(0, len(array), size):
            yield array[start : start + size]

    @torch.inference_mode()
    def _encode(self, batch: NDArray) -> NDArray:
        rows = tensor_of(batch).to(self.device)
        codes = self.module.encode(channels_first(self.scaling.apply(rows), self.module.schema.layout))
        flat = channels_last(codes, (math.prod(self.module.code_shape),))
        return (flat if self.code_scaling is None else self.code_scaling.undo(flat)).cpu().numpy()

    @torch.inference_mode()
    def _decode(self, batch: NDArray) -> NDArray:
        codes = tensor_of(batch).to(self.device)
        codes = codes if self.code_scaling is None else self.code_scaling.apply(codes)
        rows = self.module.decode(channels_first(codes, self.module.code_shape))
        flat = channels_last(rows, (math.prod(self.module.schema.layout),))
        return self.scaling.undo(flat).cpu().numpy().reshape(len(batch), *self.module.schema.row_shape)
