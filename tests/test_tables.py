"""Mixed tables: frames become cells as scikit-learn would make them, and cells become the frames that were fitted."""

import pickle

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder

import isthmus
from isthmus import ConvolutionalAutoencoder, DenseAutoencoder, LinearAutoencoder
from isthmus.errors import DataError, ModelFileError, ParameterError
from isthmus.sources import Part, opening, parquet
from isthmus.sources.tables import StoredTable
from isthmus.tables import TableSchema, as_frame, collapsed, encoded, expanded, frame_of, is_mixed, learn_columns
from isthmus.validation import checked_source

MODEL = DenseAutoencoder(2, hidden=(8,), max_epochs=2, random_state=0)


def people(n=120, seed=0):
    """A table whose columns all follow from one of three groups."""
    random = np.random.RandomState(seed)
    group = np.arange(n) % 3
    return pd.DataFrame(
        {
            "colour": np.array(["red", "green", "blue"])[group],
            "age": 20 + 10 * group + random.randn(n),
            "smoker": group == 1,
            "children": (group + random.randint(0, 2, n)).astype("int16"),
            "size": pd.Categorical.from_codes(group, ["small", "middle", "large"], ordered=True),
        }
    )


PEOPLE = people()
LIBRARIES = {
    "pandas": lambda frame: frame,
    "polars": pl.from_pandas,
    "pyarrow": lambda frame: pa.Table.from_pandas(frame, preserve_index=False),
}


def schema_of(X, max_categories=None):
    return learn_columns(frame_of(X), [frame_of(X)], max_categories)


def cells_of(X, schema, handle_unknown="error"):
    return expanded(encoded(frame_of(X), schema, handle_unknown), schema)


def there_and_back(X):
    schema = schema_of(X)
    return as_frame(collapsed(cells_of(X, schema), schema), schema)


# ---------------------------------------------------------------- there and back

PANDAS = pd.DataFrame(
    {
        "float32": np.array([1.5, -2, 3], "float32"),
        "uint8": np.array([0, 255, 7], "uint8"),
        "Int64": pd.array([1, -5, 2**40], "Int64"),
        "Float64": pd.array([1.5, 2, 3], "Float64"),
        "arrow int": pd.array([1, 2, 3], "int64[pyarrow]"),
        "object of numbers": pd.Series([1.5, 2.0, 3.0], dtype=object),
        "bool": [True, False, True],
        "boolean": pd.array([True, False, True], "boolean"),
        "arrow bool": pd.array([True, False, True], "bool[pyarrow]"),
        "object of booleans": pd.Series([True, False, True], dtype=object),
        "str": ["a", "b", "a"],
        "object of text": pd.Series(["a", "b", "a"], dtype=object),
        "string": pd.array(["a", "b", "a"], "string[python]"),
        "arrow string": pd.array(["a", "b", "a"], "string[pyarrow]"),
        "category": pd.Categorical(["v", "u", "v"], ["v", "w", "u"], ordered=True),
        "category of numbers": pd.Categorical([3, 1, 3]),
        "arrow dictionary": pd.array(["a", "b", "a"], pd.ArrowDtype(pa.dictionary(pa.int32(), pa.string()))),
    }
)
POLARS = pl.DataFrame(
    {
        "f": pl.Series([1.5, 2, 3], dtype=pl.Float32),
        "u": pl.Series([0, 255, 7], dtype=pl.UInt8),
        "i": [1, 2, 2**40],
        "d": pl.Series(["1.50", "2.25", "3.00"]).cast(pl.Decimal(10, 2)),
        "b": [True, False, True],
        "s": ["a", "b", "a"],
        "c": pl.Series(["a", "b", "a"], dtype=pl.Categorical),
        "e": pl.Series(["v", "u", "v"], dtype=pl.Enum(["v", "w", "u"])),
    }
)
ARROW = pa.table(
    {
        "f": pa.array([1.5, 2, 3], "float"),
        "u": pa.array([0, 255, 7], "uint8"),
        "d": POLARS["d"].to_arrow(),
        "b": [True, False, True],
        "s": ["a", "b", "a"],
        "l": pa.array(["a", "b", "a"], "large_string"),
        "c": pa.array(["b", "a", "b"]).dictionary_encode(),
        "o": pa.DictionaryArray.from_arrays([1, 0, 1], ["u", "v", "a"], ordered=True),
    }
)


def same(one, other):
    if isinstance(one, pd.DataFrame):
        pd.testing.assert_frame_equal(one, other)
        return True
    return one.equals(other) and one.schema == other.schema


