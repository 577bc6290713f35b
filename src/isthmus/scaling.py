"""Scaling learned on the training rows, applied batch by batch and undone on the way out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from isthmus.columns import Columns, OffsetAndScale
from isthmus.errors import DataError, ModelFileError
from isthmus.provenance import Digest
from isthmus.ranks import Ranks
from isthmus.sources import Source
from isthmus.sources.protocol import spaced
from isthmus.sources.tables import table_of

_WIDE = (torch.float64, torch.int64, torch.int32, torch.uint64, torch.uint32)
_ENOUGH_ROWS = 1_024
_LEAST_HIGH = 1e-3
_LARGEST = float(np.finfo(np.float32).max)


@dataclass(frozen=True)
class Scaling:
    """Scaled rows are (row - offset) / scale.

    Attributes
    ----------
    offset, scale : Tensor of float64
        One number, or one for each column of a 2-D X.
    low, high : float
        The range of the scaled training rows.
    centre : Tensor of float64
        What stands for a missing cell: the mean of its column, scaled. One number, or one for each column.
    ranges : Tensor of float64 of shape (2, 1) or (2, columns)
        Smallest and largest training cell in the units of X: of each column, or where one number scales all of
        them, of all; empty if it is not known.
    """

    offset: Tensor
    scale: Tensor
    low: float
    high: float
    centre: Tensor = field(default_factory=lambda: torch.zeros(1).double())
    ranges: Tensor = field(default_factory=lambda: torch.zeros(2, 0).double())

    @cached_property
    def _moves(self) -> bool:
        return bool(self.offset.any())

    @cached_property
    def _stretches(self) -> bool:
        return bool((self.scale != 1).any())

    @cached_property
    def _numbers(self) -> tuple[float, float] | None:
        """Offset and scale where one of each is for all columns."""
        return (self.offset.item(), self.scale.item()) if self.offset.numel() == self.scale.numel() == 1 else None

    def _like(self, rows: Tensor) -> tuple[Tensor | float, Tensor | float]:
        """Give offset and scale as they are applied to rows."""
        return self._numbers or (self.offset.to(rows), self.scale.to(rows))

    def apply(self, rows: Tensor) -> Tensor:
        """Scale rows of any type and shape; the answer is float32. Wide types are scaled before they are narrowed."""
        wide = rows.dtype in _WIDE and rows.device.type != "mps"
        scaled = rows.to(torch.float64 if wide else torch.float32, copy=True)
        flat = scaled.flatten(1)
        offset, scale = self._like(scaled)
        if self._moves:
            flat.sub_(offset)
        if self._stretches:
            flat.div_(scale)
        return flat.to(torch.float32).reshape(scaled.shape)

    def check_fits(self, columns: int) -> None:
        """Refuse tensors that are not one number, or one for each column, of float64."""
        for name, value in (("offset", self.offset), ("scale", self.scale), ("centre", self.centre)):
            if value.dtype != torch.float64 or value.shape not in ((1,), (columns,)):
                raise ModelFileError(
                    f"its tensor {name} is {value.dtype} {tuple(value.shape)}, not float64 ({columns},)"
                )
        if self.ranges.dtype != torch.float64 or self.ranges.shape not in ((2, 0), (2, 1), (2, columns)):
            raise ModelFileError(f"its tensor ranges is {self.ranges.dtype} {tuple(self.ranges.shape)}")
        finite = all(value.isfinite().all() for value in (self.offset, self.scale, self.centre))
        if not (finite and self.scale.all()):
            raise ModelFileError("its scaling divides by zero or is not finite")

    def of_columns(self, columns: Tensor) -> Scaling:
        """Give the scaling of some columns alone."""
        if self.scale.numel() == 1 and self.offset.numel() == 1:
            return self
        offset, scale = torch.broadcast_tensors(self.offset, self.scale)
        return Scaling(offset[columns], scale[columns], self.low, self.high)

    def filled(self, rows: Tensor) -> tuple[Tensor, Tensor | None]:
        """Put the centre where scaled rows have no cell; give what is there as ones and zeros, None if all is.

        Which cells are missing is not known where it is traced: it then never gives None.
        """
        missing = rows.isnan()
        if not (torch.compiler.is_compiling() or missing.any()):
            return rows, None
        flat = torch.where(missing.flatten(1), self.centre.to(rows), rows.flatten(1))
        return flat.reshape(rows.shape), (~missing).to(rows)

    def undo(self, rows: Tensor) -> Tensor:
        """Give flat scaled rows back in the units of the data, float32."""
        if not (self._moves or self._stretches):
            return rows
        exact = rows if rows.device.type == "mps" else rows.double()
        return (exact * self.scale.to(exact) + self.offset.to(exact)).float()


def learn_scaling(
    source: Source,
    pieces: NDArray,
    how: str,
    weights: NDArray | None = None,
    digest: Digest | None = None,
    ranks: Ranks | None = None,
) -> Scaling:
    """Learn a scaling on some rows, a block at a time; missing cells are left out.

    Parameters
    ----------
    source : Source
        All rows.
    pieces : ndarray of int
        The pieces to learn from.
    how : {"auto", "none", "minmax", "standard", "whole"}
        See the parameter ``scaling``; ``whole`` subtracts the columns' means and divides all columns by one
        number, which leaves the principal components as they are. Of a mixed table only the numbers are scaled, and
        "auto" and "whole" standardise them.
    weights : ndarray of shape (n,), or None
        How much each row counts; rows of weight 0 do not.
    digest : Digest or None
        Takes the rows in as they pass.
    ranks : Ranks or None
        The processes that learn together, each from its share of the pieces; None: this one alone.

    Raises
    ------
    DataError
        If there are numbers beyond the range of float32, or a column has no cell at all.
    """
    if table_of(source) is not None and how in ("auto", "whole"):
        how = "standard"
    facts = Columns(source, pieces, how, weights, digest, ranks)
    low, high = facts.low, facts.high
    if np.isnan(low).any():
        name = _name(source, int(np.flatnonzero(np.isnan(low))[0]))
        raise DataError(f"column {name} of X has no cells in the training rows: all are missing; drop it first")
    if low.min() < -_LARGEST or high.max() > _LARGEST:
        raise DataError(f"X reaches from {low.min():.3g} to {high.max():.3g}, beyond float32; divide it first")
    name = _automatic(source, low.min(), high.max()) if how == "auto" else how
    offset, scale = _LEARN[name](facts)
    if (table := table_of(source)) is not None:
        offset, scale = (np.broadcast_to(one, low.shape).copy() for one in (offset, scale))
        offset[table.numbers :], scale[table.numbers :] = 0, 1
    offset, scale = offset.astype(np.float64), np.where(scale == 0, 1, scale).astype(np.float64)
    scaled_low, scaled_high = ((low - offset) / scale).min(), ((high - offset) / scale).max()
    centre = torch.from_numpy((facts.mean - offset) / scale)
    ranges = _ranges(low, high, by_column=scale.size > 1)
    moved = (torch.from_numpy(offset), torch.from_numpy(scale))
    return Scaling(*moved, float(scaled_low), float(scaled_high), centre, ranges)


def widened(scaling: Scaling, source: Source, digest: Digest | None = None, ranks: Ranks | None = None) -> Scaling:
    """Let the ranges of a scaling take in more rows; how it scales stays."""
    facts = Columns(source, np.arange(source.pieces.count), "none", None, digest, ranks)
    low, high = scaling.ranges
    own = _ranges(facts.low, facts.high, by_column=len(low) > 1)
    return replace(scaling, ranges=torch.stack([torch.fmin(low, own[0]), torch.fmax(high, own[1])]))


def _ranges(low: NDArray, high: NDArray, *, by_column: bool) -> Tensor:
    if not by_column:
        low, high = np.nanmin(low, keepdims=True), np.nanmax(high, keepdims=True)
    return torch.from_numpy(np.stack([low, high]))


def _name(source: Source, column: int) -> str:
    table = table_of(source)
    column = column if table is None else int(table.owners[column])
    return str(column) if source.names is None else f"{column} ({source.names[column]!r})"


def _automatic(source: Source, low: float, high: float) -> str:
    kind, images = source.dtype.kind, len(source.row_shape) > 1
    if source.dtype == np.uint8 or (source.dtype == np.uint16 and images):
        return "type"
    if kind in "iu" and images:
        return "minmax"
    return "none" if kind in "fb" and low >= 0 and _LEAST_HIGH <= high <= 1 else "standard"


def _nothing(facts: Columns) -> OffsetAndScale:
    return np.zeros(1), np.ones(1)


def _by_type(facts: Columns) -> OffsetAndScale:
    return np.zeros(1), np.array([np.iinfo(facts.source.dtype).max])


def _by_range(facts: Columns) -> OffsetAndScale:
    low, high = facts.low, facts.high
    if facts.images:
        low, high = low.min(keepdims=True), high.max(keepdims=True)
    return low, high - low


def _by_deviation(facts: Columns) -> OffsetAndScale:
    mean, variance = facts.moments
    if facts.images:
        variance = (variance + (mean - mean.mean()) ** 2).mean(keepdims=True)
        mean = mean.mean(keepdims=True)
    return mean, np.sqrt(variance)


def _as_a_whole(facts: Columns) -> OffsetAndScale:
    """Look at some 1,024 rows: this scaling only conditions the numbers, solvers find the exact mean themselves."""
    some = spaced(facts.source, facts.pieces, _ENOUGH_ROWS)
    some = some.reshape(len(some), -1)
    if np.isnan(some.min()):
        some = np.where(np.isnan(some), facts.mean, some)
    mean = some.mean(axis=0, dtype=np.float64)
    deviation = np.sqrt(np.square(some - mean).mean())
    rounding = 10 * np.finfo(np.float64).eps * np.abs(mean).max(initial=0.0)
    return mean, np.array([deviation if deviation > rounding else 0.0])


_LEARN: dict[str, Callable[[Columns], OffsetAndScale]] = {
    "none": _nothing,
    "type": _by_type,
    "minmax": _by_range,
    "standard": _by_deviation,
    "whole": _as_a_whole,
}
