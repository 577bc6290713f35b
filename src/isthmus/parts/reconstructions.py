"""Reconstruction losses: sum over columns, mean over rows."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor
from torch.nn import functional

from isthmus.errors import DataError
from isthmus.params import Number, param, part
from isthmus.parts.protocols import Reconstruction


class _OnRows:
    """The decoder's output is the row itself; any row can be rebuilt."""

    def check(self, low: float, high: float) -> None:
        """Accept rows of any range."""

    def mean(self, output: Tensor) -> Tensor:
        """Give the output as it is."""
        return output


@part
class SquaredError(_OnRows):
    """Squared error, the sum of (x - y)^2."""

    kind: ClassVar[str] = "reconstruction"

    def loss(self, output: Tensor, rows: Tensor) -> Tensor:
        """Sum over columns, mean over rows."""
        return functional.mse_loss(output, rows, reduction="sum") / len(rows)


@part
class AbsoluteError(_OnRows):
    """Absolute error, the sum of |x - y|."""

    kind: ClassVar[str] = "reconstruction"

    def loss(self, output: Tensor, rows: Tensor) -> Tensor:
        """Sum over columns, mean over rows."""
        return functional.l1_loss(output, rows, reduction="sum") / len(rows)


@part
class Huber(_OnRows):
    """Huber's error: (x - y)^2 / 2 up to ``delta``, then delta (|x - y| - delta / 2)."""

    kind: ClassVar[str] = "reconstruction"

    delta: float = param(1.0, Number(0, open=True), "Error from which on it counts linearly.", positional=True)

    def loss(self, output: Tensor, rows: Tensor) -> Tensor:
        """Sum over columns, mean over rows."""
        return functional.huber_loss(output, rows, reduction="sum", delta=self.delta) / len(rows)


@part
class Bernoulli:
    """Cross-entropy of rows within [0, 1] and the sigmoid of the output, in nats.

    For values that are not 0 or 1 its floor is not zero but the rows' own entropy.
    """

    kind: ClassVar[str] = "reconstruction"

    def check(self, low: float, high: float) -> None:
        """Refuse rows outside [0, 1]."""
        if low < 0 or high > 1:
            raise DataError(
                f"reconstruction='bernoulli' needs rows within [0, 1] after scaling, but they reach from {low:.6g} "
                f"to {high:.6g}; take scaling='minmax' or reconstruction='squared'"
            )

    def loss(self, output: Tensor, rows: Tensor) -> Tensor:
        """Sum over columns, mean over rows."""
        return functional.binary_cross_entropy_with_logits(output, rows, reduction="sum") / len(rows)

    def mean(self, output: Tensor) -> Tensor:
        """Turn logits into probabilities."""
        return output.sigmoid()


BY_NAME: dict[str, Reconstruction] = {
    "squared": SquaredError(),
    "bernoulli": Bernoulli(),
    "absolute": AbsoluteError(),
    "huber": Huber(),
}
