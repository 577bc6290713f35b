"""What every autoencoder promises, checked on each variant in `conftest.VARIANTS`."""

import copy
import math
import pickle
import random
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from sklearn.base import BaseEstimator, clone
from sklearn.callback import ProgressBar, ScoringMonitor
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.metrics import r2_score
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import isthmus
from conftest import ILLEGAL, VARIANTS, name_of, waves
from isthmus.errors import ParameterError
from isthmus.params import parameters_of

PARAMETERS = [(model, parameter.name) for model in VARIANTS for parameter in parameters_of(model)]


def not_met(estimator):
    """One property, checked on two kinds of input: batches are drawn by chance, so a row twice is not a weight of 2."""
    reason = "weights and repeated rows agree in expectation only (and in the exact solver to float32)"
    return {f"check_sample_weight_equivalence_on_{kind}_data": reason for kind in ("dense", "sparse")}


@parametrize_with_checks(VARIANTS, expected_failed_checks=not_met)
def test_scikit_learn_checks(estimator, check):
    check(estimator)


def test_every_public_estimator_is_among_the_variants():
    public = [getattr(isthmus, name) for name in isthmus.__all__]
    estimators = {cls for cls in public if isinstance(cls, type) and issubclass(cls, BaseEstimator)}
    assert {type(variant) for variant in VARIANTS} == estimators


# ---------------------------------------------------------------- parameters


@pytest.mark.parametrize(
    ("variant", "name"), PARAMETERS, ids=[f"{name_of(variant)}-{name}" for variant, name in PARAMETERS]
)
def test_an_illegal_parameter_is_refused_by_name_in_one_line(variant, name, rows):
    for value in ILLEGAL[name]:
        model = clone(variant).set_params(**{name: value})
        with pytest.raises(ParameterError, match=rf"^{name_of(variant)}: {name} must be .*; got ") as caught:
            model.fit(rows)
        assert "\n" not in str(caught.value)
        assert not hasattr(model, "module_")


def test_a_clone_has_the_parameters_but_is_not_fitted(fitted, rows):
    copied = clone(fitted)
    assert copied.get_params() == fitted.get_params()
    with pytest.raises(NotFittedError):
        copied.transform(rows)


# ---------------------------------------------------------------- codes and rows


def test_codes_do_not_depend_on_the_rows_beside_them(fitted, rows):
    codes = fitted.transform(rows)
    assert np.array_equal(fitted.transform(rows), codes)
    for part in (slice(0, 1), slice(3, 20), slice(None, None, -2)):
        np.testing.assert_allclose(fitted.transform(rows[part]), codes[part], atol=1e-5)
    many = np.tile(rows, (25, 1))
    np.testing.assert_allclose(fitted.transform(many), np.tile(codes, (25, 1)), atol=1e-5)


def test_shapes_of_codes_and_rows(model, data):
    X, codes = data, model.fit_transform(data)
    assert codes.shape == (len(X), math.prod(model.code_shape_))
    assert len(model.get_feature_names_out()) == codes.shape[1]
    assert model.n_features_in_ == math.prod(X.shape[1:])
    rebuilt = model.inverse_transform(codes)
    assert rebuilt.shape == X.shape
    assert codes.dtype == rebuilt.dtype == np.float32
    np.testing.assert_array_equal(model.reconstruct(X), rebuilt)


def test_errors_are_mean_squares_in_the_units_of_the_data(model, data):
    X = 100 * data - 30
    flat = [array.reshape(len(X), -1).astype(float) for array in (X, model.fit(X).reconstruct(X))]
    np.testing.assert_allclose(model.reconstruction_error(X), np.square(flat[0] - flat[1]).mean(axis=1))
    assert model.score(X) == pytest.approx(r2_score(*flat, multioutput="variance_weighted"))


def test_nested_lists_are_images_too(model, images):
    model.fit(images.tolist())
    assert model.n_features_in_ == images[0].size
    assert model.reconstruct(images.tolist()).shape == images.shape


@pytest.mark.parametrize("shape", [(12,), (6, 5)], ids=["rows", "images"])
def test_bytes_are_trained_like_their_share_of_255(model, shape):
    X = (waves(40, *shape) * 255).astype(np.uint8)
    shares = (X / 255).astype(np.float32)
    np.testing.assert_allclose(
        model.fit(X).reconstruct(X) / 255, clone(model).fit(shares).reconstruct(shares), atol=1e-3
    )


