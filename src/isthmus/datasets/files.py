"""Read rows from files: NumPy, CSV, Parquet, IDX and folders of images, told apart by suffix or content."""

import csv
import lzma
import math
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from isthmus.datasets.bundled import check_size, is_idx, load_digits, load_mnist, read_idx, readable
from isthmus.datasets.columns import array_of, check_numeric, common_dtype
from isthmus.datasets.images import image_paths, reader_of_images
from isthmus.errors import DataError, require

NPZ_NAMES = ("X", "x", "data", "arr_0")
NPY_RULE = "it must hold a whole array of plain numbers; nothing is ever unpickled"
NPY_ERRORS = (EOFError, ArithmeticError, MemoryError, SyntaxError, TypeError, tokenize.TokenError)
ZIP_ERRORS = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, RuntimeError, KeyError)
_PARQUET_CELL = 8  # bytes in memory
CSV_BLOCK_BYTES = 1 << 24  # a row has to fit in one block
CSV_MOST_COLUMNS = 1 << 16


@dataclass(frozen=True, eq=False)
class Table:
    """Table as read from a file.

    Attributes
    ----------
    values : ndarray of shape (n_rows, n_columns) or (n_rows, height, width[, 3])
        The numbers.
    columns : tuple of str, or None
        The names of the columns, where the file has them.
    """

    values: NDArray[Any]
    columns: tuple[str, ...] | None = None


def read(path_or_name: str | PathLike[str]) -> NDArray[Any]:
    """Read rows from a file, from a folder of images, or by the name of a data set.

    ========================  =======================================================================
    ``"mnist"``               the MNIST training images; ``"mnist-test"``: the test images
    ``"digits"``              the images of `load_digits`
    ``.npy``                  stays a memory map, so it may be larger than the memory
    ``.npz``                  the only array, or the one named ``X``, ``x``, ``data`` or ``arr_0``
    ``.csv``                  its first line is the header, unless all its cells are numbers, booleans
                              or missing: then it is a row
    ``.parquet``              every column
    IDX, with or without gz   told by its first bytes, whatever its name
    a folder                  its images, those of subfolders too, sorted by path; other files and
                              hidden ones are passed over
    ========================  =======================================================================

    Columns of a CSV or Parquet file give float32 or uint8 where all of them are, else float64; booleans
    become 0 and 1, missing cells become NaN. Gray images keep their depth; others become RGB, with
    transparent parts over white.

    Parameters
    ----------
    path_or_name : str or path-like
        A file, a folder, or "mnist", "mnist-test" or "digits" (write ``"./mnist"`` for a file so called).

    Returns
    -------
    ndarray of shape (n_rows, n_columns) or (n_rows, height, width[, 3])
        One row for each sample. Numbers are as stored: images in uint8 run from 0 to 255.

    Raises
    ------
    DataError
        If there is no such file, its format is unknown, it is damaged or empty, or it does not hold rows
        of real numbers.
    MissingExtraError
        If the format needs pyarrow (``isthmus[data]``) or pillow (``isthmus[images]``), not installed.

    Examples
    --------
    >>> from isthmus.datasets import read
    >>> read("digits").shape
    (1797, 8, 8)
    """
    return read_named(path_or_name).values


def read_named(path_or_name: str | PathLike[str]) -> Table:
    """Read rows as `read` does, and the names of their columns.

    Parameters
    ----------
    path_or_name : str or path-like
        As for `read`.

    Returns
    -------
    Table
        The array, and the names of its columns or None.

    Raises
    ------
    DataError, MissingExtraError
        As for `read`.

    Examples
    --------
    >>> from isthmus.datasets.files import read_named
    >>> print(read_named("digits").columns)
    None
    """
    if isinstance(path_or_name, str) and path_or_name in NAMED:
        return Table(NAMED[path_or_name]())
    path = Path(path_or_name)
    with readable(path):
        reader = _reader_of(path)
    return _checked(reader(path), path)


def _reader_of(path: Path) -> Callable[[Path], Table]:
    if not path.exists():
        raise DataError(f"there is no file or folder {path}, and the named data sets are {', '.join(NAMED)}")
    if path.is_dir():
        return _read_images
    if not path.is_file():
        raise DataError(f"{path} is neither a regular file nor a folder")
    if path.stat().st_size == 0:
        raise DataError(f"{path} is empty: it has 0 bytes")
    if is_idx(path):
        return lambda path: Table(read_idx(path))
    if path.suffix.lower() not in READERS:
        legal = ", ".join(READERS)
        raise DataError(f"{path} is of an unknown format: legal are {legal}, IDX (also .gz), image folders")
    return READERS[path.suffix.lower()]


def _checked(rows: Table, path: Path) -> Table:
    values = rows.values
    if values.dtype.kind not in "biuf":
        raise DataError(f"{path} holds values of type {values.dtype}, but they must be real numbers")
    if values.ndim < 2:
        advice = "reshape it to (n_rows, n_columns), such as with values.reshape(-1, 1)"
        raise DataError(f"{path} holds an array of shape {values.shape}, which has no columns: {advice}")
    if values.size == 0:
        raise DataError(f"{path} holds no rows or no columns: its shape is {values.shape}")
    return rows


