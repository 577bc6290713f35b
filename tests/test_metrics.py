"""How well rows are rebuilt, against scikit-learn and numpy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.decomposition import PCA
from sklearn.metrics import mean_squared_error as reference_error
from sklearn.metrics import r2_score

from isthmus import DenseAutoencoder, metrics
from isthmus.datasets import load_digits
from isthmus.errors import DataError, ParameterError
from isthmus.metrics import explained_variance, explained_variance_of, mean_squared_error

SHAPES = [(20, 5), (20, 4, 3), (20, 4, 3, 2)]


def example(shape, seed=0):
    random = np.random.RandomState(seed)
    rows = random.randn(*shape) * 3 + 1
    return rows, rows + random.randn(*shape) * 0.5


# ---------------------------------------------------------------- mean squared error


@pytest.mark.parametrize("shape", SHAPES)
def test_the_error_of_a_row_is_the_mean_over_its_columns(shape):
    rows, rebuilt = example(shape)
    expected = [np.mean((row - other) ** 2) for row, other in zip(rows, rebuilt, strict=True)]
    np.testing.assert_allclose(mean_squared_error(rows, rebuilt, per="row"), expected)


@pytest.mark.parametrize("shape", SHAPES)
def test_errors_of_columns_and_model_are_scikit_learns(shape):
    rows, rebuilt = example(shape)
    flat = rows.reshape(20, -1), rebuilt.reshape(20, -1)
    assert mean_squared_error(rows, rebuilt) == pytest.approx(reference_error(*flat), rel=1e-12)
    columns = mean_squared_error(rows, rebuilt, per="column")
    assert columns.shape == shape[1:]
    np.testing.assert_allclose(columns.ravel(), reference_error(*flat, multioutput="raw_values"))


@given(st.data())
def test_errors_are_never_negative_and_zero_for_equal_rows(data):
    shape = data.draw(hnp.array_shapes(min_dims=2, max_dims=4, max_side=4))
    rows, rebuilt = (data.draw(hnp.arrays(np.float32, shape, elements=st.floats(-100, 100, width=32))) for _ in "ab")
    assert mean_squared_error(rows, rebuilt, per="row").shape == (len(rows),)
    assert (mean_squared_error(rows, rebuilt, per="row") >= 0).all()
    assert mean_squared_error(rows, rows) == 0


def test_unsigned_rows_do_not_wrap_around():
    rows = np.array([[0, 255]], np.uint8)
    assert mean_squared_error(rows, np.array([[255, 0]], np.uint8)) == 255.0**2


def test_errors_leave_the_rows_alone():
    rows, rebuilt = example((20, 5))
    before = rows.copy(), rebuilt.copy()
    mean_squared_error(rows, rebuilt, per="row")
    explained_variance(rows, rebuilt, per="row")
    np.testing.assert_array_equal((rows, rebuilt), before)


@pytest.mark.parametrize("per", ["model", "row", "column"])
@pytest.mark.parametrize("measure", [mean_squared_error, explained_variance])
def test_many_rows_are_measured_as_a_few_are(measure, per, monkeypatch):
    rows, rebuilt = example((20, 5))
    whole = measure(rows, rebuilt, per=per)
    monkeypatch.setattr("isthmus.metrics.errors._BLOCK", 3)
    np.testing.assert_allclose(measure(rows, rebuilt, per=per), whole)


@pytest.mark.parametrize("measure", [mean_squared_error, explained_variance])
def test_what_cannot_be_measured_is_refused(measure):
    rows = np.ones((3, 2))
    with pytest.raises(ParameterError, match=r'per must be "model" \| "row" \| "column"; got \'cell\''):
        measure(rows, rows, per="cell")
    for rebuilt in (rows[:2], rows[:, :1], rows.ravel()):
        with pytest.raises(DataError, match=r"one shape, \(n, ...\); got \(3, 2\)"):
            measure(rows, rebuilt)
    with pytest.raises(DataError, match=r"got \(0, 2\)"):
        measure(rows[:0], rows[:0])


# ---------------------------------------------------------------- explained variance


@pytest.mark.parametrize("shape", SHAPES)
def test_explained_variance_is_scikit_learns_r2(shape):
    rows, rebuilt = example(shape)
    flat = rows.reshape(20, -1), rebuilt.reshape(20, -1)
    expected = r2_score(*flat, multioutput="variance_weighted")
    assert explained_variance(rows, rebuilt) == pytest.approx(expected, rel=1e-12)
    columns = explained_variance(rows, rebuilt, per="column")
    assert columns.shape == shape[1:]
    np.testing.assert_allclose(columns.ravel(), r2_score(*flat, multioutput="raw_values"))


def test_explained_variance_of_rows_weighted_by_their_distance_from_the_mean_is_the_models():
    rows, rebuilt = example((20, 4, 3))
    distances = np.square(rows - rows.mean(axis=0)).sum(axis=(1, 2))
    found = explained_variance(rows, rebuilt, per="row")
    assert found[3] == pytest.approx(1 - np.square(rows[3] - rebuilt[3]).sum() / distances[3])
    assert np.average(found, weights=distances) == pytest.approx(explained_variance(rows, rebuilt))


@given(st.lists(st.integers(1, 19), max_size=5, unique=True))
def test_batches_give_what_all_rows_at_once_give(cuts):
    rows, rebuilt = example((20, 5))
    cuts = sorted(cuts)
    pairs = zip(np.split(rows, cuts), np.split(rebuilt, cuts), strict=True)
    assert explained_variance_of(pairs) == pytest.approx(explained_variance(rows, rebuilt), rel=1e-10)


def test_batches_with_a_large_offset_keep_their_precision():
    rows, rebuilt = example((20, 5))
    pairs = [(rows[cut : cut + 4] + 1e9, rebuilt[cut : cut + 4] + 1e9) for cut in range(0, 20, 4)]
    assert explained_variance_of(pairs) == pytest.approx(explained_variance(rows, rebuilt), rel=1e-5)


def test_no_batches_are_refused():
    with pytest.raises(DataError, match="at least one batch"):
        explained_variance_of([])


def test_a_perfect_rebuild_scores_1_and_the_mean_scores_0():
    rows, _ = example((20, 5))
    for per in ("model", "row", "column"):
        np.testing.assert_allclose(explained_variance(rows, rows, per=per), 1)
        mean = np.tile(rows.mean(axis=0), (20, 1))
        np.testing.assert_allclose(explained_variance(rows, mean, per=per), 0, atol=1e-12)


def test_worse_than_the_mean_scores_below_0():
    rows, _ = example((20, 5))
    assert explained_variance(rows, -rows) < 0


@pytest.mark.parametrize("per", ["model", "row", "column"])
@pytest.mark.parametrize(("error", "score"), [(0, 1.0), (1e-3, 0.0)])
def test_rows_that_do_not_vary_score_1_only_without_error(error, score, per):
    rows = np.full((5, 3), 7.0)
    np.testing.assert_array_equal(explained_variance(rows, rows + error, per=per), score)


def test_errors_in_a_column_that_does_not_vary_count():
    rows = np.array([[0.0, 1.0], [0.0, 2.0], [0.0, 3.0]])
    assert explained_variance(rows, rows + np.array([1.0, 0.0])) == pytest.approx(1 - 3 / 2)


def test_a_projection_on_principal_components_scores_their_ratios():
    rows = load_digits()[0].reshape(-1, 64).astype(float)
    pca = PCA(10, svd_solver="full").fit(rows)
    score = explained_variance(rows, pca.inverse_transform(pca.transform(rows)))
    assert score == pytest.approx(pca.explained_variance_ratio_.sum(), rel=1e-10)


# ---------------------------------------------------------------- of a model


@pytest.mark.parametrize("images", [False, True])
def test_a_models_score_and_errors_are_those_of_its_rebuilt_rows(images):
    X = load_digits()[0][:300]
    X = X if images else X.reshape(-1, 64)
    model = DenseAutoencoder(4, max_epochs=2, random_state=0).fit(X)
    rebuilt = model.reconstruct(X)
    np.testing.assert_allclose(
        model.reconstruction_error(X), np.square(X - rebuilt).reshape(300, -1).mean(axis=1), rtol=1e-5
    )
    expected = 1 - np.square(X - rebuilt).sum() / np.square(X - X.mean(axis=0)).sum()
    assert model.score(X) == pytest.approx(expected, rel=1e-6)
    assert model.score(X) == pytest.approx(explained_variance(X, rebuilt), rel=1e-6)


# ---------------------------------------------------------------- the package


def test_every_public_name_is_documented_with_an_example_that_runs():
    for name in metrics.__all__:
        assert ">>> " in getattr(metrics, name).__doc__ or name == "Importance"
