"""The examination of a fitted model on some rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from isthmus.errors import DataError
from isthmus.health import data, fit, units
from isthmus.health.findings import SEVERITIES, Finding, Look
from isthmus.legal import Number
from isthmus.metrics.checks import check_parameter
from isthmus.reference import errors_of
from isthmus.rows import Rows
from isthmus.sources import ArrayRows, BatchRows, Source, head_of
from isthmus.sources.protocol import spaced
from isthmus.validation import checked_source

_MOST_CELLS = 2**25
Check = Callable[[Look], Iterator[Finding]]
_OF_ROWS: tuple[Check, ...] = (data.out_of_range, data.narrow_range, data.drift, data.few_rows)
_OF_UNITS: tuple[Check, ...] = (units.collapsed, units.dead, units.duplicate, units.saturated)
_OF_HISTORY: tuple[Check, ...] = (fit.still_learning, fit.learned_by_heart, fit.trained_too_long)
_OF_FIT: tuple[Check, ...] = (fit.no_better_than_the_mean, fit.worse_than_pca)


def examine(model: Any, X: Any, n_samples: int = 10_000) -> list[Finding]:
    """Examine a fitted autoencoder on some rows: its code, its fit, and whether the rows are like those of training.

    Parameters
    ----------
    model : estimator
        A fitted autoencoder of this package, of any variant.
    X : array-like of shape (n, ...)
        Rows of any kind that `transform` takes, in the shape that was fitted.
    n_samples : int, default=10_000
        How many rows are looked at, at most; they are spread over all, and fewer where rows are long.

    Returns
    -------
    list of Finding
        What is not as it should be, the serious first; an empty list is a healthy model.

    Raises
    ------
    NotFittedError
        If the model is not fitted.
    DataError
        If X is not of rows that were fitted.

    Notes
    -----
    Dead, duplicate, collapsed and saturated units are told from the codes of these rows. Underfit is an error above
    that of PCA with as many numbers (fitted on every other row, measured on the rest, in scaled units), rows rebuilt
    hardly better than by their mean (both looked for only where the rows are like those of training), or an error that
    was still falling when training ended; overfit is told from ``history_``. Rows are out of range where a cell is
    beyond the range of training by a quarter of it. Drift is a mean error, in scaled units, above that of
    ``reference_`` by a fifth and by four standard errors.

    Examples
    --------
    >>> import isthmus
    >>> X, _ = isthmus.datasets.load_digits()
    >>> model = isthmus.LinearAutoencoder(8).fit(X)
    >>> isthmus.health.examine(model, X)
    []
    >>> [finding.what for finding in isthmus.health.examine(model, X / 255)]
    ['drift', 'narrow_range']
    """
    check_is_fitted(model)
    check_parameter("n_samples", n_samples, Number(1, integer=True))
    rows = _some(checked_source(model, X, reset=False), n_samples)
    with np.errstate(all="ignore"):
        look = _look(model, rows)
        found = _made(_OF_ROWS, look)
        alike = not any(finding.severity == "serious" or finding.what == "narrow_range" for finding in found)
        found += _made(_OF_UNITS + _OF_HISTORY + (_OF_FIT if alike else ()), look)
    return sorted(found, key=lambda finding: SEVERITIES.index(finding.severity))


def _made(checks: tuple[Check, ...], look: Look) -> list[Finding]:
    return [finding for check in checks for finding in check(look)]


def _some(source: Source, n_samples: int) -> NDArray:
    """Read some rows, spread over all where these can be reached."""
    most = max(1, min(n_samples, _MOST_CELLS // max(1, int(np.prod(source.row_shape)))))
    if isinstance(source, BatchRows):
        return head_of(source, most)
    return spaced(source, np.arange(source.pieces.count), most)


def _look(model: Any, rows: NDArray) -> Look:
    codec = model._codec()
    shown = Rows(ArrayRows(rows), model.schema_, model.scaling_, codec.device, rows.dtype.kind == "f")
    scaled = np.concatenate(
        [batch.rows.movedim(1, -1).flatten(1).cpu().numpy() for batch in shown.batches(shown.every(), 1024)]
    )
    codes = np.concatenate(list(codec.encoded([rows])))
    if not np.isfinite(codes).all():
        place = int(np.argwhere(~np.isfinite(codes))[0][0])
        raise DataError(f"X has cells so large that row {place} of those looked at has no finite code; check its units")
    return Look(model, rows, scaled, codes, errors_of(codec.module, shown, rows))
