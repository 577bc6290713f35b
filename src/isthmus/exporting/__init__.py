"""Models as files that run without this package: ONNX, and programs of torch."""

from isthmus.exporting.exported import Exported
from isthmus.exporting.graphs import Description
from isthmus.exporting.parity import BATCH_SIZES
from isthmus.exporting.writing import SUFFIXES, export

__all__ = ["BATCH_SIZES", "SUFFIXES", "Description", "Exported", "export"]