def memory_map(X, folder):
    np.save(folder / "X.npy", X)
    return np.load(folder / "X.npy", mmap_mode="r")


def read_only(X, folder):
    X = X.copy()
    X.setflags(write=False)
    return X


FORMS = {
    "read-only": read_only,
    "memory map": memory_map,
    "column by column": lambda X, folder: np.asfortranarray(X),
    "backwards in memory": lambda X, folder: np.ascontiguousarray(X[::-1, ::-1])[::-1, ::-1],
    "big-endian": lambda X, folder: X.astype(">f4"),
    "tensor": lambda X, folder: torch.from_numpy(X),
}


@pytest.mark.parametrize("form", FORMS)
def test_the_form_of_the_rows_changes_nothing_and_they_are_not_changed(model, rows, form, tmp_path):
    X = FORMS[form](rows.copy(), tmp_path)
    codes = model.fit(X).transform(X)
    model.reconstruct(X)
    np.testing.assert_array_equal(np.asarray(X), rows)
    np.testing.assert_allclose(codes, clone(model).fit(rows).transform(rows), atol=1e-5)


@pytest.mark.parametrize("library", [pd, pl], ids=["pandas", "polars"])
def test_data_frames_give_names_and_data_frames_come_back(model, rows, library):
    names = [f"x{column}" for column in range(rows.shape[1])]
    frame = pd.DataFrame(rows, columns=names) if library is pd else pl.DataFrame(rows, schema=names)
    codes = model.set_output(transform=library.__name__).fit(frame).transform(frame)
    assert isinstance(codes, library.DataFrame)
    assert list(model.feature_names_in_) == names
    assert list(codes.columns) == list(model.get_feature_names_out())
    assert all(name in names or name.startswith(name_of(model).lower()) for name in codes.columns)
    plain = clone(model).set_output(transform="default").fit_transform(rows)
    np.testing.assert_allclose(codes.to_numpy(), plain, atol=1e-5)
    with pytest.raises(ValueError, match="feature names"):
        model.transform(frame[names[::-1]])


# ---------------------------------------------------------------- rows that are no good, or odd


def with_cell(X, value):
    X = X.copy()
    X[3, 2] = value
    return X


REFUSED = {
    "infinite": (lambda X: with_cell(X, np.inf), r"infinity \(inf\) in row 3, column 2"),
    "no rows": (lambda X: X[:0], r"0 sample\(s\)"),
    "no columns": (lambda X: X[:, :0], r"0 feature\(s\)"),
    "beyond float32": (lambda X: with_cell(X.astype(float), 1e300), r"X reaches from \S+ to 1e\+300, beyond float32"),
    "complex": (lambda X: X + 1j, "omplex"),
    "text": (lambda X: with_cell(X.astype(object), "a"), "'a'"),
    "names twice": (lambda X: pd.DataFrame(X, columns=list("aabcdefghijk")), "'a'"),
}
TAKEN = {
    "constant": lambda X: np.full_like(X, 7),
    "one row": lambda X: X[:1],
    "huge": lambda X: X * np.float32(1e30),
    "a huge cell": lambda X: with_cell(X, 1e30),
    "objects": lambda X: X.astype(object),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_rows_that_cannot_be_learned_from_are_one_sentence(model, rows, kind, tmp_path):
    change, words = REFUSED[kind]
    with pytest.raises(ValueError, match=words) as caught:
        model.fit(change(rows))
    assert "\n" not in str(caught.value)
    assert not hasattr(model, "module_")


@pytest.mark.parametrize("kind", TAKEN)
def test_odd_rows_just_work(model, rows, kind):
    X = TAKEN[kind](rows)
    codes = model.fit(X).transform(X)
    assert np.isfinite(codes).all()
    assert np.isfinite(model.reconstruct(X)).all()
    assert math.isfinite(model.score(X))


def test_one_column_works_or_is_too_few_for_the_code(model, rows):
    X = rows[:, :1]
    if name_of(model) in ("ConcreteAutoencoder", "LinearAutoencoder"):
        with pytest.raises(ParameterError, match="code_size must be at most the number of columns"):
            model.fit(X)
        model.set_params(code_size=1)
    assert np.isfinite(model.fit(X).reconstruct(X)).all()


# ---------------------------------------------------------------- threads


def test_eight_threads_get_the_same_codes(fitted, rows):
    codes = fitted.transform(rows)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: fitted.transform(rows), range(16)))
    for answer in answers:
        np.testing.assert_array_equal(answer, codes)


