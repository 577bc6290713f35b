"""What the columns of a mixed table are, and which cells the network sees of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isthmus.errors import DataError, ModelFileError

NUMBER, BOOLEAN, CATEGORY = KINDS = ("number", "boolean", "category")
LIBRARIES = ("pandas", "polars", "pyarrow")
Value = str | int | float | bool


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes
    ----------
    name : str or int
        Its name.
    kind : {"number", "boolean", "category"}
        How it is shown to the network: a number, 0 or 1, or one cell for each category.
    dtype : str
        Its type, in the words of its library.
    categories : tuple of str, int, float or bool
        The values of a category.
    width : int
        Cells that the network sees.
    grouped : bool
        Whether the last cell of a category stands for rare values: the one in its place and all that follow.
    levels : tuple or None
        The values that the type itself declares, in their order.
    ordered : bool
        Whether the type says that these have an order.
    """

    name: str | int
    kind: str
    dtype: str
    categories: tuple[Value, ...] = ()
    width: int = 1
    grouped: bool = False
    levels: tuple[Value, ...] | None = None
    ordered: bool = False

    @property
    def label(self) -> str:
        """How errors name it."""
        return repr(self.name)

    def cell_names(self) -> list[str]:
        """Name its cells as scikit-learn's `OneHotEncoder` does."""
        if self.kind != CATEGORY:
            return [str(self.name)]
        names = [f"{self.name}_{value}" for value in self.categories[: self.width]]
        if self.grouped:
            names[-1] = f"{self.name}_infrequent_sklearn"
        return names


@dataclass(frozen=True)
class TableSchema:
    """The columns of a table. The network sees the numbers first, then the booleans, then the cells of categories.

    Attributes
    ----------
    library : {"pandas", "polars", "pyarrow"}
        The library whose frames are given back.
    columns : tuple of Column
        The columns, in the order of the table.
    """

    library: str
    columns: tuple[Column, ...]

    def of_kind(self, kind: str) -> list[int]:
        """Give the places of the columns of a kind."""
        return [place for place, column in enumerate(self.columns) if column.kind == kind]

    @cached_property
    def widths(self) -> tuple[int, ...]:
        """Cells of each category."""
        return tuple(self.columns[place].width for place in self.of_kind(CATEGORY))

    @cached_property
    def owners(self) -> NDArray:
        """The place of the column that each cell belongs to."""
        places = [place for kind in KINDS for place in self.of_kind(kind)]
        return np.repeat(places, [self.columns[place].width for place in places])

    @property
    def cells(self) -> int:
        """Cells that the network sees of a row."""
        return len(self.owners)

    @property
    def numbers(self) -> int:
        """Columns of numbers; their cells come first."""
        return len(self.of_kind(NUMBER))

    @property
    def names(self) -> tuple[str, ...] | None:
        """Names of the columns, if all are text."""
        names = tuple(column.name for column in self.columns)
        return tuple(map(str, names)) if all(isinstance(name, str) for name in names) else None

    @property
    def cell_names(self) -> list[str]:
        """Names of the cells."""
        places = [place for kind in KINDS for place in self.of_kind(kind)]
        return [name for place in places for name in self.columns[place].cell_names()]

    @property
    def odd(self) -> str:
        """Name a column that is no number."""
        return next(column.label for column in self.columns if column.kind != NUMBER)

    def plain(self) -> dict[str, Any]:
        """Give it as values that JSON holds."""
        return asdict(self)

    @classmethod
    def read(cls, plain: Mapping[str, Any]) -> TableSchema:
        """Make it of what `plain` gave, after a look at whether it can be."""
        schema = cls(str(plain["library"]), tuple(_column(column) for column in plain["columns"]))
        if schema.library not in LIBRARIES or not schema.columns:
            raise ModelFileError(f"its table is one of {schema.library!r} with {len(schema.columns)} columns")
        return schema


def numbers_only(what: str, table: TableSchema | None) -> None:
    """Refuse a mixed table where only numbers are understood."""
    if table is not None:
        raise DataError(f"{what} is of tables of numbers only; column {table.odd} of X is none")


def _column(plain: Mapping[str, Any]) -> Column:
    """Read a column of a file."""
    levels = plain["levels"]
    column = Column(
        plain["name"] if isinstance(plain["name"], int) else str(plain["name"]),
        str(plain["kind"]),
        str(plain["dtype"]),
        tuple(plain["categories"]),
        int(plain["width"]),
        bool(plain["grouped"]),
        None if levels is None else tuple(levels),
        bool(plain["ordered"]),
    )
    values = (*column.categories, *(column.levels or ()))
    most = len(column.categories) if column.kind == CATEGORY else 1
    plainly = all(isinstance(value, str | int | float) for value in values)
    if column.kind not in KINDS or not 1 <= column.width <= most or not plainly:
        raise ModelFileError(f"its column {column.label} is no {column.kind} of {column.width} cells")
    return column
