"""What each kind of part must offer. A part is any frozen dataclass that does; it need not inherit."""

from __future__ import annotations

from typing import ClassVar, Protocol

from torch import Generator, Tensor, nn

from isthmus.batches import Latent, Pass


class Network(Protocol):
    """Describes an encoder and a decoder."""

    kind: ClassVar[str]

    def layout(self, row_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Give the shape in which the network sees a row, channels last."""

    def build(self, layout: tuple[int, ...], code_size: int | None, heads: int) -> tuple[nn.Module, nn.Module]:
        """Build encoder and decoder; the encoder gives ``heads`` numbers for each number of the code.

        It is called on torch's meta device: no memory is taken and nothing is drawn.
        """

    def initialise(self, encoder: nn.Module, decoder: nn.Module, generator: Generator) -> None:
        """Draw the weights in place."""


class Layer(Protocol):
    """Describes a layer of `Layers`. Shapes are those of a row and have the channels last."""

    kind: ClassVar[str]

    def shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Give the shape of what comes out; raise `ParameterError` if the layer cannot take ``shape``."""

    def build(self, shape: tuple[int, ...]) -> list[nn.Module]:
        """Make the modules, one after the other, that do it to tensors with the channels first.

        One that draws in training does so in ``draw(values, progress, generator)``, and nowhere else.
        """


class Bottleneck(Protocol):
    """Describes what becomes of the encoder's output.

    One whose derivative is simple offers ``gradient(latent, by_code)``: the derivative by the encoder's output, given
    that by the code.
    """

    kind: ClassVar[str]
    heads: ClassVar[int]
    random: ClassVar[bool]

    def __call__(self, features: Tensor, progress: float = 1.0, generator: Generator | None = None) -> Latent:
        """Turn features into a code; with a generator at random (training), without one at the centre."""


class Corruption(Protocol):
    """Describes what is done to the rows before the encoder sees them in training.

    One that hides cells by setting them to zero offers ``kept(rows, generator)``, ones and zeros: an encoder that sees
    which cells are missing then sees those as missing too.
    """

    kind: ClassVar[str]

    def __call__(self, rows: Tensor, generator: Generator) -> Tensor:
        """Give a corrupted copy of the rows."""


class Reconstruction(Protocol):
    """Describes how a rebuilt row is compared with the row.

    One that learns something offers ``build()``, which gives a module with the same methods. One whose derivative is
    simple offers ``loss_and_gradient(output, rows)``: the loss, and its derivative by the output; those by its own
    parameters it leaves in their ``grad``. Rows with missing cells or weights need ``terms(output, rows)``: the term of
    each cell, whose sum over columns is a row's loss.
    """

    kind: ClassVar[str]

    def check(self, low: float, high: float) -> None:
        """Raise `DataError` if scaled rows within ``low`` and ``high`` cannot be rebuilt with this loss."""

    def loss(self, output: Tensor, rows: Tensor) -> Tensor:
        """Sum over columns, mean over rows."""

    def mean(self, output: Tensor) -> Tensor:
        """Turn the decoder's output into rows."""


class Penalty(Protocol):
    """Describes a term that is added to the loss.

    One that looks at nothing of the networks but their outputs says so with ``local = True``, and trains faster. One
    whose derivative is simple offers ``loss_and_gradient(latent, progress)`` for rows that all count the same: the
    weighted term, and its derivative by the encoder's output.
    """

    kind: ClassVar[str]
    name: ClassVar[str]

    def __call__(self, run: Pass) -> Tensor:
        """Give the weighted term: sum over the parts of a code, mean over rows."""
