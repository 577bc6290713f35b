"""Files of models: what comes back is the model, in any process, and what is damaged is refused."""

import json
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.torch import save_file
from sklearn.base import clone

import isthmus
from conftest import VARIANTS, name_of
from isthmus.errors import IsthmusError, ModelFileError
from isthmus.params import Number, param, part
from isthmus.parts import Point, SquaredError

INF = float("inf")
EASY = settings(deadline=None, max_examples=200)
NAMES = [name_of(variant) for variant in VARIANTS]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just(10**400),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
)


@pytest.fixture(scope="session")
def frame(rows):
    return pd.DataFrame(rows, columns=[f"x{column}" for column in range(rows.shape[1])])


@pytest.fixture(scope="session")
def models(frame):
    return {name_of(variant): clone(variant).fit(frame) for variant in VARIANTS}


@pytest.fixture(scope="session")
def folder(models, tmp_path_factory):
    """One file for each variant, and room for damaged ones."""
    folder = tmp_path_factory.mktemp("models")
    for name, model in models.items():
        model.save(folder / f"{name}.safetensors")
    return folder


@pytest.fixture(params=NAMES)
def path(request, folder):
    return folder / f"{request.param}.safetensors"


def edited(path, change):
    """Write a copy of a model file after ``change(header, tensors)``, and give its path."""
    with safe_open(path, framework="pt") as file:
        header = json.loads(file.metadata()["isthmus"])
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    change(header, tensors)
    return written(path, header, tensors)


def written(path, header, tensors):
    target = path.with_name(f"{path.stem}.edited")
    save_file(tensors, target, metadata={"isthmus": json.dumps(header)})
    return target


def bytes_beside(path, content):
    target = path.with_name(f"{path.stem}.bytes")
    target.write_bytes(content)
    return target


