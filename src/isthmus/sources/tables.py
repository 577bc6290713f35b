"""Rows of mixed tables: what the network sees of numbers, booleans and categories, a block at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from isthmus.errors import DataError, require
from isthmus.sources.arrays import ArrayRows
from isthmus.sources.iterables import BatchRows
from isthmus.sources.parquet import ParquetRows
from isthmus.sources.protocol import BLOCK_BYTES, Source
from isthmus.tables import TableSchema, encoded, expanded, frame_of, is_mixed, is_table, learn_columns


@dataclass(frozen=True)
class Reader:
    """Turns frames with the columns of a table into arrays, one number for each column."""

    table: TableSchema
    handle_unknown: str

    def __call__(self, frame: Any) -> NDArray:
        """Give a frame as float64 of shape (n, columns)."""
        if not is_table(frame):
            raise DataError(refusal(self.table, frame))
        return encoded(frame_of(frame), self.table, self.handle_unknown)


class MixedTable(Protocol):
    """A mixed table wherever it is, before it is known what its categories are."""

    @property
    def like(self) -> Any:
        """A frame with its columns; it need not have rows."""

    def frames(self) -> Iterator[Any]:
        """Yield its rows in frames that have all columns that are categories."""

    def source(self, read: Reader, *, counted: bool) -> Source:
        """Give its rows with one number for each column."""


@dataclass(frozen=True, eq=False)
class HeldTable:
    """A mixed table in memory: a data frame."""

    like: Any

    def frames(self) -> Iterator[Any]:
        """Yield it."""
        yield self.like

    def source(self, read: Reader, *, counted: bool) -> Source:
        """Turn it into an array once."""
        return ArrayRows(read(self.like), read.table.names)


class StoredTable:
    """A mixed table in Parquet files, which are read as they are needed.

    Parameters
    ----------
    dataset : pyarrow.dataset.Dataset
        The files.
    """

    def __init__(self, dataset: Any) -> None:
        self.like, self._dataset = dataset.schema.empty_table(), dataset

    def frames(self) -> Iterator[Any]:
        """Yield the columns that are no numbers, some rows at a time."""
        arrow = require("pyarrow", "data")
        names = [field.name for field in self._dataset.schema if not _is_number(arrow, field.type)]
        for batch in self._dataset.to_batches(columns=names, batch_readahead=1, fragment_readahead=1):
            yield arrow.Table.from_batches([batch])

    def source(self, read: Reader, *, counted: bool) -> Source:
        """Read the files slice by slice."""
        return ParquetRows(self._dataset, read)


@dataclass(frozen=True, eq=False)
class StreamedTable:
    """A mixed table that comes in batches, each a data frame."""

    batches: Iterable[Any]
    like: Any

    def frames(self) -> Iterator[Any]:
        """Yield the batches."""
        yield from self.batches

    def source(self, read: Reader, *, counted: bool) -> Source:
        """Read the batches in their order."""
        rows = BatchRows(self.batches, read)
        return rows.counted() if counted else rows


TABLES = (HeldTable, StoredTable, StreamedTable)


class TableRows:
    """Rows of a mixed table as the cells that the network sees.

    Parameters
    ----------
    source : Source
        Rows with one number for each column.
    table : TableSchema
        What the columns are.
    """

    def __init__(self, source: Source, table: TableSchema) -> None:
        self._source, self.table = source, table
        self.row_shape: tuple[int, ...] = (table.cells,)
        self.dtype, self.names = np.dtype(np.float64), table.names
        self.pieces, self.missing = source.pieces, source.missing

    def __len__(self) -> int:
        return len(self._source)

    def __iter__(self) -> Iterator[NDArray]:
        return self._cells(self._source, 1)

    def read(self, pieces: NDArray, multiple: int = 1) -> Iterator[NDArray]:
        """Yield rows in some order, as many at a time as fit into a block once they are cells."""
        return self._cells(self._source.read(pieces, multiple), multiple)

    def columns(self, pieces: NDArray | None = None) -> Iterator[NDArray]:
        """Yield rows, all or those of some pieces, with one number for each column."""
        return self._small(self._source if pieces is None else self._source.read(pieces), 1)

    def _cells(self, blocks: Iterable[NDArray], multiple: int) -> Iterator[NDArray]:
        for block in self._small(blocks, multiple):
            yield expanded(block, self.table)

    def _small(self, blocks: Iterable[NDArray], multiple: int) -> Iterator[NDArray]:
        size = max(1, BLOCK_BYTES // (8 * self.table.cells) // multiple) * multiple
        for block in blocks:
            for start in range(0, len(block), size):
                yield block[start : start + size]


def mixed_table(X: Any) -> MixedTable | None:
    """Give the mixed table that an object is, or that its batches are; None if it is none."""
    if isinstance(X, TABLES):
        return X
    if is_table(X):
        return HeldTable(X) if is_mixed(X) else None
    return None


def mixed_stream(X: Iterable[Any]) -> MixedTable | None:
    """Give the mixed table that batches are, after a look at the first; None if they are none, or come only once."""
    batches = iter(X)
    first = None if batches is X else next(batches, None)
    return StreamedTable(X, first) if is_table(first) and is_mixed(first) else None


def learned(table: MixedTable, max_categories: int | None) -> TableSchema:
    """Learn what the columns of a table are, from all its rows."""
    return learn_columns(frame_of(table.like), map(frame_of, table.frames()), max_categories)


def refusal(table: TableSchema, X: Any) -> str:
    """Say what a model that was fitted on a mixed table wants."""
    return (
        f"the model was fitted on a table with columns that are no numbers, such as {table.odd}: X must be a data "
        f"frame or a file with the same {len(table.columns)} columns; got {type(X).__name__}"
    )


def table_of(source: Source) -> TableSchema | None:
    """Give the columns of a mixed table; None for other rows."""
    return getattr(source, "table", None)


def _is_number(arrow: Any, kind: Any) -> bool:
    types = arrow.types
    return types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind)
