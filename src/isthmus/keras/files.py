"""The files that Keras writes: what each one is, and its pieces, read within bounds."""

from __future__ import annotations

import io
import json
import math
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from isthmus.errors import ModelFileError, ParameterError, require
from isthmus.keras.heaps import check_heaps, check_heaps_of

_LONGEST_TEXT, _LONGEST_LIST = 2**26, 2**20
_PACKED, _SMALL = 100, 2**20
_CONFIG, _WEIGHTS = "config.json", "model.weights.h5"
_DAMAGE = (
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
    zipfile.BadZipFile,
    zlib.error,
)


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Name the file in whatever goes wrong while it is read."""
    try:
        yield
    except ParameterError:
        raise
    except ModelFileError as error:
        raise ModelFileError(f"{path}: {error}") from error
    except _DAMAGE as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise ModelFileError(f"{path}: damaged, or not written by Keras ({reason})") from error


@dataclass(frozen=True)
class Contents:
    """What a file holds.

    Attributes
    ----------
    path : Path
        The file.
    architecture : object
        The configuration of the model, None if there is none.
    weights : h5py.File or None
        The weights.
    """

    path: Path
    architecture: Any
    weights: Any

    def architecture_for(self, weights: object) -> Any:
        """Give the configuration, and refuse a file that lacks what no second file brings."""
        if self.architecture is None:
            raise ModelFileError(
                f"an HDF5 file of weights alone, without the architecture of a model; {self._advice()}"
            )
        if weights is None and self.weights is None:
            raise ModelFileError("the architecture of a model without its weights; name the file of weights, too")
        return self.architecture

    def weights_group(self) -> Any:
        """Give the weights."""
        if self.weights is None:
            raise ModelFileError("the architecture of a model, not weights")
        return self.weights

    def _advice(self) -> str:
        if self.path.suffix == ".json":
            return (
                "where JSON was written under this name first, save_weights has replaced it: write to_json() again, to "
                "a file of its own, and name both"
            )
        return "name the file of to_json() first and this one second"


@contextmanager
def opened(path: Path) -> Iterator[Contents]:
    """Open a file of any kind that Keras writes.

    Raises
    ------
    ModelFileError
        If it is none of them.
    """
    if path.is_dir():
        raise ModelFileError("a folder; load it with the Keras that wrote it and save it as a .keras file")
    if not path.is_file():
        raise ModelFileError("there is no such file")
    with ExitStack() as stack:
        with path.open("rb") as file:
            start = file.read(8)
        if start.startswith(b"PK"):
            yield _from_zip(path, stack)
        elif start == b"\x89HDF\r\n\x1a\n":
            check_heaps_of(path)
            file5 = stack.enter_context(require("h5py", "keras").File(path, "r"))
            yield Contents(path, _embedded(file5), file5)
        elif start.lstrip().startswith((b"{", b'"')):
            yield Contents(path, _json(path), None)
        else:
            raise ModelFileError("no file of Keras: it is neither a .keras archive nor HDF5 nor JSON")


def _from_zip(path: Path, stack: ExitStack) -> Contents:
    archive = stack.enter_context(zipfile.ZipFile(path))
    names = archive.namelist()
    if _CONFIG not in names or _WEIGHTS not in names:
        missing = _WEIGHTS if _CONFIG in names else _CONFIG
        raise ModelFileError(f"a zip archive without {missing}, which a .keras file has")
    architecture = _parsed(_member(archive, _CONFIG, _LONGEST_TEXT))
    weights = _member(archive, _WEIGHTS, None)
    check_heaps(weights)
    return Contents(path, architecture, stack.enter_context(require("h5py", "keras").File(io.BytesIO(weights), "r")))


def _member(archive: zipfile.ZipFile, name: str, longest: int | None) -> bytes:
    """Unpack a member, unless it claims to be far larger than what is packed."""
    info = archive.getinfo(name)
    allowed = _SMALL + _PACKED * info.compress_size
    if info.file_size > (allowed if longest is None else min(allowed, longest)):
        raise ModelFileError(f"its {name} would unpack from {info.compress_size:,} to {info.file_size:,} bytes")
    return archive.read(info)


def _json(path: Path) -> Any:
    if path.stat().st_size > _LONGEST_TEXT:
        raise ModelFileError(f"its JSON is longer than {_LONGEST_TEXT:,} bytes")
    return _parsed(path.read_bytes())


def _parsed(text: bytes | str) -> Any:
    """Parse JSON; text that was dumped once more is JSON within JSON."""
    value = json.loads(text)
    return json.loads(value) if isinstance(value, str) else value


def _embedded(file: Any) -> Any:
    """Give the configuration that a whole model in HDF5 holds, None if it holds weights alone."""
    text = _attribute(file, "model_config")
    return None if text is None else _parsed(text)


def _attribute(group: Any, name: str) -> Any:
    """Read an attribute, unless it claims to be too long."""
    if name not in group.attrs:
        return None
    claim = group.attrs.get_id(name)
    if math.prod(claim.shape) * claim.dtype.itemsize > _LONGEST_LIST:
        raise ModelFileError(f"its attribute {name} is longer than {_LONGEST_LIST:,} bytes")
    return group.attrs[name]


def names_in(group: Any, attribute: str) -> list[str] | None:
    """Give a list of names, which Keras divides if it is long; None if there is no such list."""
    whole = _attribute(group, attribute)
    if whole is not None:
        return [_text(name) for name in whole]
    names, pieces = list[str](), 0
    while (piece := _attribute(group, f"{attribute}{pieces}")) is not None:
        names.extend(_text(name) for name in piece)
        pieces += 1
    return names if pieces else None


def _text(name: Any) -> str:
    return name.decode() if isinstance(name, bytes) else str(name)


def child(group: Any, name: str) -> Any:
    """Give what lies under a name; links that lead out of the file, or around in it, are not followed."""
    hard = require("h5py", "keras").HardLink
    for step in filter(None, name.split("/")):
        if not isinstance(group.get(step, getlink=True), hard):
            raise ModelFileError(f"its weights lack {step!r} in the group {group.name}")
        group = group[step]
    return group
