"""Frames to arrays: first one number for each column, then the cells that the network sees."""

from __future__ import annotations

from typing import Any

import narwhals.stable.v2 as nw
import numpy as np
from numpy.typing import NDArray
from sklearn.preprocessing import OrdinalEncoder

from isthmus.errors import DataError
from isthmus.tables.frames import kind_of, numbers, type_name, values
from isthmus.tables.schema import BOOLEAN, CATEGORY, NUMBER, Column, TableSchema


def encoded(frame: nw.DataFrame[Any], schema: TableSchema, handle_unknown: str) -> NDArray:
    """Give a frame as one number for each cell: categories by their place among those known; missing ones are NaN.

    Parameters
    ----------
    frame : narwhals DataFrame
        Rows.
    schema : TableSchema
        What was learned of the columns, in their order.
    handle_unknown : {"error", "ignore", "infrequent_if_exist"}
        What becomes of a category that is not known: it is refused, it counts as missing, or it counts as a rare one
        if there is a cell for these.

    Returns
    -------
    ndarray of float64 of shape (n, columns)
        The numbers.
    """
    names, fitted = [str(name) for name in frame.columns], [str(column.name) for column in schema.columns]
    if names != fitted:
        raise DataError(f"X must have the columns {', '.join(fitted)}, which were fitted; got {', '.join(names)}")
    rows = np.empty((len(frame), len(schema.columns)))
    for place, column in enumerate(schema.columns):
        series = frame[:, place]
        if column.kind == CATEGORY:
            rows[:, place] = _codes(series, column, handle_unknown)
        else:
            rows[:, place] = _numbers(series, column)
    return rows


def _numbers(series: nw.Series[Any], column: Column) -> NDArray:
    kind = kind_of(series)
    if kind not in (NUMBER, BOOLEAN):
        raise DataError(
            f"column {column.label} of X is of type {type_name(series)}, but the model was fitted on {column.kind}s"
        )
    found = numbers(series)
    if column.kind == BOOLEAN and not np.isin(found[~np.isnan(found)], (0, 1)).all():
        raise DataError(f"column {column.label} of X must be booleans, as it was when the model was fitted")
    return found


def _codes(series: nw.Series[Any], column: Column, handle_unknown: str) -> NDArray:
    """Find the place of each value; NaN for one that is missing."""
    found, there = values(series)
    places = np.full(len(there), np.nan)
    if not len(found):
        return places
    encoder = OrdinalEncoder(
        categories=[np.array(column.categories, dtype=object)],
        handle_unknown="use_encoded_value",
        unknown_value=-1,
    )
    own = encoder.fit(found[:1, None]).transform(found[:, None])[:, 0]
    unknown = own < 0
    if unknown.any() and handle_unknown == "error":
        some = ", ".join(map(repr, dict.fromkeys(found[unknown][:100].tolist()).keys()))[:200]
        raise DataError(
            f"column {column.label} of X has categories that the model was not fitted on: {some}; "
            "handle_unknown='ignore' takes them as missing"
        )
    own[unknown] = column.width - 1 if column.grouped and handle_unknown == "infrequent_if_exist" else np.nan
    places[there] = own
    return places


def expanded(rows: NDArray, schema: TableSchema) -> NDArray:
    """Give the cells that the network sees: a category becomes ones and zeros, all NaN where it is missing."""
    cells = np.zeros((len(rows), schema.cells), rows.dtype)
    plain = [*schema.of_kind(NUMBER), *schema.of_kind(BOOLEAN)]
    cells[:, : len(plain)] = rows[:, plain]
    start = len(plain)
    for place, width in zip(schema.of_kind(CATEGORY), schema.widths, strict=True):
        own = np.minimum(rows[:, place], width - 1)  # the rare ones, which come last, share a cell
        there = np.flatnonzero(~np.isnan(own))
        cells[np.isnan(own), start : start + width] = np.nan
        cells[there, start + own[there].astype(np.int64)] = 1
        start += width
    return cells


def collapsed(cells: NDArray, schema: TableSchema) -> NDArray:
    """Give one number for each column: booleans that are likelier than not, and the place of the likeliest category."""
    rows = np.empty((len(cells), len(schema.columns)))
    numbers, booleans = schema.of_kind(NUMBER), schema.of_kind(BOOLEAN)
    start = len(numbers) + len(booleans)
    rows[:, numbers] = cells[:, : len(numbers)]
    rows[:, booleans] = cells[:, len(numbers) : start] >= 0.5
    for place, width in zip(schema.of_kind(CATEGORY), schema.widths, strict=True):
        rows[:, place] = cells[:, start : start + width].argmax(axis=1)
        start += width
    return rows
