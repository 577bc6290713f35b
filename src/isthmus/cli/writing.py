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
    writer = {".npy": _write_npy, ".csv": _write_csv, ".parquet": _write_parquet}[out.suffix]
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


def _write_csv(blocks: Iterator[NDArray], n: int, names: Sequence[str], path: Path) -> None:
    csv, writer = require("pyarrow.csv", "data"), None
    for table in _tables(blocks, names):
        writer = writer or csv.CSVWriter(path, table.schema)
        writer.write_table(table)
    if writer is not None:
        writer.close()


def _write_parquet(blocks: Iterator[NDArray], n: int, names: Sequence[str], path: Path) -> None:
    parquet, writer = require("pyarrow.parquet", "data"), None
    for table in _tables(blocks, names):
        writer = writer or parquet.ParquetWriter(path, table.schema)
        writer.write_table(table)
    if writer is not None:
        writer.close()
