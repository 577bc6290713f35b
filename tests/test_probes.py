"""Accuracies of classifiers on codes, against scikit-learn."""

import numpy as np
import pytest
from sklearn.datasets import make_blobs
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import LeaveOneOut, cross_val_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import StandardScaler

from isthmus.errors import DataError, ParameterError
from isthmus.metrics import knn_accuracy, linear_probe_accuracy

CODES, LABELS = make_blobs(240, n_features=3, centers=4, cluster_std=4.0, random_state=0)
SPLIT = CODES[:160], LABELS[:160], CODES[160:], LABELS[160:]
PROBES = [knn_accuracy, linear_probe_accuracy]


@pytest.mark.parametrize("k", [1, 2, 30])
def test_the_vote_without_oneself_is_scikit_learns_with_one_left_out(k):
    codes, labels = CODES[:120], LABELS[:120]
    expected = cross_val_score(KNeighborsClassifier(k), codes, labels, cv=LeaveOneOut()).mean()
    assert 0.3 < expected < 1
    assert knn_accuracy(codes, labels, n_neighbors=k) == pytest.approx(expected)


@pytest.mark.parametrize("k", [1, 5, 160])
def test_the_vote_on_test_codes_is_scikit_learns(k):
    expected = KNeighborsClassifier(k).fit(*SPLIT[:2]).score(*SPLIT[2:])
    assert knn_accuracy(*SPLIT, n_neighbors=k) == pytest.approx(expected)


@pytest.mark.parametrize("data", [(CODES, LABELS), SPLIT])
def test_a_sample_estimates_the_vote_on_all_without_bias(data):
    estimates = [knn_accuracy(*data, n_samples=20, random_state=seed) for seed in range(200)]
    error = np.std(estimates) / np.sqrt(len(estimates))
    assert abs(np.mean(estimates) - knn_accuracy(*data, n_samples=None)) < 4 * error


def test_the_probe_on_test_codes_is_logistic_regression_on_scaled_codes():
    scaler = StandardScaler().fit(SPLIT[0])
    classifier = LogisticRegression().fit(scaler.transform(SPLIT[0]), SPLIT[1])
    expected = classifier.score(scaler.transform(SPLIT[2]), SPLIT[3])
    assert 0.5 < expected < 1
    assert linear_probe_accuracy(*SPLIT) == expected


def test_the_probe_is_repeated_by_a_seed_and_blind_to_units():
    first = linear_probe_accuracy(CODES, LABELS, random_state=0)
    assert 0.5 < first < 1
    assert linear_probe_accuracy(CODES * [1e-3, 1, 1e3] + 7, LABELS, random_state=0) == pytest.approx(first)
    generator = np.random.RandomState(0)
    assert linear_probe_accuracy(CODES, LABELS, random_state=generator) == first


def test_a_ring_around_a_disc_is_for_neighbours_and_not_for_planes():
    angle = np.linspace(0, 50, 400)
    inside = np.arange(400) % 2
    codes = np.where(inside, 0.5, 3)[:, None] * np.column_stack([np.cos(angle), np.sin(angle)])
    assert knn_accuracy(codes, inside) == 1
    assert linear_probe_accuracy(codes, inside, random_state=0) < 0.7


@pytest.mark.parametrize("probe", PROBES)
@pytest.mark.parametrize("kind", [np.uint8, float, str, object])
def test_classes_may_be_integers_or_words(probe, kind):
    expected = probe(CODES, LABELS, random_state=0)
    assert probe(CODES, LABELS.astype(kind), random_state=0) == expected


@pytest.mark.parametrize("probe", PROBES)
def test_labels_that_cannot_be_are_refused(probe):
    with pytest.raises(
        DataError, match=r"labels must have one label for each of the 240 rows of codes; got shape \(9,"
    ):
        probe(CODES, LABELS[:9])
    for bad in (LABELS + 0.5, np.where(LABELS, LABELS, np.nan)):
        with pytest.raises(DataError, match="labels must be classes"):
            probe(CODES, bad)
    with pytest.raises(DataError, match="test_labels must have one label for each of the 80 rows of test_codes"):
        probe(*SPLIT[:3], LABELS)


@pytest.mark.parametrize("probe", PROBES)
def test_test_codes_and_their_labels_go_together(probe):
    with pytest.raises(ParameterError, match="go together; test_labels is None"):
        probe(*SPLIT[:3])
    with pytest.raises(ParameterError, match="go together; test_codes is None"):
        probe(*SPLIT[:2], test_labels=SPLIT[3])
    with pytest.raises(DataError, match="test_codes must have as many columns as codes, 3; got 2"):
        probe(*SPLIT[:2], SPLIT[2][:, :2], SPLIT[3])


def test_neighbours_are_at_most_the_others():
    with pytest.raises(ParameterError, match=r"n_neighbors must be an integer in \[1, 239\]; got 240"):
        knn_accuracy(CODES, LABELS, n_neighbors=240)
    with pytest.raises(ParameterError, match=r"n_neighbors must be an integer in \[1, 160\]; got 161"):
        knn_accuracy(*SPLIT, n_neighbors=161)


def test_folds_that_cannot_be_are_refused():
    with pytest.raises(ParameterError, match="n_folds must be an integer of at least 2; got 1"):
        linear_probe_accuracy(CODES, LABELS, n_folds=1)
    with pytest.raises(ParameterError, match="n_folds must be at most the size of the smallest class, 60; got 61"):
        linear_probe_accuracy(CODES, LABELS, n_folds=61)
    with pytest.raises(ParameterError, match="random_state must be"):
        linear_probe_accuracy(CODES, LABELS, random_state=-1)
    with pytest.raises(DataError, match="labels must have at least two classes; got"):
        linear_probe_accuracy(CODES, np.zeros(240, int))
