"""How well rows are rebuilt, against scikit-learn and numpy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.decomposition import PCA
from sklearn.metrics import r2_score

from isthmus import DenseAutoencoder
from isthmus.datasets import load_digits
from isthmus.metrics import explained_variance, mean_squared_errors

SHAPES = [(20, 5), (20, 4, 3), (20, 4, 3, 2)]


def example(shape, seed=0):
    random = np.random.RandomState(seed)
    rows = random.randn(*shape) * 3 + 1
    return rows, rows + random.randn(*shape) * 0.5


# ---------------------------------------------------------------- mean squared errors


@pytest.mark.parametrize("shape", SHAPES)
def test_the_error_of_a_row_is_the_mean_over_its_columns(shape):
    rows, rebuilt = example(shape)
    expected = [np.mean((row - other) ** 2) for row, other in zip(rows, rebuilt, strict=True)]
    np.testing.assert_allclose(mean_squared_errors(rows, rebuilt), expected)


@given(st.data())
def test_errors_are_never_negative_and_zero_for_equal_rows(data):
    shape = data.draw(hnp.array_shapes(min_dims=2, max_dims=4, max_side=4))
    rows, rebuilt = (data.draw(hnp.arrays(np.float32, shape, elements=st.floats(-100, 100, width=32))) for _ in "ab")
    assert mean_squared_errors(rows, rebuilt).shape == (len(rows),)
    assert (mean_squared_errors(rows, rebuilt) >= 0).all()
    assert (mean_squared_errors(rows, rows) == 0).all()


def test_unsigned_rows_do_not_wrap_around():
    rows = np.array([[0, 255]], np.uint8)
    np.testing.assert_allclose(mean_squared_errors(rows, np.array([[255, 0]], np.uint8)), [255.0**2])


def test_errors_leave_the_rows_alone():
    rows, rebuilt = example((20, 5))
    before = rows.copy(), rebuilt.copy()
    mean_squared_errors(rows, rebuilt)
    np.testing.assert_array_equal((rows, rebuilt), before)


# ---------------------------------------------------------------- explained variance


@pytest.mark.parametrize("shape", SHAPES)
def test_explained_variance_is_scikit_learns_variance_weighted_r2(shape):
    rows, rebuilt = example(shape)
    flat = rows.reshape(20, -1), rebuilt.reshape(20, -1)
    expected = r2_score(*flat, multioutput="variance_weighted")
    assert explained_variance([(rows, rebuilt)]) == pytest.approx(expected, rel=1e-12)


@given(st.lists(st.integers(1, 19), max_size=5, unique=True))
def test_batches_give_what_all_rows_at_once_give(cuts):
    rows, rebuilt = example((20, 5))
    cuts = sorted(cuts)
    pairs = zip(np.split(rows, cuts), np.split(rebuilt, cuts), strict=True)
    assert explained_variance(pairs) == pytest.approx(explained_variance([(rows, rebuilt)]), rel=1e-10)


def test_batches_with_a_large_offset_keep_their_precision():
    rows, rebuilt = example((20, 5))
    pairs = [(rows[cut : cut + 4] + 1e9, rebuilt[cut : cut + 4] + 1e9) for cut in range(0, 20, 4)]
    assert explained_variance(pairs) == pytest.approx(explained_variance([(rows, rebuilt)]), rel=1e-5)


def test_a_perfect_rebuild_scores_1_and_the_mean_scores_0():
    rows, _ = example((20, 5))
    assert explained_variance([(rows, rows)]) == 1
    assert explained_variance([(rows, np.tile(rows.mean(axis=0), (20, 1)))]) == pytest.approx(0, abs=1e-12)


def test_worse_than_the_mean_scores_below_0():
    rows, _ = example((20, 5))
    assert explained_variance([(rows, -rows)]) < 0


@pytest.mark.parametrize(("error", "score"), [(0, 1.0), (1e-3, 0.0)])
def test_rows_that_do_not_vary_score_1_only_without_error(error, score):
    rows = np.full((5, 3), 7.0)
    assert explained_variance([(rows, rows + error)]) == score


def test_errors_in_a_column_that_does_not_vary_count():
    rows = np.array([[0.0, 1.0], [0.0, 2.0], [0.0, 3.0]])
    assert explained_variance([(rows, rows + np.array([1.0, 0.0]))]) == pytest.approx(1 - 3 / 2)


def test_a_projection_on_principal_components_scores_their_ratios():
    rows = load_digits()[0].reshape(-1, 64).astype(float)
    pca = PCA(10, svd_solver="full").fit(rows)
    score = explained_variance([(rows, pca.inverse_transform(pca.transform(rows)))])
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
