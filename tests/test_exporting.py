"""Exports: another runtime gives the model's answers, or there is no file."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from torch import nn

import isthmus
from conftest import VARIANTS, environment, name_of, waves
from isthmus.cli import main
from isthmus.errors import ExportError, MissingExtraError, ParameterError
from isthmus.parts import Custom

SMALL = {"max_epochs": 1, "random_state": 0}
PAGE = Path(__file__).parents[1] / "docs" / "shipping.md"
# The oldest one that the page promises, on every Python that it was made for.
OLDEST = "onnxruntime==1.20.1" if sys.version_info < (3, 14) else "onnxruntime"


def table():
    """Rows of float64 in units far from the network's, with names."""
    return pd.DataFrame(100 + 7 * waves(60, 12).astype(float), columns=[f"c{place}" for place in range(12)])


def pictures():
    """Images of an odd size, uint8."""
    return (255 * waves(40, 7, 5)).astype(np.uint8)


def session_of(path):
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    import onnxruntime

    return onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])


def run(path, values):
    """Run an ONNX file; give its answers by name."""
    session = session_of(path)
    (name,) = [node.name for node in session.get_inputs()]
    return dict(zip([node.name for node in session.get_outputs()], session.run(None, {name: values}), strict=True))


def same(found, expected):
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-5 * np.ptp(expected))


@pytest.mark.parametrize("variant", VARIANTS, ids=name_of)
def test_onnxruntime_gives_the_answers_of_every_variant(variant, tmp_path):
    frame = table()
    model = clone(variant).fit(frame)
    exported = model.export(tmp_path / "model.onnx", frame)
    assert exported.difference <= 1e-5
    rows = frame.to_numpy().copy()
    rows[3, 2] = rows[5] = np.nan
    for count in (1, 7, 60):
        answers = run(exported.path, rows[:count])
        expected = model.transform(frame.where(~np.isnan(rows))[:count])
        same(answers["codes"], expected)
        same(answers["rebuilt"], model.inverse_transform(expected))
    assert exported.inputs == {"rows": "float64 (n, 12)"}
    assert exported.outputs == {"codes": "float32 (n, 2)", "rebuilt": "float32 (n, 12)"}
    assert exported.error == pytest.approx(model.reconstruction_error(frame).mean(), rel=0.05)
    says_what_it_holds(exported.path, model, frame)


@pytest.mark.parametrize("variant", VARIANTS, ids=name_of)
def test_programs_give_the_answers_of_every_variant(variant, tmp_path):
    images = pictures()
    model = clone(variant).fit(images)
    path = model.export(tmp_path / "model.pt2", images).path
    program = torch.export.load(path).module()
    for count in (1, 7, 40):
        with torch.inference_mode():
            codes, rebuilt = program(torch.from_numpy(images[:count]))
        same(codes.numpy(), model.transform(images[:count]))
        same(rebuilt.numpy(), model.reconstruct(images[:count]))


def test_either_half_of_a_model_of_images_is_a_file(tmp_path):
    images = pictures()
    model = isthmus.ConvolutionalAutoencoder(channels=(4, 3), **SMALL).fit(images)
    encoder = model.export(tmp_path / "encoder.onnx", images, decoder=False)
    decoder = model.export(tmp_path / "decoder.onnx", encoder=False)
    assert encoder.inputs == {"rows": "uint8 (n, 7, 5)"}
    codes = run(encoder.path, images)["codes"]
    same(codes, model.transform(images))
    same(run(decoder.path, codes)["rebuilt"], model.inverse_transform(codes))


def test_the_units_that_are_kept_are_the_same_but_for_ties(tmp_path):
    images = pictures()
    model = isthmus.SparseAutoencoder(30, sparsity="top_k", n_active=4, **SMALL).fit(images)
    codes = run(model.export(tmp_path / "encoder.onnx", decoder=False).path, images)["codes"]
    assert ((codes != 0).sum(axis=1) <= 4).all()
    same(codes, model.transform(images))


def says_what_it_holds(path, model, frame):
    session = session_of(path)
    about = session.get_modelmeta().custom_metadata_map
    assert about["isthmus.class"] == name_of(model)
    assert about["isthmus.part"] == "encoder and decoder"
    assert json.loads(about["isthmus.columns"]) == list(frame.columns)
    assert json.loads(about["isthmus.code_shape"]) == list(model.code_shape_)
    assert json.loads(about["isthmus.versions"])["torch"] == str(torch.__version__)
    assert [node.shape for node in session.get_inputs()] == [["n", 12]]
    assert [node.shape for node in session.get_outputs()] == [["n", 2], ["n", 12]]


