"""Arrays back to frames: the columns, categories and types of the table that was fitted."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isthmus.errors import ModelFileError, require
from isthmus.tables.schema import BOOLEAN, CATEGORY, Column, TableSchema

_INTEGER = re.compile(r"(u?)int(8|16|32|64)", re.IGNORECASE)
_DECIMAL = re.compile(r"decimal(\d*)\((?:precision=)?(\d+), (?:scale=)?(-?\d+)\)", re.IGNORECASE)
_DICTIONARY = re.compile(r"dictionary<values=(\w+), indices=(\w+), ordered=([01])>")


def as_frame(rows: NDArray, schema: TableSchema) -> Any:
    """Give rows as a frame of the library, and with the types, of the table that was fitted.

    Parameters
    ----------
    rows : ndarray of shape (n, columns)
        One number for each column, as `encoded` and `collapsed` give it.
    schema : TableSchema
        What the columns are.

    Raises
    ------
    ModelFileError
        If a type is not one of its library: the file that it came from is damaged.
    """
    columns = [_values(column, rows[:, place]) for place, column in enumerate(schema.columns)]
    try:
        return _FRAMES[schema.library](schema.columns, columns)
    except (TypeError, ValueError, LookupError, AttributeError) as error:
        raise ModelFileError(f"the columns of the model cannot be made with {schema.library}: {error}") from error


def _values(column: Column, rows: NDArray) -> Any:
    """Give the values of a column, integers in the range of their type."""
    if column.kind == BOOLEAN:
        return rows.astype(bool)
    if column.kind == CATEGORY:
        known = np.empty(len(column.categories), object)
        known[:] = column.categories
        return known[rows.astype(np.int64)].tolist()
    integer = _INTEGER.search(column.dtype)
    if integer is None or column.dtype.startswith("Sparse[float"):
        return rows
    kind = np.dtype(f"{integer[1].lower()}int{integer[2]}")
    bounds = np.iinfo(kind)
    whole = np.rint(rows)
    inside = np.clip(whole, bounds.min, bounds.max)
    return np.where(inside >= bounds.max, bounds.max, inside.astype(kind)).astype(kind)


def _pandas(columns: Sequence[Column], rows: Sequence[Any]) -> Any:
    pandas = require("pandas", "data")
    series = [_pandas_series(pandas, *pair) for pair in zip(columns, rows, strict=True)]
    frame = pandas.DataFrame(dict(enumerate(series)))
    frame.columns = [column.name for column in columns]
    return frame


def _pandas_series(pandas: Any, column: Column, rows: Any) -> Any:
    if column.dtype == "category":
        return pandas.Series(pandas.Categorical(rows, column.levels, ordered=column.ordered))
    if column.dtype.endswith("[pyarrow]") and _DICTIONARY.match(column.dtype):
        kind = pandas.ArrowDtype(_arrow_type(require("pyarrow", "data"), column.dtype))
        return pandas.Series(rows, dtype="object").astype(kind)
    series = pandas.Series(rows, dtype="object") if column.kind == CATEGORY else pandas.Series(rows)
    decimal = _DECIMAL.match(column.dtype)
    return series.round(int(decimal[3])).astype(column.dtype) if decimal else series.astype(column.dtype)


def _polars(columns: Sequence[Column], rows: Sequence[Any]) -> Any:
    polars = require("polars", "data")
    return polars.DataFrame([_polars_series(polars, *pair) for pair in zip(columns, rows, strict=True)])


def _polars_series(polars: Any, column: Column, rows: Any) -> Any:
    if column.levels is not None:
        return polars.Series(column.name, rows, polars.Enum(column.levels))
    decimal = _DECIMAL.match(column.dtype)
    if decimal:
        return polars.Series(column.name, rows).cast(polars.Decimal(int(decimal[2]), int(decimal[3])))
    if column.kind == CATEGORY:
        return polars.Series(column.name, rows, polars.Utf8).cast(_polars_type(polars, column.dtype))
    return polars.Series(column.name, rows).cast(_polars_type(polars, column.dtype))


def _polars_type(polars: Any, name: str) -> Any:
    kind = getattr(polars.datatypes, re.split(r"\W", name)[0])
    if not (isinstance(kind, type) and issubclass(kind, polars.DataType)):
        raise TypeError(f"{name} is no type of polars")
    return kind


def _arrow(columns: Sequence[Column], rows: Sequence[Any]) -> Any:
    arrow = require("pyarrow", "data")
    made = [_arrow_array(arrow, *pair) for pair in zip(columns, rows, strict=True)]
    return arrow.table(made, names=[str(column.name) for column in columns])


def _arrow_array(arrow: Any, column: Column, rows: Any) -> Any:
    kind = _arrow_type(arrow, column.dtype)
    if arrow.types.is_dictionary(kind):
        values = arrow.array(column.levels, kind.value_type)
        places = {value: place for place, value in enumerate(column.levels or ())}
        codes = arrow.array([places[value] for value in rows], kind.index_type)
        return arrow.DictionaryArray.from_arrays(codes, values, ordered=kind.ordered)
    return arrow.array(rows).cast(kind)


def _arrow_type(arrow: Any, name: str) -> Any:
    dictionary, decimal = _DICTIONARY.match(name), _DECIMAL.match(name)
    if dictionary:
        values, indices = (arrow.type_for_alias(alias) for alias in (dictionary[1], dictionary[2]))
        return arrow.dictionary(indices, values, ordered=dictionary[3] == "1")
    if decimal:
        return getattr(arrow, f"decimal{decimal[1]}")(int(decimal[2]), int(decimal[3]))
    return arrow.type_for_alias(name)


_FRAMES: dict[str, Callable[[Sequence[Column], Sequence[Any]], Any]] = {
    "pandas": _pandas,
    "polars": _polars,
    "pyarrow": _arrow,
}