def test_fits_side_by_side_equal_fits_one_after_the_other(model, rows):
    def codes(seed):
        return clone(model).set_params(random_state=seed).fit(rows).transform(rows)

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(codes, range(4)))
    for seed, answer in enumerate(answers):
        np.testing.assert_array_equal(answer, codes(seed))


# ---------------------------------------------------------------- chance


def states_of_chance():
    numbers = np.random.get_state()  # noqa: NPY002
    return random.getstate(), numbers[1].tobytes(), numbers[2:], torch.get_rng_state().numpy().tobytes()


def test_a_seed_decides_everything_and_global_chance_is_left_alone(model, rows):
    before = states_of_chance()
    first = model.fit_transform(rows)
    model.partial_fit(rows).reconstruct(rows)
    assert states_of_chance() == before
    assert np.array_equal(clone(model).fit_transform(rows), first)
    assert np.array_equal(model.fit_transform(rows), first)


# ---------------------------------------------------------------- training


def trained_by_epochs(model, **changes):
    """The same model, where it has the choice trained by gradients."""
    solver = {"solver": "gradient"} if "solver" in model.get_params() else {}
    return model.set_params(max_epochs=5, **solver, **changes)


def test_every_weight_gets_a_gradient(model, rows):
    trained_by_epochs(model, batch_size=len(rows)).partial_fit(rows)
    weights = model.module_.named_parameters()
    assert [name for name, weight in weights if weight.grad is None or not weight.grad.any()] == []


def test_partial_fit_lowers_the_error(model, rows):
    trained_by_epochs(model, learning_rate=0.03)
    errors = [model.partial_fit(rows).reconstruction_error(rows).mean() for _ in range(20)]
    assert errors[-1] < 0.95 * errors[0]
    assert model.n_iter_ == len(model.history_) == 20


def test_the_summary_counts_the_weights(fitted):
    total = sum(weight.numel() for weight in fitted.module_.parameters())
    assert f"{total:,} parameters" in fitted.summary()
    assert f"{total:,} parameters" in fitted.summary()


# ---------------------------------------------------------------- scikit-learn's tools


def test_pickles_and_deep_copies_go_on_alike_and_leave_the_model_as_it_is(model, rows):
    untouched = clone(model).fit(rows).partial_fit(rows).transform(rows)
    model.fit(rows)
    twins = [pickle.loads(pickle.dumps(model)), copy.deepcopy(model)]
    codes = [twin.partial_fit(rows).transform(rows) for twin in twins]  # with a new optimizer, as a loaded model
    np.testing.assert_array_equal(*codes)
    np.testing.assert_array_equal(model.partial_fit(rows).transform(rows), untouched)


def test_grid_search_over_pipelines_in_two_processes(rows):
    pipeline = Pipeline([("scaler", StandardScaler()), ("model", VARIANTS[0])])
    grid = [{"model": [variant], "model__code_size": [1, 2]} for variant in VARIANTS]
    search = GridSearchCV(pipeline, grid, cv=2, n_jobs=2).fit(rows)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert search.transform(rows).shape == (len(rows), *search.best_estimator_["model"].code_shape_)


def test_progress_bars_under_grid_search(model, rows, capsys):
    search = GridSearchCV(model, {"code_size": [1, 2]}, cv=2)
    search.set_callbacks(ProgressBar(max_propagation_depth=None)).fit(rows)
    assert name_of(model) in capsys.readouterr().out


class Watch:
    """Notes which tasks begin and end; a task named in ``stop`` asks for the end, one in ``interrupt`` is Ctrl-C."""

    def __init__(self, stop=(), interrupt=()):
        self.stop, self.interrupt = stop, interrupt
        self.begun, self.ended, self.torn_down = [], [], 0

    def setup(self, estimator, context):
        pass

    def teardown(self, estimator, context):
        self.torn_down += 1

    def on_fit_task_begin(self, estimator, context):
        self.begun.append((context.task_name, context.task_id))
        if self.begun[-1] in self.interrupt:
            raise KeyboardInterrupt

    def on_fit_task_end(self, estimator, context):
        self.ended.append((context.task_name, context.task_id))
        return self.ended[-1] in self.stop


def epochs(*ids):
    return [("epoch", id) for id in ids]


def test_callbacks_see_every_epoch_begin_and_end(model, rows):
    watch = Watch()
    model.set_callbacks(watch).fit(rows)
    assert watch.begun == [("fit", 0), *epochs(*range(model.n_iter_))]
    assert watch.ended == [*epochs(*range(model.n_iter_)), ("fit", 0)]
    assert watch.torn_down == 1


