"""What users may hand in as rows and codes; each refusal is one sentence."""

import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.exceptions import NotFittedError

from isthmus import ConvolutionalAutoencoder, DenseAutoencoder, LinearAutoencoder
from isthmus.errors import DataError, IsthmusError
from isthmus.sources import arrays, whole
from isthmus.validation import checked_codes, checked_source

TABLE = np.random.RandomState(0).rand(20, 4)
IMAGES = np.random.RandomState(0).rand(20, 6, 5)


def small(**parameters):
    return DenseAutoencoder(2, hidden=(3,), max_epochs=1, random_state=0, **parameters)


@pytest.fixture(scope="module")
def of_table():
    return small().fit(TABLE)


@pytest.fixture(scope="module")
def of_images():
    return small().fit(IMAGES)


def with_cell(X, value, *place):
    X = X.copy()
    X[place] = value
    return X


def refusal(call, *arguments, error=ValueError):
    """The message of an error, which must be one sentence."""
    with pytest.raises(error) as caught:
        call(*arguments)
    message = str(caught.value)
    assert message
    assert "\n" not in message
    return message


# ---------------------------------------------------------------- what is taken


@pytest.mark.parametrize("dtype", ["?", "u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f2", "f4", "f8"])
@pytest.mark.parametrize("shape", [(20, 4), (20, 6, 5), (20, 6, 5, 3)])
def test_every_type_of_number_and_every_shape_is_taken_and_keeps_its_type(dtype, shape):
    X = np.random.RandomState(0).randint(0, 2, shape).astype(dtype)
    array = whole(checked_source(small(), X, reset=True))
    assert array.dtype == X.dtype
    np.testing.assert_array_equal(array, X)
    assert small().fit(X).reconstruct(X).shape == shape


@pytest.mark.parametrize("X", [TABLE, TABLE.astype(np.float32), IMAGES, (IMAGES * 255).astype(np.uint8)])
def test_an_array_is_not_copied(X):
    assert np.shares_memory(whole(checked_source(small(), X, reset=True)), X)


def test_a_memory_map_stays_one(tmp_path):
    np.save(tmp_path / "X.npy", TABLE)
    X = np.load(tmp_path / "X.npy", mmap_mode="r")
    array = whole(checked_source(small(), X, reset=True))
    assert np.shares_memory(array, X)


@pytest.mark.parametrize(
    "X",
    [TABLE.tolist(), torch.from_numpy(TABLE), pd.DataFrame(TABLE), TABLE.astype(object)],
    ids=lambda X: type(X).__name__,
)
def test_lists_tensors_frames_and_objects_that_are_numbers_are_taken(X, of_table):
    np.testing.assert_allclose(small().fit(X).transform(X), of_table.transform(TABLE), rtol=1e-5)


def test_a_tensor_with_a_gradient_is_taken(of_table):
    X = torch.from_numpy(TABLE).requires_grad_()
    np.testing.assert_array_equal(of_table.transform(X), of_table.transform(TABLE))


def test_nested_lists_of_images_are_taken(of_images):
    np.testing.assert_allclose(of_images.transform(IMAGES.tolist()), of_images.transform(IMAGES), rtol=1e-5)
    model = small().fit(IMAGES.tolist())
    np.testing.assert_allclose(model.transform(IMAGES), of_images.transform(IMAGES), rtol=1e-5)


def test_the_number_of_columns_is_that_of_a_flat_row(of_table, of_images):
    assert of_table.n_features_in_ == 4
    assert of_images.n_features_in_ == 30


def test_names_of_columns_are_learned_and_must_agree():
    frame = pd.DataFrame(TABLE, columns=list("abcd"))
    model = small().fit(frame)
    assert list(model.feature_names_in_) == list("abcd")
    with pytest.raises(ValueError, match="feature names should match"):
        model.transform(frame[list("abdc")])
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        model.transform(TABLE)


def test_names_are_forgotten_by_the_next_fit():
    model = small().fit(pd.DataFrame(TABLE, columns=list("abcd"))).fit(TABLE)
    assert not hasattr(model, "feature_names_in_")
    frame = small().fit(pd.DataFrame(TABLE, columns=list("abcd"))).fit(IMAGES)
    assert not hasattr(frame, "feature_names_in_")


