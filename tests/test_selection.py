"""Choosing a code size and a variant: what cross-validation by hand gives, stopped and taken up again."""

import json
import warnings

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning, FitFailedWarning
from sklearn.model_selection import KFold, ShuffleSplit, StratifiedKFold, cross_validate

import isthmus
from isthmus import metrics
from isthmus.callbacks import Watcher
from isthmus.errors import DataError, DivergedError, ParameterError
from isthmus.plots import plot_code_size_curve
from isthmus.selection import Comparison, Curve, code_size_curve, compare
from isthmus.selection.curve import _suggestion
from isthmus.selection.fits import limited

SIZES = (1, 2, 4)
MODEL = isthmus.DenseAutoencoder(hidden=(8,), max_epochs=2, batch_size=16, random_state=0, device="cpu")
LABELS = np.arange(60) % 3


class Stopping(isthmus.DenseAutoencoder):
    """A model during whose training, at one code size, the user presses Ctrl-C."""

    at = 4

    def _learn(self, trainer, *, once):
        class Press(Watcher):
            def epoch_began(self, trainer):
                raise KeyboardInterrupt

        if self.code_size == type(self).at:
            trainer.callbacks = [*trainer.callbacks, Press()]
        super()._learn(trainer, once=once)


class Diverging(isthmus.DenseAutoencoder):
    """A model that diverges at a code size of 2."""

    def _learn(self, trainer, *, once):
        if self.code_size == 2:
            raise DivergedError("training diverged")
        super()._learn(trainer, once=once)


@pytest.fixture
def fits(monkeypatch):
    """The code sizes of the dense models that are fitted, one after the other."""
    made, fit = [], isthmus.DenseAutoencoder.fit

    def counted(self, X, y=None):
        made.append(self.code_size)
        return fit(self, X, y)

    monkeypatch.setattr(isthmus.DenseAutoencoder, "fit", counted)
    return made


def by_hand(model, X, cv):
    """Held-out errors and explained variances of the splits, shape (2, splits)."""
    scoring = {
        "error": lambda model, X, y=None: model.reconstruction_error(X).mean(),
        "explained": lambda model, X, y=None: model.score(X),
    }
    scores = cross_validate(model, X, cv=cv, scoring=scoring)
    return np.array([scores["test_error"], scores["test_explained"]])


def assert_equal(first, second):
    """Assert that two curves or tables are the same to the last bit, but for the time they took."""
    for name in first.__dataclass_fields__:
        if name != "seconds":
            np.testing.assert_array_equal(getattr(first, name), getattr(second, name), err_msg=name)


# ---------------------------------------------------------------- the curve


@pytest.mark.parametrize("cv", [3, KFold(2, shuffle=True, random_state=1)], ids=str)
def test_the_curve_is_that_of_cross_validation_by_hand(rows, cv):
    curve = code_size_curve(MODEL, rows, SIZES, cv=cv)
    scores = np.array([by_hand(clone(MODEL).set_params(code_size=size), rows, cv) for size in SIZES])
    assert curve.sizes.tolist() == list(SIZES)
    np.testing.assert_array_equal(curve.error, scores[:, 0].mean(axis=1))
    np.testing.assert_array_equal(curve.explained_variance, scores[:, 1].mean(axis=1))
    spread = scores[:, 0].std(axis=1, ddof=1) / np.sqrt(scores.shape[2])
    np.testing.assert_allclose(curve.standard_error, spread)
    assert curve.complete


def test_without_cv_a_fifth_of_the_rows_is_held_out_once(images):
    curve = code_size_curve(MODEL, images, (2,), random_state=3)
    split = ShuffleSplit(1, test_size=0.2, random_state=3)
    np.testing.assert_array_equal(curve.error, by_hand(clone(MODEL).set_params(code_size=2), images, split)[0])
    assert np.isnan(curve.standard_error).all()


def test_the_curve_of_pca_is_that_of_scikit_learn(rows):
    curve = code_size_curve(MODEL, rows, (1, 3, 20), random_state=0)
    train, test = next(ShuffleSplit(1, test_size=0.2, random_state=0).split(rows))
    for i, size in enumerate((1, 3, 12)):
        pca = PCA(size).fit(rows[train])
        rebuilt = pca.inverse_transform(pca.transform(rows[test]))
        assert curve.pca_error[i] == pytest.approx(metrics.mean_squared_error(rows[test], rebuilt), rel=1e-3, abs=1e-12)
        explained = metrics.explained_variance(rows[test], rebuilt)
        assert curve.pca_explained_variance[i] == pytest.approx(explained, rel=1e-4)


