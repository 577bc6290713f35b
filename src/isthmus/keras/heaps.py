"""A look at the heaps of an HDF5 file, in which lists of names lie, before the library gets to see them.

A damaged heap with an object of no size sends the library round for ever, where nothing can interrupt it.
"""

from __future__ import annotations

import mmap
import struct
from pathlib import Path

from isthmus.errors import ModelFileError

_SIGNATURE, _VERSION, _HEAD = b"GCOL", 1, 16
_SMALLEST = 4096


def check_heaps(content: bytes | mmap.mmap) -> None:
    """Refuse a file with a heap whose objects do not lie one behind the other, as the HDF5 format has them.

    Parameters
    ----------
    content : bytes or mmap
        The whole file.
    """
    place = content.find(_SIGNATURE)
    while place >= 0:
        head = content[place : place + _HEAD]
        size = struct.unpack("<Q", head[8:])[0] if len(head) == _HEAD else 0
        if head[4:5] == bytes([_VERSION]) and _SMALLEST <= size <= len(content) - place:
            _check_heap(content[place : place + size])
        place = content.find(_SIGNATURE, place + 1)


def check_heaps_of(path: Path) -> None:
    """Look at the heaps of a file on disk."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        check_heaps(content)


def _check_heap(heap: bytes) -> None:
    """Walk from object to object: number, references, four bytes, size; object 0 is what is free, head included."""
    place = _HEAD
    while place + _HEAD <= len(heap):
        number, size = struct.unpack("<H6xQ", heap[place : place + _HEAD])
        step = size if number == 0 else _HEAD + -(-size // 8) * 8
        if not _HEAD <= step <= len(heap) - place:
            raise ModelFileError("damaged: its lists of names lead nowhere")
        place += step