@pytest.mark.parametrize("frame", [PANDAS, POLARS, ARROW], ids=["pandas", "polars", "pyarrow"])
def test_columns_of_every_type_come_back(frame):
    assert same(there_and_back(frame), frame)


@st.composite
def tables(draw):
    n = draw(st.integers(1, 12))
    columns = {
        "number": st.floats(-1e6, 1e6),
        "boolean": st.booleans(),
        "text": st.text(max_size=4),
        "whole": st.integers(-(2**31), 2**31),
    }
    names = draw(st.lists(st.sampled_from(sorted(columns)), min_size=1, unique=True))
    return {name: draw(st.lists(columns[name], min_size=n, max_size=n)) for name in names}


@settings(max_examples=25, deadline=None)
@given(tables(), st.sampled_from(sorted(LIBRARIES)))
def test_any_table_comes_back(columns, library):
    frame = {"pandas": pd.DataFrame, "polars": pl.DataFrame, "pyarrow": pa.table}[library](columns)
    assert same(there_and_back(frame), frame)


def test_integers_stay_within_their_type():
    schema = schema_of(pd.DataFrame({"a": np.array([1, 2], "uint8"), "b": ["x", "y"]}))
    cells = np.array([[-3.7, 1, 0], [999.0, 0, 1], [7.5001, 1, 0]])
    assert as_frame(collapsed(cells, schema), schema)["a"].tolist() == [0, 255, 8]


def test_names_that_are_integers_come_back():
    frame = pd.DataFrame({0: [1.0, 2.0], 1: ["a", "b"]})
    assert same(there_and_back(frame), frame)


# ---------------------------------------------------------------- as scikit-learn encodes


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.sampled_from("abcdefg"), min_size=1, max_size=30),
    st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=10),
    st.one_of(st.none(), st.integers(1, 8)),
)
def test_cells_are_those_of_the_one_hot_encoder(fitted, shown, most):
    """Values that are not known are zeros there, and missing here, unless there is a cell for rare ones."""
    ours = schema_of(pd.DataFrame({"x": fitted}), most)
    theirs = OneHotEncoder(handle_unknown="infrequent_if_exist", max_categories=most, sparse_output=False)
    theirs.fit(np.array(fitted, object)[:, None])
    assert ours.cell_names == theirs.get_feature_names_out(["x"]).tolist()
    expected = theirs.transform(np.array(shown, object)[:, None])
    cells = cells_of(pd.DataFrame({"x": shown}), ours, "infrequent_if_exist")
    np.testing.assert_array_equal(np.nan_to_num(cells), expected)
    np.testing.assert_array_equal(np.isnan(cells).all(axis=1), expected.sum(axis=1) == 0)


@pytest.mark.parametrize("library", LIBRARIES)
def test_missing_cells_of_any_kind_are_nan(library):
    frame = people(6)
    for name in frame:
        frame[name] = frame[name].astype({"smoker": "boolean", "children": "Int16"}.get(name, frame[name].dtype))
        frame.loc[2, name] = None
    X = LIBRARIES[library](frame)
    cells = cells_of(X, schema_of(X))
    assert np.isnan(cells[2]).all()
    assert not np.isnan(np.delete(cells, 2, axis=0)).any()


# ---------------------------------------------------------------- estimators


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_frame_gives_a_frame_of_its_library(library):
    X = LIBRARIES[library](PEOPLE)
    model = DenseAutoencoder(3, hidden=(16,), max_epochs=40, learning_rate=0.02, random_state=0).fit(X)
    assert model.n_features_in_ == 5
    assert list(model.feature_names_in_) == list(PEOPLE)
    for back in (model.reconstruct(X), model.inverse_transform(model.transform(X))):
        assert type(back) is type(X)
        as_pandas = back if library == "pandas" else back.to_pandas()
        assert list(as_pandas) == list(PEOPLE)
        assert (as_pandas["colour"] == PEOPLE["colour"]).mean() > 0.9
        assert (as_pandas["smoker"] == PEOPLE["smoker"]).mean() > 0.9
        np.testing.assert_allclose(as_pandas["age"], PEOPLE["age"], atol=6)
    assert set(model.history_[-1].losses) == {"numbers", "booleans", "categories"}
    assert 0.7 < model.score(X) <= 1