def refused(path, *words):
    """Assert that a file is refused in one line which names it."""
    with pytest.raises(ModelFileError) as caught:
        isthmus.load(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    for word in words:
        assert word in message


def refused_or_usable(path):
    """Assert that a file is refused, or that it gives a model which works."""
    try:
        model = isthmus.load(path)
    except ModelFileError:
        return
    X = np.full((2, *model.schema_.row_shape), 0.5, dtype=np.float32)
    if hasattr(model, "feature_names_in_"):
        X = pd.DataFrame(X, columns=model.feature_names_in_)
    assert model.reconstruct(X).shape == X.shape
    model.summary()


# ---------------------------------------------------------------- there and back


def same(one, other):
    if isinstance(one, torch.Tensor | np.ndarray):
        return one.dtype == other.dtype and np.array_equal(one, other)
    if hasattr(one, "state_dict"):
        return same(one.state_dict(), other.state_dict())
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if type(one).__name__ == "Scaling":
        return all(same(getattr(one, name), getattr(other, name)) for name in ("offset", "scale", "low", "high"))
    return type(one) is type(other) and one == other


def test_everything_that_was_learned_comes_back(path, models):
    model, loaded = models[path.stem], isthmus.load(path)
    assert loaded.get_params() == model.get_params()
    learned = [name for name in vars(model) if name.endswith("_") and not name.startswith("_")]
    assert {"module_", "scaling_", "history_", "held_out_", "feature_names_in_"} <= {*learned}
    assert [name for name in learned if not same(getattr(model, name), getattr(loaded, name))] == []
    assert loaded.schema_ == model.schema_
    assert loaded.code_shape_ == model.code_shape_
    assert not loaded.module_.training
    refused_or_usable(path)


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
class Scaled(SquaredError):
    """A part of a user's own."""

    factor: float = param(1.0, Number(0), "Factor of the loss.")

    def loss(self, output, rows):
        return self.factor * super().loss(output, rows)


def test_a_part_of_ones_own_is_named_in_the_file_and_brought_by_the_reader(rows, tmp_path):
    model = clone(VARIANTS[0]).set_params(reconstruction=Scaled(factor=0.5)).fit(rows)
    model.save(tmp_path / "own")
    refused(tmp_path / "own", "'Scaled'", "classes=[...]")
    loaded = isthmus.load(tmp_path / "own", classes=[Scaled])
    assert loaded.reconstruction == Scaled(factor=0.5)
    np.testing.assert_array_equal(loaded.transform(rows), model.transform(rows))


def test_parameters_that_json_cannot_hold(rows, tmp_path):
    class Plain(Point):
        """No dataclass of its own, which nothing could rebuild."""

        kind = "reconstruction"
        check, loss, mean = SquaredError.check, SquaredError.loss, SquaredError.mean
        __dataclass_fields__ = None

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
    monkeypatch.setattr("isthmus.persistence.save_file", fail)
    for name in ("old", "new"):
        with pytest.raises(type(failure)):
            fitted.save(tmp_path / name, overwrite=True)
    assert [file.name for file in tmp_path.iterdir()] == ["old"]
    assert (tmp_path / "old").read_text() == "precious"


# ---------------------------------------------------------------- foreign and damaged files


def test_files_that_are_no_models(tmp_path):
    refused(tmp_path / "missing", "no such file")
    refused(tmp_path)
    contents = {
        "empty": b"",
        "text": b"not a model\n" * 50,
        "pickle": pickle.dumps({"format": 1}),
        "endless header": (2**60).to_bytes(8, "little") + b"{}",
        "endless tensor": b'{"x":{"dtype":"F32","shape":[4000000000000],"data_offsets":[0,16000000000000]}}',
        "overflowing tensor": b'{"x":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,0]}}',
    }
    for name, content in contents.items():
        if name.endswith("tensor"):
            content = len(content).to_bytes(8, "little") + content
        (tmp_path / name).write_bytes(content)
        refused(tmp_path / name)
    save_file({"x": torch.zeros(1)}, tmp_path / "foreign")
    refused(tmp_path / "foreign", "isthmus")


def network(header):
    return header["parameters"]["network"]


DAMAGE = {
    "newer format": (lambda h, t: h.update(format=99), "format 99", "upgrade"),
    "endless format": (lambda h, t: h.update(format=INF),),
    "wordy format": (lambda h, t: h.update(format="one"),),
    "no format": (lambda h, t: h.pop("format"),),
    "no parameters": (lambda h, t: h.pop("parameters"),),
    "listed parameters": (lambda h, t: h.update(parameters=[1]),),
    "no fitted": (lambda h, t: h.pop("fitted"),),
    "unknown class": (lambda h, t: h.update({"class": "QuantumAutoencoder"}), "QuantumAutoencoder"),
    "abstract class": (lambda h, t: h.update({"class": "BaseAutoencoder"}), "BaseAutoencoder"),
    "another class": (lambda h, t: h.update({"class": "DenseAutoencoder"}),),
    "no class": (lambda h, t: h.update({"class": ["Autoencoder"]}),),
    "unknown part": (lambda h, t: network(h).update(part="Quantum"), "Quantum", "classes=[...]"),
    "part of another kind": (lambda h, t: network(h).update(part="Point", parameters={}), "network"),
    "unknown parameter": (lambda h, t: h["parameters"].update(quanta=3), "quanta"),
    "illegal parameter": (lambda h, t: h["parameters"].update(batch_size=-3), "batch_size"),
    "illegal parameter of a part": (lambda h, t: network(h)["parameters"].update(activation="swish"), "activation"),
    "endless parameter": (lambda h, t: h["parameters"].update(batch_size=10**400),),
    "endless parameter of a part": (lambda h, t: network(h)["parameters"].update(hidden={"tuple": [10**400]}),),
    "no layout": (lambda h, t: h["fitted"].update(layout=[]),),
    "another layout": (lambda h, t: h["fitted"].update(row_shape=[3, 5]),),
    "another number of columns": (lambda h, t: h["fitted"].update(n_features_in=7),),
    "too few names": (lambda h, t: h["fitted"].update(feature_names_in=["x0"]),),
    "extra tensor": (lambda h, t: t.update(extra=torch.zeros(1)), "extra"),
    "not a number": (lambda h, t: t["module.encoder.0.weight"].fill_(INF),),
    "scale of zero": (lambda h, t: t["scale"].fill_(0),),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_model_is_refused(folder, damage):
    change, *words = DAMAGE[damage]
    refused(edited(folder / "Autoencoder.safetensors", change), *words)


def test_every_tensor_must_be_there_in_its_shape_and_type(path):
    tensors = {}
    edited(path, lambda header, found: tensors.update(found))
    for name, tensor in tensors.items():
        refused(edited(path, lambda header, found, name=name: found.pop(name)))
        for other in (torch.zeros(3, 1, 5, dtype=tensor.dtype), tensor.to(torch.bfloat16)):
            refused(edited(path, lambda header, found, name=name, other=other: found.update({name: other})))


@EASY
@given(name=st.sampled_from(NAMES), share=st.floats(0, 1, exclude_max=True))
def test_a_truncated_file_is_refused(folder, name, share):
    content = (folder / f"{name}.safetensors").read_bytes()
    refused(bytes_beside(folder / name, content[: int(share * len(content))]))


@EASY
@given(content=st.binary(max_size=200), length=st.none() | st.integers(0, 300))
def test_random_bytes_are_refused(folder, content, length):
    prefix = b"" if length is None else length.to_bytes(8, "little")
    refused(bytes_beside(folder / "random", prefix + content))


@settings(EASY, max_examples=300)
@given(
    name=st.sampled_from(NAMES), flips=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 7)), min_size=1, max_size=3)
)
def test_flipped_bits_in_the_header_are_refused_or_harmless(folder, name, flips):
    content = bytearray((folder / f"{name}.safetensors").read_bytes())
    header = 8 + int.from_bytes(content[:8], "little")
    for share, bit in flips:
        content[min(int(share * header), header - 1)] ^= 1 << bit
    refused_or_usable(bytes_beside(folder / name, content))


def places(value, place=()):
    """Yield the way to each value within nested dictionaries and lists."""
    yield place
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from places(inner, (*place, key))


@settings(EASY, max_examples=300)
@given(name=st.sampled_from(NAMES), data=st.data(), junk=JSON)
def test_any_json_in_place_of_a_value_is_refused_or_harmless(folder, name, data, junk):
    def change(header, tensors):
        header["fitted"]["history"] = header["fitted"]["history"][:1]
        *way, last = data.draw(st.sampled_from([place for place in places(header) if place]))
        for key in way:
            header = header[key]
        header[last] = junk

    refused_or_usable(edited(folder / f"{name}.safetensors", change))
