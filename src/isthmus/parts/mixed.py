"""The loss of mixed tables: numbers, booleans and categories each have their own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from isthmus.parts.reconstructions import Bernoulli, SquaredError

_LEAST = 1e-4
Blocks = tuple[Tensor, Tensor, tuple[Tensor, ...]]


@dataclass(frozen=True)
class Mixed:
    """Numbers by any loss, booleans by Bernoulli's, categories by the cross-entropy over theirs; all in one sum.

    Attributes
    ----------
    of_numbers : Reconstruction
        The loss of the numbers.
    numbers, booleans : int
        How many there are; their cells come first.
    widths : tuple of int
        Cells of each category, which come behind them.
    """

    kind: ClassVar[str] = "reconstruction"

    of_numbers: Any
    numbers: int
    booleans: int
    widths: tuple[int, ...]

    def build(self) -> nn.Module:
        """Give the module that sums the losses; it is a likelihood where that of the numbers is."""
        own = self.of_numbers if self.numbers else SquaredError()
        own = own.build() if hasattr(own, "build") else own
        return (_Likelihoods if hasattr(own, "log_likelihood") or not self.numbers else _Losses)(self, own)

    def check(self, low: float, high: float) -> None:
        """Refuse numbers that their loss refuses."""
        if self.numbers:
            self.of_numbers.check(low, high)


class _Losses(nn.Module):
    """The losses of the blocks of a row."""

    def __init__(self, part: Mixed, of_numbers: Any) -> None:
        super().__init__()
        self._part, self.of_numbers = part, of_numbers

    def reset_parameters(self) -> None:
        """Give what the loss of the numbers learns its first value."""
        if hasattr(self.of_numbers, "reset_parameters"):
            self.of_numbers.reset_parameters()

    def _blocks(self, cells: Tensor) -> Blocks:
        numbers, booleans, *categories = cells.split(
            [self._part.numbers, self._part.booleans, *self._part.widths], dim=-1
        )
        return numbers, booleans, tuple(categories)

    def _each(
        self, cells: Tensor, numbers: Callable[[Tensor], Tensor], booleans: Any, category: Callable[[Tensor], Tensor]
    ) -> Tensor:
        """Change each block in its way."""
        first, second, others = self._blocks(cells)
        return torch.cat([numbers(first), booleans(second), *map(category, others)], dim=-1)

    def terms(self, output: Tensor, rows: Tensor) -> Tensor:
        """Give the term of each cell; those of a category add up to its cross-entropy."""
        numbers, booleans, categories = self._blocks(rows)
        first, second, others = self._blocks(output)
        own = [-there * logits.log_softmax(dim=-1) for there, logits in zip(categories, others, strict=True)]
        return torch.cat([self.of_numbers.terms(first, numbers), Bernoulli().terms(second, booleans), *own], dim=-1)

    def named(self, terms: Tensor) -> dict[str, Tensor]:
        """Tell the terms of numbers, booleans and categories apart."""
        numbers, booleans, categories = self._blocks(terms)
        found = {"numbers": numbers, "booleans": booleans}
        if categories:
            found["categories"] = torch.cat(categories, dim=-1)
        return {name: own for name, own in found.items() if own.shape[-1]}

    def loss(self, output: Tensor, rows: Tensor) -> Tensor:
        """Sum over columns, mean over rows."""
        return self.terms(output, rows).sum() / len(rows)

    def mean(self, output: Tensor) -> Tensor:
        """Turn logits into probabilities, and numbers as their loss does."""
        return self._each(output, self.of_numbers.mean, torch.sigmoid, lambda own: own.softmax(dim=-1))

    def link(self, mean: Tensor) -> Tensor:
        """Give the output whose `mean` is the mean of some rows."""
        return self._each(
            mean,
            lambda own: own,
            lambda own: torch.logit(own, eps=_LEAST),
            lambda own: own.clamp_min(_LEAST).log(),
        )


class _Likelihoods(_Losses):
    """Losses that are negative log-likelihoods, all of them."""

    def log_likelihood(self, output: Tensor, rows: Tensor) -> Tensor:
        """Log-probability or log-density of each row, in nats."""
        return -self.terms(output, rows).sum(dim=-1)