def test_the_libraries_agree(tmp_path):
    frame = PEOPLE.astype({"size": str})
    expected = clone(MODEL).fit(frame).transform(frame)
    pq.write_table(LIBRARIES["pyarrow"](frame), tmp_path / "people.parquet")
    frame.to_csv(tmp_path / "people.csv", index=False)
    for X in (*(make(frame) for make in LIBRARIES.values()), tmp_path / "people.parquet", tmp_path / "people.csv"):
        np.testing.assert_allclose(clone(MODEL).fit(X).transform(X), expected, atol=1e-5)


def test_the_index_of_a_frame_stays():
    X = PEOPLE.set_index(np.arange(len(PEOPLE)) * 7)
    assert clone(MODEL).fit(X).reconstruct(X.iloc[3:9]).index.tolist() == X.index[3:9].tolist()


def test_numbers_are_standardised_and_the_rest_is_left_alone():
    model = clone(MODEL).set_params(validation_fraction=0.0).fit(PEOPLE)
    numbers = PEOPLE[["age", "children"]].to_numpy(float)
    np.testing.assert_allclose(model.scaling_.offset, [*numbers.mean(axis=0), *[0] * 7])
    np.testing.assert_allclose(model.scaling_.scale, [*numbers.std(axis=0), *[1] * 7])
    np.testing.assert_allclose(model.scaling_.centre[3:], 1 / 3)


def test_a_fit_starts_at_the_means_and_shares_of_its_rows():
    model = clone(MODEL).set_params(max_epochs=1, learning_rate=1e-12, validation_fraction=0.0).fit(PEOPLE)
    first = model.module_.decode(model.module_.decoder[0].weight.new_zeros(1, 2)).detach()[0]
    np.testing.assert_allclose(first[3:], 1 / 3, atol=1e-3)
    np.testing.assert_allclose(first[:2], 0, atol=1e-5)


def test_the_score_and_the_errors_are_those_of_the_scaled_cells():
    """PCA on what scikit-learn's column transformer makes of the table explains as much, and errs as much."""
    X = PEOPLE
    scale = FunctionTransformer(lambda columns: (columns - columns.mean()) / columns.std(ddof=0))
    cells = make_column_transformer(
        (scale, ["age", "children"]),
        ("passthrough", ["smoker"]),
        (OneHotEncoder(sparse_output=False), ["colour", "size"]),
    ).fit_transform(X)
    cells = cells.astype(float)
    from sklearn.decomposition import PCA

    pca = PCA(3).fit(cells)
    model = LinearAutoencoder(3).fit(X)
    assert model.score(X) == pytest.approx(pca.explained_variance_ratio_.sum(), abs=1e-5)
    squares = np.square(cells - pca.inverse_transform(pca.transform(cells)))
    np.testing.assert_allclose(model.reconstruction_error(X), squares.sum(axis=1) / 5, atol=1e-5)


def test_missing_cells_are_left_out_and_filled():
    X = people(300)
    random = np.random.RandomState(1)
    for name in X:
        X[name] = X[name].astype("boolean" if name == "smoker" else "Int16" if name == "children" else X[name].dtype)
        X.loc[random.rand(len(X)) < 0.1, name] = None
    model = clone(MODEL).set_params(max_epochs=60).fit(X)
    back = model.reconstruct(X)
    assert not back.isna().any(axis=None)
    assert back.dtypes.equals(X.dtypes)
    assert np.isfinite(model.reconstruction_error(X.iloc[:50])).all()
    missing = X["colour"].isna()
    assert (back["colour"] == people(300)["colour"])[missing].mean() > 0.8
    filled = model.impute(X)
    assert same(filled.mask(X.isna()).astype(X.dtypes), X)
    assert not filled.isna().any(axis=None)
    assert (filled["colour"] == people(300)["colour"])[missing].mean() > 0.8


@pytest.mark.parametrize("name", ["age", "colour", "smoker"])
def test_a_column_without_cells_is_named(name):
    X = PEOPLE.assign(**{name: pd.Series([None] * len(PEOPLE), dtype=PEOPLE[name].astype(object).dtype)})
    with pytest.raises(DataError, match=rf"{name}.*all are missing"):
        clone(MODEL).fit(X.assign(other="x"))


# ---------------------------------------------------------------- categories that are not known

UNKNOWN = PEOPLE.assign(colour=["violet", *PEOPLE["colour"][1:]])


def test_an_unknown_category_is_refused_by_name():
    model = clone(MODEL).fit(PEOPLE)
    with pytest.raises(DataError, match=r"'colour'.*'violet'.*handle_unknown='ignore'"):
        model.transform(UNKNOWN)


