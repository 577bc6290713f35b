"""Rows that are written as they come: an array, a table, or text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from isthmus.errors import require
from isthmus.files import replaced

if TYPE_CHECKING:
    from numpy.typing import NDArray

_GROUP_BYTES = 2**24


def write_blocks(blocks: Iterable[NDArray], n: int, names: Sequence[str], out: Path, overwrite: bool) -> None:
    """Write n rows that come in blocks: as an array of their shape, or flat as a table with names.

    No more than some megabytes are held.
    """
    writer = {".npy": _write_npy, ".csv": _write_table, ".parquet": _write_table}[out.suffix]
    with replaced(out, overwrite=overwrite) as temporary:
        writer(_gathered(blocks), n, names, temporary)


def _gathered(blocks: Iterable[NDArray]) -> Iterator[NDArray]:
    """Copy small blocks together: those that stayed would keep the memory between them from being used again."""
    import numpy as np

    room, filled = np.empty((0, 0)), 0
    for block in blocks:
        if filled + len(block) > len(room):
            if filled:
                yield room[:filled]
            rows = max(len(block), _GROUP_BYTES * len(block) // max(1, block.nbytes))
            room, filled = np.empty((rows, *block.shape[1:]), block.dtype), 0
        room[filled : filled + len(block)] = block
        filled += len(block)
    if filled:
        yield room[:filled]


def _write_npy(blocks: Iterator[NDArray], n: int, names: Sequence[str], path: Path) -> None:
    from numpy.lib import format as npy

    with path.open("wb") as file:
        for place, block in enumerate(blocks):
            if place == 0:
                shape = (n, *block.shape[1:])
                description = {"descr": npy.dtype_to_descr(block.dtype), "fortran_order": False, "shape": shape}
                npy.write_array_header_1_0(file, description)
            file.write(block.tobytes())


def _tables(blocks: Iterator[NDArray], names: Sequence[str]) -> Iterator[Any]:
    arrow = require("pyarrow", "data")
    for block in blocks:
        yield arrow.table(dict(zip(names, block.reshape(len(block), -1).T, strict=True)))


def write_tables(tables: Iterable[Any], out: Path, overwrite: bool) -> None:
    """Write Arrow tables with the same columns, as they come, as CSV or Parquet."""
    with replaced(out, overwrite=overwrite) as temporary:
        _write_arrow(tables, temporary)


def _write_arrow(tables: Iterable[Any], path: Path) -> None:
    csv, parquet = require("pyarrow.csv", "data"), require("pyarrow.parquet", "data")
    writer = None
    for table in tables:
        table = table if path.suffix == ".parquet" else _plain(table)
        writer = writer or (parquet.ParquetWriter if path.suffix == ".parquet" else csv.CSVWriter)(path, table.schema)
        writer.write_table(table)
    if writer is not None:
        writer.close()


def _plain(table: Any) -> Any:
    """Give the columns of a table that are dictionaries as their values: a CSV file has no types."""
    arrow = require("pyarrow", "data")
    for place, field in enumerate(table.schema):
        if arrow.types.is_dictionary(field.type):
            table = table.set_column(place, field.name, table.column(place).cast(field.type.value_type))
    return table


def _write_table(blocks: Iterator[NDArray], n: int, names: Sequence[str], path: Path) -> None:
    _write_arrow(_tables(blocks, names), path)