def test_sizes_come_in_any_order_and_by_default_below_the_columns(rows, fits):
    assert code_size_curve(MODEL, rows, np.array([4, 1, 4])).sizes.tolist() == [1, 4]
    assert code_size_curve(MODEL, rows).sizes.tolist() == [2, 4, 8]
    assert code_size_curve(MODEL, rows[:, :2], iter([1])).sizes.tolist() == [1]
    assert fits == [1, 4, 2, 4, 8, 1]


def test_the_model_and_the_rows_stay_as_they_are(rows):
    model, before = clone(MODEL), rows.copy()
    code_size_curve(model, rows, (2,))
    assert not model.__sklearn_is_fitted__()
    assert model.code_size == MODEL.code_size
    np.testing.assert_array_equal(rows, before)


def test_rows_may_be_data_frames_lists_or_memory_maps(rows, frame, tmp_path):
    np.save(tmp_path / "rows.npy", rows)
    expected = code_size_curve(MODEL, rows, (2,), random_state=0)
    for form in (frame.astype(np.float32), np.load(tmp_path / "rows.npy", mmap_mode="r")):
        assert_equal(code_size_curve(MODEL, form, (2,), random_state=0), expected)
    assert code_size_curve(MODEL, rows.tolist(), (2,), random_state=0).error == pytest.approx(expected.error, rel=1e-3)


@pytest.mark.parametrize(
    ("error", "spread", "pca", "n_splits", "suggested", "words"),
    [
        ([9, 5.4, 5, 4.9], [1, 1, 1, 0.5], [9, 9, 9, 9], 5, 4, ["one standard error over 5 splits", "beats PCA"]),
        ([9, 5.4, 5, 4.9], [1, 1, 1, 0.1], [9, 9, 9, 9], 5, 8, ["the lowest, 4.9 at 16", "within one"]),
        ([9, 5, 4.92, 4.9], [np.nan] * 4, [9, 9, 4, 9], 1, 8, ["1 % (there is one split)", "does not beat PCA"]),
        ([9, 8, 7, 1], [np.nan] * 4, [9, 9, 9, 9], 1, 16, ["the largest size that was measured", "no smaller size"]),
        ([1, 8, 7, 2], [np.nan] * 4, [9, 9, 9, 9], 1, 2, ["2 has the lowest held-out error, 1; there"]),
        ([np.nan, 8, 7, 7.5], [np.nan] * 4, [9, 9, 9, 9], 1, 8, ["8 has the lowest"]),
    ],
)
def test_the_smallest_size_near_the_best_is_suggested(error, spread, pca, n_splits, suggested, words):
    sizes = np.array([2, 4, 8, 16])
    place, reason = _suggestion(sizes, np.array(error), np.array(spread), np.array(pca), n_splits)
    assert sizes[place] == suggested
    assert reason.startswith(f"{suggested} ")
    assert all(word in reason for word in words), reason
    assert "\n" not in reason


def test_the_rows_of_a_curve_are_its_columns(rows):
    curve = code_size_curve(MODEL, rows, (1, 2), cv=2)
    table = curve.rows()
    assert [row.pop("code_size") for row in table] == [1, 2]
    for i, row in enumerate(table):
        assert row == {name: getattr(curve, name)[i] for name in row}
    assert len(row) == 5


def test_the_figure_shows_both_curves_and_the_suggestion(rows):
    curve = code_size_curve(MODEL, rows, SIZES, cv=2)
    figure = plot_code_size_curve(curve)
    figure.draw_without_rendering()
    for axes, name in zip(figure.axes, ("error", "explained_variance"), strict=True):
        drawn = {line.get_label(): line for line in axes.lines}
        np.testing.assert_array_equal(drawn["model"].get_xydata(), np.column_stack([SIZES, getattr(curve, name)]))
        np.testing.assert_array_equal(drawn["PCA"].get_ydata(), getattr(curve, f"pca_{name}"))
        assert drawn["PCA"].get_linestyle() == "--"
        assert drawn[f"suggested: {curve.suggested}"].get_xdata() == [curve.suggested]
    assert figure.axes[1].get_xscale() == "log"
    assert [label.get_text() for label in figure.axes[1].get_xticklabels()] == ["1", "2", "4"]


@pytest.mark.parametrize(("sizes", "errors", "scales"), [((3, 4), (2, 1), "linear"), ((1, 8), (20, 1), "log")])
def test_scales_are_logarithmic_where_the_range_is_wide(sizes, errors, scales):
    values = np.array(errors, float)
    curve = Curve(np.array(sizes), values, values, values, values, sizes[0], "", np.full(2, np.nan))
    axes = plot_code_size_curve(curve).axes
    assert (axes[0].get_yscale(), axes[1].get_xscale()) == (scales, scales)


