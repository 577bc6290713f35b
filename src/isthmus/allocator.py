"""Memory that the C library keeps while a network is trained, instead of fetching it anew for every step.

glibc hands large blocks back to the system as soon as they are free: a step on large images then waits for pages that
the one before had. Other C libraries have no such call and are left alone.
"""

from __future__ import annotations

import ctypes
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # from malloc.h
_KEEP = 2**30
# Where glibc's own rule ends up in a process that has freed a large array; the state before cannot be read.
_USUAL_MMAP, _USUAL_TRIM = 32 * 2**20, 64 * 2**20

_lock = threading.Lock()
_users = 0


@contextmanager
def kept_memory() -> Iterator[None]:
    """Let the C library keep freed memory during a block; the last block to end restores the usual rule."""
    _enter(1, _KEEP, _KEEP)
    try:
        yield
    finally:
        _enter(-1, _USUAL_MMAP, _USUAL_TRIM)


def _enter(change: int, mmap_threshold: int, trim_threshold: int) -> None:
    global _users
    library = _glibc()
    with _lock:
        _users += change
        if library is None or _users != max(change, 0):
            return
        library.mallopt(_MMAP_THRESHOLD, mmap_threshold)
        library.mallopt(_TRIM_THRESHOLD, trim_threshold)
        if not _users:
            library.malloc_trim(0)


@cache
def _glibc() -> Any:
    """Give the C library if it is glibc."""
    if not sys.platform.startswith("linux"):
        return None
    library = ctypes.CDLL(None)
    return library if hasattr(library, "gnu_get_libc_version") else None
