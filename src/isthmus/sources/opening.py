"""Which kind of source an object, a path or a pattern of paths stands for."""

from __future__ import annotations

import glob
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from isthmus.datasets.bundled import readable
from isthmus.datasets.files import NAMED, image_paths, is_image, read_named, reader_of_images
from isthmus.errors import DataError, require
from isthmus.sources.arrays import ArrayRows, SlicedRows, is_sliceable, mapped, rows_of
from isthmus.sources.images import ImageRows
from isthmus.sources.parquet import ParquetRows
from isthmus.sources.protocol import RESIDENT_BYTES, Source, is_source, row_bytes, whole

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
        return settled(ParquetRows(X))
    if not is_source(X) and is_sliceable(X):
        source = SlicedRows(X)
        return settled(source) if source.row_shape else X
    return X


def from_path(path: str | PathLike[str]) -> Source:
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
    table = read_named(path)
    return rows_of(table.values, table.columns, outside=mapped(table.values) is not None)


def _of_several(paths: list[str], name: str, folder: Path | None = None) -> Source:
    if not paths:
        words = "holds neither images nor Parquet files" if folder else "matches no file"
        raise DataError(f"{name} {words}")
    if all(Path(path).suffix in _PARQUET for path in paths):
        return _of_parquet(paths, folder)
    if all(is_image(Path(path)) for path in paths):
        return _of_images([Path(path) for path in paths])
    tables = [read_named(path) for path in paths]
    shapes = {table.values.shape[1:] for table in tables} | {table.columns for table in tables}
    if len(shapes) > 2:
        raise DataError(f"the files of {name} must have rows of one shape and columns of the same names")
    return ArrayRows(np.concatenate([table.values for table in tables]), tables[0].columns)


def _of_images(paths: list[Path]) -> Source:
    return settled(ImageRows(paths, reader_of_images(paths)))


def _of_parquet(paths: list[str], folder: Path | None = None) -> Source:
    arrow, dataset = require("pyarrow", "data"), require("pyarrow.dataset", "data")
    with readable(Path(paths[0]), arrow.ArrowException):
        keys = {"partitioning": "hive", "partition_base_dir": str(folder)} if folder else {}
        return settled(ParquetRows(dataset.dataset(paths, format="parquet", **keys)))


def settled(source: Source) -> Source:
    """Read a source that is small; leave one that is large where it is."""
    if len(source) * row_bytes(source) > RESIDENT_BYTES:
        return source
    return ArrayRows(whole(source), source.names)
