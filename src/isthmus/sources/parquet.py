"""Rows of Parquet files, read row group by row group."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isthmus.datasets.bundled import ALWAYS_ALLOWED, MOST_EXPANSION
from isthmus.datasets.columns import array_of, check_numeric, common_dtype
from isthmus.errors import DataError, require
from isthmus.sources.protocol import PIECE_BYTES, Pieces, check_finite

_PIECE_BYTES = 8 * PIECE_BYTES
_STREAM_BYTES = 2**16
_MOST_RUNS = 2**20  # bytes of rows that one byte may stand for: runs of equal cells are stored as their length


class ParquetRows:
    """Rows of the tables of a pyarrow data set; a piece is a slice of about 8 MB of a row group.

    Parameters
    ----------
    dataset : pyarrow.dataset.Dataset
        Parquet files with the same columns. Keys in the names of folders (``year=2024/``) are columns too.
    to_array : callable or None
        Makes a float64 array, a number for each column, of an Arrow table; None where all columns are numbers.
    """

    def __init__(self, dataset: Any, to_array: Callable[[Any], NDArray] | None = None) -> None:
        self._fragments = list(dataset.get_fragments())
        if not all(hasattr(fragment, "row_groups") for fragment in self._fragments):
            raise DataError("X must be a data set of Parquet files; got one of another format")
        self._schema = dataset.schema
        self._opened: tuple[int, Any] | None = None
        self.names: tuple[str, ...] | None = tuple(self._schema.names)
        self.dtype = np.dtype(np.float64) if to_array else self._common_dtype()
        self._to_array = to_array or partial(array_of, dtype=self.dtype)
        self.row_shape: tuple[int, ...] = (len(self._schema),)
        self.missing = self.dtype.kind == "f"
        self._check_sizes()
        self._cut()

    def _common_dtype(self) -> np.dtype:
        check_numeric(self._schema)
        return common_dtype(self._schema, missing=self._has_nulls())

    def _has_nulls(self) -> bool:
        """Whether cells are missing, or the files do not say."""
        for fragment in self._fragments:
            for group in range(fragment.metadata.num_row_groups):
                one = fragment.metadata.row_group(group)
                for column in range(one.num_columns):
                    statistics = one.column(column).statistics
                    if statistics is None or not statistics.has_null_count or statistics.null_count:
                        return True
        return False

    def _check_sizes(self) -> None:
        """Refuse files that declare far more than they can hold: pages that burst, or rows without end."""
        for fragment in self._fragments:
            declared, compressed = fragment.metadata.num_rows * len(self._schema), 0
            for group in range(fragment.metadata.num_row_groups):
                one = fragment.metadata.row_group(group)
                chunks = [one.column(column) for column in range(one.num_columns)]
                compressed += sum(chunk.total_compressed_size for chunk in chunks)
                burst = max((chunk.total_uncompressed_size for chunk in chunks), default=0)
                if burst > max(ALWAYS_ALLOWED, MOST_EXPANSION * compressed):
                    raise DataError(f"{fragment.path} declares {burst:,} bytes in a column: it is a decompression bomb")
            if declared * self.dtype.itemsize > _MOST_RUNS * max(MOST_EXPANSION, compressed):
                raise DataError(f"{fragment.path} declares {declared:,} cells in {compressed:,} bytes: it is damaged")

    def _cut(self) -> None:
        """Find the row groups, and cut them into slices."""
        self._size = max(1, _PIECE_BYTES // max(1, self.row_shape[0] * self.dtype.itemsize))
        slices: list[tuple[int, int, int, int, int]] = []
        count = 0
        for place, fragment in enumerate(self._fragments):
            for group in fragment.row_groups:
                for start in range(0, group.num_rows, self._size):
                    slices.append((place, group.id, start, min(self._size, group.num_rows - start), count))
                count += 1
        table = np.array(slices, np.int64).reshape(-1, 5)
        self._places = table[:, :3]
        self.pieces = Pieces(len(table), table[:, 3], table[:, 4])
        self._first_rows = self.pieces.starts()

    def __len__(self) -> int:
        return int(self.pieces.sizes.sum()) if self.pieces.sizes is not None else 0

    def __iter__(self) -> Iterator[NDArray]:
        return self.read(np.arange(self.pieces.count))

    def read(self, pieces: NDArray, multiple: int = 1) -> Iterator[NDArray]:
        """Yield slices in some order; those of a row group that follow each other are read in one go."""
        for piece, table in self._tables(pieces):
            block = self._to_array(table)
            check_finite(block, int(self._first_rows[piece]))
            yield block

    def _tables(self, pieces: NDArray) -> Iterator[tuple[int, Any]]:
        arrow = require("pyarrow", "data")
        runs = np.flatnonzero((np.diff(pieces, prepend=-2) != 1) | self._begins(pieces))
        for run in np.split(pieces, runs[1:]):
            fragment, group, start = (int(place) for place in self._places[run[0]])
            file = self._file(fragment)
            batches = file.iter_batches(self._size, row_groups=[group], columns=None, use_threads=True)
            for place, batch in enumerate(batches):
                own = place - start // self._size
                if own < 0:
                    continue
                yield int(run[own]), self._with_keys(arrow.Table.from_batches([batch]), fragment)
                if own + 1 == len(run):
                    break

    def _begins(self, pieces: NDArray) -> NDArray:
        return self._places[pieces, 2] == 0

    def _file(self, fragment: int) -> Any:
        """Open a file, or give the one that is open."""
        if self._opened is None or self._opened[0] != fragment:
            parquet, one = require("pyarrow.parquet", "data"), self._fragments[fragment]
            file = parquet.ParquetFile(one.open(), metadata=one.metadata, buffer_size=_STREAM_BYTES, pre_buffer=False)
            self._opened = (fragment, file)
        return self._opened[1]

    def _with_keys(self, table: Any, fragment: int) -> Any:
        """Add the keys that the names of folders hold, and put the columns in their order."""
        arrow, dataset = require("pyarrow", "data"), require("pyarrow.dataset", "data")
        keys = dataset.get_partition_keys(self._fragments[fragment].partition_expression)
        for name, value in keys.items():
            if name not in table.column_names:
                table = table.append_column(name, arrow.array([value] * len(table), self._schema.field(name).type))
        return table.select(self._schema.names)

    def __getstate__(self) -> dict[str, Any]:
        """Leave the open file behind."""
        return self.__dict__ | {"_opened": None}
