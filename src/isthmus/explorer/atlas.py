"""What the explorer shows of a model and rows, and the files in which a page gets it."""

from __future__ import annotations

import gzip
import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_is_fitted

from isthmus import metrics
from isthmus.explorer.labels import Labels, labels_of
from isthmus.plots.plane import Plane, plane_of
from isthmus.rows import predictions_size
from isthmus.sources import Source
from isthmus.tables import numbers_only
from isthmus.validation import checked_source

if TYPE_CHECKING:
    from isthmus.codec import Codec
    from isthmus.estimator import BaseAutoencoder

MOST_ROWS = 100_000
_MOST_ROW_BYTES, _MOST_CODE_BYTES = 2**28, 2**26
_CHUNK_BYTES = 2**18
_BATCH = 64


@dataclass(frozen=True, eq=False)
class Atlas:
    """Rows with their codes, the plane in which these are drawn, and all that a page says of them.

    Attributes
    ----------
    model : autoencoder
        A fitted model.
    codec : Codec
        Its arithmetic.
    rows : ndarray of uint8 or float32 of shape (n, ...)
        The rows that are shown, in the units of X.
    numbers : ndarray of int of shape (n,)
        Their places in X.
    total : int
        How many rows X has.
    codes : ndarray of float32 of shape (n, size)
        Their codes.
    errors : ndarray of float32 of shape (n,)
        Mean squared error of each row, in the units of X.
    explained : float
        Share of the variance of the rows that is rebuilt.
    plane : Plane
        Where codes lie on the map.
    labels : Labels or None
        Classes of the rows, or numbers.
    names : tuple of str or None
        Names of the columns.
    """

    model: BaseAutoencoder
    codec: Codec
    rows: NDArray
    numbers: NDArray
    total: int
    codes: NDArray
    errors: NDArray
    explained: float
    plane: Plane
    labels: Labels | None
    names: tuple[str, ...] | None

    @property
    def columns(self) -> int:
        """Numbers in a row."""
        return math.prod(self.rows.shape[1:])

    @property
    def size(self) -> int:
        """Numbers in a code."""
        return self.codes.shape[1]

    @property
    def chunk(self) -> int:
        """Rows in a file of rows."""
        return int(np.clip(_CHUNK_BYTES // (self.columns * self.rows.itemsize), 1, 1024))

    @property
    def batch(self) -> int:
        """The most rows or codes that a page may ask for at once."""
        return max(1, min(_BATCH, predictions_size(self.model.schema_)))

    def file_names(self) -> list[str]:
        """List the files that a page reads."""
        chunks = range(-(-len(self.rows) // self.chunk))
        labels = ["labels.bin"] if self.labels else []
        return ["atlas.json", "codes.bin", "errors.bin", "numbers.bin", *labels, *(f"rows/{k}.gz" for k in chunks)]

    def file(self, name: str) -> bytes:
        """Give the content of one of the files; numbers are little-endian, rows are compressed."""
        if name.startswith("rows/"):
            start = int(name.removeprefix("rows/").removesuffix(".gz")) * self.chunk
            return gzip.compress(_bytes(self.rows[start : start + self.chunk]), 1, mtime=0)
        if name == "atlas.json":
            return json.dumps(self.description(), allow_nan=False).encode()
        if name == "labels.bin" and self.labels:
            return _bytes(self.labels.values)
        return {
            "codes.bin": _bytes(self.codes),
            "errors.bin": _bytes(self.errors),
            "numbers.bin": _bytes(self.numbers),
        }[name]

    def description(self) -> dict[str, Any]:
        """Give all that is not an array."""
        return {
            "model": type(self.model).__name__,
            "rows": {"shown": len(self.rows), "total": self.total, "chunk": self.chunk, "type": self.rows.dtype.name},
            "shape": list(self.rows.shape[1:]),
            "image": self._image(),
            "columns": None if self._image() else self._columns(),
            "code": {"size": self.size, "shape": list(self.model.code_shape_)},
            "plane": self.plane.description(),
            "labels": self.labels and self.labels.description(),
            "explained": _number(self.explained),
            "batch": self.batch,
        }

    def _image(self) -> dict[str, Any] | None:
        """Give the shape of images, channels last, and the range of their pixels."""
        shape = self.model.schema_.image_shape
        if shape is None:
            return None
        low, high = float(np.nanmin(self.rows)), float(np.nanmax(self.rows))
        if self.rows.dtype == np.uint8:
            low, high = 0.0, 255.0
        elif low >= 0 and high <= 1:
            low, high = 0.0, 1.0
        return {"shape": list(shape), "low": low, "high": high}

    def _columns(self) -> list[dict[str, Any]]:
        """Give name, range, mean and standard deviation of each column; None where a column has no cell."""
        flat = self.rows.reshape(len(self.rows), -1).astype(np.float64)
        there = np.isfinite(flat)
        count = np.maximum(there.sum(axis=0), 1)
        mean = np.where(there, flat, 0).sum(axis=0) / count
        spread = np.sqrt(np.where(there, (flat - mean) ** 2, 0).sum(axis=0) / count)
        low, high = np.where(there, flat, np.inf).min(axis=0), np.where(there, flat, -np.inf).max(axis=0)
        names = self.names or tuple(f"column {place}" for place in range(flat.shape[1]))
        facts = zip(names, low, high, mean, spread, strict=True)
        return [
            {"name": name, "low": _number(a), "high": _number(b), "mean": _number(c), "spread": _number(d)}
            for name, a, b, c, d in facts
        ]


def atlas_of(model: BaseAutoencoder, X: Any, y: ArrayLike | None = None, *, n_rows: int = MOST_ROWS) -> Atlas:
    """Encode rows and lay their codes out.

    It takes ``model``, ``X``, ``y`` and ``n_rows`` as `isthmus.explorer.explore` does, and refuses what that refuses.
    """
    check_is_fitted(model)
    numbers_only("the explorer", model.schema_.table)
    source = checked_source(model, X, reset=False)
    labels = None if y is None else labels_of(y, len(source))
    numbers = _chosen(source, math.prod(model.code_shape_), n_rows)
    rows, codec = _gathered(source, numbers), model._codec()
    codes = np.concatenate(list(codec.encoded([rows])))
    rebuilt = np.concatenate(list(codec.decoded(codes)))
    return Atlas(
        model=model,
        codec=codec,
        rows=rows if rows.dtype == np.uint8 else rows.astype(np.float32),
        numbers=numbers.astype(np.uint32),
        total=len(source),
        codes=codes,
        errors=metrics.mean_squared_error(rows, rebuilt, per="row").astype(np.float32),
        explained=float(metrics.explained_variance(rows, rebuilt)),
        plane=plane_of(codes),
        labels=labels and labels.of(numbers),
        names=_names(model),
    )


def _chosen(source: Source, size: int, n_rows: int) -> NDArray:
    """Give the numbers of the rows that are shown, in rising order."""
    n, row_bytes = len(source), math.prod(source.row_shape) * min(source.dtype.itemsize, 4)
    most = max(1, min(n_rows, _MOST_ROW_BYTES // row_bytes, _MOST_CODE_BYTES // (4 * size)))
    if n <= most:
        return np.arange(n)
    return np.sort(np.random.default_rng(0).choice(n, most, replace=False))


def _gathered(source: Source, numbers: NDArray) -> NDArray:
    """Read some rows, in their order."""
    kept, start = [], 0
    for block in source:
        first, last = np.searchsorted(numbers, [start, start + len(block)])
        kept.append(block[numbers[first:last] - start])
        start += len(block)
    return np.concatenate(kept)


def _names(model: BaseAutoencoder) -> tuple[str, ...] | None:
    names = getattr(model, "feature_names_in_", None)
    return None if names is None else tuple(map(str, names))


def _bytes(array: NDArray) -> bytes:
    return np.ascontiguousarray(array, array.dtype.newbyteorder("<")).tobytes()


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
