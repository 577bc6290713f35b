"""The columns of a mixed table, learned from its rows, a frame at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np

from isthmus.errors import DataError
from isthmus.tables.frames import kinds_of, library_of, name_of, type_name, values
from isthmus.tables.schema import CATEGORY, Column, TableSchema, Value

_MOST = 10_000


def learn_columns(
    like: nw.DataFrame[Any], frames: Iterable[nw.DataFrame[Any]], max_categories: int | None = None
) -> TableSchema:
    """Learn what the columns of a table are.

    Parameters
    ----------
    like : narwhals DataFrame
        A frame that has the columns; it need not have rows.
    frames : iterable of narwhals DataFrame
        The rows; each frame has at least the columns that are categories.
    max_categories : int or None
        Most cells of a category: the rarest values share the last one. None: as many as there are values.

    Raises
    ------
    DataError
        If two columns have one name, or a column is neither numbers, booleans nor categories, or has too many.
    """
    kinds, names = kinds_of(like), [name_of(like[:, place]) for place in range(like.shape[1])]
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise DataError(f"X has several columns named {twice[0]!r}; give each column a name of its own")
    found = {name: _Found() for name, kind in zip(names, kinds, strict=True) if kind == CATEGORY}
    for frame in frames:
        for place in range(frame.shape[1]):
            series = frame[:, place]
            if name_of(series) in found:
                found[name_of(series)].add(series)
    columns = [
        _category(like[:, place], found[name], max_categories)
        if kind == CATEGORY
        else Column(name, kind, type_name(like[:, place]))
        for place, (name, kind) in enumerate(zip(names, kinds, strict=True))
    ]
    return TableSchema(library_of(like), tuple(columns))


class _Found:
    """What was found of a category: how often each value came, and the values that its type declares."""

    def __init__(self) -> None:
        self.counts: Counter[Value] = Counter()
        self.levels: dict[Value, None] = {}

    def add(self, series: nw.Series[Any]) -> None:
        """Look at some rows."""
        self.counts.update(map(_plain, values(series)[0].tolist()))
        self.levels.update(dict.fromkeys(_levels(series)))


def _category(series: nw.Series[Any], found: _Found, most: int | None) -> Column:
    name, counts, levels = name_of(series), found.counts, found.levels
    known = list(dict.fromkeys([*levels, *sorted(counts, key=lambda value: (str(type(value)), value))]))
    for value in known:
        if not isinstance(value, Value):
            raise DataError(f"column {name!r} of X has categories such as {value!r}; they must be text or numbers")
    if not counts:
        raise DataError(f"column {name!r} of X has no cells in the training rows: all are missing; drop it first")
    if len(known) > _MOST and (most is None or most > _MOST):
        raise DataError(
            f"column {name!r} of X has {len(known):,} different values; drop it, or set max_categories to at most "
            f"{_MOST:,}, so that the rare ones share a cell"
        )
    categories, width = grouped(known, [counts[value] for value in known], most)
    shared = most is not None and len(known) >= most
    native: Any = series.to_native()
    ordered = bool(getattr(getattr(native, "dtype", getattr(native, "type", None)), "ordered", False))
    return Column(
        name, CATEGORY, type_name(series), categories, width, shared, tuple(known) if levels else None, ordered
    )


def grouped(known: Sequence[Value], counts: Sequence[int], most: int | None) -> tuple[tuple[Value, ...], int]:
    """Put the rarest categories behind the others, as scikit-learn's `OneHotEncoder` chooses them; count the cells.

    The one that stands for them when rows are rebuilt, the most frequent of them, comes first.
    """
    if most is None or len(known) < most:
        return tuple(known), len(known)
    rarest = np.argsort(counts, kind="stable")[: len(known) - most + 1].tolist()
    frequent = [value for place, value in enumerate(known) if place not in set(rarest)]
    return (*frequent, *(known[place] for place in reversed(rarest))), most


def _levels(series: nw.Series[Any]) -> list[Value]:
    """Give the categories that a type declares: pandas' categories, polars' enumerations, Arrow's dictionaries."""
    native: Any = series.to_native()
    if series.implementation.is_pandas() and hasattr(native, "cat") and str(native.dtype) == "category":
        return [_plain(value) for value in native.cat.categories.tolist()]
    if series.dtype == nw.Enum and series.implementation.is_polars():
        return list(native.dtype.categories)
    if series.dtype in (nw.Categorical, nw.Enum) and series.implementation.is_pyarrow():
        return [value for chunk in native.chunks for value in chunk.dictionary.to_pylist()]
    return []


def _plain(value: Any) -> Value:
    """Give a value of numpy as one of Python."""
    return value.item() if isinstance(value, np.generic) else value