def test_an_unknown_category_is_taken_as_missing():
    model = clone(MODEL).set_params(handle_unknown="ignore").fit(PEOPLE)
    gone = PEOPLE.assign(colour=[None, *PEOPLE["colour"][1:]])
    np.testing.assert_array_equal(model.transform(UNKNOWN), model.transform(gone))
    assert model.reconstruct(UNKNOWN)["colour"][0] in ("red", "green", "blue")


def test_rare_categories_share_a_cell():
    X = PEOPLE.assign(colour=["rose", "rose", "lime", *PEOPLE["colour"][3:]])
    model = clone(MODEL).set_params(handle_unknown="infrequent_if_exist", max_categories=4).fit(X)
    assert "colour_infrequent_sklearn" in model.schema_.table.cell_names
    codes = model.transform(X.assign(colour=["lime", "violet", "rose", *X["colour"][3:]]))
    expected = model.transform(X.assign(colour=["rose", "rose", "rose", *X["colour"][3:]]))
    np.testing.assert_array_equal(codes, expected)
    assert set(model.reconstruct(X)["colour"]) <= {"red", "green", "blue", "rose"}
    assert same(model.impute(X), X)


def test_too_many_categories_are_refused():
    X = pd.DataFrame({"name": [f"n{i}" for i in range(10_001)]})
    with pytest.raises(DataError, match=r"'name'.*10,001 different values.*max_categories"):
        clone(MODEL).fit(X)


# ---------------------------------------------------------------- what is refused

ODD = {
    "datetime": pd.to_datetime(["2020"] * 120),
    "timedelta": pd.to_timedelta(range(120)),
    "mixed objects": pd.Series([1, "a"] * 60, dtype=object),
    "complex": np.ones(120) * 1j,
    "intervals": pd.cut(np.arange(120), 3),
}


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("others", ["age", "colour"])
def test_a_column_that_is_nothing_known_is_named(odd, others):
    X = PEOPLE[[others]].assign(strange=ODD[odd])
    with pytest.raises(DataError, match="'strange'") as refused:
        clone(MODEL).fit(X)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("library", ["polars", "pyarrow"])
def test_dates_and_lists_of_other_libraries_are_named(library):
    for column in ({"when": pa.array([0, 1], pa.date32())}, {"when": pa.array([[1], [2]])}):
        table = pa.table({"a": [1.0, 2.0], **column})
        with pytest.raises(DataError, match="'when'"):
            clone(MODEL).fit(pl.from_arrow(table) if library == "polars" else table)


@pytest.mark.parametrize(
    ("X", "words"),
    [
        (np.zeros((3, 5)), "data frame"),
        (PEOPLE[["age", "colour", "smoker", "children", "size"]], "feature names"),
        (PEOPLE.drop(columns="age"), "feature names"),
        (PEOPLE.assign(age="old"), r"'age'.*str"),
        (PEOPLE.iloc[:0], "0 rows"),
    ],
    ids=["array", "order", "column missing", "text for a number", "no rows"],
)
def test_rows_unlike_the_fitted_table_are_refused(X, words):
    with pytest.raises(ValueError, match=words):
        clone(MODEL).fit(PEOPLE).transform(X)


def test_a_column_of_two_names_is_refused():
    X = PEOPLE.set_axis(["a", "a", "b", "c", "d"], axis=1)
    with pytest.raises(ValueError, match="'a'"):
        clone(MODEL).fit(X)


def test_text_for_a_model_of_numbers_is_refused():
    model = clone(MODEL).fit(PEOPLE[["age", "children"]])
    with pytest.raises(DataError, match=r"'age'.*must be numbers"):
        model.transform(PEOPLE[["age", "children"]].assign(age="old"))


def test_convolutions_refuse_a_mixed_table():
    with pytest.raises(ParameterError, match=r"Convolutional.*'colour'"):
        ConvolutionalAutoencoder(2, max_epochs=1).fit(PEOPLE)


def test_a_table_of_numbers_is_what_it_was():
    X = PEOPLE[["age", "children"]]
    assert not is_mixed(X)
    model = clone(MODEL).fit(X)
    assert isinstance(model.reconstruct(X), np.ndarray)
    assert set(model.history_[-1].losses) == {"reconstruction"}


# ---------------------------------------------------------------- other ways to come and go


class Batches:
    def __init__(self, X, size=50):
        self.parts = [X[start : start + size] for start in range(0, len(X), size)]

    def __iter__(self):
        return iter(self.parts)


