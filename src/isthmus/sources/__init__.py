"""Where rows come from: arrays, sparse matrices, memory maps, Parquet, folders of images, iterables of batches."""

from isthmus.sources.arrays import ArrayRows, SlicedRows, SparseRows
from isthmus.sources.iterables import BatchRows
from isthmus.sources.opening import opened
from isthmus.sources.protocol import Part, Pieces, Source, drawn, head_of, is_source, whole
from isthmus.sources.shuffling import Order, ordered_blocks

__all__ = [
    "ArrayRows",
    "BatchRows",
    "Order",
    "Part",
    "Pieces",
    "SlicedRows",
    "Source",
    "SparseRows",
    "drawn",
    "head_of",
    "is_source",
    "opened",
    "ordered_blocks",
    "whole",
]
