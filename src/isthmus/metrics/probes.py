"""What simple classifiers read from a code."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from isthmus.errors import DataError, ParameterError
from isthmus.legal import Number
from isthmus.metrics.checks import Seed, check_parameter, check_seed, numbers, sampled
from isthmus.metrics.distances import centred, nearest


def knn_accuracy(
    codes: ArrayLike,
    labels: ArrayLike,
    test_codes: ArrayLike | None = None,
    test_labels: ArrayLike | None = None,
    *,
    n_neighbors: int = 5,
    n_samples: int | None = 2000,
    random_state: Seed = None,
) -> float:
    """Accuracy of the vote of the k nearest codes.

    With test codes it is the share of them whose label is the commonest among their k nearest neighbours in
    ``codes``, as of scikit-learn's ``KNeighborsClassifier``; without, each code is left out in turn and compared with
    all others.

    Parameters
    ----------
    codes : array-like of shape (n, units)
        Codes that vote. Distances are Euclidean.
    labels : array-like of shape (n,)
        Their classes. Of classes with as many votes the first, in sorted order, wins.
    test_codes : array-like of shape (n_test, units) or None, default=None
        Codes that are classified; None is ``codes`` themselves, each left out of its own vote.
    test_labels : array-like of shape (n_test,) or None, default=None
        Their classes.
    n_neighbors : int, default=5
        k: at most n with test codes, else below n.
    n_samples : int or None, default=2000
        How many codes are classified, drawn without replacement; None is all. All of ``codes`` vote, so that the
        estimate is unbiased.
    random_state : int, RandomState or None, default=None
        Seed of the draw.

    Returns
    -------
    float
        0 to 1.

    Raises
    ------
    ParameterError
        If a parameter is not legal.
    DataError
        If codes are not finite, or differ from their labels in number, or test codes from codes in width.

    Examples
    --------
    >>> from isthmus.metrics import knn_accuracy
    >>> knn_accuracy([[0.0], [0.1], [5.0], [5.1]], ["a", "a", "b", "b"], n_neighbors=1)
    1.0
    """
    votes, names = _labelled("codes", codes, "labels", labels)
    tests = _tests(test_codes, test_labels, votes)
    check_parameter("n_neighbors", n_neighbors, Number(1, len(votes) - (tests is None), integer=True))
    queries = sampled(len(votes if tests is None else tests[0]), n_samples, random_state)
    if tests is not None:
        from sklearn.neighbors import KNeighborsClassifier

        classifier = KNeighborsClassifier(n_neighbors).fit(votes, names)
        return float(classifier.score(tests[0][queries], tests[1][queries]))
    classes, members = np.unique(names, return_inverse=True)
    counts = np.zeros((len(queries), len(classes)), np.int64)
    near = members[nearest(centred(votes), queries, n_neighbors)]
    np.add.at(counts, (np.arange(len(queries))[:, None], near), 1)
    return float((counts.argmax(axis=1) == members[queries]).mean())


def linear_probe_accuracy(
    codes: ArrayLike,
    labels: ArrayLike,
    test_codes: ArrayLike | None = None,
    test_labels: ArrayLike | None = None,
    *,
    n_folds: int = 5,
    random_state: Seed = None,
) -> float:
    """Accuracy of a linear classifier on codes: how far classes are separated by planes.

    The classifier is scikit-learn's ``LogisticRegression`` with its default penalty, on codes that are scaled to mean
    0 and variance 1 (Alain & Bengio, "Understanding intermediate layers using linear classifier probes", 2016).

    Parameters
    ----------
    codes : array-like of shape (n, units)
        Codes that the classifier learns on.
    labels : array-like of shape (n,)
        Their classes, at least two.
    test_codes : array-like of shape (n_test, units) or None, default=None
        Codes that are classified; None is cross-validation on ``codes``.
    test_labels : array-like of shape (n_test,) or None, default=None
        Their classes.
    n_folds : int, default=5
        Folds of the cross-validation, stratified and shuffled; each class needs as many rows.
    random_state : int, RandomState or None, default=None
        Seed of the folds.

    Returns
    -------
    float
        0 to 1; the mean over the folds where there are no test codes.

    Raises
    ------
    ParameterError
        If a parameter is not legal.
    DataError
        If codes are not finite, or differ from their labels in number, or test codes from codes in width.

    Examples
    --------
    >>> from isthmus.datasets import load_digits
    >>> from isthmus.metrics import linear_probe_accuracy
    >>> X, y = load_digits()
    >>> round(linear_probe_accuracy(X.reshape(-1, 64), y, random_state=0), 2)
    0.97
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold, cross_val_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    learned, names = _labelled("codes", codes, "labels", labels)
    tests = _tests(test_codes, test_labels, learned)
    classes, sizes = np.unique(names, return_counts=True)
    if len(classes) < 2:
        raise DataError(f"labels must have at least two classes; got {classes[0]!r} alone")
    probe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    if tests is not None:
        return float(probe.fit(learned, names).score(*tests))
    check_parameter("n_folds", n_folds, Number(2, integer=True))
    check_seed(random_state)
    if n_folds > sizes.min():
        raise ParameterError(f"n_folds must be at most the size of the smallest class, {sizes.min()}; got {n_folds}")
    random = np.random.RandomState() if random_state is None else random_state
    folds = StratifiedKFold(n_folds, shuffle=True, random_state=random)
    return float(cross_val_score(probe, learned, names, cv=folds).mean())


def _labelled(name: str, codes: ArrayLike, labels_name: str, labels: ArrayLike) -> tuple[NDArray, NDArray]:
    """Give codes and their classes, checked."""
    flat, names = numbers(name, codes), np.asarray(labels)
    if names.shape != (len(flat),):
        raise DataError(
            f"{labels_name} must have one label for each of the {len(flat)} rows of {name}; got shape {names.shape}"
        )
    if names.dtype.kind == "f" and (names != np.round(names)).any():
        raise DataError(f"{labels_name} must be classes: integers or words; got numbers with decimals or missing ones")
    return flat, names.astype(str) if names.dtype.kind == "O" else names


def _tests(codes: ArrayLike | None, labels: ArrayLike | None, learned: NDArray) -> tuple[NDArray, NDArray] | None:
    """Give test codes and their classes, checked; None if there are none."""
    if codes is None and labels is None:
        return None
    if codes is None or labels is None:
        missing = "test_codes" if codes is None else "test_labels"
        raise ParameterError(f"test_codes and test_labels go together; {missing} is None")
    flat, names = _labelled("test_codes", codes, "test_labels", labels)
    if flat.shape[1] != learned.shape[1]:
        raise DataError(f"test_codes must have as many columns as codes, {learned.shape[1]}; got {flat.shape[1]}")
    return flat, names
