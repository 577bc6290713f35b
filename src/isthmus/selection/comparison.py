"""Which autoencoder to take: variants on the same split, beside PCA."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from isthmus.errors import ParameterError
from isthmus.estimator import BaseAutoencoder
from isthmus.metrics.checks import Seed
from isthmus.principal import LinearAutoencoder
from isthmus.selection.fits import check_model, code_size_of
from isthmus.selection.splits import classes_of
from isthmus.selection.study import Plan, Results, rows_for, study

_PCA = "PCA"


@dataclass(frozen=True, eq=False)
class Comparison:
    """Variants measured on the same held-out rows: means over the splits.

    Attributes
    ----------
    names : tuple of str
        The models as they were given, then PCA at each code size of theirs.
    code_size : ndarray of shape (n_models,)
        Numbers in a code.
    error, explained_variance : ndarray of shape (n_models,)
        Mean squared error of held-out rows in the units of X, and the share of their variance that is explained.
    seconds : ndarray of shape (n_models,)
        Time of a fit.
    parameters : ndarray of shape (n_models,)
        Weights of the networks.
    knn_accuracy, linear_probe_accuracy : ndarray of shape (n_models,), or None
        Share of held-out rows whose class the 5 nearest codes of training rows, or a linear classifier on those codes,
        find; None without labels.
    complete : bool
        False if the study was interrupted; then only models that are finished are there.
    """

    names: tuple[str, ...]
    code_size: NDArray
    error: NDArray
    explained_variance: NDArray
    seconds: NDArray
    parameters: NDArray
    knn_accuracy: NDArray | None = None
    linear_probe_accuracy: NDArray | None = None
    complete: bool = True

    def rows(self) -> list[dict[str, Any]]:
        """Give the table, one dict for each model, as ``pandas.DataFrame`` and ``csv.DictWriter`` take it.

        Returns
        -------
        list of dict
            With ``model`` and the attributes that are arrays.
        """
        columns = {name: getattr(self, name) for name in (*_MEASURES, *_OF_LABELS)}
        given = {name: values for name, values in columns.items() if values is not None}
        return [
            {"model": name} | {column: values[i].item() for column, values in given.items()}
            for i, name in enumerate(self.names)
        ]


_MEASURES = ("code_size", "error", "explained_variance", "seconds", "parameters")
_OF_LABELS = ("knn_accuracy", "linear_probe_accuracy")


def compare(
    models: Mapping[str, BaseAutoencoder] | Sequence[BaseAutoencoder],
    X: Any,
    y: ArrayLike | None = None,
    *,
    cv: Any = None,
    n_jobs: int | None = None,
    random_state: Seed = None,
    verbose: bool = False,
    checkpoint: str | Path | None = None,
) -> Comparison:
    """Measure variants, and PCA at their code sizes, on the same splits.

    Clones are fitted on the training rows of each split and measured on the others. Ctrl-C ends the study with what is
    finished.

    Parameters
    ----------
    models : dict of str to autoencoder, or sequence of autoencoder
        The variants; in a sequence they are named by their classes.
    X : array-like of shape (n, columns), (n, height, width) or (n, height, width, channels)
        Rows.
    y : array-like of shape (n,), default=None
        Classes; with them two classifiers learn from the codes of training rows and are tried on the others.
    cv : int, splitter or iterable, default=None
        As for scikit-learn's ``cross_validate``; None is one shuffled split with 20 % of the rows held out.
    n_jobs : int or None, default=None
        Fits at a time, as everywhere in scikit-learn; each gets its share of the cores, and ``seconds`` are longer.
    random_state : int, RandomState or None, default=None
        Seed of the split where ``cv`` is None; the chance of a fit is that of the model's own ``random_state``.
    verbose : bool, default=False
        Whether to show a progress bar of the fits.
    checkpoint : str, Path or None, default=None
        A JSON file that keeps each finished fit; the same call goes on from it, and it may ask for other models.

    Returns
    -------
    Comparison
        The table.

    Raises
    ------
    ParameterError
        If a parameter is not legal.
    DataError
        If X or y cannot be used, or the file of ``checkpoint`` is of other data or other splits.

    Warns
    -----
    ConvergenceWarning
        If it was interrupted.
    FitFailedWarning
        If a fit diverged; its measures are NaN.

    Examples
    --------
    >>> import isthmus
    >>> X, y = isthmus.datasets.load_digits()
    >>> models = {"dense": isthmus.DenseAutoencoder(8, max_epochs=2, random_state=0)}
    >>> table = isthmus.selection.compare(models, X, y, random_state=0)
    >>> table.names, table.code_size.tolist()
    (('dense', 'PCA'), [8, 8])
    >>> table.linear_probe_accuracy[1].round(2)
    np.float64(0.89)
    """
    named = _named(models)
    for name, model in named.items():
        check_model(f"models: {name}", model)
    plan = Plan(cv, n_jobs, random_state, verbose, checkpoint)
    plan.check()
    rows = rows_for(next(iter(named.values())), X)
    labels = None if y is None else classes_of(y, len(rows))
    sizes = sorted({code_size_of(model, rows) for model in named.values()})
    pca = {_PCA if len(sizes) == 1 else f"{_PCA} {size}": LinearAutoencoder(_fitting(size, rows)) for size in sizes}
    if taken := named.keys() & pca.keys():
        raise ParameterError(f"models: {min(taken)} names the row of PCA, which is always there; take another name")
    return _comparison([*named, *pca], study("compare", pca | named, rows, labels, plan), labels is not None)


def _fitting(size: int, rows: NDArray) -> int:
    return min(size, math.prod(rows.shape[1:]))


def _named(models: Any) -> dict[str, Any]:
    """Name the models of a sequence by their classes; those of the same class are numbered."""
    legal = isinstance(models, Mapping) or (isinstance(models, Sequence) and not isinstance(models, str))
    if not legal or not len(models):
        came = "an empty one" if legal else f"a {type(models).__name__}"
        raise ParameterError(f"models must be a dict of names to autoencoders or a list of them; got {came}")
    if isinstance(models, Mapping):
        return {str(name): model for name, model in models.items()}
    classes = [type(model).__name__ for model in models]
    counts, seen, named = Counter(classes), Counter[str](), {}
    for name, model in zip(classes, models, strict=True):
        seen[name] += 1
        named[f"{name}-{seen[name]}" if counts[name] > 1 else name] = model
    return named


def _comparison(names: list[str], results: Results, labelled: bool) -> Comparison:
    places, splits = results.whole([(name,) for name in names])
    kept = [names[place] for place in places]
    means = {
        measure: results.values(measure, kept, splits).mean(axis=1)
        for measure in (*_MEASURES, *(_OF_LABELS if labelled else ()))
    }
    whole = {name: _whole(means.pop(name)) for name in ("code_size", "parameters")}
    return Comparison(tuple(kept), **whole, **means, complete=results.complete)


def _whole(values: NDArray) -> NDArray:
    """Give counts as integers, where no fit failed."""
    return values if np.isnan(values).any() else values.astype(np.int64)
