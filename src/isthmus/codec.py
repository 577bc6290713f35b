"""Arrays to codes and back: a trained module with its scaling, batch by batch."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from isthmus.memory import portioned
from isthmus.module import AutoencoderModule
from isthmus.rows import batch_of, channels_first, channels_last, predictions_size, tensor_of
from isthmus.scaling import Scaling
from isthmus.tables import collapsed, expanded
from isthmus.tables.schema import NUMBER

_ROUNDS, _SETTLED = 100, 1e-5
_MORE = 8  # times as many rows at once where no feature map is kept: torch's threads and others then seldom take turns


class Passes(Protocol):
    """A way through a network; the module itself is one."""

    def encode(self, rows: Tensor, present: Tensor | None = None) -> Tensor:
        """Give the codes of scaled rows, of which cells may be missing."""

    def decode(self, codes: Tensor) -> Tensor:
        """Give the scaled rows that codes stand for."""


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
    passes : Passes or None
        A faster way through the network than the module's own.
    """

    module: AutoencoderModule
    scaling: Scaling
    device: torch.device
    code_scaling: Scaling | None = None
    passes: Passes | None = None

    def encoded(self, source: Iterable[NDArray]) -> Iterator[NDArray]:
        """Yield the codes of rows, float32 of shape (n, numbers in a code), batch by batch."""
        return portioned(self.batches(source), self._encode)

    def decoded(self, codes: NDArray) -> Iterator[NDArray]:
        """Yield the rows that codes stand for, float32 of shape (n, *row_shape), batch by batch."""
        return portioned(self.batches([codes]), self._decode)

    def rebuilt(self, source: Iterable[NDArray]) -> Iterator[tuple[NDArray, NDArray]]:
        """Yield batches of rows in the shape that was fitted, each with its reconstruction."""
        return portioned(self.batches(source), self._with_rebuilt)

    def filled(self, source: Any) -> Iterator[NDArray]:
        """Yield rows in their own type, missing cells taken from what is rebuilt; of a mixed table their columns."""
        table = self.module.schema.table
        yield from portioned(self.batches(source if table is None else source.columns()), self._filled)

    def _filled(self, batch: NDArray) -> NDArray:
        """Fill the missing cells of a batch, row for row until they settle.

        A network that sees which cells are missing has learned to fill them in one pass.
        """
        table = self.module.schema.table
        rows = batch if table is not None else batch.reshape(len(batch), *self.module.schema.row_shape)
        if rows.dtype.kind != "f" or not (missing := np.isnan(rows)).any():
            return rows
        filled, rounds = rows.copy(), 1 if self.module.recipe.missing_indicator else _ROUNDS
        open_rows = np.flatnonzero(missing.reshape(len(rows), -1).any(axis=1))
        for _ in range(rounds):
            gaps, before = missing[open_rows], filled[open_rows]
            after = np.where(gaps, self._given_back(before).astype(rows.dtype), before)
            filled[open_rows] = after
            open_rows = open_rows[self._moved(before, after)]
            if not len(open_rows):
                break
        return filled

    def _given_back(self, rows: NDArray) -> NDArray:
        table = self.module.schema.table
        if table is None:
            return self._decode(self._encode(rows))
        return collapsed(self._decode(self._encode(expanded(rows, table))), table)

    def _moved(self, before: NDArray, after: NDArray) -> NDArray:
        """Tell which rows a round changed by more than a trifle; a cell that was missing before it always counts."""
        flat = np.abs(after - before).reshape(len(before), -1)
        return ~(flat <= _SETTLED * self._units(flat.shape[1])).all(axis=1)

    def _units(self, columns: int) -> NDArray:
        """Give what one unit of each column is: its scale; of mixed tables that of the numbers, 1 for a category."""
        scale, table = self.scaling.scale.numpy(), self.module.schema.table
        if table is None:
            return scale
        units = np.ones(columns)
        units[table.of_kind(NUMBER)] = scale[: table.numbers]
        return units

    def batches(self, source: Iterable[NDArray]) -> Iterator[NDArray]:
        """Yield rows as many at a time as go through the network at once."""
        size = predictions_size(self.module.schema, self.module.widest)
        size = size if self.passes is None else _MORE * predictions_size(self.module.schema)
        for block in source:
            for start in range(0, len(block), size):
                yield block[start : start + size]

    def _with_rebuilt(self, batch: NDArray) -> tuple[NDArray, NDArray]:
        return batch.reshape(len(batch), *self.module.schema.row_shape), self._decode(self._encode(batch))

    @torch.inference_mode()
    def _encode(self, batch: NDArray) -> NDArray:
        rows = tensor_of(batch).to(self.device)
        return self.codes_of(rows, gaps=batch.dtype.kind == "f", through=self.passes).cpu().numpy()

    @torch.inference_mode()
    def _decode(self, batch: NDArray) -> NDArray:
        return self.rows_of(tensor_of(batch).to(self.device), through=self.passes).cpu().numpy()

    def codes_of(self, rows: Tensor, *, gaps: bool = False, through: Passes | None = None) -> Tensor:
        """Give the codes of a batch of rows, as tensors; it can be traced."""
        batch = batch_of(rows, self.module.schema, self.scaling, gaps=gaps)
        codes = (through or self.module).encode(batch.rows, batch.present)
        flat = channels_last(codes, (math.prod(self.module.code_shape),))
        return flat if self.code_scaling is None else self.code_scaling.undo(flat)

    def rows_of(self, codes: Tensor, *, through: Passes | None = None) -> Tensor:
        """Give the rows that a batch of codes stands for, as tensors; it can be traced."""
        codes = codes if self.code_scaling is None else self.code_scaling.apply(codes)
        rows = (through or self.module).decode(channels_first(codes, self.module.code_shape))
        flat = self.scaling.undo(channels_last(rows, (math.prod(self.module.schema.layout),)))
        return flat.reshape(flat.shape[0], *self.module.schema.row_shape)
