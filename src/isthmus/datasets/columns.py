"""Arrow tables of numbers as arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from isthmus.errors import DataError, require


def check_numeric(schema: Any, where: Any = "X", *, named: bool = True) -> None:
    """Refuse a column that is not numeric, by name."""
    for position, field in enumerate(schema, start=1):
        if not is_numeric(field.type):
            name = f"{position} ({field.name!r})" if named else str(position)
            advice = "remove it or encode it as numbers"
            raise DataError(f"column {name} of {where} is of type {field.type}, not numeric: {advice}")


def is_numeric(arrow_type: Any) -> bool:
    """Whether the values of an Arrow type are numbers, booleans or nothing but missing."""
    types = require("pyarrow", "data").types
    kinds = (types.is_integer, types.is_floating, types.is_decimal, types.is_boolean, types.is_null)
    return any(is_kind(arrow_type) for is_kind in kinds)


def common_dtype(schema: Any, *, missing: bool) -> np.dtype:
    """Give the type that holds the numbers of all columns: float32 or uint8 where all are, else float64."""
    kinds = {str(field.type) for field in schema}
    if kinds == {"float"}:
        return np.dtype(np.float32)
    if kinds == {"uint8"} and not missing:
        return np.dtype(np.uint8)
    return np.dtype(np.float64)


def array_of(table: Any, dtype: np.dtype) -> NDArray:
    """Stack the columns of an Arrow table; missing cells become NaN."""
    values = np.empty((table.num_rows, table.num_columns), dtype)
    name = {"float64": "double", "float32": "float"}.get(dtype.name, dtype.name)
    for position, column in enumerate(table.columns):
        values[:, position] = column.cast(name, safe=False).to_numpy()
    return values
