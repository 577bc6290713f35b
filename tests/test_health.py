"""Health: every finding is provoked for real, and a sound model has none."""

import json

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.decomposition import PCA

import isthmus
from isthmus.cli import main
from isthmus.health import SEVERITIES, examine
from isthmus.health.units import _copies
from isthmus.metrics import mean_squared_error

DIGITS = isthmus.datasets.load_digits()[0]
FLAT = DIGITS.reshape(len(DIGITS), -1)


def found(findings, what):
    """Give the one finding of a kind."""
    (finding,) = [finding for finding in findings if finding.what == what]
    return finding


def kinds(findings):
    return {finding.what for finding in findings}


@pytest.fixture(scope="module")
def dense():
    """A model of 1,500 digits; tests that change its weights put them back."""
    return isthmus.DenseAutoencoder(8, hidden=(32,), code_activation="sigmoid", random_state=0).fit(FLAT[:1500])


@pytest.fixture
def code_layer(dense):
    """The layer that gives the code, with its weights put back at the end."""
    layer = [one for one in dense.encoder_ if isinstance(one, torch.nn.Linear)][-1]
    kept = {name: value.clone() for name, value in layer.state_dict().items()}
    yield layer
    layer.load_state_dict(kept)


def test_a_sound_model_has_no_findings():
    assert examine(isthmus.LinearAutoencoder(8).fit(FLAT[::2]), FLAT[1::2]) == []


def test_every_variant_can_be_examined(fitted, rows):
    findings = examine(fitted, rows)
    assert "few_rows" in kinds(findings)
    severities = [SEVERITIES.index(finding.severity) for finding in findings]
    assert severities == sorted(severities)
    for finding in findings:
        assert finding.sentence
        assert "\n" not in finding.sentence


@pytest.mark.parametrize("name", ["ConvolutionalAutoencoder", "DenseAutoencoder", "VariationalAutoencoder"])
def test_images_can_be_examined(name, colours):
    model = getattr(isthmus, name)(2, max_epochs=2, random_state=0).fit(colours)
    assert "few_rows" in kinds(examine(model, colours))


def test_dead_units_are_named(dense, code_layer):
    with torch.no_grad():
        code_layer.weight[[2, 5]] = 0.0
    finding = found(examine(dense, FLAT), "dead")
    assert (finding.of, finding.places, finding.value, finding.severity) == ("units", (2, 5), 0.25, "warning")
    assert "2 of the 8 units of the code are the same for every row (2, 5)" in finding.sentence


def test_a_rectifier_that_died_in_training_is_found():
    model = isthmus.DenseAutoencoder(
        16, hidden=(), code_activation="relu", learning_rate=0.5, max_epochs=5, random_state=0
    )
    finding = found(examine(model.fit(FLAT), FLAT), "dead")
    assert finding.places == tuple(np.flatnonzero(np.ptp(model.transform(FLAT), axis=0) == 0))
    assert "learning_rate" in finding.sentence


def test_duplicate_units_are_named(dense, code_layer):
    with torch.no_grad():
        code_layer.weight[6], code_layer.bias[6] = code_layer.weight[1], code_layer.bias[1]
    finding = found(examine(dense, FLAT), "duplicate")
    assert finding.places == (6,)
    assert "6 goes with 1" in finding.sentence


def test_copies_are_those_of_the_correlation_matrix():
    codes = np.random.default_rng(0).standard_normal((50, 1100))
    codes[:, 1050], codes[:, 700] = -3 * codes[:, 20] + 1, codes[:, 20] + 1e-3 * codes[:, 21]
    copies = list(_copies(codes))
    assert [(first, copy) for first, copy, _ in copies] == [(20, 700), (20, 1050)]
    np.testing.assert_allclose([r for *_, r in copies], np.corrcoef(codes.T)[20, [700, 1050]])


def test_collapsed_units_are_named():
    model = isthmus.VariationalAutoencoder(8, hidden=(32,), beta=20, max_epochs=10, random_state=0).fit(FLAT)
    finding = found(findings := examine(model, FLAT), "collapsed")
    assert set(finding.places) == set(np.flatnonzero(model.kl_per_unit_ < 0.01))
    assert "dead" not in kinds(findings)


@pytest.mark.parametrize("activation", ["sigmoid", "tanh"])
def test_saturated_units_are_named(activation):
    model = isthmus.DenseAutoencoder(4, hidden=(32,), code_activation=activation, max_epochs=5, random_state=0)
    layer = model.fit(FLAT).encoder_[-2]
    with torch.no_grad():
        layer.weight[3] *= 1e4
    finding = found(examine(model, FLAT), "saturated")
    assert finding.places == (3,)
    assert f"the ends of their {activation}" in finding.sentence