def test_batches_of_frames_are_one_table():
    model = clone(MODEL).fit(Batches(PEOPLE))
    np.testing.assert_allclose(model.transform(iter(Batches(PEOPLE))), model.transform(PEOPLE), atol=1e-6)
    assert model.score(Batches(PEOPLE)) == pytest.approx(model.score(PEOPLE))
    assert len(clone(MODEL).partial_fit(iter(Batches(PEOPLE))).history_) == 3


def test_a_parquet_folder_is_streamed(tmp_path, monkeypatch):
    for module in (opening, parquet):
        monkeypatch.setattr(module, "RESIDENT_BYTES" if module is opening else "_PIECE_BYTES", 1000)
    for place in range(3):
        own = LIBRARIES["pyarrow"](PEOPLE.iloc[40 * place : 40 * (place + 1)])
        pq.write_table(own, tmp_path / f"{place}.parquet", row_group_size=25)
    assert isinstance(opening.opened(tmp_path), StoredTable)
    model = clone(MODEL).fit(tmp_path)
    held = checked_source(model, PEOPLE, reset=False)
    stored = checked_source(model, ds.dataset(tmp_path), reset=False)
    np.testing.assert_array_equal(np.concatenate(list(stored)), np.concatenate(list(held)))
    np.testing.assert_allclose(model.transform(tmp_path), model.transform(PEOPLE), atol=1e-5)
    assert isinstance(model.reconstruct(tmp_path), pa.Table)


def test_a_part_of_a_table_is_one():
    model = clone(MODEL).fit(PEOPLE)
    part = Part(checked_source(model, PEOPLE, reset=False), np.arange(10, 40))
    np.testing.assert_allclose(model.transform(part), model.transform(PEOPLE)[10:40], atol=1e-6)
    assert LinearAutoencoder(2).fit(part).n_features_in_ == 5


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_file_a_pickle_and_a_clone_keep_the_table(library, tmp_path):
    X = LIBRARIES[library](PEOPLE)
    model = clone(MODEL).set_params(max_categories=2).fit(X)
    model.save(tmp_path / "model")
    for twin in (isthmus.load(tmp_path / "model"), pickle.loads(pickle.dumps(model)), clone(model).fit(X)):
        assert twin.schema_ == model.schema_
        np.testing.assert_array_equal(twin.transform(X), model.transform(X))
        assert same(twin.reconstruct(X), model.reconstruct(X))
        twin.partial_fit(X)


@pytest.mark.parametrize(
    "changes",
    [
        {"library": "os"},
        {"columns": []},
        {"kind": "code"},
        {"width": 9},
        {"width": 0},
        {"categories": [["nested"]]},
        {"categories": None},
        {"dtype": "object; import os"},
    ],
)
def test_a_damaged_description_is_refused(changes):
    plain = schema_of(PEOPLE[["colour"]]).plain()
    for name, value in changes.items():
        (plain if name in plain else plain["columns"][0])[name] = value
    with pytest.raises((ModelFileError, TypeError)):
        used(plain)


def used(plain):
    schema = TableSchema.read(plain)
    return as_frame(np.zeros((1, len(schema.columns))), schema)


def test_a_pipeline_and_a_search_over_a_mixed_table():
    pipeline = make_pipeline(FunctionTransformer(), MODEL)
    search = GridSearchCV(pipeline, {"denseautoencoder__code_size": [1, 2]}, cv=2).fit(PEOPLE)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert search.transform(PEOPLE).shape[0] == len(PEOPLE)
    assert make_column_selector(dtype_include="category")(
        search.best_estimator_.inverse_transform(search.transform(PEOPLE))
    ) == ["size"]


def test_what_is_of_numbers_only_refuses_a_mixed_table(tmp_path):
    model = clone(MODEL).fit(PEOPLE)
    for refuses in (
        lambda: isthmus.selection.code_size_curve(MODEL, PEOPLE, sizes=(1,)),
        lambda: isthmus.report.write(model, PEOPLE, path=tmp_path / "report.html"),
        lambda: model.export(tmp_path / "model.onnx"),
    ):
        with pytest.raises(DataError, match=r"numbers only.*'colour'"):
            refuses()


def test_a_figure_of_a_mixed_table():
    model = clone(MODEL).fit(PEOPLE)
    assert len(isthmus.plots.plot_reconstructions(model, PEOPLE, n=2).axes) == 6
    assert isthmus.plots.plot_traversal(model, PEOPLE, steps=2).axes
