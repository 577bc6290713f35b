"""How feature maps lie in memory, and where the taps of a kernel fall on them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

_VECTOR = 8
Offset = tuple[int, int]


@dataclass(frozen=True)
class Planes:
    """Planes of one size, with gaps of zeros between their lines and margins of zeros above and below.

    Attributes
    ----------
    channels, height, width : int
        How many planes, and the numbers in them. A flat vector is one plane of one line.
    gap_y, gap_x : int
        How far a kernel may look beyond the edges.
    """

    channels: int
    height: int
    width: int
    gap_y: int = 0
    gap_x: int = 0

    @property
    def numbers(self) -> int:
        """Numbers in all planes, without the gaps."""
        return self.channels * self.height * self.width

    @property
    def flat(self) -> bool:
        """Whether this may be a vector."""
        return self.channels == 1 and self.height == 1 and self.gap_x == 0

    @property
    def stride(self) -> int:
        """Distance of lines: the gap behind a line is the one before the next, too. Whole vectors, if they are near."""
        needed = self.width + self.gap_x
        even = -(-needed // _VECTOR) * _VECTOR
        return even if self.gap_x and even - needed <= needed // 8 else needed

    @property
    def start(self) -> int:
        """Where the first line begins: at a whole vector."""
        return -(-(self.gap_y * self.stride + self.gap_x) // _VECTOR) * _VECTOR

    @property
    def step(self) -> int:
        """Distance of planes: lines, margins, and what a run takes beyond its end."""
        return -(-((self.height + self.gap_y) * self.stride + self.start + self.gap_x + _VECTOR) // _VECTOR) * _VECTOR

    @property
    def run(self) -> int:
        """Numbers from the first to the last of a plane, the gaps among them included, and some more: whole vectors."""
        return -(-((self.height - 1) * self.stride + self.width) // _VECTOR) * _VECTOR

    @property
    def size(self) -> int:
        """Numbers to make room for."""
        return self.channels * self.step

    def place(self, offset: Offset) -> int:
        """Where a loop over the run begins that sees each number's neighbour at an offset."""
        return self.start + offset[0] * self.stride + offset[1]

    def places(self, offsets: Iterable[Offset]) -> list[int]:
        """Give `place` of some offsets."""
        return [self.place(offset) for offset in offsets]

    @property
    def runs(self) -> tuple[int, int, int, int]:
        """Arguments of kernels that go through runs."""
        return self.start, self.step, self.channels, self.run

    @property
    def lines(self) -> tuple[int, int, int]:
        """Arguments of kernels that go through lines."""
        return self.start, self.step, self.stride

    @property
    def frame(self) -> tuple[int, ...]:
        """Arguments of kernels that go through lines and have no other way to know their number and length."""
        return (*self.lines, self.channels, self.height, self.width)

    @property
    def row_order(self) -> tuple[int, int, int]:
        """Steps from channel to channel, line to line and column to column in a row with the channels last."""
        return 1, self.width * self.channels, self.channels

    @property
    def channels_first(self) -> tuple[int, int, int]:
        """The same in a row with the channels first."""
        return self.height * self.width, self.width, 1


def taps(height: int, width: int) -> list[Offset]:
    """Give the offsets of a kernel's taps from its centre."""
    return [(y - height // 2, x - width // 2) for y in range(height) for x in range(width)]


def sides(size: int, factor: int) -> tuple[list[list[int]], list[list[list[float]]]]:
    """Tell how a kernel on up-sampled lines acts on the small ones.

    Parameters
    ----------
    size : int
        Taps of the kernel, odd.
    factor : int
        How many lines a small one becomes, 1 or 2.

    Returns
    -------
    offsets : list of list of int
        For each of these lines, the small ones that it sees, as many for each.
    sums : list of list of list of float
        For each of these lines and each small one that it sees, 1 for the taps that fall on it and 0 for the others.

    Examples
    --------
    >>> sides(3, 2)[0]
    [[-1, 0], [0, 1]]
    """
    offsets, sums = [], []
    for line in range(factor):
        falls = [(line + tap - size // 2) // factor for tap in range(size)]
        seen = sorted({*falls})
        offsets.append(seen)
        sums.append([[float(fall == small) for fall in falls] for small in seen])
    return offsets, sums
