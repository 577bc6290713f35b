"""The lines of an emitted function, and what they need: kernels, and room for numbers."""

from __future__ import annotations

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
    """

    lines: list[str] = field(default_factory=list)
    kernels: set[str] = field(default_factory=set)
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

    def deeper(self, text: str) -> None:
        """Open a block."""
        self.line(text)
        self._depth += 1