def test_weights_of_eight_bits_are_small_and_their_loss_is_reported(tmp_path):
    X, _ = isthmus.datasets.load_digits()
    model = isthmus.DenseAutoencoder(8, hidden=(128,), **SMALL).fit(X)
    model.save(tmp_path / "model.safetensors")
    np.save(tmp_path / "rows.npy", X)
    (tmp_path / "home").mkdir()
    command = [sys.executable, "-m", "isthmus", "export", "model.safetensors", "--int8", "--data", "rows.npy"]
    home = {"HOME": str(tmp_path / "home"), "XDG_CACHE_HOME": str(tmp_path / "home")}
    done = subprocess.run(command, cwd=tmp_path, env=os.environ | home, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert not any((tmp_path / "home").iterdir()), "nothing is written that was not asked for"
    rebuilt = run(tmp_path / "model.onnx", X)["rebuilt"]
    assert (tmp_path / "model.onnx").stat().st_size < 2.5 * sum(weight.numel() for weight in model.module_.parameters())
    assert 1e-5 < np.abs(rebuilt - model.reconstruct(X)).max() / 255 < 0.1
    for answer in (rebuilt, model.reconstruct(X)):
        assert f"{np.square(answer[:1000].astype(float) - X[:1000]).mean():.6g}" in done.stdout


class Sly(nn.Module):
    """An encoder that is another one when it is traced."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(12, 2)

    def forward(self, rows):
        return self.layer(rows) * (1.001 if torch.compiler.is_compiling() else 1)


class Looking(Sly):
    """An encoder that decides by what it sees."""

    def forward(self, rows):
        return -self.layer(rows) if torch.compiler.is_compiling() and rows.sum() > 0 else self.layer(rows)


class Up(nn.Linear):
    def __init__(self):
        super().__init__(2, 12)


def test_a_file_that_answers_otherwise_is_not_kept(tmp_path):
    model = isthmus.Autoencoder(2, network=Custom(Sly, Up), **SMALL).fit(waves(60, 12))
    (tmp_path / "model.pt2").write_text("before")
    with pytest.raises(ExportError, match="differ from the model's by") as caught:
        model.export(tmp_path / "model.pt2", overwrite=True)
    assert "\n" not in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["model.pt2"]
    assert (tmp_path / "model.pt2").read_text() == "before"


def test_a_network_that_cannot_be_traced_is_refused(tmp_path):
    model = isthmus.Autoencoder(2, network=Custom(Looking, Up), **SMALL).fit(waves(60, 12))
    with pytest.raises(ExportError, match="could not trace it") as caught:
        model.export(tmp_path / "model.onnx")
    assert "\n" not in str(caught.value)
    assert not any(tmp_path.iterdir())


def test_what_cannot_be_asked_for_is_refused(models, rows, tmp_path, monkeypatch):
    fitted = models["DenseAutoencoder"]
    for name, options in (("model.h5", {}), ("model.onnx", {"encoder": False, "decoder": False})):
        with pytest.raises(ParameterError, match="must"):
            fitted.export(tmp_path / name, **options)
    with pytest.raises(ParameterError, match="int8"):
        fitted.export(tmp_path / "model.pt2", int8=True)
    with pytest.raises(ValueError, match="feature names"):
        fitted.export(tmp_path / "model.pt2", pd.DataFrame(rows[:, :3], columns=["x0", "x1", "x2"]))
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(MissingExtraError, match=r"isthmus\[onnx\]"):
        fitted.export(tmp_path / "model.onnx")
    assert not any(tmp_path.iterdir())


def test_a_file_runs_without_torch_and_without_this_package(tmp_path):
    programs = environment(tmp_path / "environment", "numpy", OLDEST)
    X, _ = isthmus.datasets.load_digits()
    model = isthmus.ConvolutionalAutoencoder(channels=(4, 2), **SMALL).fit(X)
    model.export(tmp_path / "digits.onnx", X)
    np.save(tmp_path / "rows.npy", X[:50])
    (example,) = [
        block for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL) if "Session" in block
    ]
    assert len(example.strip().splitlines()) == 10
    absent = "import importlib.util\nassert not any(map(importlib.util.find_spec, ('torch', 'isthmus', 'onnx')))\n"
    command = [programs / "python", "-I", "-c", absent + example]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == ["ConvolutionalAutoencoder with codes of 8 numbers", "(50, 8) (50, 8, 8)"]
    answers = np.load(tmp_path / "answers.npz")
    same(answers["codes"], model.transform(X[:50]))
    same(answers["rebuilt"], model.reconstruct(X[:50]))


def test_the_command_line_names_files_by_what_they_hold(folder, tmp_path, capsys):
    model = str(folder / "DenseAutoencoder.safetensors")
    main(["export", model, "--encoder", "--to", "pt2"])
    assert "output    codes: float32 (n, 2)" in capsys.readouterr().out
    assert (folder / "DenseAutoencoder-encoder.pt2").is_file()
    for arguments, word in ((["--encoder", "--to", "pt2"], "exists"), (["-o", "model.h5"], "must end in")):
        with pytest.raises(SystemExit, match="2"):
            main(["export", model, *arguments])
        assert word in capsys.readouterr().err