# ---------------------------------------------------------------- in parallel, stopped, taken up again


def test_two_processes_give_what_one_gives(rows):
    options = {"cv": 2, "random_state": 0}
    assert_equal(
        code_size_curve(MODEL, rows, SIZES, n_jobs=2, **options), code_size_curve(MODEL, rows, SIZES, **options)
    )


def test_threads_are_limited_and_put_back():
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        with limited(1):
            assert torch.get_num_threads() == 1
        with limited(8):
            assert torch.get_num_threads() == 2
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_a_second_call_makes_only_the_fits_that_are_missing(rows, fits, tmp_path):
    options = {"checkpoint": tmp_path / "fits.json", "cv": 2}
    first = code_size_curve(MODEL, rows, SIZES, **options)
    assert len(fits) == 6
    assert_equal(code_size_curve(MODEL, rows, SIZES, **options), first)
    assert len(fits) == 6
    longer = code_size_curve(MODEL, rows, (*SIZES, 8), **options)
    assert fits[6:] == [8, 8]
    np.testing.assert_array_equal(longer.error[:3], first.error)


def test_without_a_seed_the_file_keeps_the_split(rows, fits, tmp_path):
    options = {"checkpoint": str(tmp_path / "fits.json")}
    first = code_size_curve(MODEL, rows, (1, 2), **options)
    assert_equal(code_size_curve(MODEL, rows, (1, 2), **options), first)
    assert len(fits) == 2


@pytest.mark.parametrize("pressed", ["in training", "between fits"])
def test_ctrl_c_keeps_what_is_finished(rows, pressed, tmp_path, fits, monkeypatch):
    model = Stopping(hidden=(8,), max_epochs=2, random_state=0)
    path, whole = tmp_path / "fits.json", clone(model)
    if pressed == "between fits":
        monkeypatch.setattr(Stopping, "_learn", isthmus.DenseAutoencoder._learn)
        monkeypatch.setattr(Stopping, "recipe", _interrupting(Stopping.recipe, fits))
    with pytest.warns(ConvergenceWarning, match="interrupted after 5 of 6 fits"):
        curve = code_size_curve(model, rows, SIZES, random_state=0, checkpoint=path)
    assert curve.sizes.tolist() == [1, 2]
    assert not curve.complete
    monkeypatch.undo()
    monkeypatch.setattr(Stopping, "at", None)
    resumed = code_size_curve(model, rows, SIZES, random_state=0, checkpoint=path)
    assert_equal(resumed, code_size_curve(whole, rows, SIZES, random_state=0))


def _interrupting(recipe, fits):
    def interrupted(self, facts):
        if fits[-1:] == [4]:
            raise KeyboardInterrupt
        return recipe(self, facts)

    return interrupted


def test_an_interrupted_cross_validation_gives_the_splits_that_are_whole(rows, monkeypatch):
    made, learn = [], isthmus.DenseAutoencoder._learn

    def third(self, trainer, *, once):
        made.append(self.code_size)
        if len(made) == 4:
            raise KeyboardInterrupt
        learn(self, trainer, once=once)

    monkeypatch.setattr(isthmus.DenseAutoencoder, "_learn", third)
    with pytest.warns(ConvergenceWarning):
        curve = code_size_curve(MODEL, rows, (1, 2), cv=3)
    monkeypatch.undo()
    expected = [by_hand(clone(MODEL).set_params(code_size=size), rows, 3)[0, 0] for size in (1, 2)]
    np.testing.assert_array_equal(curve.error, expected)


def test_an_interrupt_before_anything_is_finished_is_one(rows):
    model = Stopping(hidden=(8,), max_epochs=2)
    with pytest.warns(ConvergenceWarning, match="interrupted after 1 of 2"), pytest.raises(KeyboardInterrupt):
        code_size_curve(model, rows, (4,))


def test_a_fit_that_diverges_counts_as_nan(rows, tmp_path):
    model, path = Diverging(hidden=(8,), max_epochs=2, random_state=0), tmp_path / "fits.json"
    with pytest.warns(FitFailedWarning, match="code_size=2: training diverged"):
        curve = code_size_curve(model, rows, SIZES, checkpoint=path)
    assert np.isnan(curve.error).tolist() == [False, True, False]
    assert curve.suggested in (1, 4)
    assert "Diverging(" in path.read_text()
    assert len(json.loads(path.read_text())["fits"]) == 5
    with pytest.warns(FitFailedWarning), pytest.raises(DivergedError, match="learning_rate"):
        code_size_curve(model, rows, (2,))


