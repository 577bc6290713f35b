"""Bodies of requests and answers: JSON, ``.npy`` and Arrow. Nothing in them is unpickled or executed."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Never

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from isthmus.errors import DataError, MissingExtraError, require
from isthmus.serving.limits import RefusedError

JSON = "application/json"
NPY = "application/x-npy"
BYTES = "application/octet-stream"
ARROW = "application/vnd.apache.arrow.stream"


@dataclass(frozen=True)
class Kind:
    """A way to write arrays.

    Attributes
    ----------
    media_type : str
        Its name in ``Content-Type`` and ``Accept``.
    read : callable
        Gives the array, or for Arrow the table, of a body; the second argument is its name in JSON.
    write : callable
        Gives the body of an array, its name in JSON, and the names of its columns.
    """

    media_type: str
    read: Callable[[bytes, str], Any]
    write: Callable[[NDArray, str, Sequence[str]], bytes]


def _read_json(body: bytes, name: str) -> NDArray:
    try:
        content = json.loads(body, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise DataError(f"the body is no JSON ({error})") from error
    if not isinstance(content, dict) or set(content) != {name}:
        raise DataError(f'the body must be {{"{name}": [[...], ...]}} and nothing else')
    try:
        array = np.array(content[name])
    except ValueError as error:
        raise DataError(f"{name} must be lists of numbers of the same length ({error})") from error
    if array.dtype.kind in "biuf":
        return array
    if array.dtype.kind != "O" or any(not isinstance(cell, int | float | None) for cell in array.flat):
        raise DataError(f"{name} must be lists of numbers, all of the same length; null is a missing cell")
    try:
        return array.astype(np.float64)
    except OverflowError as error:
        raise DataError(f"{name} must be numbers within the range of float64") from error


def _no_number(word: str) -> Never:
    raise ValueError(f"{word} is no number of JSON; a missing cell is null")


def _write_json(values: NDArray, name: str, columns: Sequence[str]) -> bytes:
    return json.dumps({name: values.tolist()}, allow_nan=False).encode()


def _read_npy(body: bytes, name: str) -> NDArray:
    """Read the header ourselves: numpy takes the memory that a header asks for before it looks for the numbers."""
    stream = io.BytesIO(body)
    readers = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
    try:
        shape, fortran, dtype = readers[npy.read_magic(stream)](stream)
    except (ValueError, LookupError, TypeError, SyntaxError, RecursionError, MemoryError) as error:
        raise DataError("the body is no .npy file of version 1 or 2") from error
    if dtype.kind not in "biuf":
        raise DataError(f"{name} must be numbers; got {dtype}")
    if min(shape, default=1) < 0 or math.prod(shape) * dtype.itemsize != len(body) - stream.tell():
        raise DataError(f"the body is a damaged .npy file: its header says {dtype} of shape {shape}")
    flat = np.frombuffer(body, dtype, offset=stream.tell())
    return flat.reshape(shape, order="F" if fortran else "C")


def _write_npy(values: NDArray, name: str, columns: Sequence[str]) -> bytes:
    stream = io.BytesIO()
    npy.write_array(stream, values, allow_pickle=False)
    return stream.getvalue()


def _read_arrow(body: bytes, name: str) -> Any:
    arrow = _arrow()
    try:
        table = arrow.ipc.open_stream(body).read_all()
        table.validate(full=True)
    except (arrow.ArrowException, OSError, ValueError) as error:
        raise DataError(f"the body is no Arrow stream ({str(error).splitlines()[0]})") from error
    return table


def _write_arrow(values: NDArray, name: str, columns: Sequence[str]) -> bytes:
    arrow, stream = _arrow(), io.BytesIO()
    table = arrow.table(dict(zip(columns, values.reshape(len(values), -1).T, strict=True)))
    with arrow.ipc.new_stream(stream, table.schema) as writer:
        writer.write_table(table)
    return stream.getvalue()


def _arrow() -> Any:
    try:
        require("pyarrow.ipc", "data")
        return require("pyarrow", "data")
    except MissingExtraError as error:
        raise RefusedError(415, f"this server takes no Arrow: {error}") from error


KINDS = {
    JSON: Kind(JSON, _read_json, _write_json),
    NPY: Kind(NPY, _read_npy, _write_npy),
    ARROW: Kind(ARROW, _read_arrow, _write_arrow),
}
_NAMES = {**KINDS, BYTES: KINDS[NPY]}
_SPOKEN = ", ".join((JSON, NPY, ARROW))


def kind_of_request(content_type: str) -> Kind:
    """Give the kind of a body by its ``Content-Type``."""
    kind = _NAMES.get(_bare(content_type))
    if kind is None:
        raise RefusedError(415, f"Content-Type must be one of {_SPOKEN}; got {content_type or 'none'}")
    return kind


def kind_of_answer(accept: str, request: Kind) -> Kind:
    """Give the kind that a client wants by its ``Accept``, the kind of the request if it is content with that."""
    wanted = _wanted(accept)
    if not wanted or any(name in wanted for name in ("*/*", "application/*", request.media_type)):
        return request
    found = next((_NAMES[name] for name in wanted if name in _NAMES), None)
    if found is None:
        raise RefusedError(406, f"Accept must allow one of {_SPOKEN}; got {accept}")
    return found


def _wanted(accept: str) -> list[str]:
    """Give the names in an ``Accept`` header, the dearest first."""
    weights: dict[str, float] = {}
    for item in filter(None, map(str.strip, accept.split(","))):
        name, *options = item.split(";")
        weight = next((option.split("=")[1] for option in map(str.strip, options) if option.startswith("q=")), "1")
        weights[_bare(name)] = float(weight) if weight.replace(".", "", 1).isdecimal() else 0.0
    return sorted((name for name, weight in weights.items() if weight > 0), key=lambda name: -weights[name])


def _bare(media_type: str) -> str:
    return media_type.split(";")[0].strip().lower()