def test_a_refit_on_another_shape_forgets_the_old_one():
    model = small().fit(TABLE).fit(IMAGES)
    assert model.transform(IMAGES).shape == (20, 2)
    assert model.n_features_in_ == 30


# ---------------------------------------------------------------- missing and infinite cells


@pytest.mark.parametrize("value", [np.inf, -np.inf])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_an_infinite_cell_is_refused_with_its_place(value, dtype):
    message = refusal(small().fit, with_cell(TABLE.astype(dtype), value, 7, 2), error=DataError)
    for words in ("X contains", "inf", "row 7", "column 2"):
        assert words in message


def test_an_infinite_cell_of_an_image_is_refused_with_its_place():
    message = refusal(small().fit, with_cell(IMAGES, np.inf, 7, 2, 3), error=DataError)
    assert "row 7, column 2, 3" in message


@pytest.mark.parametrize("method", ["transform", "reconstruct", "reconstruction_error", "score", "partial_fit"])
def test_every_method_refuses_infinite_cells(method):
    message = refusal(getattr(small().fit(TABLE), method), with_cell(TABLE, np.inf, 3, 1), error=DataError)
    assert "row 3, column 1" in message


@settings(deadline=None, max_examples=30)
@given(row=st.integers(0, 19), column=st.integers(0, 3), block=st.integers(1, 25))
def test_an_infinite_cell_is_found_in_any_block(row, column, block):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(arrays, "_CHECKED", block)
        with pytest.raises(DataError) as caught:
            whole(checked_source(small(), with_cell(TABLE, np.inf, row, column), reset=True))
    assert f"row {row}, column {column};" in str(caught.value)


def test_missing_objects_are_missing_cells():
    objects, numbers = (with_cell(TABLE.astype(kind), None, 1, 1) for kind in (object, float))
    np.testing.assert_array_equal(small().fit(objects).transform(objects), small().fit(numbers).transform(numbers))


# ---------------------------------------------------------------- what is no array of numbers


@pytest.mark.parametrize(
    ("X", "words"),
    [
        (TABLE + 1j, "omplex"),
        (np.array([["a", "b"], ["c", "d"]]), "a"),
        (np.array([["a", 1.0], [2.0, 3.0]], dtype=object), "a"),
        ([["a", "b"], ["c", "d"]], "a"),
        (TABLE[0], "2D array"),
        (np.float64(3), "2D array"),
        (np.zeros((0, 4)), "minimum of 1"),
        (np.zeros((20, 0)), "minimum of 1"),
        (np.zeros((0, 6, 5)), "minimum of 1"),
        (np.zeros((5, 4, 3, 2, 1)), "2 to 4 dimensions"),
        (np.array(["2020-01-01", "2020-01-02"], dtype="datetime64[D]").reshape(2, 1), "datetime64"),
        (np.zeros((3, 2), dtype="m8[s]"), "timedelta64"),
        (np.zeros((4, 6, 0)), "0 feature"),
    ],
    ids=[
        "complex",
        "text",
        "text among objects",
        "lists of text",
        "1-D",
        "0-D",
        "no rows",
        "no columns",
        "no images",
        "5-D",
        "dates",
        "durations",
        "empty images",
    ],
)
def test_what_is_no_array_of_numbers_is_refused_by_name(X, words):
    with pytest.raises((ValueError, TypeError)) as caught:
        small().fit(X)
    assert words in str(caught.value)


@pytest.mark.parametrize("X", [None, "rows", {"a": 1}, object()], ids=["None", "text", "dict", "object"])
def test_what_is_no_array_at_all_is_refused(X):
    with pytest.raises((ValueError, TypeError)):
        small().fit(X)


def test_rows_of_different_lengths_are_refused():
    with pytest.raises(ValueError, match="inhomogeneous"):
        small().fit([[1.0, 2.0], [3.0]])


def test_the_refusal_of_five_dimensions_says_how_many_came():
    message = refusal(small().fit, np.zeros((5, 4, 3, 2, 1)), error=DataError)
    assert message == "X must have 2 to 4 dimensions (rows, or images with or without channels); got 5"


# ---------------------------------------------------------------- shapes after fit


