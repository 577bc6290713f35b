"""Labels of rows, as commands take them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from isthmus.errors import DataError

HELP = (
    "labels of the rows: a file of one column, auto for the ones that come with mnist and digits, or none "
    "[default: auto]"
)
_SPLITS = {"mnist": "train", "mnist-test": "test"}


def labels_of(labels: str, data: str) -> Any:
    """Read the label of each row; None if there are none.

    Parameters
    ----------
    labels : str
        ``"auto"``, ``"none"``, or a file of one column.
    data : str
        The rows, as the command got them.
    """
    from isthmus.datasets import bundled, read

    if labels == "none" or (labels == "auto" and data not in (*_SPLITS, "digits")):
        return None
    if labels == "auto":
        return bundled.load_digits()[1] if data == "digits" else bundled.load_mnist(_SPLITS[data])[1]
    import numpy as np

    path = Path(labels)
    with bundled.readable(path):
        if bundled.is_idx(path):
            values = bundled.read_idx(path)
        else:
            values = np.load(path, allow_pickle=False) if path.suffix == ".npy" else read(path)
    if values.size != len(values):
        raise DataError(f"--labels must be a file of one column; {path} holds an array of shape {values.shape}")
    return values.reshape(-1)
