"""Column subset selection: the columns from which a linear regression rebuilds all columns best."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_CANDIDATES, _SWEEPS = 2_048, 10


def best_columns(rows: NDArray, count: int) -> NDArray:
    """Choose distinct columns, one after the other and then by exchange, by the variance that they explain.

    The greedy choice takes the column that explains most of what the ones before leave; then each is taken out in
    turn and replaced by the best one in its place, until nothing changes. Of more than 2,048 columns those of the
    largest variance are looked at.

    Parameters
    ----------
    rows : ndarray of shape (n, columns)
        Rows.
    count : int
        How many columns to choose, at most all.

    Returns
    -------
    ndarray of int of shape (count,)
        Their numbers.
    """
    centred = rows - rows.mean(axis=0, dtype=np.float64)
    likely = np.argsort(-centred.var(axis=0), kind="stable")[: max(_CANDIDATES, count)]
    scatter = centred[:, likely].T @ centred[:, likely] / len(rows)
    scatter[np.diag_indices_from(scatter)] += max(1e-9 * scatter.trace() / len(likely), 1e-30)
    chosen = _greedy(scatter, count)
    for _ in range(_SWEEPS):
        if not _exchange(scatter, chosen):
            break
    return likely[chosen]


def _greedy(scatter: NDArray, count: int) -> list[int]:
    residual, chosen = scatter.copy(), list[int]()
    for _ in range(count):
        chosen.append(_best(np.square(residual).sum(axis=0), residual.diagonal(), chosen))
        column = residual[:, chosen[-1]].copy()
        residual -= np.outer(column, column / column[chosen[-1]])
    return chosen


def _exchange(scatter: NDArray, chosen: list[int]) -> bool:
    """Put the best column in the place of each chosen one; True if that changed any."""
    changed = False
    inverse, residual, squares = _left_by(scatter, chosen)
    for place, old in enumerate(chosen):
        # Without this column the residual grows by a rank of one: residual + freed freed' / precision.
        freed, precision = scatter[:, chosen] @ inverse[:, place], inverse[place, place]
        diagonal = residual.diagonal() + freed**2 / precision
        grown = 2 * freed * (residual @ freed) / precision + freed**2 * (freed @ freed) / precision**2
        others = chosen[:place] + chosen[place + 1 :]
        new = _best(squares + grown, diagonal, others, rather=old)
        if new != old:
            chosen[place], changed = new, True
            inverse, residual, squares = _left_by(scatter, chosen)
    return changed


def _left_by(scatter: NDArray, chosen: list[int]) -> tuple[NDArray, NDArray, NDArray]:
    """Give the inverse of the chosen columns' scatter, what they leave of the whole, and its columns' squares."""
    inverse = np.linalg.inv(scatter[np.ix_(chosen, chosen)])
    residual = scatter - scatter[:, chosen] @ inverse @ scatter[chosen]
    return inverse, residual, np.square(residual).sum(axis=0)


def _best(squares: NDArray, diagonal: NDArray, taken: list[int], rather: int | None = None) -> int:
    """Give the column that explains most, sum of squares over variance; ``rather`` unless another is clearly better."""
    gain = squares / np.maximum(diagonal, np.finfo(np.float64).tiny)
    gain[taken] = -np.inf
    best = int(gain.argmax())
    return best if rather is None or gain[best] > (1 + 1e-6) * gain[rather] else rather
