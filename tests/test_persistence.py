"""Files of models: what comes back is the model, in any process, and what is damaged is refused."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.base import clone

import isthmus
from conftest import VARIANTS, name_of
from isthmus.errors import IsthmusError, ModelFileError
from isthmus.legal import Number
from isthmus.params import param, part
from isthmus.parts import SquaredError

NAMES = [name_of(variant) for variant in VARIANTS]


# ---------------------------------------------------------------- there and back


def same(one, other):
    if isinstance(one, torch.Tensor | np.ndarray):
        return one.dtype == other.dtype and np.array_equal(one, other)
    if hasattr(one, "state_dict"):
        return same(one.state_dict(), other.state_dict())
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if type(one).__name__ == "Scaling":
        return all(
            same(getattr(one, name), getattr(other, name)) for name in ("offset", "scale", "low", "high", "centre")
        )
    return type(one) is type(other) and one == other


def test_everything_that_was_learned_comes_back(path, models):
    model, loaded = models[path.stem], isthmus.load(path)
    assert loaded.get_params() == model.get_params()
    learned = [name for name in [*vars(model), "held_out_"] if name.endswith("_") and not name.startswith("_")]
    assert {"module_", "scaling_", "history_", "held_out_", "feature_names_in_"} <= {*learned}
    assert [name for name in learned if not same(getattr(model, name), getattr(loaded, name))] == []
    assert loaded.schema_ == model.schema_
    assert loaded.code_shape_ == model.code_shape_
    assert not loaded.module_.training
    assert loaded.summary() == model.summary()


def test_a_fresh_process_gives_the_same_codes_to_the_last_bit(folder, models, frame):
    program = """if True:
        import sys, pathlib, numpy, pandas, torch, isthmus
        torch.set_num_threads(1)
        folder = pathlib.Path(sys.argv[1])
        frame = pandas.read_pickle(folder / "frame.pickle")
        for path in folder.glob("*.safetensors"):
            numpy.save(path.with_suffix(".npy"), isthmus.load(path).transform(frame))
    """
    frame.to_pickle(folder / "frame.pickle")
    subprocess.run([sys.executable, "-W", "error", "-c", program, folder], check=True)
    different = [
        name for name in NAMES if not np.array_equal(np.load(folder / f"{name}.npy"), models[name].transform(frame))
    ]
    assert different == []


def test_images_come_back(model, colours, tmp_path):
    model.fit((255 * colours).astype(np.uint8)).save(tmp_path / "model")
    rebuilt = isthmus.load(str(tmp_path / "model"), device="cpu").reconstruct((255 * colours).astype(np.uint8))
    np.testing.assert_array_equal(rebuilt, model.reconstruct((255 * colours).astype(np.uint8)))


def test_a_loaded_model_can_be_saved_and_trained_on(path, frame):
    loaded = isthmus.load(path)
    loaded.save(path.with_suffix(".again"), overwrite=True)
    again = isthmus.load(path.with_suffix(".again"))
    np.testing.assert_array_equal(again.transform(frame), loaded.transform(frame))
    if loaded.get_params().get("solver") != "exact":
        before = loaded.n_iter_
        assert loaded.partial_fit(frame).n_iter_ == len(loaded.history_) == before + 1


@part
class ScaledError(SquaredError):
    """A part of a user's own."""

    factor: float = param(1.0, Number(0), "Factor of the loss.")

    def loss(self, output, rows):
        return self.factor * super().loss(output, rows)


def test_a_part_of_ones_own_is_named_in_the_file_and_brought_by_the_reader(rows, tmp_path):
    model = clone(VARIANTS[0]).set_params(reconstruction=ScaledError(factor=0.5)).fit(rows)
    model.save(tmp_path / "own")
    with pytest.raises(ModelFileError, match=r"'ScaledError'.*classes=\[...\]"):
        isthmus.load(tmp_path / "own")
    loaded = isthmus.load(tmp_path / "own", classes=[ScaledError])
    assert loaded.reconstruction == ScaledError(factor=0.5)
    np.testing.assert_array_equal(loaded.transform(rows), model.transform(rows))


def test_parameters_that_json_cannot_hold(rows, tmp_path):
    model = isthmus.DenseAutoencoder(np.int64(2), hidden=[np.int32(4)], max_epochs=1).fit(rows)
    model.set_params(random_state=np.random.RandomState(0)).save(tmp_path / "numbers")
    loaded = isthmus.load(tmp_path / "numbers")
    assert (loaded.code_size, loaded.hidden, loaded.random_state) == (2, (4,), None)
    with pytest.raises(IsthmusError, match="cannot be saved"):
        model.set_params(reconstruction=object()).save(tmp_path / "object")
    assert [file.name for file in tmp_path.iterdir()] == ["numbers"]


# ---------------------------------------------------------------- writing


def test_a_file_that_exists_is_replaced_only_on_request(fitted, tmp_path):
    path = tmp_path / "model.safetensors"
    path.write_text("precious")
    with pytest.raises(FileExistsError, match="exists"):
        fitted.save(path)
    assert path.read_text() == "precious"
    fitted.save(str(path), overwrite=True)
    isthmus.load(path)


@pytest.mark.parametrize("failure", [OSError("disk full"), KeyboardInterrupt()], ids=["disk full", "Ctrl-C"])
def test_a_write_that_fails_leaves_everything_as_it_was(fitted, tmp_path, monkeypatch, failure):
    def fail(tensors, path, metadata):
        Path(path).write_bytes(b"half")
        raise failure

    (tmp_path / "old").write_text("precious")
    monkeypatch.setattr("isthmus.tensorfiles.save_file", fail)
    for name in ("old", "new"):
        with pytest.raises(type(failure)):
            fitted.save(tmp_path / name, overwrite=True)
    assert [file.name for file in tmp_path.iterdir()] == ["old"]
    assert (tmp_path / "old").read_text() == "precious"
