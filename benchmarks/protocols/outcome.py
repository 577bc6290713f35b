"""What a protocol gives, and the rows that it works on."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isthmus.datasets import load_mnist


@dataclass(frozen=True)
class Outcome:
    """What a protocol measured, what its paper says, and whether the bar is reached."""

    published: str
    measured: str
    bar: str
    reached: bool
    differences: str


def mnist() -> tuple[NDArray, NDArray, NDArray, NDArray]:
    """Give training rows and labels, test rows and labels; rows are flat float32 within [0, 1]."""
    (X, y), (T, t) = load_mnist(), load_mnist("test")
    return X.reshape(-1, 784).astype(np.float32) / 255, y, T.reshape(-1, 784).astype(np.float32) / 255, t
