"""Files that are either whole or not there."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from isthmus.errors import IsthmusError

_FULL = (errno.ENOSPC, errno.EDQUOT)


class OutputExistsError(IsthmusError, FileExistsError):
    """An output that exists and was not asked to be replaced."""

    def __str__(self) -> str:
        return str(self.args[0])


@contextmanager
def replaced(path: str | Path, *, overwrite: bool) -> Iterator[Path]:
    """Give a temporary name beside ``path``; at the end of the block it is synced and moved to ``path``.

    If the block fails, nothing is left behind and a file that was there stays as it was.

    Parameters
    ----------
    path : str or Path
        The file to write.
    overwrite : bool
        Whether a file that exists may be replaced.

    Yields
    ------
    Path
        The temporary file, with the suffix of ``path``.

    Raises
    ------
    OutputExistsError
        If the file exists and ``overwrite`` is false.
    """
    path = Path(path)
    if path.exists() and not overwrite:
        raise OutputExistsError(f"{path} exists; choose another name or ask to overwrite it")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"there is no folder {path.parent} for the file {path.name}")
    handle, name = tempfile.mkstemp(prefix=f".{path.stem[:40]}-", suffix=path.suffix[-40:], dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        _sync(temporary)
        temporary.chmod(0o666 & ~_umask())
        if overwrite:
            temporary.replace(path)
        else:
            _link(temporary, path)
    except OSError as error:
        if error.errno in _FULL:
            raise OSError(error.errno, f"the disk is full; free some room, or write elsewhere than {path}") from error
        raise
    finally:
        temporary.unlink(missing_ok=True)


def _link(temporary: Path, path: Path) -> None:
    """Move without replacing: unlike a rename, a link fails where a file has come in the meantime."""
    try:
        path.hardlink_to(temporary)
    except FileExistsError as error:
        raise OutputExistsError(f"{path} exists; choose another name or ask to overwrite it") from error
    except OSError:
        temporary.replace(path)


def _sync(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
