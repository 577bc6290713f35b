"""One file for a fitted model: safetensors with a JSON header. Reading executes and unpickles nothing."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from numbers import Integral, Real
from pathlib import Path, PurePath
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from isthmus import __version__, parts
from isthmus.errors import IsthmusError, ModelFileError
from isthmus.files import replaced
from isthmus.params import parameters_of
from isthmus.tensorfiles import read_tensors, write_tensors

T = TypeVar("T")
FORMAT = 1
_TOO_LARGE = 2**63
_KEY = "isthmus"
_PARTS: dict[str, type] = {name: getattr(parts, name) for name in parts.__all__}


@dataclass(frozen=True)
class Saved:
    """A fitted model as plain values.

    Attributes
    ----------
    name : str
        The estimator's class.
    parameters : dict
        Its parameters.
    fitted : dict
        What it learned, but for the tensors: JSON values.
    tensors : dict of str to Tensor
        Weights and other arrays.
    """

    name: str
    parameters: dict[str, Any]
    fitted: dict[str, Any]
    tensors: dict[str, Tensor]


def write(saved: Saved, path: Path, *, overwrite: bool) -> None:
    """Write a model; the file is whole or not there."""
    header = {
        "format": FORMAT,
        "class": saved.name,
        "parameters": {name: encoded(value) for name, value in saved.parameters.items()},
        "fitted": saved.fitted,
    }
    with replaced(path, overwrite=overwrite) as temporary:
        write_tensors(temporary, _KEY, header, saved.tensors)


def read(path: Path, classes: Mapping[str, type]) -> Saved:
    """Read a model that `write` wrote.

    Parameters
    ----------
    path : Path
        The file.
    classes : mapping of str to type
        Parts that users wrote, by name: a file names classes, it never brings them.

    Raises
    ------
    ModelFileError
        If the file is missing, damaged, no model, or of a newer format.
    """
    if not path.is_file():
        raise ModelFileError(f"{path}: there is no such file")
    try:
        header, tensors = read_tensors(path, _KEY)
        _check_format(header)
        parameters = {name: _decoded(value, classes) for name, value in header["parameters"].items()}
        return Saved(str(header["class"]), parameters, dict(header["fitted"]), tensors)
    except ModelFileError as error:
        raise ModelFileError(f"{path}: {error}") from error
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError) as error:
        raise ModelFileError(f"{path}: its header is damaged ({type(error).__name__}: {error})") from error


def shaped(name: str, value: Tensor, dtype: torch.dtype, shape: tuple[int, ...]) -> Tensor:
    """Refuse a tensor of another type or shape than it must have."""
    if value.dtype != dtype or tuple(value.shape) != tuple(shape):
        raise ModelFileError(f"its tensor {name} is {value.dtype} {tuple(value.shape)}, not {dtype} {tuple(shape)}")
    return value


def record(cls: type[T], values: Any) -> T:
    """Make a record of values from a file, after a look at whether each has the type that the record declares."""
    declared = {field.name: str(field.type) for field in dataclasses.fields(cls)}  # type: ignore[arg-type]
    if not isinstance(values, dict) or values.keys() != declared.keys():
        raise ModelFileError(f"its {cls.__name__} does not have the entries {', '.join(declared)}")
    for name, kind in declared.items():
        if not _LEGAL[kind](values[name]):
            raise ModelFileError(f"its {cls.__name__} has {name}={values[name]!r}, which is no {kind}")
    return cls(**values)


def _is_float(value: Any) -> bool:
    return isinstance(value, float) or (isinstance(value, int) and _is_int(abs(value)))


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _TOO_LARGE


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_mapping(of: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, dict) and all(map(of, value.values()))


_LEGAL: dict[str, Callable[[Any], bool]] = {
    "bool": lambda value: isinstance(value, bool),
    "dict[str, float]": _is_mapping(_is_float),
    "dict[str, str]": _is_mapping(_is_text),
    "float": _is_float,
    "float | None": lambda value: value is None or _is_float(value),
    "int": _is_int,
    "int | None": lambda value: value is None or _is_int(value),
    "str": _is_text,
}


def _check_format(header: dict[str, Any]) -> None:
    version = int(header["format"])
    if not 1 <= version <= FORMAT:
        raise ModelFileError(
            f"format {version} is newer than the {FORMAT} that isthmus {__version__} reads; upgrade isthmus"
        )


def encoded(value: Any) -> Any:
    """Turn a parameter into JSON: tuples, parts and numpy numbers keep their kind."""
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, PurePath):
        return str(value)
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, Real):
        return float(value)
    if isinstance(value, tuple | list | np.ndarray):
        return {"tuple": [encoded(item) for item in value]}
    if isinstance(value, np.random.RandomState):
        return None
    if isinstance(value, type):
        return {"class": value.__name__}
    if dataclasses.is_dataclass(value):
        own = {parameter.name: encoded(getattr(value, parameter.name)) for parameter in parameters_of(value)}
        return {"part": type(value).__name__, "parameters": own}
    raise IsthmusError(f"a model with the parameter {value!r} cannot be saved: parts must be dataclasses")


def _decoded(value: Any, classes: Mapping[str, type]) -> Any:
    if not isinstance(value, dict):
        return value
    if "tuple" in value:
        return tuple(_decoded(item, classes) for item in value["tuple"])
    own = {name: _decoded(item, classes) for name, item in value.get("parameters", {}).items()}
    if "class" in value:
        return _known(value["class"], classes)
    return _known(value["part"], {**_PARTS, **classes})(**own)


def _known(name: str, classes: Mapping[str, type]) -> type:
    if name not in classes:
        raise ModelFileError(f"it uses a class named {name!r}; pass it: load(path, classes=[...])")
    return classes[name]
