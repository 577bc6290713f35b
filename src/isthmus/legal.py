"""Which values a hyper-parameter may take, how to say so, and how to read them from a command line."""

from __future__ import annotations

import math
from dataclasses import dataclass
from numbers import Integral, Real
from pathlib import PurePath
from typing import Any, Protocol

_TOO_LARGE = 2**63


class Legal(Protocol):
    """What values a parameter may take: ``str()`` of it says so in words."""

    def accepts(self, value: Any) -> bool:
        """Whether ``value`` is legal."""

    def parse(self, text: str) -> Any:
        """Read a value from the command line; `ValueError` if the text is none."""


@dataclass(frozen=True)
class Number:
    """A finite number between bounds; an open bound is not itself legal."""

    low: float = -math.inf
    high: float = math.inf
    integer: bool = False
    open: bool = False
    odd: bool = False

    def accepts(self, value: Any) -> bool:
        """Whether ``value`` is a number within the bounds."""
        if isinstance(value, bool) or not isinstance(value, Integral if self.integer else Real):
            return False
        if isinstance(value, Integral) and abs(int(value)) >= _TOO_LARGE:
            return False
        number = float(value)
        if not math.isfinite(number) or (self.odd and number % 2 != 1):
            return False
        return self.low < number < self.high if self.open else self.low <= number <= self.high

    def parse(self, text: str) -> float | int:
        """Read an integer or a decimal number."""
        return int(text) if self.integer else float(text)

    def __str__(self) -> str:
        noun = ("an odd integer" if self.odd else "an integer") if self.integer else "a number"
        low, high = f"{self.low:g}", f"{self.high:g}"
        if math.isinf(self.low) and math.isinf(self.high):
            return noun
        if math.isinf(self.high):
            return f"{noun} above {low}" if self.open else f"{noun} of at least {low}"
        brackets = "()" if self.open else "[]"
        return f"{noun} in {brackets[0]}{low}, {high}{brackets[1]}"


@dataclass(frozen=True)
class OneOf:
    """One of some words."""

    choices: tuple[str, ...]

    def accepts(self, value: Any) -> bool:
        """Whether ``value`` is one of the words."""
        return isinstance(value, str) and value in self.choices

    def parse(self, text: str) -> str:
        """Take the text as it is; `check` refuses an unknown word."""
        return text

    def __str__(self) -> str:
        return " | ".join(f'"{choice}"' for choice in self.choices)


@dataclass(frozen=True)
class Flag:
    """True or False."""

    def accepts(self, value: Any) -> bool:
        """Whether ``value`` is a truth value."""
        return isinstance(value, bool)

    def parse(self, text: str) -> bool:
        """Read ``true`` or ``false``."""
        words = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
        if text.lower() not in words:
            raise ValueError(text)
        return words[text.lower()]

    def __str__(self) -> str:
        return "True or False"


@dataclass(frozen=True)
class Several:
    """A sequence of values that are legal one by one."""

    item: Number
    shortest: int = 0
    longest: float = math.inf

    def accepts(self, value: Any) -> bool:
        """Whether ``value`` is a tuple or list of legal items."""
        if not isinstance(value, tuple | list) and getattr(value, "ndim", 0) != 1:
            return False
        return self.shortest <= len(value) <= self.longest and all(self.item.accepts(item) for item in value)

    def parse(self, text: str) -> tuple[float | int, ...]:
        """Read items with commas between them; ``none`` or nothing is the empty sequence."""
        if text.strip().lower() == "none":
            return ()
        return tuple(self.item.parse(item) for item in text.split(",") if item.strip())

    def __str__(self) -> str:
        size = f"{self.shortest} to {self.longest} of them" if math.isfinite(self.longest) else "any number of them"
        return f"a tuple ({size}), each {self.item}"


@dataclass(frozen=True)
class PartOf:
    """A part of an autoencoder: an object whose class names itself with ``kind``."""

    kind: str
    several: bool = False

    def accepts(self, value: Any) -> bool:
        """Whether ``value`` is a part of this kind, or a tuple of them."""
        if self.several:
            return isinstance(value, tuple | list) and all(self._is_part(part) for part in value)
        return self._is_part(value)

    def _is_part(self, value: Any) -> bool:
        return getattr(value, "kind", None) == self.kind and not isinstance(value, type)

    def parse(self, text: str) -> Any:
        """Refuse: parts are for Python, not for the command line."""
        raise ValueError(text)

    def __str__(self) -> str:
        return f"a tuple of {self.kind} parts" if self.several else f"a {self.kind} part"


@dataclass(frozen=True)
class RandomState:
    """What scikit-learn takes for a random state."""

    def accepts(self, value: Any) -> bool:
        """Whether ``value`` is a seed or a ``numpy.random.RandomState``."""
        return Number(0, 2**32 - 1, integer=True).accepts(value) or type(value).__name__ == "RandomState"

    def parse(self, text: str) -> int:
        """Read a seed."""
        return int(text)

    def __str__(self) -> str:
        return "an integer in [0, 2**32 - 1] or a numpy RandomState"


@dataclass(frozen=True)
class PathLike:
    """A path."""

    def accepts(self, value: Any) -> bool:
        """Whether ``value`` is a path or the text of one."""
        return isinstance(value, str | PurePath) and str(value) != ""

    def parse(self, text: str) -> str:
        """Take the text as it is."""
        return text

    def __str__(self) -> str:
        return "a path"


@dataclass(frozen=True)
class ModuleClass:
    """A class of torch modules."""

    def accepts(self, value: Any) -> bool:
        """Whether ``value`` is a class whose instances are modules."""
        return isinstance(value, type) and any(base.__name__ == "Module" for base in value.__mro__)

    def parse(self, text: str) -> Any:
        """Refuse: classes are for Python, not for the command line."""
        raise ValueError(text)

    def __str__(self) -> str:
        return "a class of torch modules"


@dataclass(frozen=True)
class Either:
    """Legal in one of two ways."""

    first: Legal
    second: Legal

    def accepts(self, value: Any) -> bool:
        """Whether one of the two accepts ``value``."""
        return self.first.accepts(value) or self.second.accepts(value)

    def parse(self, text: str) -> Any:
        """Read the text the first way."""
        return self.first.parse(text)

    def __str__(self) -> str:
        return f"{self.first} or {self.second}"
