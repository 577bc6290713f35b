"""Scaling learned on the training rows, applied batch by batch and undone on the way out."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.preprocessing import StandardScaler
from torch import Tensor

from isthmus.errors import DataError, ModelFileError

_BLOCK_BYTES = 2**26
_WIDE = (torch.float64, torch.int64, torch.int32, torch.uint64, torch.uint32)
_ENOUGH_ROWS = 1_024
_LARGEST = float(np.finfo(np.float32).max)
OffsetAndScale = tuple[NDArray, NDArray]


@dataclass(frozen=True)
class Scaling:
    """Scaled rows are (row - offset) / scale.

    Attributes
    ----------
    offset, scale : Tensor of float64
        One number, or one for each column of a 2-D X.
    low, high : float
        The range of the scaled training rows.
    """

    offset: Tensor
    scale: Tensor
    low: float
    high: float

    @cached_property
    def _moves(self) -> bool:
        return bool(self.offset.any())

    @cached_property
    def _stretches(self) -> bool:
        return bool((self.scale != 1).any())

    def apply(self, rows: Tensor) -> Tensor:
        """Scale rows of any type and shape; the answer is float32. Wide types are scaled before they are narrowed."""
        wide = rows.dtype in _WIDE and rows.device.type != "mps"
        scaled = rows.to(torch.float64 if wide else torch.float32, copy=True)
        shape = scaled.shape
        scaled = scaled.reshape(len(scaled), -1)
        if self._moves:
            scaled.sub_(self.offset.to(scaled))
        if self._stretches:
            scaled.div_(self.scale.to(scaled))
        return scaled.to(torch.float32).reshape(shape)

    def check_fits(self, columns: int) -> None:
        """Refuse tensors that are not one number, or one for each column, of float64."""
        for name, value in (("offset", self.offset), ("scale", self.scale)):
            if value.dtype != torch.float64 or value.shape not in ((1,), (columns,)):
                raise ModelFileError(
                    f"its tensor {name} is {value.dtype} {tuple(value.shape)}, not float64 ({columns},)"
                )
        if not (self.offset.isfinite().all() and self.scale.isfinite().all() and self.scale.all()):
            raise ModelFileError("its scaling divides by zero or is not finite")

    def of_columns(self, columns: Tensor) -> Scaling:
        """Give the scaling of some columns alone."""
        if self.scale.numel() == 1 and self.offset.numel() == 1:
            return self
        offset, scale = torch.broadcast_tensors(self.offset, self.scale)
        return Scaling(offset[columns], scale[columns], self.low, self.high)

    def undo(self, rows: Tensor) -> Tensor:
        """Give flat scaled rows back in the units of the data, float32."""
        if not (self._moves or self._stretches):
            return rows
        exact = rows if rows.device.type == "mps" else rows.double()
        return (exact * self.scale.to(exact) + self.offset.to(exact)).float()


def learn_scaling(X: NDArray, order: NDArray, how: str) -> Scaling:
    """Learn a scaling on some rows of X, a block at a time.

    Parameters
    ----------
    X : ndarray of shape (n, ...)
        All rows.
    order : ndarray of int
        The rows to learn from.
    how : {"auto", "none", "minmax", "standard", "whole"}
        See the parameter ``scaling``; ``whole`` subtracts the columns' means and divides all columns by one
        number, which leaves the principal components as they are.

    Raises
    ------
    DataError
        If X has numbers beyond the range of float32.
    """
    low, high = _ranges(X, order)
    if low.min() < -_LARGEST or high.max() > _LARGEST:
        raise DataError(f"X reaches from {low.min():.3g} to {high.max():.3g}, beyond float32; divide it first")
    name = _automatic(X, low.min(), high.max()) if how == "auto" else how
    offset, scale = _LEARN[name](X, order)
    offset, scale = offset.astype(np.float64), np.where(scale == 0, 1, scale).astype(np.float64)
    scaled_low, scaled_high = ((low - offset) / scale).min(), ((high - offset) / scale).max()
    return Scaling(torch.from_numpy(offset), torch.from_numpy(scale), float(scaled_low), float(scaled_high))


def _automatic(X: NDArray, low: float, high: float) -> str:
    if X.dtype == np.uint8 or (X.dtype == np.uint16 and X.ndim > 2):
        return "type"
    if X.dtype.kind in "iu" and X.ndim > 2:
        return "minmax"
    return "none" if X.dtype.kind in "fb" and low >= 0 and high <= 1 else "standard"


def _nothing(X: NDArray, order: NDArray) -> OffsetAndScale:
    return np.zeros(1), np.ones(1)


def _by_type(X: NDArray, order: NDArray) -> OffsetAndScale:
    return np.zeros(1), np.array([np.iinfo(X.dtype).max])


def _by_range(X: NDArray, order: NDArray) -> OffsetAndScale:
    low, high = _ranges(X, order)
    if X.ndim > 2:
        low, high = low.min(keepdims=True), high.max(keepdims=True)
    return low, high - low


def _by_deviation(X: NDArray, order: NDArray) -> OffsetAndScale:
    mean, variance = _moments(X, order)
    if X.ndim > 2:
        variance = (variance + (mean - mean.mean()) ** 2).mean(keepdims=True)
        mean = mean.mean(keepdims=True)
    return mean, np.sqrt(variance)


def _as_a_whole(X: NDArray, order: NDArray) -> OffsetAndScale:
    """Look at some 1,024 rows: this scaling only conditions the numbers, solvers find the exact mean themselves."""
    some = np.take(X, order[:: max(1, len(order) // _ENOUGH_ROWS)], axis=0).reshape(-1, math.prod(X.shape[1:]))
    mean = some.mean(axis=0, dtype=np.float64)
    deviation = np.sqrt(np.square(some - mean).mean())
    rounding = 10 * np.finfo(np.float64).eps * np.abs(mean).max(initial=0.0)
    return mean, np.array([deviation if deviation > rounding else 0.0])


_LEARN: dict[str, Callable[[NDArray, NDArray], OffsetAndScale]] = {
    "none": _nothing,
    "type": _by_type,
    "minmax": _by_range,
    "standard": _by_deviation,
    "whole": _as_a_whole,
}


def _ranges(X: NDArray, order: NDArray) -> OffsetAndScale:
    """Give the smallest and the largest value of each column."""
    extremes = [(block.min(axis=0), block.max(axis=0)) for block in blocks(X, order)]
    low = np.min([low for low, _ in extremes], axis=0)
    high = np.max([high for _, high in extremes], axis=0)
    return low.reshape(-1).astype(np.float64), high.reshape(-1).astype(np.float64)


def _moments(X: NDArray, order: NDArray) -> tuple[NDArray, NDArray]:
    """Give the mean and the variance of each column; a column of one value has a variance of zero."""
    scaler = StandardScaler()
    for block in blocks(X, order):
        scaler.partial_fit(block.reshape(len(block), -1).astype(np.float64))
    constant = scaler.scale_ == 1.0
    return scaler.mean_, np.where(constant & (scaler.var_ != 1.0), 0.0, scaler.var_)


def blocks(X: NDArray, order: NDArray, multiple: int = 1) -> Iterator[NDArray]:
    """Yield rows of X in some order, about 64 MB at a time (a multiple of ``multiple`` rows).

    Rows that lie together come as a view of X: do not write into a block.
    """
    row_bytes = max(1, X.itemsize * int(np.prod(X.shape[1:])))
    size = max(1, _BLOCK_BYTES // row_bytes // multiple) * multiple
    for start in range(0, len(order), size):
        places = order[start : start + size]
        together = (np.diff(places) == 1).all()
        yield X[places[0] : places[0] + len(places)] if together else np.take(X, places, axis=0)
