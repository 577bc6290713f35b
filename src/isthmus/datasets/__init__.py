"""Data sets that come with the package, and a reader of the usual file formats."""

from isthmus.datasets.bundled import load_digits, load_mnist
from isthmus.datasets.files import read

__all__ = ["load_digits", "load_mnist", "read"]
