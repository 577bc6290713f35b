"""Which neighbours a code keeps, against scikit-learn and closed forms."""

import numpy as np
import pytest
from sklearn.manifold import trustworthiness as reference
from sklearn.neighbors import NearestNeighbors

from isthmus.datasets import load_digits
from isthmus.errors import DataError, ParameterError
from isthmus.metrics import continuity, neighbourhood_overlap, trustworthiness

MEASURES = [trustworthiness, continuity, neighbourhood_overlap]


def example(n=300, seed=0):
    """Rows of which a code of two columns keeps some neighbours."""
    random = np.random.RandomState(seed)
    rows = random.randn(n, 6) * [3, 2, 1, 1, 1, 1]
    return rows, rows[:, :2] + random.randn(n, 2) / 2


def overlap(rows, codes, k):
    """Mean share of common neighbours, by scikit-learn's search."""
    first, second = (
        NearestNeighbors(n_neighbors=k).fit(space).kneighbors(return_distance=False) for space in (rows, codes)
    )
    return np.mean([len({*a} & {*b}) / k for a, b in zip(first, second, strict=True)])


@pytest.mark.parametrize("k", [1, 5, 40, 149])
@pytest.mark.parametrize("n_samples", [None, 300, 2000])
def test_on_all_rows_they_are_scikit_learns(k, n_samples):
    rows, codes = example()
    options = {"n_neighbors": k, "n_samples": n_samples}
    assert trustworthiness(rows, codes, **options) == pytest.approx(reference(rows, codes, n_neighbors=k), rel=1e-13)
    assert continuity(rows, codes, **options) == pytest.approx(reference(codes, rows, n_neighbors=k), rel=1e-13)
    assert neighbourhood_overlap(rows, codes, **options) == pytest.approx(overlap(rows, codes, k), rel=1e-13)


def test_small_blocks_change_nothing(monkeypatch):
    rows, codes = example()
    whole = [measure(rows, codes) for measure in MEASURES]
    monkeypatch.setattr("isthmus.metrics.distances._DISTANCES_AT_ONCE", 1000)
    assert [measure(rows, codes) for measure in MEASURES] == pytest.approx(whole, rel=1e-13)


@pytest.mark.parametrize("kind", [np.float32, np.uint8])
def test_images_in_a_narrow_type_are_measured_as_scikit_learn_does(kind):
    X = load_digits()[0][:500].astype(kind)
    codes = X.reshape(500, 64)[:, 20:40].astype(np.float32) + np.random.RandomState(0).rand(500, 20).astype(np.float32)
    expected = reference(X.reshape(500, 64).astype(float), codes)
    assert trustworthiness(X, codes) == pytest.approx(expected, abs=1e-4)


def test_a_large_offset_and_large_units_change_nothing():
    rows, codes = example()
    expected = trustworthiness(rows, codes)
    assert trustworthiness(rows + 1e6, codes) == pytest.approx(expected, abs=1e-6)
    assert trustworthiness(rows * 1e200, codes * 1e-200) == pytest.approx(expected, rel=1e-12)
    assert trustworthiness((rows * 1e30).astype(np.float32), codes) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("measure", MEASURES)
def test_a_rotated_code_of_the_rows_keeps_all_neighbours(measure):
    rows, _ = example()
    rotation = np.linalg.qr(np.random.RandomState(1).randn(6, 6))[0]
    assert measure(rows, rows @ rotation) == 1


def test_codes_that_know_nothing_of_the_rows():
    rows, _ = example(1000)
    codes = np.random.RandomState(1).randn(1000, 2)
    assert trustworthiness(rows, codes, n_neighbors=10) == pytest.approx(0.5, abs=0.02)
    assert continuity(rows, codes, n_neighbors=10) == pytest.approx(0.5, abs=0.02)
    assert neighbourhood_overlap(rows, codes, n_neighbors=10) == pytest.approx(10 / 999, abs=0.005)


def test_a_fold_costs_trust_and_a_tear_costs_continuity():
    line = np.linspace(-1, 1, 201)[:, None]
    folded, torn = np.abs(line) + line / 1e3, line + 10 * (line > 0)
    assert trustworthiness(line, folded) < 0.9 < continuity(line, folded)
    assert continuity(line, torn) < trustworthiness(line, torn) + 1e-3
    circle = np.hstack([np.cos(np.pi * line), np.sin(np.pi * line)])
    assert continuity(circle, line) < 0.999 < trustworthiness(circle, line)


@pytest.mark.parametrize("measure", MEASURES)
def test_a_sample_estimates_the_value_on_all_rows_without_bias(measure):
    rows, codes = example(400)
    estimates = [measure(rows, codes, n_samples=40, random_state=seed) for seed in range(200)]
    error = np.std(estimates) / np.sqrt(len(estimates))
    assert np.std(estimates) > 0
    assert abs(np.mean(estimates) - measure(rows, codes, n_samples=None)) < 4 * error


@pytest.mark.parametrize("measure", MEASURES)
def test_a_seed_repeats_the_draw(measure):
    rows, codes = example()
    first = measure(rows, codes, n_samples=20, random_state=3)
    assert first == measure(rows, codes, n_samples=20, random_state=3)
    assert first == measure(rows, codes, n_samples=20, random_state=np.random.RandomState(3))


@pytest.mark.parametrize("measure", MEASURES)
def test_the_global_generator_is_left_alone(measure):
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    measure(*example(), n_samples=20)
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002


@pytest.mark.parametrize("measure", MEASURES)
def test_copies_of_rows_are_neighbours_of_each_other(measure):
    rows = np.repeat(np.random.RandomState(0).randn(20, 4), 3, axis=0)
    assert measure(rows, rows[:, :3], n_neighbors=2) == 1


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize("value", [0, -1, 1.5, "many", None, True, 300])
def test_a_number_of_neighbours_that_cannot_be_is_refused(measure, value):
    with pytest.raises(ParameterError, match="n_neighbors must be"):
        measure(*example(), n_neighbors=value)


@pytest.mark.parametrize("measure", [trustworthiness, continuity])
def test_half_of_the_rows_are_too_many_neighbours(measure):
    with pytest.raises(ParameterError, match="n_neighbors must be below half the number of rows, 150; got 150"):
        measure(*example(), n_neighbors=150)


@pytest.mark.parametrize("measure", MEASURES)
def test_codes_of_other_rows_are_refused(measure):
    rows, codes = example()
    with pytest.raises(DataError, match="codes must have as many rows as X, 300; got 299"):
        measure(rows, codes[:-1])