def _read_npy(path: Path) -> Table:
    with readable(path, *NPY_ERRORS, rule=NPY_RULE), np.errstate(over="raise"):
        return Table(np.lib.format.open_memmap(path, mode="r"))


def _read_npz(path: Path) -> Table:
    with readable(path, *NPY_ERRORS, *ZIP_ERRORS, rule=NPY_RULE), np.errstate(over="raise"):
        if not zipfile.is_zipfile(path):
            raise DataError(f"{path} is damaged: it is not the zip archive that a .npz is")
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            name = _npz_name(archive.files, path)
            _check_member(archive.zip, name, path)
            values = archive[name]
    if not isinstance(values, np.ndarray):
        raise DataError(f"{path} is a zip archive whose member is not an array of NumPy")
    return Table(values)


def _check_member(archive: zipfile.ZipFile, name: str, path: Path) -> None:
    """Refuse a member that is compressed as NumPy never does, or whose header declares more than it holds."""
    info = archive.getinfo(name if name in archive.namelist() else f"{name}.npy")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise DataError(f"{path} is compressed in a way that NumPy does not write; save it with numpy.savez_compressed")
    check_size(path, info.file_size)
    with archive.open(info) as member:
        magic = member.read(npy.MAGIC_LEN)
        if not magic.startswith(npy.MAGIC_PREFIX) or len(magic) < npy.MAGIC_LEN:
            return
        read_header = {1: npy.read_array_header_1_0, 2: npy.read_array_header_2_0}.get(magic[-2])
        if read_header is None:
            raise DataError(f"{path} holds an array in a format that is not known")
        shape, _, dtype = read_header(member)
    if math.prod(shape) * dtype.itemsize > info.file_size:
        raise DataError(f"{path} is damaged: its header declares more than it holds")


def _npz_name(names: list[str], path: Path) -> str:
    chosen = names if len(names) == 1 else [name for name in NPZ_NAMES if name in names]
    if not chosen:
        legal = "exactly one, or one named X, x, data or arr_0"
        raise DataError(f"{path} must hold {legal}, but its arrays are: {', '.join(names) or 'none'}")
    return chosen[0]


def _read_csv(path: Path) -> Table:
    return _rows_of_table(*csv_table(path))


def csv_table(path: Path) -> tuple[Any, Path, bool]:
    """Read a CSV file as a ``pyarrow.Table``; give it with its path and whether its first line names the columns."""
    arrow, arrow_csv = require("pyarrow", "data"), require("pyarrow.csv", "data")
    convert = arrow_csv.ConvertOptions()
    values = {*convert.null_values, *convert.true_values, *convert.false_values}
    first = _first_line(path)
    if len(first) > CSV_MOST_COLUMNS:
        advice = "save them with numpy.save instead: each column of a CSV file takes some kilobytes of memory"
        raise DataError(f"{path} has {len(first):,} columns, but at most {CSV_MOST_COLUMNS:,} are read; {advice}")
    has_header = not all(cell in values or _is_number(cell) for cell in first)
    options = arrow_csv.ReadOptions(block_size=CSV_BLOCK_BYTES, autogenerate_column_names=not has_header)
    with readable(path, arrow.ArrowException):
        table = arrow_csv.read_csv(path, read_options=options)
    return table, path, has_header


def numeric_rows(table: Any, path: Path, has_header: bool) -> Table:
    """Give the numbers of a ``pyarrow.Table`` that was read from a file."""
    return _checked(_rows_of_table(table, path, has_header), path)


def _first_line(path: Path) -> list[str]:
    with readable(path, csv.Error), path.open(encoding="utf-8-sig", newline="") as file:
        return next((line for line in csv.reader(file) if line), [])


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _read_parquet(path: Path) -> Table:
    arrow, parquet = require("pyarrow", "data"), require("pyarrow.parquet", "data")
    with readable(path, arrow.ArrowException), parquet.ParquetFile(path) as file:
        check_numeric(file.schema_arrow, path)
        check_size(path, _PARQUET_CELL * file.metadata.num_rows * len(file.schema_arrow))
        table = file.read()
    return _rows_of_table(table, path, has_header=True)


def _rows_of_table(table: Any, path: Path, has_header: bool) -> Table:
    """Stack the columns of a ``pyarrow.Table``; a column that is not numeric is refused by name."""
    check_numeric(table.schema, path, named=has_header)
    missing = any(column.null_count for column in table.columns)
    values = array_of(table, common_dtype(table.schema, missing=missing))
    return Table(values, tuple(table.column_names) if has_header else None)


def _read_images(folder: Path) -> Table:
    paths = image_paths(folder)
    read = reader_of_images(paths)
    first = read(paths[0])
    values = np.empty((len(paths), *first.shape), first.dtype)
    for position, path in enumerate(paths):
        values[position] = read(path)
    return Table(values)


READERS: dict[str, Callable[[Path], Table]] = {
    ".npy": _read_npy,
    ".npz": _read_npz,
    ".csv": _read_csv,
    ".parquet": _read_parquet,
}

NAMED: dict[str, Callable[[], NDArray[Any]]] = {
    "mnist": lambda: load_mnist("train")[0],
    "mnist-test": lambda: load_mnist("test")[0],
    "digits": lambda: load_digits()[0],
}