def test_rectifiers_that_are_nearly_dead_are_saturated():
    model = isthmus.DenseAutoencoder(4, hidden=(32,), code_activation="relu", max_epochs=5, random_state=0).fit(FLAT)
    layer = model.encoder_[-2]
    with torch.no_grad():
        unit = int(model.transform(FLAT).max(axis=0).argmax())
        layer.bias[unit] -= float(np.quantile(model.transform(FLAT)[:, unit], 0.995))
    assert unit in found(examine(model, FLAT), "saturated").places


def test_sparse_codes_are_silent_on_purpose():
    model = isthmus.SparseAutoencoder(64, sparsity="top_k", n_active=4, max_epochs=5, random_state=0).fit(FLAT)
    assert "saturated" not in kinds(examine(model, FLAT))


def test_a_model_that_pca_beats_is_underfit():
    model = isthmus.DenseAutoencoder(16, hidden=(), max_epochs=3, learning_rate=1e-3, random_state=0).fit(FLAT)
    sentences = [one.sentence for one in examine(model, FLAT) if one.what == "underfit" and "PCA" in one.sentence]
    pca = PCA(16, random_state=0).fit(FLAT[::2])
    theirs = mean_squared_error(FLAT[1::2], pca.inverse_transform(pca.transform(FLAT[1::2])))
    ratio = model.reconstruction_error(FLAT[1::2]).mean() / theirs
    assert len(sentences) == 1
    assert f"its error is {ratio:.2f} times that of PCA with 16 numbers" in sentences[0]


def test_a_model_that_learned_nothing_is_underfit():
    model = isthmus.SparseAutoencoder(8, sparsity_weight=1e4, max_epochs=3, random_state=0).fit(FLAT)
    underfit = [one for one in examine(model, FLAT) if one.what == "underfit"]
    assert underfit[0].severity == "serious"
    assert "hardly better than by their mean" in underfit[0].sentence


def test_a_run_that_ended_early_is_underfit():
    model = isthmus.DenseAutoencoder(8, max_epochs=8, schedule="constant", learning_rate=2e-4, random_state=0).fit(FLAT)
    assert any("raise max_epochs" in one.sentence for one in examine(model, FLAT))


NOISE = np.random.default_rng(0).standard_normal((120, 30))


@pytest.fixture(scope="module")
def learned_by_heart():
    return isthmus.DenseAutoencoder(
        20, hidden=(256,), max_epochs=150, schedule="constant", learning_rate=5e-3, random_state=0
    ).fit(NOISE)


def test_a_model_that_learned_by_heart_is_overfit(learned_by_heart):
    overfit = [one for one in examine(learned_by_heart, NOISE) if one.what == "overfit"]
    assert any("the rows it learned from" in one.sentence and one.value > 1.5 for one in overfit)


def test_a_run_that_went_on_too_long_is_noted(learned_by_heart):
    assert any("patience" in one.sentence for one in examine(learned_by_heart, NOISE))


@pytest.fixture(scope="module")
def table():
    random = np.random.default_rng(0)
    centre = random.standard_normal((600, 2))
    values = centre @ random.standard_normal((2, 5)) + 0.1 * random.standard_normal((600, 5))
    return pd.DataFrame(values, columns=["age", "height", "weight", "income", "tax"])


@pytest.fixture(scope="module")
def of_table(table):
    return isthmus.LinearAutoencoder(2, scaling="standard").fit(table[:500])


def test_rows_like_those_of_training_are_fine(of_table, table):
    assert examine(of_table, table[500:]) == []


def test_columns_out_of_range_are_named(of_table, table):
    other = table.copy()
    other.loc[:30, "income"] += 100
    finding = found(examine(of_table, other), "out_of_range")
    assert (finding.of, finding.places, finding.severity) == ("columns", (3,), "warning")
    assert finding.value == pytest.approx(31 / 600)
    assert "'income'" in finding.sentence
    assert f"in training from {table[:500]['income'].min():.6g}" in finding.sentence


def test_ranges_grow_with_partial_fit(table):
    model = isthmus.LinearAutoencoder(2, scaling="standard").partial_fit(table[:300])
    assert found(examine(model, 50 * table), "out_of_range").severity == "serious"
    assert "out_of_range" not in kinds(examine(model.partial_fit(50 * table), 50 * table))


