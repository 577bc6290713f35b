"""Tables of mixed columns: what their columns are, frames to numbers, numbers to frames."""

from isthmus.tables.encoding import collapsed, encoded, expanded
from isthmus.tables.frames import frame_of, is_mixed, is_table, kinds_of
from isthmus.tables.learning import learn_columns
from isthmus.tables.schema import Column, TableSchema, numbers_only
from isthmus.tables.writing import as_frame

__all__ = [
    "Column",
    "TableSchema",
    "as_frame",
    "collapsed",
    "encoded",
    "expanded",
    "frame_of",
    "is_mixed",
    "is_table",
    "kinds_of",
    "learn_columns",
    "numbers_only",
]