def test_another_number_of_columns_is_refused_as_scikit_learn_does(of_table):
    message = refusal(of_table.transform, TABLE[:, :3])
    assert message == "X has 3 features, but DenseAutoencoder is expecting 4 features as input."


@pytest.mark.parametrize("shape", [(20, 5, 6), (20, 6), (20, 30), (20, 6, 5, 1)])
def test_images_of_another_shape_are_refused(of_images, shape):
    message = refusal(of_images.transform, np.zeros(shape), error=DataError)
    assert message == f"X has shape {shape}, but the model was fitted on rows of shape (n, 6, 5)"


def test_images_are_refused_by_a_model_of_a_table(of_table):
    message = refusal(of_table.transform, np.zeros((20, 2, 2)), error=DataError)
    assert message == "X has shape (20, 2, 2), but the model was fitted on rows of shape (n, 4)"


@pytest.mark.parametrize("method", ["reconstruct", "reconstruction_error", "score", "partial_fit"])
def test_every_method_refuses_another_shape(method):
    refusal(getattr(small().fit(IMAGES), method), IMAGES[:, :5])


@pytest.mark.parametrize("method", ["transform", "reconstruct", "reconstruction_error", "score", "inverse_transform"])
def test_every_method_but_fit_needs_a_fitted_model(method):
    with pytest.raises(NotFittedError, match="not fitted yet"):
        getattr(small(), method)(TABLE)


def test_another_type_of_number_is_taken_after_fit(of_table):
    np.testing.assert_allclose(of_table.transform(TABLE.astype(np.float32)), of_table.transform(TABLE), rtol=1e-4)


def test_one_row_is_enough_to_fit_and_to_transform():
    model = small().fit(TABLE[:1])
    assert model.transform(TABLE[:1]).shape == (1, 2)


# ---------------------------------------------------------------- codes


def test_codes_are_float32_of_the_models_length():
    codes = checked_codes([[1, 2], [3, 4]], (2,))
    assert codes.dtype == np.float32
    assert checked_codes(np.zeros((3, 12)), (2, 3, 2)).shape == (3, 12)


@pytest.mark.parametrize("columns", [1, 3, 11])
def test_codes_of_another_length_are_refused(of_table, columns):
    message = refusal(of_table.inverse_transform, np.zeros((5, columns)), error=DataError)
    assert message == f"codes have {columns} columns, but the codes of this model have 2"


@pytest.mark.parametrize(("value", "what"), [(np.nan, "NaN"), (np.inf, "inf")])
def test_codes_with_missing_or_infinite_cells_are_refused(of_table, value, what):
    message = refusal(of_table.inverse_transform, with_cell(np.zeros((5, 2)), value, 3, 1), error=DataError)
    for words in ("codes contain", what, "row 3, column 1"):
        assert words in message


@pytest.mark.parametrize("codes", [np.zeros(2), np.zeros((0, 2)), [["a", "b"]], np.zeros((2, 2)) + 1j, "codes"])
def test_codes_that_are_no_table_of_numbers_are_refused(of_table, codes):
    with pytest.raises((ValueError, TypeError)):
        of_table.inverse_transform(codes)


def test_codes_too_large_for_float32_are_refused(of_table):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert "codes" in refusal(of_table.inverse_transform, np.full((3, 2), 1e300), error=IsthmusError)


def test_codes_as_a_tensor_a_list_or_a_frame_are_taken(of_table):
    codes = of_table.transform(TABLE)
    expected = of_table.inverse_transform(codes)
    for other in (torch.from_numpy(codes), codes.tolist(), pd.DataFrame(codes)):
        np.testing.assert_array_equal(of_table.inverse_transform(other), expected)


@pytest.mark.parametrize("cls", [ConvolutionalAutoencoder, LinearAutoencoder])
def test_the_other_variants_refuse_alike(cls):
    model = cls(2, max_epochs=1, random_state=0).fit(IMAGES)
    refusal(model.transform, with_cell(IMAGES, np.inf, 0, 0, 0), error=DataError)
    refusal(model.transform, IMAGES[:, :4], error=DataError)
    refusal(model.inverse_transform, np.zeros((3, 3)), error=DataError)
