"""How well rows are rebuilt."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray


def mean_squared_errors(rows: NDArray, rebuilt: NDArray) -> NDArray:
    """Mean squared error of each row.

    Parameters
    ----------
    rows, rebuilt : ndarray of shape (n, ...)
        Rows and what a model made of them, in the same units.

    Returns
    -------
    ndarray of shape (n,)
        Squared differences, averaged over the columns of the row.

    Examples
    --------
    >>> import numpy as np
    >>> from isthmus.metrics import mean_squared_errors
    >>> mean_squared_errors(np.array([[0.0, 2.0]]), np.array([[0.0, 0.0]]))
    array([2.])
    """
    difference = rows.reshape(len(rows), -1).astype(np.float64) - rebuilt.reshape(len(rows), -1)
    return np.square(difference, out=difference).mean(axis=1)


def explained_variance(pairs: Iterable[tuple[NDArray, NDArray]]) -> float:
    """Fraction of the variance of rows that their reconstructions explain.

    It is 1 - sum (x - y)^2 / sum (x - mean)^2 over all rows and columns, with each column's own mean: 1 is
    perfect, 0 is as good as the mean, and a projection on principal components scores the sum of their
    ``explained_variance_ratio_`` on the rows they were fitted on. Where every column varies it
    equals scikit-learn's ``r2_score(..., multioutput="variance_weighted")``.

    Parameters
    ----------
    pairs : iterable of (rows, rebuilt)
        Batches of rows, each with its reconstruction.

    Returns
    -------
    float
        The fraction. Where the rows do not vary it is 1 if they are rebuilt without error, else 0.

    Examples
    --------
    >>> import numpy as np
    >>> from isthmus.metrics import explained_variance
    >>> rows = np.array([[0.0], [1.0], [2.0]])
    >>> explained_variance([(rows, rows)])
    1.0
    >>> explained_variance([(rows, np.ones((3, 1)))])
    0.0
    """
    count, mean, scatter, error = 0, np.zeros(1), 0.0, 0.0
    for rows, rebuilt in pairs:
        columns = rows.reshape(len(rows), -1).astype(np.float64)
        error += float(np.square(columns - rebuilt.reshape(columns.shape)).sum())
        batch_mean = columns.mean(axis=0)
        total = count + len(columns)
        scatter += float(np.square(columns - batch_mean).sum())
        scatter += float(np.square(batch_mean - mean).sum()) * count * len(columns) / total
        mean = mean + (batch_mean - mean) * len(columns) / total
        count = total
    if scatter == 0:
        return 1.0 if error == 0 else 0.0
    return 1 - error / scatter


def mean_active_units(codes: NDArray) -> float:
    """Mean number of units of a code that are not zero, over rows.

    Parameters
    ----------
    codes : ndarray of shape (n, units)
        Codes of rows.

    Returns
    -------
    float
        0 to the number of units.

    Examples
    --------
    >>> import numpy as np
    >>> from isthmus.metrics import mean_active_units
    >>> mean_active_units(np.array([[0.0, 1.0], [2.0, 1.0]]))
    1.5
    """
    return float(np.count_nonzero(codes, axis=1).mean())


def dead_fraction(codes: NDArray) -> float:
    """Share of the units that are the same for every row, zero as a rule.

    Parameters
    ----------
    codes : ndarray of shape (n, units)
        Codes of rows.

    Returns
    -------
    float
        0 to 1.

    Examples
    --------
    >>> import numpy as np
    >>> from isthmus.metrics import dead_fraction
    >>> dead_fraction(np.array([[0.0, 1.0], [0.0, 2.0]]))
    0.5
    """
    return float((np.ptp(codes, axis=0) == 0).mean())
