"""The command line: every command does its work, bad input is one sentence and exit code 2."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pyarrow.parquet as parquet
import pytest

import isthmus
from isthmus.cli import main
from isthmus.cli.choose import CURVE_FILES
from isthmus.cli.flags import MODELS, estimator_name
from isthmus.cli.train import FILES

QUICK = ["--max-epochs", "1", "--random-state", "0", "--no-verbose"]


def run(*arguments):
    """Run a command line in this process and give its exit code."""
    try:
        main([str(argument) for argument in arguments])
    except SystemExit as end:
        return end.code
    return 0


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cli")
    table = folder / "rows.csv"
    rows = np.random.RandomState(0).rand(60, 4)
    np.savetxt(table, rows, delimiter=",", header="a,b,c,d", comments="")
    assert run("train", table, "--code-size", 2, "--hidden", "8,4", *QUICK, "--out", folder / "out") == 0
    return folder


def refused(capsys, *arguments):
    """Assert that a command line ends with one sentence and exit code 2; give the sentence."""
    assert run(*arguments) == 2
    shown = capsys.readouterr().err
    assert shown.startswith("isthmus: ")
    assert shown.count("\n") == 1
    return shown


def test_training_writes_its_files(trained):
    assert sorted(path.name for path in (trained / "out").iterdir()) == sorted(FILES)
    metrics = json.loads((trained / "out" / "metrics.json").read_text())
    assert metrics["compared_on"] == "held-out rows"
    assert metrics["rows"] == 6
    assert (trained / "out" / "history.csv").read_text().startswith("epoch,loss,")


@pytest.mark.parametrize("model", sorted(MODELS))
def test_every_model_can_be_trained_and_used(model, tmp_path, capsys):
    out = tmp_path / "out"
    size = [] if model == "convolutional" else ["--code-size", 3]
    assert run("train", "digits", "--model", model, *size, *QUICK, "--out", out) == 0
    assert "PCA" in capsys.readouterr().out
    assert run("summary", out / "model.safetensors") == 0
    assert estimator_name(model) in capsys.readouterr().out


def test_codes_and_rows_go_out_and_come_back(trained, tmp_path, capsys):
    model, rows = trained / "out" / "model.safetensors", trained / "rows.csv"
    assert run("encode", model, rows, "-o", tmp_path / "codes.npy") == 0
    assert np.load(tmp_path / "codes.npy").shape == (60, 2)
    assert run("decode", model, tmp_path / "codes.npy", "-o", tmp_path / "back.csv") == 0
    assert (tmp_path / "back.csv").read_text().startswith('"a","b","c","d"')
    assert run("reconstruct", model, rows, "-o", tmp_path / "rebuilt.parquet") == 0
    assert run("evaluate", model, rows) == 0
    assert "variance explained" in capsys.readouterr().out
    for kind in ("reconstructions", "codes", "traversal", "history", "filters"):
        assert run("plot", model, rows, "--kind", kind, "-o", tmp_path / f"{kind}.png") == 0
        assert (tmp_path / f"{kind}.png").stat().st_size > 1000


def test_a_mixed_table_goes_out_with_its_columns(tmp_path, capsys):
    rows, out = tmp_path / "rows.csv", tmp_path / "out" / "model.safetensors"
    lines = [
        f"{group + place / 60},{'red' if group else 'green'},{str(bool(group)).lower()}"
        for place in range(30)
        for group in (0, 1)
    ]
    rows.write_text("\n".join(["size,colour,ripe", *lines]))
    assert run("train", rows, "--code-size", 1, "--hidden", 8, *QUICK, "--out", tmp_path / "out") == 0
    assert run("evaluate", out, rows) == 0
    assert run("encode", out, rows, "-o", tmp_path / "codes.npy") == 0
    assert run("reconstruct", out, rows, "-o", tmp_path / "rebuilt.csv") == 0
    assert run("decode", out, tmp_path / "codes.npy", "-o", tmp_path / "decoded.parquet") == 0
    written = (tmp_path / "rebuilt.csv").read_text().splitlines()
    assert written[0] == '"size","colour","ripe"'
    assert {line.split(",")[1] for line in written[1:]} <= {'"red"', '"green"'}
    table = parquet.read_table(tmp_path / "decoded.parquet")
    assert [str(kind) for kind in table.schema.types] == ["double", "string", "bool"]
    assert ".csv or .parquet" in refused(capsys, "reconstruct", out, rows, "-o", tmp_path / "rebuilt.npy")


def test_outputs_are_not_overwritten_unless_asked(trained, tmp_path, capsys):
    model, rows, out = trained / "out" / "model.safetensors", trained / "rows.csv", tmp_path / "codes.npy"
    assert run("encode", model, rows, "-o", out) == 0
    assert "--overwrite" in refused(capsys, "encode", model, rows, "-o", out)
    assert run("encode", model, rows, "-o", out, "--overwrite") == 0
    assert "--overwrite" in refused(capsys, "train", rows, "--out", trained / "out")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["trian"], "train"),
        (["train"], "DATA"),
        (["train", "digits", "--model", "quantum"], "dense"),
        (["train", "digits", "--epochs", "3"], "--epochs"),
        (["train", "digits", "--hidden", "8,x"], "--hidden"),
        (["train", "digits", "--learning-rate", "-1"], "--learning-rate"),
        (["train", "digits", "--beta", "2"], "variational"),
        (["train", "nowhere.npy"], "nowhere.npy"),
        (["summary", "nowhere.safetensors"], "nowhere.safetensors"),
        (["evaluate", "nowhere.safetensors", "digits"], "nowhere.safetensors"),
        (["encode", "m.safetensors", "digits", "-o", "codes.txt"], ".npy"),
        (["curve", "digits", "--sizes", "2,x"], "--sizes must be integers"),
        (["curve", "digits", "--sizes", ""], "--sizes"),
        (["curve", "digits", "--code-size", "2"], "--code-size"),
        (["curve", "digits", "--folds", "1"], "--folds: must be an integer of at least 2; got '1'"),
        (["curve", "digits", "--jobs", "many"], "--jobs: must be an integer; got 'many'"),
        (["curve", "digits", "--beta", "2"], "variational"),
        (["compare", "digits"], "--models"),
        (["compare", "digits", "--models", "dense,quantum"], "--models must be some of dense"),
        (["compare", "digits", "--models", "dense,linear", "--beta", "2"], "variational"),
        (["compare", "digits", "--models", "dense", "--labels", "nowhere.npy"], "nowhere.npy"),
    ],
)
def test_wrong_arguments_are_one_sentence(arguments, words, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert words in refused(capsys, *arguments)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a,b\n1,2\n3,inf\n", "inf"),
        ("a,b\n1,2024-01-31\n2,2024-02-29\n", "'b'"),
        ("a,b\n1e300,2\n3,4\n", "1e+300"),
        ("", "empty"),
        ("a,b\n", "no rows"),
    ],
    ids=["infinite cell", "date", "huge", "empty", "no rows"],
)
def test_rows_that_cannot_be_used_are_one_sentence(text, words, capsys, tmp_path):
    (tmp_path / "rows.csv").write_text(text)
    assert words in refused(capsys, "train", tmp_path / "rows.csv", "--out", tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("rate", "written"), [("1e20", False), ("1", True)], ids=["at once", "later"])
def test_training_that_diverges_is_one_sentence_and_leaves_the_best_model(rate, written, capsys, tmp_path):
    np.save(tmp_path / "rows.npy", np.random.RandomState(0).rand(120, 3) @ np.ones((3, 12)) / 3)
    settings = ["--optimizer", "sgd", "--learning-rate", rate, "--schedule", "constant", "--hidden", "8"]
    settings += ["--batch-size", "120", "--output-activation", "linear", "--max-epochs", "50", *QUICK[2:]]
    shown = refused(capsys, "train", tmp_path / "rows.npy", "--code-size", 2, *settings, "--out", tmp_path / "out")
    assert "training diverged in epoch" in shown
    assert (tmp_path / "out" / "model.safetensors").exists() == written == ("best model" in shown)


@pytest.mark.parametrize("text", ["a,b\n1,2\n", "a\n1\n2\n4\n"], ids=["one row", "one column"])
def test_one_row_or_one_column_will_do(text, tmp_path):
    (tmp_path / "rows.csv").write_text(text)
    assert run("train", tmp_path / "rows.csv", *QUICK, "--out", tmp_path / "out") == 0


UNUSABLE = {
    "missing.npy": None,
    "empty.npy": b"",
    "no rows.npy": np.zeros((0, 4)),
    "infinite.npy": np.full((9, 4), np.inf),
    "complex.npy": np.zeros((9, 4), complex),
    "flat.npy": np.zeros(9),
    "five dimensions.npy": np.zeros((2, 2, 2, 2, 2)),
    "head.csv": b"a,b,c,d\n",
    "words.npz": b"no archive",
    "unknown.xls": b"cells",
    "other columns.npy": np.zeros((9, 7)),
}
COMMANDS = {
    "train": ["train", "{rows}", *QUICK, "--out", "{out}"],
    "curve": ["curve", "{rows}", *QUICK, "--sizes", "1", "--out", "{out}"],
    "compare": ["compare", "{rows}", *QUICK, "--models", "dense", "--out", "{out}"],
    "encode": ["encode", "{model}", "{rows}", "-o", "{out}.npy"],
    "decode": ["decode", "{model}", "{rows}", "-o", "{out}.csv"],
    "reconstruct": ["reconstruct", "{model}", "{rows}", "-o", "{out}.parquet"],
    "evaluate": ["evaluate", "{model}", "{rows}"],
    "doctor": ["doctor", "{model}", "{rows}"],
    "plot": ["plot", "{model}", "{rows}", "-o", "{out}.png"],
    "summary": ["summary", "{rows}"],
}
LEARNS = ("train", "curve", "compare")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_refuses_unusable_rows_in_one_sentence(command, tmp_path, capsys):
    model = tmp_path / "model.safetensors"
    isthmus.LinearAutoencoder(2).fit(np.random.RandomState(0).rand(60, 4)).save(model)
    for name, content in UNUSABLE.items():
        if command in LEARNS and name.startswith("other"):
            continue
        path = tmp_path / name
        if isinstance(content, bytes):
            path.write_bytes(content)
        elif content is not None:
            np.save(path, content)
        filled = [one.format(rows=path, model=model, out=tmp_path / "out") for one in COMMANDS[command]]
        assert len(refused(capsys, *filled)) > 20
    assert not list(tmp_path.glob("out*"))


@pytest.mark.parametrize("command", ["curve", "compare"])
def test_one_row_is_too_few_to_hold_some_out(command, tmp_path, capsys):
    np.save(tmp_path / "rows.npy", np.ones((1, 4)))
    words = [one.format(rows=tmp_path / "rows.npy", out=tmp_path / "out") for one in COMMANDS[command]]
    assert "at least two" in refused(capsys, *words)


def test_a_curve_is_printed_written_and_not_overwritten(trained, tmp_path, capsys):
    command = ["curve", trained / "rows.csv", "--sizes", "3,1", "--hidden", "8", *QUICK, "--out", tmp_path / "new"]
    assert run(*command) == 0
    shown = capsys.readouterr().out
    assert "PCA explained" in shown
    assert "lowest held-out error" in shown
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == sorted(CURVE_FILES)
    lines = (tmp_path / "new" / "curve.csv").read_text().splitlines()
    assert lines[0] == "code_size,error,standard_error,explained_variance,pca_error,pca_explained_variance"
    assert [line.partition(",")[0] for line in lines[1:]] == ["1", "3"]
    assert "--overwrite" in refused(capsys, *command)
    assert run(*command, "--overwrite", "--folds", "2") == 0


def test_an_interrupted_curve_goes_on(trained, tmp_path, capsys, monkeypatch):
    command = ["curve", trained / "rows.csv", "--sizes", "1,2", "--hidden", "8", *QUICK, "--out", tmp_path / "out"]
    fit, made = isthmus.DenseAutoencoder.fit, []

    def interrupted(self, X, y=None):
        made.append(self.code_size)
        if len(made) == 2:
            raise KeyboardInterrupt
        return fit(self, X, y)

    monkeypatch.setattr(isthmus.DenseAutoencoder, "fit", interrupted)
    assert run(*command) == 130
    assert "interrupted after 3 of 4 fits" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["fits.json"]
    assert run(*command) == 0
    assert made == [1, 2, 2]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(CURVE_FILES)


def test_a_curve_of_many_rows_is_of_some_that_are_drawn(tmp_path, capsys):
    command = ["curve", "digits", "--sizes", "2", "--hidden", "8", *QUICK]
    assert run(*command, "--rows", "100", "--out", tmp_path / "some") == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "held-out rows of 100 drawn from 1,797 (--rows all takes all)" in shown
    assert run(*command, "--rows", "all", "--out", tmp_path / "all") == 0
    assert "held-out rows of all 1,797" in capsys.readouterr().out
    assert "--rows: must be an integer of at least 2; got '1'" in refused(capsys, *command, "--rows", "1")
    flags = ["--models", "linear", "--rows", "200", "--out", tmp_path / "compared"]
    assert run("compare", "digits", *flags) == 0
    shown = capsys.readouterr().out
    assert "200 drawn from 1,797" in shown
    assert "kNN" in shown


def test_models_are_compared_with_the_flags_that_each_of_them_has(tmp_path, capsys):
    flags = ["--models", "dense,linear", "--hidden", "8", "--code-size", "4", *QUICK, "--out", tmp_path / "out"]
    assert run("compare", "digits", *flags) == 0
    assert "kNN" in capsys.readouterr().out
    lines = (tmp_path / "out" / "compare.csv").read_text().splitlines()
    assert [line.partition(",")[0] for line in lines] == ["model", "dense", "linear", "PCA"]
    assert lines[0].endswith("knn_accuracy,linear_probe_accuracy")
    assert run("compare", "digits", *flags, "--overwrite", "--labels", "none") == 0
    assert "kNN" not in capsys.readouterr().out


@pytest.mark.parametrize("suffix", [".npy", ".csv"])
def test_labels_come_from_a_file_of_one_column(trained, suffix, tmp_path, capsys):
    labels, wide = tmp_path / f"labels{suffix}", tmp_path / f"wide{suffix}"
    for path, values in ((labels, np.arange(60) % 2), (wide, np.ones((60, 2)))):
        np.save(path, values) if suffix == ".npy" else np.savetxt(path, values, "%d", ",")
    flags = ["--models", "linear", "--code-size", "2", "--no-verbose", "--out", tmp_path / "out"]
    assert run("compare", trained / "rows.csv", *flags, "--labels", labels) == 0
    assert "probe" in capsys.readouterr().out
    assert "one column" in refused(capsys, "compare", trained / "rows.csv", *flags, "--overwrite", "--labels", wide)


def interrupted(tmp_path, marker, *flags):
    """Start a training, send Ctrl-C as soon as a file is there, and give the exit code and what was said."""
    command = [sys.executable, "-m", "isthmus", "train", "digits", "--no-verbose", "--checkpoint", tmp_path / "run"]
    with subprocess.Popen([*command, *flags, "--out", tmp_path / "out"], stderr=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + 120
        while not list((tmp_path / "run").glob(marker)) and time.monotonic() < deadline:
            time.sleep(0.01)
        os.kill(process.pid, signal.SIGINT)
        _, shown = process.communicate(timeout=120)
    return process.returncode, shown


def test_ctrl_c_leaves_a_usable_model(tmp_path):
    code, shown = interrupted(tmp_path, "step-*", "--max-epochs", "100000")
    assert (code, "interrupted after epoch" in shown) == (0, True)
    assert run("evaluate", tmp_path / "out" / "model.safetensors", "digits") == 0


def test_ctrl_c_in_the_first_epoch_says_that_there_is_no_model(tmp_path):
    code, shown = interrupted(tmp_path, "step-*", "--batch-size", "1", "--checkpoint-minutes", "0.000001")
    assert (code, "before the first epoch" in shown) == (2, True)
    assert not (tmp_path / "out").exists()


def test_help_needs_no_torch():
    program = "import sys, isthmus.cli as c\ntry: c.main(['train', '--help'])\nfinally: print('torch' in sys.modules)"
    shown = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout
    assert "--code-size" in shown
    assert shown.strip().endswith("False")