def test_a_model_that_shows_progress_is_silent_within_the_study(rows, capsys):
    code_size_curve(clone(MODEL).set_params(verbose=True), rows, (1,))
    assert capsys.readouterr().out == ""
    code_size_curve(clone(MODEL).set_params(verbose=True), rows, (1,), verbose=True)
    assert "2/2" in capsys.readouterr().out


def test_the_fits_of_a_study_share_no_checkpoints_of_the_model(rows, tmp_path):
    code_size_curve(clone(MODEL).set_params(checkpoint=tmp_path / "run"), rows, (1, 2))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"X": np.ones((60, 12), np.float32)}, "other data"),
        ({"model": clone(MODEL).set_params(hidden=(9,))}, "another study, code_size_curve of DenseAutoencoder("),
        ({"model": clone(MODEL).set_params(random_state=np.random.RandomState(0))}, "another study"),
        ({"random_state": 1}, r"other splits \(cv or random_state\)"),
        ({"cv": 2}, "other splits"),
    ],
    ids=["data", "parameter", "random state", "seed", "cv"],
)
def test_a_file_of_something_else_is_refused(rows, changes, words, tmp_path):
    options = {"model": MODEL, "X": rows, "sizes": (1,), "random_state": 0, "checkpoint": tmp_path / "fits.json"}
    code_size_curve(**options)
    before = (tmp_path / "fits.json").read_text()
    with pytest.raises(DataError, match=words.replace("(D", r"\(D").replace("er(", r"er\(")):
        code_size_curve(**(options | changes))
    assert (tmp_path / "fits.json").read_text() == before


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"format": 2}', '{"format": 1, "fits": {"a": {"b": 1}}}'])
def test_a_damaged_file_is_refused_and_kept(rows, text, tmp_path):
    (tmp_path / "fits.json").write_text(text)
    with pytest.raises(DataError, match="damaged"):
        code_size_curve(MODEL, rows, (1,), checkpoint=tmp_path / "fits.json")
    assert (tmp_path / "fits.json").read_text() == text


# ---------------------------------------------------------------- comparisons


def test_a_comparison_is_cross_validation_by_hand_beside_pca(rows):
    models = {"short": clone(MODEL).set_params(code_size=2), "long": clone(MODEL).set_params(code_size=4)}
    table = compare(models, rows, cv=3)
    assert table.names == ("short", "long", "PCA 2", "PCA 4")
    assert table.code_size.tolist() == [2, 4, 2, 4]
    every = [*models.values(), isthmus.LinearAutoencoder(2), isthmus.LinearAutoencoder(4)]
    scores = np.array([by_hand(model, rows, 3).mean(axis=1) for model in every])
    np.testing.assert_array_equal(np.column_stack([table.error, table.explained_variance]), scores)
    weights = [sum(weight.numel() for weight in model.fit(rows).module_.parameters()) for model in every]
    assert table.parameters.tolist() == weights
    assert (table.seconds > 0).all()
    assert table.knn_accuracy is None
    assert "knn_accuracy" not in table.rows()[0]


def test_labels_are_read_from_the_codes_of_held_out_rows(rows):
    cv = StratifiedKFold(2)
    table = compare([clone(MODEL).set_params(code_size=2)], rows, LABELS, cv=cv)
    found = []
    for train, test in cv.split(rows, LABELS):
        model = clone(MODEL).set_params(code_size=2).fit(rows[train])
        pairs = model.transform(rows[train]), LABELS[train], model.transform(rows[test]), LABELS[test]
        found.append([metrics.knn_accuracy(*pairs), metrics.linear_probe_accuracy(*pairs)])
    assert table.names == ("DenseAutoencoder", "PCA")
    accuracies = [table.knn_accuracy[0], table.linear_probe_accuracy[0]]
    np.testing.assert_array_equal(accuracies, np.mean(found, axis=0))
    assert list(table.rows()[1])[-2:] == ["knn_accuracy", "linear_probe_accuracy"]


def test_any_variant_can_be_compared(rows):
    models = [
        isthmus.ConvolutionalAutoencoder(channels=(2, 1), max_epochs=1),
        isthmus.LinearAutoencoder(),
        MODEL,
        MODEL,
    ]
    table = compare(models, rows, random_state=0)
    names = ("ConvolutionalAutoencoder", "LinearAutoencoder", "DenseAutoencoder-1", "DenseAutoencoder-2")
    assert table.names == (*names, "PCA 3", "PCA 12", "PCA 32")
    assert table.code_size.tolist() == [3, 12, 32, 32, 3, 12, 12]
    assert [type(value) for value in table.rows()[0].values()] == [str, int, float, float, float, int]


