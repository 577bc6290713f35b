"""How long a code to take: held-out error against code size, beside PCA."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from isthmus.errors import DivergedError, ParameterError
from isthmus.estimator import BaseAutoencoder
from isthmus.legal import Number, Several
from isthmus.metrics.checks import Seed
from isthmus.principal import LinearAutoencoder
from isthmus.selection.fits import check_model, code_size_of, described
from isthmus.selection.study import Plan, Results, rows_for, study

_SIZES = Several(Number(1, integer=True), shortest=1)
_USUAL = (2, 4, 8, 16, 32)
_CLOSE = 0.01


@dataclass(frozen=True, eq=False)
class Curve:
    """Held-out error against code size.

    Attributes
    ----------
    sizes : ndarray of shape (n_sizes,)
        Numbers in a code, rising.
    error, explained_variance : ndarray of shape (n_sizes,)
        Mean squared error of held-out rows in the units of X, and the share of their variance that is explained:
        means over the splits. NaN where training diverged.
    pca_error, pca_explained_variance : ndarray of shape (n_sizes,)
        The same for as many principal components.
    suggested : int
        The smallest size that is about as good as the best.
    reason : str
        Why, in one sentence.
    standard_error : ndarray of shape (n_sizes,)
        Standard error of ``error`` over the splits; NaN for a single split.
    complete : bool
        False if the study was interrupted; then only sizes that are finished are there.
    """

    sizes: NDArray
    error: NDArray
    explained_variance: NDArray
    pca_error: NDArray
    pca_explained_variance: NDArray
    suggested: int
    reason: str
    standard_error: NDArray
    complete: bool = True

    def rows(self) -> list[dict[str, float]]:
        """Give the curve as a table, one dict for each size, as ``pandas.DataFrame`` and ``csv.DictWriter`` take it.

        Returns
        -------
        list of dict
            With ``code_size``, ``error``, ``standard_error``, ``explained_variance``, ``pca_error`` and
            ``pca_explained_variance``.
        """
        names = ("error", "standard_error", "explained_variance", "pca_error", "pca_explained_variance")
        return [
            {"code_size": int(size)} | {name: float(getattr(self, name)[i]) for name in names}
            for i, size in enumerate(self.sizes)
        ]


def code_size_curve(
    model: BaseAutoencoder,
    X: Any,
    sizes: Iterable[int] | None = None,
    *,
    cv: Any = None,
    n_jobs: int | None = None,
    random_state: Seed = None,
    verbose: bool = False,
    checkpoint: str | Path | None = None,
) -> Curve:
    """Measure how well held-out rows are rebuilt with codes of different sizes, and suggest a size.

    For each size and split a clone of the model is fitted on the split's training rows (of which it may hold out its
    own ``validation_fraction`` to find its best epoch) and measured on the others, as is PCA. Suggested is the
    smallest size whose mean error is at most the lowest mean error plus the standard error of that one over the
    splits (the rule of Breiman et al., "Classification and regression trees", 1984), or with a single split plus 1 %
    of it. Ctrl-C ends the study with what is finished.

    Parameters
    ----------
    model : autoencoder
        What is cloned; its own ``code_size`` does not matter.
    X : array-like of shape (n, columns), (n, height, width) or (n, height, width, channels)
        Rows.
    sizes : iterable of int, default=None
        Code sizes, in any order; None is those of 2, 4, 8, 16 and 32 that are below the number of columns.
    cv : int, splitter or iterable, default=None
        As for scikit-learn's ``cross_validate``; None is one shuffled split with 20 % of the rows held out.
    n_jobs : int or None, default=None
        Fits at a time, as everywhere in scikit-learn; each gets its share of the cores.
    random_state : int, RandomState or None, default=None
        Seed of the split where ``cv`` is None; the chance of a fit is that of the model's own ``random_state``.
    verbose : bool, default=False
        Whether to show a progress bar of the fits.
    checkpoint : str, Path or None, default=None
        A JSON file that keeps each finished fit; the same call goes on from it, and it may ask for other sizes.

    Returns
    -------
    Curve
        Errors and explained variances by size, for the model and for PCA, and the suggestion.

    Raises
    ------
    ParameterError
        If a parameter is not legal.
    DataError
        If X cannot be used, or the file of ``checkpoint`` is of other data, another model or other splits.

    Warns
    -----
    ConvergenceWarning
        If it was interrupted.
    FitFailedWarning
        If a fit diverged.

    Examples
    --------
    >>> import isthmus
    >>> X, _ = isthmus.datasets.load_digits()
    >>> model = isthmus.DenseAutoencoder(max_epochs=2, random_state=0)
    >>> curve = isthmus.selection.code_size_curve(model, X, sizes=(2, 8), random_state=0)
    >>> curve.suggested
    8
    >>> curve.pca_explained_variance.round(2)
    array([0.26, 0.66])
    """
    check_model("model", model)
    plan = Plan(cv, n_jobs, random_state, verbose, checkpoint)
    plan.check()
    rows = rows_for(model, X)
    columns = math.prod(rows.shape[1:])
    wanted = _checked_sizes(sizes, columns)
    models: dict[str, BaseAutoencoder] = {}
    for size in wanted:
        models[_name("PCA ", size)] = LinearAutoencoder(min(size, columns))
        models[_name("", size)] = clone(model).set_params(code_size=size)
        code_size_of(models[_name("", size)], rows)
    what = f"code_size_curve of {described(model, without=('code_size',))}"
    return _curve(wanted, study(what, models, rows, None, plan))


def _checked_sizes(sizes: Any, columns: int) -> list[int]:
    if sizes is None:
        return [size for size in _USUAL if size < columns] or [1]
    found = list(sizes) if isinstance(sizes, Iterable) and not isinstance(sizes, str) else sizes
    if not _SIZES.accepts(found):
        raise ParameterError(f"sizes must be one or more integers of at least 1, or None; got {sizes!r}")
    return sorted({int(size) for size in found})


def _name(kind: str, size: int) -> str:
    return f"{kind}code_size={size}"


def _curve(sizes: list[int], results: Results) -> Curve:
    """Average over the splits, and suggest a size."""
    places, splits = results.whole([(_name("", size), _name("PCA ", size)) for size in sizes])
    kept = [sizes[place] for place in places]
    names, pca = [_name("", size) for size in kept], [_name("PCA ", size) for size in kept]
    errors, pca_error = results.values("error", names, splits), results.values("error", pca, splits).mean(axis=1)
    spread = errors.std(axis=1, ddof=1) / math.sqrt(len(splits)) if len(splits) > 1 else np.full(len(kept), math.nan)
    means = errors.mean(axis=1)
    if np.isnan(means).all():
        raise DivergedError("training diverged at every size; lower learning_rate or set clip_gradient=1.0")
    place, reason = _suggestion(np.array(kept), means, spread, pca_error, len(splits))
    return Curve(
        np.array(kept),
        means,
        results.values("explained_variance", names, splits).mean(axis=1),
        pca_error,
        results.values("explained_variance", pca, splits).mean(axis=1),
        kept[place],
        reason,
        spread,
        results.complete,
    )


def _suggestion(sizes: NDArray, error: NDArray, spread: NDArray, pca: NDArray, n_splits: int) -> tuple[int, str]:
    """Find the place of the smallest size that is about as good as the best, and say why."""
    best = int(np.nanargmin(error))
    margin = spread[best] if n_splits > 1 else _CLOSE * error[best]
    place = int(np.argmax(error <= error[best] + margin))
    close = (
        f"one standard error over {n_splits} splits ({margin:.2g}) of"
        if n_splits > 1
        else "1 % (there is one split) of"
    )
    if place == best:
        words = f"{sizes[place]} has the lowest held-out error, {error[place]:.4g}"
        words += f", and no smaller size is within {close} it" if place else ""
    else:
        words = f"{sizes[place]} is the smallest size whose held-out error, {error[place]:.4g}, is within {close} "
        words += f"the lowest, {error[best]:.4g} at {sizes[best]}"
    beats = "beats" if error[place] < pca[place] else "does not beat"
    words += f"; there the model {beats} PCA, whose error is {pca[place]:.4g}"
    if place == len(sizes) - 1:
        words += "; it is the largest size that was measured, and a larger one may be better"
    return place, words
