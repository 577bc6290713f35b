"""Loading: a file is a whole model of ours, or it is refused in one sentence, and nothing in it is run."""

import json
import pickle
import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.torch import save_file

import isthmus
from conftest import VARIANTS, name_of
from isthmus.errors import ModelFileError
from isthmus.tensorfiles import write_tensors

INF = float("inf")
EASY = settings(deadline=None, max_examples=200)
NAMES = [name_of(variant) for variant in VARIANTS]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just(10**400),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
)


def edited(path, change):
    """Write a copy of a model file after ``change(header, tensors)``, and give its path."""
    with safe_open(path, framework="pt") as file:
        header = json.loads(file.metadata()["isthmus"])
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    change(header, tensors)
    return written(path, header, tensors)


def written(path, header, tensors):
    target = path.with_name(f"{path.stem}.edited")
    write_tensors(target, "isthmus", header, tensors)
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
    vars(model).pop("feature_names_in_", None)
    assert model.reconstruct(X).shape == X.shape
    model.summary()


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
    "no shape": (lambda h, t: h["fitted"].update(row_shape=[]),),
    "another shape": (lambda h, t: h["fitted"].update(row_shape=[3, 5]),),
    "another number of columns": (lambda h, t: h["fitted"].update(n_features_in=7),),
    "too few names": (lambda h, t: h["fitted"].update(feature_names_in=["x0"]),),
    "extra tensor": (lambda h, t: t.update(extra=torch.zeros(1)), "extra"),
}


ENDLESS = {
    "Autoencoder": (
        lambda h, t: network(h)["parameters"].update(hidden={"tuple": [10**9]}),
        lambda h, t: h["parameters"].update(code_size=10**12),
        lambda h, t: (
            network(h)["parameters"].update(hidden={"tuple": [10**9]}),
            h["parameters"].update(code_size=10**12),
        ),
        lambda h, t: h["fitted"].update(row_shape=[10**12], n_features_in=10**12, feature_names_in=[]),
    ),
    "ConvolutionalAutoencoder": (
        lambda h, t: h["parameters"].update(channels={"tuple": [10**9, 10**9]}),
        lambda h, t: h["parameters"].update(kernel_size=10**9 + 1),
        lambda h, t: h["parameters"].update(image_shape={"tuple": [10**6, 10**6]}),
        lambda h, t: h["fitted"].update(row_shape=[10**6, 10**6], n_features_in=10**12, feature_names_in=[]),
    ),
}


def test_endless_shapes_take_no_memory(folder):
    """In a process that may take only 200 MB more than one sane model took."""
    program = """if True:
        import resource, sys, isthmus
        from isthmus.errors import ModelFileError
        sane, *paths = sys.argv[1:]
        isthmus.load(sane).summary()
        pages = int(open("/proc/self/statm").read().split()[0])
        limit = pages * resource.getpagesize() + 200 * 2**20
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        for path in paths:
            try:
                isthmus.load(path)
            except ModelFileError:
                continue
            raise AssertionError(path)
    """
    paths = [folder / "Autoencoder.safetensors"]
    for name, changes in ENDLESS.items():
        for place, change in enumerate(changes):
            made = edited(folder / f"{name}.safetensors", change)
            paths.append(made.rename(folder / f"{name}.endless{place}"))
    subprocess.run([sys.executable, "-c", program, *paths], check=True, timeout=60)


def test_nothing_that_a_file_names_is_imported(folder, tmp_path, monkeypatch):
    (tmp_path / "marker.py").write_text("raise SystemExit('imported')")
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("marker", "marker.Marker", "os.system"):
        refused(edited(folder / "Autoencoder.safetensors", lambda h, t, name=name: h.update({"class": name})))
        refused(edited(folder / "Autoencoder.safetensors", lambda h, t, name=name: network(h).update(part=name)))
    assert "marker" not in sys.modules


def test_nothing_is_unpickled(path, tmp_path, monkeypatch):
    class Bomb:
        def __reduce__(self):
            return (tmp_path / "exploded").touch, ()

    bomb = bytes_beside(path, pickle.dumps(Bomb()))
    torch.save(Bomb(), tmp_path / "bomb.pt")
    for target in ("pickle.load", "pickle.loads", "pickle.Unpickler", "torch.load"):
        monkeypatch.setattr(target, None)
    isthmus.load(path)
    refused(bomb)
    refused(tmp_path / "bomb.pt")
    assert not (tmp_path / "exploded").exists()


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


def test_weights_that_are_not_finite_are_refused(path):
    tensors = {}
    edited(path, lambda header, found: tensors.update(found))
    name = next(name for name, value in tensors.items() if name.startswith("module.") and value.is_floating_point())
    for number in (float("nan"), INF):
        wrong = tensors[name].clone()
        wrong.view(-1)[0] = number
        refused(edited(path, lambda header, found, wrong=wrong: found.update({name: wrong})), "not finite")