def test_rows_that_were_scaled_already_are_narrow(dense):
    findings = examine(dense, FLAT / 255)
    assert "were they scaled already" in found(findings, "narrow_range").sentence
    assert "underfit" not in kinds(findings)


def test_drift_is_the_ratio_of_scaled_errors(dense):
    other = FLAT[1500:, ::-1]
    finding = found(examine(dense, other), "drift")
    held_out = dense.reconstruction_error(FLAT[dense.held_out_])
    assert dense.reference_.rows == len(held_out)
    assert dense.reference_.error * 255**2 == pytest.approx(held_out.mean(), rel=1e-4)
    assert dense.reference_.unusual * 255**2 == pytest.approx(np.quantile(held_out, 0.99), rel=1e-4)
    assert finding.value == pytest.approx(dense.reconstruction_error(other).mean() / held_out.mean(), rel=1e-4)
    assert finding.severity == "warning"
    assert found(examine(dense, 255 - FLAT), "drift").severity == "serious"


def test_blank_rows_are_noted_as_easy(of_table, table):
    blank = pd.DataFrame(np.tile(table.mean().to_numpy(), (200, 1)), columns=table.columns)
    assert "these rows are easier" in found(examine(of_table, blank), "drift").sentence


def test_missing_cells_and_huge_ones_are_examined(of_table, table):
    gaps = table.mask(np.random.default_rng(0).random(table.shape) < 0.1)
    assert "out_of_range" not in kinds(examine(of_table, gaps))
    assert found(examine(of_table, table * 1e30), "out_of_range").severity == "serious"


def test_iterables_and_files_are_examined(dense, tmp_path):
    np.save(tmp_path / "rows.npy", FLAT[1500:])
    assert examine(dense, iter([FLAT[1500:]])) == examine(dense, tmp_path / "rows.npy") == examine(dense, FLAT[1500:])


def test_a_loaded_model_gives_the_same_findings(dense, tmp_path):
    dense.save(tmp_path / "model.safetensors")
    loaded = isthmus.load(tmp_path / "model.safetensors")
    assert loaded.reference_ == dense.reference_
    assert examine(loaded, FLAT[:, ::-1]) == examine(dense, FLAT[:, ::-1])


def test_no_more_rows_than_asked_for_are_looked_at(dense):
    assert found(examine(dense, FLAT, n_samples=50), "few_rows").value < 100
    with pytest.raises(ValueError, match="n_samples"):
        examine(dense, FLAT, n_samples=0)


@pytest.fixture
def files(dense, tmp_path):
    dense.save(tmp_path / "model.safetensors")
    np.save(tmp_path / "rows.npy", FLAT[1500:, ::-1])
    return [str(tmp_path / "model.safetensors"), str(tmp_path / "rows.npy")]


def test_the_command_prints_a_line_for_each_finding(files, dense, capsys):
    main(["doctor", *files])
    lines = capsys.readouterr().out.splitlines()
    findings = examine(dense, FLAT[1500:, ::-1])
    assert [line.split()[:2] for line in lines] == [[one.severity, one.what] for one in findings]


def test_the_command_prints_json(files, capsys):
    main(["doctor", *files, "--json"])
    answer = json.loads(capsys.readouterr().out)
    assert [one["what"] for one in answer] == [one.what for one in examine(isthmus.load(files[0]), files[1])]


def test_the_command_says_that_a_model_is_healthy(tmp_path, capsys):
    isthmus.LinearAutoencoder(8).fit(FLAT[::2]).save(tmp_path / "model.safetensors")
    np.save(tmp_path / "rows.npy", FLAT[1::2])
    main(["doctor", str(tmp_path / "model.safetensors"), str(tmp_path / "rows.npy")])
    assert capsys.readouterr().out.startswith("healthy: ")


def test_the_command_refuses_what_it_cannot_read(files, capsys):
    for wrong in ([files[0], "nothing.npy"], ["nothing", files[1]], files[:1]):
        with pytest.raises(SystemExit) as caught:
            main(["doctor", *wrong])
        assert caught.value.code == 2
        assert capsys.readouterr().err.startswith("isthmus: ")


def test_a_mixed_table_is_examined():
    random = np.random.RandomState(0)
    X = pd.DataFrame({"age": 20 + 20 * random.rand(200), "colour": random.choice(["red", "green"], 200)})
    model = isthmus.DenseAutoencoder(2, hidden=(16,), max_epochs=40, random_state=0).fit(X)
    assert "out_of_range" not in kinds(examine(model, X))
    assert "100 % of the rows leave" in found(examine(model, X.assign(age=X["age"] + 1000)), "out_of_range").sentence
