"""The Parquet files that the workers read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from isthmus.errors import DataError, require


def is_local(path: str | Path) -> bool:
    """Whether a path is one of this machine's file system rather than an address such as ``s3://bucket/rows``."""
    return "://" not in str(path)


def checked_input(path: str | Path) -> str:
    """Give a path as workers on this machine find it; refuse one that is not there."""
    if not is_local(path):
        return str(path)
    if not Path(path).exists():
        raise DataError(f"there is no file or folder {path}")
    return str(Path(path).absolute())


def columns_of(path: str | Path, keys: Sequence[str]) -> Any:
    """Open Parquet files as a data set, without the columns that are keys.

    Raises
    ------
    DataError
        If there are no such files, or they have no such columns.
    """
    arrow, dataset = require("pyarrow", "ray"), require("pyarrow.dataset", "ray")
    where = checked_input(path)
    try:
        found = dataset.dataset(where, format="parquet")
    except (arrow.ArrowException, OSError) as error:
        raise DataError(f"{path} cannot be read as Parquet: {error}") from error
    if not len(found.schema):
        raise DataError(f"{path} holds no Parquet files")
    unknown = set(keys) - set(found.schema.names)
    if unknown:
        raise DataError(f"keys must be columns of {path}; it has no {', '.join(sorted(map(repr, unknown)))}")
    data = arrow.schema([field for field in found.schema if field.name not in keys])
    return dataset.dataset(where, format="parquet", schema=data)
