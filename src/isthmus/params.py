"""One line declares a hyper-parameter: default, legal values, meaning.

From that line come the signature (a dataclass field), the documentation (`documented`), the error message
(`check`) and the command-line flag (`parameters_of`). This module imports nothing heavy, so that help
texts answer at once.
"""

from __future__ import annotations

import dataclasses
import inspect
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeVar, dataclass_transform

from isthmus.errors import ParameterError
from isthmus.legal import Legal

T = TypeVar("T")


@dataclass(frozen=True)
class Param:
    """A declared hyper-parameter."""

    name: str
    default: Any
    legal: Legal
    help: str
    none: str

    def check(self, value: Any, owner: str) -> None:
        """Raise `ParameterError` in one sentence unless ``value`` is legal."""
        if (value is None and self.none) or (value is not None and self.legal.accepts(value)):
            return
        alternative = f", or None for {self.none}" if self.none else ""
        raise ParameterError(f"{owner}: {self.name} must be {self.legal}{alternative}; got {value!r}")

    def describe(self) -> str:
        """Give the legal values and the default in words."""
        alternative = f", or None for {self.none}" if self.none else ""
        return f"{self.legal}{alternative}"


def param(default: Any, legal: Legal, help: str, *, none: str = "", positional: bool = False) -> Any:
    """Declare a hyper-parameter as a dataclass field.

    Parameters
    ----------
    default : object
        The default value.
    legal : Legal
        The legal values.
    help : str
        The meaning, one sentence with units.
    none : str, default=""
        What None stands for; empty if None is not legal.
    positional : bool, default=False
        Whether it may be given by position.
    """
    metadata = {"param": (legal, help, none)}
    return dataclasses.field(default=default, metadata=metadata, kw_only=not positional)


def like(owner: Any, name: str, **changes: Any) -> Any:
    """Declare a hyper-parameter exactly as the class ``owner`` declares it, with ``changes`` to the field."""
    field = next(field for field in dataclasses.fields(owner) if field.name == name)
    settings: dict[str, Any] = {
        "default": field.default,
        "metadata": field.metadata,
        "kw_only": field.kw_only,
    } | changes
    return dataclasses.field(**settings)


def parameters_of(owner: Any) -> Iterator[Param]:
    """Yield the declared parameters of a dataclass or of an instance, in the order of its signature."""
    fields = [field for field in dataclasses.fields(owner) if "param" in field.metadata]
    for field in sorted(fields, key=lambda field: bool(field.kw_only)):
        yield Param(field.name, field.default, *field.metadata["param"])


def check(owner: Any) -> None:
    """Raise `ParameterError` for the first parameter of ``owner`` that is not legal."""
    for parameter in parameters_of(owner):
        parameter.check(getattr(owner, parameter.name), type(owner).__name__)


def documented(cls: type[T]) -> type[T]:
    """Put a numpydoc section ``Parameters``, made from the declarations, behind the summary of a class."""
    lines = []
    for parameter in parameters_of(cls):
        lines.append(f"{parameter.name} : {parameter.describe()}, default={parameter.default!r}")
        lines.extend(textwrap.wrap(parameter.help, 96, initial_indent="    ", subsequent_indent="    "))
    text = inspect.cleandoc(cls.__doc__ or "")
    heads = (text.find(f"\n\n{name}\n---") for name in ("Attributes", "References", "Examples"))
    cut = min((place for place in heads if place >= 0), default=len(text))
    if lines:
        cls.__doc__ = "\n".join([text[:cut], "", "Parameters", "----------", *lines]) + text[cut:]
    return cls


@dataclass_transform(frozen_default=True)
def part(cls: type[T]) -> type[T]:
    """Make a class a part: a frozen dataclass that checks its parameters when it is made.

    The class names what it is for in ``kind``: ``"network"``, ``"layer"``, ``"bottleneck"``,
    ``"corruption"``, ``"reconstruction"`` or ``"penalty"``.
    """
    cls.__post_init__ = check  # type: ignore[attr-defined]
    return documented(dataclass(frozen=True)(cls))
