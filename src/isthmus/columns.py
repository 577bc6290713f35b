"""What a scaling may depend on, measured block by block."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.preprocessing import StandardScaler

from isthmus.provenance import Digest
from isthmus.ranks import Ranks
from isthmus.sources import Order, Source, ordered_blocks

OffsetAndScale = tuple[NDArray, NDArray]


class Columns:
    """What a scaling may depend on: range, mean and variance of each column, as far as they are asked for.

    Rows in memory are passed over again for the variances if these are wanted; of others both come from one pass.
    """

    def __init__(
        self,
        source: Source,
        pieces: NDArray,
        how: str,
        weights: NDArray | None,
        digest: Digest | None = None,
        ranks: Ranks | None = None,
    ) -> None:
        self.source, self.pieces, self._weights = source, pieces, weights
        self._digest, self._ranks = digest, ranks or Ranks()
        self._own = self._ranks.share(source.pieces, pieces)
        self._moments: OffsetAndScale | None = None
        outside = source.pieces.sizes is not None
        self._pass(ranges=True, moments=outside and _may_need_moments(source, how))

    def _pass(self, *, ranges: bool, moments: bool) -> None:
        scaler, extremes = StandardScaler(), []
        total: Any = np.zeros(1)
        count: Any = np.zeros(1)
        for flat, weights in self._blocks():
            if moments:
                scaler.partial_fit(flat.astype(np.float64), sample_weight=weights)
            if ranges:
                low, high, own, there = _summary(flat, weights)
                extremes.append((low, high))
                total, count = total + own, count + there
        if moments:
            seen = [_moments_of(scaler)] if hasattr(scaler, "scale_") else []
            self._moments = _merged([own for found in self._ranks.gathered(seen) for own in found])
        if ranges:
            found = self._ranks.gathered((extremes, total, count))
            extremes = [pair for pairs, _, _ in found for pair in pairs]
            total, count = sum(own for _, own, _ in found), sum(own for _, _, own in found)
            self.low = np.fmin.reduce([low for low, _ in extremes]).astype(np.float64)
            self.high = np.fmax.reduce([high for _, high in extremes]).astype(np.float64)
            self.mean = total / np.maximum(count, 1)
        self._digest = None

    def _blocks(self) -> Iterator[tuple[NDArray, NDArray | None]]:
        """Yield flat rows that count, with their weights if they have any."""
        if self._weights is None:
            for block in self.source.read(self._own):
                self._note(block)
                yield block.reshape(len(block), -1), None
            return
        for block, places in ordered_blocks(self.source, Order(self._own), numbered=True):
            self._note(block)
            weights = self._weights[places].astype(np.float64)
            if weights.any():
                yield block.reshape(len(block), -1)[weights > 0], weights[weights > 0]

    def _note(self, block: NDArray) -> None:
        if self._digest is not None:
            self._digest.add(block)

    @property
    def moments(self) -> OffsetAndScale:
        """Mean and variance of each column; a column of one value has a variance of zero."""
        if self._moments is None:
            self._pass(ranges=False, moments=True)
        assert self._moments is not None
        return self._moments

    @property
    def images(self) -> bool:
        """Whether rows are images, which are scaled as a whole."""
        return len(self.source.row_shape) > 1


def _moments_of(scaler: Any) -> tuple[NDArray, NDArray, NDArray]:
    """Give mean, variance and number of the cells of each column; a column of one value has a variance of zero."""
    constant = scaler.scale_ == 1.0
    variance = np.where(constant & (scaler.var_ != 1.0), 0.0, scaler.var_)
    return scaler.mean_, variance, np.broadcast_to(scaler.n_samples_seen_, variance.shape)


def _merged(moments: list[tuple[NDArray, NDArray, NDArray]]) -> OffsetAndScale:
    """Give mean and variance of all cells that the ranks have seen."""
    if len(moments) == 1:
        return moments[0][:2]
    means, variances, counts = (np.nan_to_num(np.stack(part)) for part in zip(*moments, strict=True))
    shares = counts / np.maximum(counts.sum(axis=0), 1)
    mean = (shares * means).sum(axis=0)
    apart = np.where(np.isclose(means, mean, rtol=1e-12, atol=0), 0.0, means - mean)
    return mean, (shares * (variances + np.square(apart))).sum(axis=0)


def _summary(flat: NDArray, weights: NDArray | None) -> tuple[NDArray, NDArray, Any, Any]:
    """Give smallest, largest, sum and number of the cells of each column that are there, the last two weighted."""
    with np.errstate(over="ignore", invalid="ignore"):
        low, high = flat.min(axis=0), flat.max(axis=0)
        missing = flat.dtype.kind == "f" and bool(np.isnan(low).any())
        if missing:
            low, high = np.fmin.reduce(flat), np.fmax.reduce(flat)
        if weights is not None:
            return low, high, weights @ np.nan_to_num(flat), weights @ np.isfinite(flat)
        if missing:
            return low, high, np.nansum(flat, axis=0, dtype=np.float64), np.isfinite(flat).sum(axis=0)
        return low, high, flat.sum(axis=0, dtype=np.float64), len(flat)


def _may_need_moments(source: Source, how: str) -> bool:
    return how == "standard" or (how == "auto" and source.dtype not in (np.uint8, np.bool_))