def test_a_comparison_goes_on_with_further_models(rows, fits, tmp_path):
    options = {"checkpoint": tmp_path / "fits.json", "random_state": 0}
    first = compare({"a": clone(MODEL).set_params(code_size=2)}, rows, LABELS, **options)
    models = {"a": clone(MODEL).set_params(code_size=2), "b": clone(MODEL).set_params(code_size=3)}
    both = compare(models, rows, LABELS, **options)
    assert fits == [2, 3]
    assert both.rows()[0] == first.rows()[0]
    with pytest.raises(DataError, match="other data"):
        compare(models, rows, **options)


def test_an_interrupted_comparison_has_the_models_that_are_finished(rows):
    models = {"ready": clone(MODEL).set_params(code_size=4), "stopped": Stopping(4, hidden=(8,), max_epochs=2)}
    with pytest.warns(ConvergenceWarning, match="interrupted after 2 of 3"):
        table = compare(models, rows)
    assert table.names == ("ready", "PCA")
    assert isinstance(table, Comparison)
    assert not table.complete


# ---------------------------------------------------------------- what is refused

WRONG = [
    ({"model": "dense"}, "model must be an autoencoder, such as isthmus.DenseAutoencoder.*'dense'"),
    ({"model": isthmus.DenseAutoencoder}, "model must be an autoencoder"),
    ({"model": PCA()}, "model must be an autoencoder"),
    ({"model": isthmus.DenseAutoencoder(hidden="8")}, "hidden must be"),
    ({"sizes": ()}, "sizes must be one or more integers of at least 1"),
    ({"sizes": (0, 2)}, r"sizes must be.*got \(0, 2\)"),
    ({"sizes": (2.5,)}, "sizes must be"),
    ({"sizes": "2,4"}, "sizes must be"),
    ({"sizes": 4}, "sizes must be"),
    ({"model": isthmus.ConcreteAutoencoder(), "sizes": (2, 13)}, "13"),
    ({"cv": 1}, "cv must be.*at least 2.*got 1"),
    ({"cv": "five"}, "cv must be.*'five'"),
    ({"cv": []}, "cv must be.*no splits"),
    ({"cv": [1, 2]}, "cv must be"),
    ({"n_jobs": 0}, "n_jobs must be an integer other than 0.*got 0"),
    ({"n_jobs": 1.5}, "n_jobs must be"),
    ({"random_state": "seed"}, "random_state must be"),
    ({"verbose": "yes"}, "verbose must be"),
    ({"checkpoint": 3}, "checkpoint must be"),
    ({"X": np.full((6, 2), np.inf)}, "infinity"),
]


@pytest.mark.parametrize(("changes", "words"), WRONG, ids=[str(words) for _, words in WRONG])
def test_what_the_curve_refuses_it_refuses_at_once_in_one_sentence(rows, changes, words, fits):
    with pytest.raises(ValueError, match=words) as refused:
        code_size_curve(**({"model": MODEL, "X": rows, "sizes": (1,)} | changes))
    assert "\n" not in str(refused.value)
    assert fits == []


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"models": {}}, ParameterError, "models must be a dict of names to autoencoders or a list"),
        ({"models": MODEL}, ParameterError, "models must be"),
        ({"models": {"a": "dense"}}, ParameterError, "models: a must be an autoencoder"),
        ({"models": {"PCA": MODEL}}, ParameterError, "PCA names the row of PCA"),
        ({"y": LABELS[:-1]}, DataError, "one label for each of the 60 rows"),
        ({"y": LABELS + 0.5}, DataError, "integers or words"),
        ({"y": np.zeros(60)}, DataError, "at least two classes"),
        ({"n_jobs": 0}, ParameterError, "n_jobs"),
    ],
)
def test_what_a_comparison_refuses_it_refuses_at_once_in_one_sentence(rows, changes, error, words, fits):
    with pytest.raises(error, match=words) as refused:
        compare(**({"models": {"a": MODEL}, "X": rows} | changes))
    assert "\n" not in str(refused.value)
    assert fits == []


def test_words_and_pandas_series_are_labels(rows):
    pandas = pytest.importorskip("pandas")
    words = pandas.Series(np.array(["a", "b", "c"])[LABELS])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        named = compare([MODEL], rows, words, random_state=0)
    assert_equal(named, compare([MODEL], rows, LABELS, random_state=0))
