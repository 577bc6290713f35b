"""The lines of an emitted function, and the kernels that they call."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Body:
    """Lines of an emitted function.

    Attributes
    ----------
    lines : list of str
        The lines, with their indentation.
    kernels : set of str
        Names of the kernels that they call.
    written : dict of str to str
        The texts of those among them that are written for this network.
    """

    lines: list[str] = field(default_factory=list)
    kernels: set[str] = field(default_factory=set)
    written: dict[str, str] = field(default_factory=dict)
    _depth: int = 1

    def comment(self, text: str) -> None:
        """Add a comment."""
        self.line(f"# {text}")

    def line(self, text: str) -> None:
        """Add a line."""
        self.lines.append("    " * self._depth + text)

    def call(self, kernel: str, *arguments: Any) -> None:
        """Add a call of a kernel; tuples among its arguments are several of them."""
        self.line(self.called(kernel, *arguments))

    def called(self, kernel: str, *arguments: Any) -> str:
        """Give the text of a call."""
        self.kernels.add(kernel)
        several = (own if isinstance(own, tuple) else (own,) for own in arguments)
        return f"{kernel}({', '.join(str(value) for own in several for value in own)})"

    def own(self, stem: str, text: str) -> str:
        """Take the text of a kernel whose name is left open, and give it a name by what it says."""
        name = f"{stem}_{zlib.crc32(text.encode()):08x}"
        self.written[name] = text.format(name=name)
        return name

    def deeper(self, text: str) -> None:
        """Open a block."""
        self.line(text)
        self._depth += 1