@pytest.mark.parametrize("by", ["callback", "patience"])
def test_a_run_stops_early_and_leaves_no_task_open(model, rows, by):
    watch = Watch(stop=epochs(1) if by == "callback" else ())
    changes = {} if by == "callback" else {"patience": 1, "learning_rate": 1e-30}
    trained_by_epochs(model, **changes).set_callbacks(watch).fit(rows)
    assert len(model.history_) == model.n_iter_ == 2
    assert sorted(watch.ended) == sorted(watch.begun) == [*epochs(0, 1), ("fit", 0)]


def test_callbacks_get_rows_targets_and_a_model_that_can_score(model, rows):
    monitor = ScoringMonitor(scoring={"explained": lambda estimator, X, y: estimator.score(X)})
    trained_by_epochs(model, validation_fraction=0.0).set_callbacks(monitor).fit(rows, np.zeros(len(rows)))
    logs = monitor.get_logs().data_as_pandas
    scores = logs.loc[logs["task_name"] == "epoch", "explained"]
    assert len(scores) == 5
    assert scores.iloc[-1] == pytest.approx(model.score(rows))


def test_ctrl_c_leaves_a_fitted_model(model, rows):
    trained_by_epochs(model).set_callbacks(Watch(interrupt=epochs(1)))
    with pytest.warns(ConvergenceWarning, match="interrupted after epoch 1"):
        model.fit(rows)
    assert len(model.history_) == 1
    assert not model.module_.training
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.isfinite(model.transform(rows)).all()


# ---------------------------------------------------------------- missing cells


def with_holes(rows):
    return np.where(np.random.RandomState(0).rand(*rows.shape) < 0.2, np.nan, rows).astype(np.float32)


def test_missing_cells_are_filled_and_others_stay(model, rows):
    holes = with_holes(rows)
    filled = model.fit(holes).impute(holes)
    np.testing.assert_array_equal(filled[~np.isnan(holes)], holes[~np.isnan(holes)])
    gaps = np.isnan(holes)
    once = np.where(gaps, model.reconstruct(holes), holes)
    assert moved(model, filled, gaps) <= moved(model, once, gaps)
    np.testing.assert_allclose(model.impute(holes[3:5]), filled[3:5], rtol=1e-3, atol=1e-4)


def moved(model, rows, gaps):
    return np.abs(model.reconstruct(rows) - rows)[gaps].max()


def test_an_encoder_is_told_which_cells_are_missing(model, rows, tmp_path):
    if "missing" not in model.get_params():
        return
    model, holes = trained_by_epochs(model).set_params(missing="mask"), with_holes(rows)
    if "start_temperature" in model.get_params():
        with pytest.raises(ParameterError, match="missing='mask'"):
            model.fit(holes)
        return
    centre = np.where(np.isnan(holes), model.fit(holes).scaling_.centre.numpy(), np.nan_to_num(holes))
    assert model.scaling_.scale.numel() == 1
    assert np.abs(model.transform(centre.astype(np.float32)) - model.transform(holes)).max() > 1e-3
    model.save(tmp_path / "model")
    np.testing.assert_array_equal(isthmus.load(tmp_path / "model").transform(holes), model.transform(holes))
    assert model.partial_fit(holes).n_iter_ == 6


# ---------------------------------------------------------------- mixed tables


def test_a_mixed_table_comes_back_from_every_model_of_flat_rows(model, rows, tmp_path):
    high = rows[:, 0] > rows[:, 0].mean()
    X = pd.DataFrame({"a": rows[:, 0], "b": rows[:, 5], "high": high, "word": np.where(high, "up", "down")})
    if "kernel_size" in model.get_params():
        with pytest.raises(ParameterError, match="'high'"):
            model.fit(X)
        return
    model = trained_by_epochs(model).fit(X)
    rebuilt = model.reconstruct(X)
    assert (rebuilt.dtypes == X.dtypes).all()
    assert model.n_features_in_ == 4
    assert len(model.get_feature_names_out()) == model.transform(X).shape[1]
    assert np.isfinite(model.reconstruction_error(X)).all()
    assert model.score(X) <= 1
    model.save(tmp_path / "model")
    pd.testing.assert_frame_equal(isthmus.load(tmp_path / "model").reconstruct(X), rebuilt)
    if hasattr(model, "sample"):
        assert list(model.sample(2, random_state=0)) == list(X)
        assert np.isfinite(model.partial_fit(X).score(X))
