"""Which kind of source an object, a path or a pattern of paths stands for."""

from __future__ import annotations

import glob
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from isthmus.datasets.bundled import readable
from isthmus.datasets.files import NAMED, Table, csv_table, numeric_rows, read_named
from isthmus.datasets.images import image_paths, is_image, reader_of_images
from isthmus.errors import DataError, require
from isthmus.sources.arrays import ArrayRows, SlicedRows, is_sliceable, mapped, rows_of
from isthmus.sources.images import ImageRows
from isthmus.sources.parquet import ParquetRows
from isthmus.sources.protocol import RESIDENT_BYTES, Source, is_source, row_bytes, whole
from isthmus.sources.tables import HeldTable, MixedTable, StoredTable
from isthmus.tables import is_mixed

_MAGIC = frozenset("*?[")
_PARQUET = (".parquet", ".pq")


def opened(X: Any) -> Any:
    """Give the source that an object stands for, or the object itself where it is no path, data set or array on disk.

    Parameters
    ----------
    X : object
        A path, a pattern of paths such as ``"data/*.parquet"``, a folder, the name of a data set, a
        `pyarrow.dataset.Dataset`, an HDF5 data set or a zarr array; anything else is given back.

    Raises
    ------
    DataError
        If there is no such file, or it cannot be read.
    """
    if isinstance(X, str | PathLike):
        return from_path(X)
    if type(X).__module__.partition(".")[0] == "pyarrow" and hasattr(X, "get_fragments"):
        return _of_dataset(X)
    if not is_source(X) and is_sliceable(X):
        source = SlicedRows(X)
        return settled(source) if source.row_shape else X
    return X


def from_path(path: str | PathLike[str]) -> Source | MixedTable:
    """Open a file, a folder or a pattern; small data are read, large ones stay where they are."""
    name = str(path)
    if name in NAMED and isinstance(path, str):
        return ArrayRows(NAMED[name]())
    if _MAGIC & set(name) and not Path(path).exists():
        return _of_several(sorted(glob.glob(name, recursive=True)), name)  # noqa: PTH207
    path = Path(path)
    if path.is_dir() and not any(is_image(one) for one in path.rglob("*")):
        return _of_several(sorted(str(one) for one in path.rglob("*") if one.suffix in _PARQUET), name, path)
    if path.is_dir():
        return _of_images(image_paths(path))
    if path.suffix in _PARQUET and path.is_file() and path.stat().st_size:
        return _of_parquet([str(path)])
    if path.suffix.lower() == ".csv" and path.is_file() and path.stat().st_size:
        return _of_csv([path], name)
    table = read_named(path)
    return rows_of(table.values, table.columns, outside=mapped(table.values) is not None)


def _of_several(paths: list[str], name: str, folder: Path | None = None) -> Source | MixedTable:
    if not paths:
        words = "holds neither images nor Parquet files" if folder else "matches no file"
        raise DataError(f"{name} {words}")
    if all(Path(path).suffix in _PARQUET for path in paths):
        return _of_parquet(paths, folder)
    if all(is_image(Path(path)) for path in paths):
        return _of_images([Path(path) for path in paths])
    if all(Path(path).suffix.lower() == ".csv" for path in paths):
        return _of_csv([Path(path) for path in paths], name)
    return _of_arrays([read_named(path) for path in paths], name)


def _of_csv(paths: list[Path], name: str) -> Source | MixedTable:
    """Read CSV files; as a mixed table where a column of one of them is no number."""
    tables = [csv_table(path) for path in paths]
    if not any(named and is_mixed(table) for table, _, named in tables):
        return _of_arrays([numeric_rows(*table) for table in tables], name)
    if any(table.column_names != tables[0][0].column_names for table, _, _ in tables):
        raise DataError(f"the files of {name} must have columns of the same names")
    arrow = require("pyarrow", "data")
    with readable(paths[0], arrow.ArrowException):
        return HeldTable(arrow.concat_tables([table for table, _, _ in tables], promote_options="permissive"))


def _of_arrays(tables: list[Table], name: str) -> Source:
    shapes = {table.values.shape[1:] for table in tables} | {table.columns for table in tables}
    if len(shapes) > 2:
        raise DataError(f"the files of {name} must have rows of one shape and columns of the same names")
    values = tables[0].values if len(tables) == 1 else np.concatenate([table.values for table in tables])
    return ArrayRows(values, tables[0].columns)


def _of_images(paths: list[Path]) -> Source:
    return settled(ImageRows(paths, reader_of_images(paths)))


def _of_parquet(paths: list[str], folder: Path | None = None) -> Source | MixedTable:
    arrow, dataset = require("pyarrow", "data"), require("pyarrow.dataset", "data")
    with readable(Path(paths[0]), arrow.ArrowException):
        keys = {"partitioning": "hive", "partition_base_dir": str(folder)} if folder else {}
        return _of_dataset(dataset.dataset(paths, format="parquet", **keys))


def _of_dataset(dataset: Any) -> Source | MixedTable:
    """Open Parquet files; small ones are read."""
    if not is_mixed(dataset.schema.empty_table()):
        return settled(ParquetRows(dataset))
    if dataset.count_rows() * len(dataset.schema) * 8 > RESIDENT_BYTES:
        return StoredTable(dataset)
    return HeldTable(dataset.to_table())


def settled(source: Source) -> Source:
    """Read a source that is small; leave one that is large where it is."""
    if len(source) * row_bytes(source) > RESIDENT_BYTES:
        return source
    return ArrayRows(whole(source), source.names)
