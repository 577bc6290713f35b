"""Models from Keras: what Keras itself wrote is read with the same answers; anything else is refused in one sentence.

The files were made by ``tests/keras_fixtures.py`` with Keras 2.15 and Keras 3.15.
"""

import io
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import isthmus
from isthmus.cli import main
from isthmus.errors import DataError, MissingExtraError, ModelFileError, ParameterError
from isthmus.parts import BatchNormalization

FIXTURES = Path(__file__).parent / "fixtures" / "keras"
SCRIPT = Path(__file__).parent / "keras_fixtures.py"
GENERATIONS = ("keras2", "keras3")
CODES = {
    "activations": (3,),
    "article_convolutional": (7, 7, 1),
    "article_dense": (4,),
    "bilinear": (3, 3, 1),
    "flat": (4,),
    "last_axis": (5,),
    "nested": (4,),
    "normalised": (6,),
    "odd": (7, 7, 1),
    "strided": (5,),
    "valid": (4, 2, 2),
}
IN_EVERY_FORMAT = ("article_convolutional", "article_dense", "nested")
FILES = [
    *[(generation, name, (f"{name}.keras",)) for generation in GENERATIONS for name in CODES],
    *[(generation, name, (f"{name}.h5",)) for generation in GENERATIONS for name in IN_EVERY_FORMAT],
    *[
        (generation, name, (f"{name}.json", f"{name}.weights.h5"))
        for generation in GENERATIONS
        for name in IN_EVERY_FORMAT
    ],
    *[("keras2", name, (f"{name}.json", f"{name}_weights.h5")) for name in IN_EVERY_FORMAT],
]


@pytest.fixture(scope="session")
def keras_files(tmp_path_factory):
    """A folder for each generation."""
    folder = tmp_path_factory.mktemp("keras")
    for generation in GENERATIONS:
        zipfile.ZipFile(FIXTURES / f"{generation}.zip").extractall(folder / generation)
    return folder


@pytest.fixture(params=GENERATIONS)
def files(request, keras_files):
    """The folder of each generation in turn."""
    return keras_files / request.param


def check_equal(model, answers):
    """Compare a model with what Keras made of some rows."""
    kept = np.load(answers)
    rebuilt = model.reconstruct(kept["rows"])
    assert rebuilt.shape == kept["rows"].shape
    assert np.ptp(kept["rebuilt"], axis=0).max() > 1e-3
    np.testing.assert_allclose(rebuilt.reshape(kept["rebuilt"].shape), kept["rebuilt"], rtol=0, atol=1e-5)
    again = model.inverse_transform(model.transform(kept["rows"]))
    np.testing.assert_allclose(again, rebuilt, atol=1e-5)


def refused(*paths, kind=ModelFileError, words=(), **options):
    """Assert that files are refused in one sentence; give it."""
    with pytest.raises(kind) as caught:
        isthmus.from_keras(*paths, **options)
    message = str(caught.value)
    assert "\n" not in message
    for word in words:
        assert word in message
    return message


# ---------------------------------------------------------------- what Keras wrote


@pytest.mark.parametrize(("generation", "name", "paths"), FILES, ids=[f"{g}-{'+'.join(p)}" for g, _, p in FILES])
def test_the_answers_are_those_of_keras(keras_files, generation, name, paths):
    model = isthmus.from_keras(*(keras_files / generation / path for path in paths))
    assert model.code_shape_ == CODES[name]
    check_equal(model, keras_files / generation / f"{name}.npz")


def test_every_fixture_is_read(keras_files):
    for generation in GENERATIONS:
        there = {path.name for path in (keras_files / generation).iterdir()}
        read = {path for one, _, paths in FILES if one == generation for path in paths}
        assert there == read | {f"{name}.npz" for name in CODES}


@pytest.mark.parametrize("name", ["normalised", "article_dense"])
def test_a_model_is_saved_loaded_and_trained_on(files, name, tmp_path):
    model = isthmus.from_keras(files / f"{name}.keras", random_state=0, learning_rate=1e-3, batch_size=8)
    rows = np.random.default_rng(1).random((40, *model.schema_.row_shape)).astype(np.float32)
    assert (model.history_, model.n_iter_, len(model.held_out_)) == ([], 0, 0)
    model.save(tmp_path / "model.safetensors")
    loaded = isthmus.load(tmp_path / "model.safetensors")
    assert loaded.network == model.network
    np.testing.assert_array_equal(loaded.transform(rows), model.transform(rows))
    assert loaded.summary() == model.summary()
    before = {key: value.clone() for key, value in loaded.module_.state_dict().items()}
    error = loaded.reconstruction_error(rows).mean()
    for _ in range(8):
        loaded.partial_fit(rows)
    assert loaded.n_iter_ == 8
    assert loaded.reconstruction_error(rows).mean() < error
    assert [key for key, value in loaded.module_.state_dict().items() if value.equal(before[key])] == []
    assert isthmus.Autoencoder(None, network=model.network, max_epochs=1).fit(rows).code_shape_ == model.code_shape_


def test_settings_of_batch_normalization_follow_keras(files):
    layers = isthmus.from_keras(files / "normalised.keras").network
    first, second, third = (one for one in (*layers.encoder, *layers.decoder) if isinstance(one, BatchNormalization))
    assert (first.momentum, first.epsilon) == pytest.approx((0.01, 1e-3))
    assert (second.scale, second.offset) == (False, True)
    assert second.momentum == pytest.approx(0.1)
    assert (third.scale, third.offset, third.epsilon) == (True, False, 1e-2)


def test_grey_images_come_with_their_channel_or_without(files):
    model = isthmus.from_keras(files / "article_convolutional.keras")
    rows = np.load(files / "article_convolutional.npz")["rows"]
    assert model.transform(rows).shape == (3, 49)
    np.testing.assert_array_equal(model.transform(rows[..., 0]), model.transform(rows))
    np.testing.assert_array_equal(model.reconstruct(rows[..., 0]), model.reconstruct(rows))
    assert model.score(rows[..., 0]) == model.score(rows)
    model.partial_fit(rows[..., 0])
    with pytest.raises(DataError, match="rows of shape"):
        model.transform(rows[:, :27])


# ---------------------------------------------------------------- the code


@pytest.mark.parametrize(
    ("model", "name", "shape"),
    [
        ("strided", "code", (5,)),
        ("nested", "encoder", (4,)),
        ("nested", "encoder/last", (4,)),
        ("nested", "encoder/normal", (6, 6, 3)),
        ("nested", "to_image", (6, 6, 1)),
        ("nested", "normal", (6, 6, 3)),
    ],
)
def test_the_code_is_the_output_of_the_named_layer(files, model, name, shape):
    imported = isthmus.from_keras(files / f"{model}.keras", bottleneck=name)
    assert imported.code_shape_ == shape
    check_equal(imported, files / f"{model}.npz")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("middle", ("'middle'", "encoder/first", "decoder/first")),
        ("first", ("2 layers have it",)),
        ("decoder", ("no layer but maybe the last",)),
        ("", ("bottleneck",)),
    ],
)
def test_a_name_that_no_layer_or_two_have_is_refused(files, name, words):
    refused(files / "nested.keras", kind=ParameterError, words=words, bottleneck=name)


def test_an_activation_and_a_normalization_right_behind_the_smallest_output_belong_to_the_encoder(files):
    kinds = [type(layer).__name__ for layer in isthmus.from_keras(files / "normalised.keras").network.encoder]
    assert kinds[-3:] == ["Linear", "BatchNormalization", "Activation"]


def test_parameters_for_training_that_goes_on(files):
    model = isthmus.from_keras(files / "flat.keras", learning_rate=0.5, optimizer="sgd")
    assert (model.learning_rate, model.optimizer) == (0.5, "sgd")
    refused(files / "flat.keras", kind=ParameterError, words=("scaling",), scaling="minmax")
    refused(files / "flat.keras", kind=ParameterError, words=("learning_rate must be",), learning_rate=-1)


# ---------------------------------------------------------------- architectures that are no chain of known layers


def layer(architecture, name):
    return next(one for one in architecture["config"]["layers"] if one["config"]["name"] == name)


def first(architecture, kind):
    return next(one for one in architecture["config"]["layers"] if one["class_name"] == kind)


def last(architecture):
    return architecture["config"]["layers"][-1]


def fed_twice(architecture):
    last(architecture)["inbound_nodes"] *= 2


def branched(architecture):
    last(architecture)["inbound_nodes"] = architecture["config"]["layers"][2]["inbound_nodes"]


def fed_by_two(architecture):
    nodes = last(architecture)["inbound_nodes"]
    other = architecture["config"]["layers"][2]["inbound_nodes"]
    if isinstance(nodes[0], dict):
        nodes[0]["args"] = [[*nodes[0]["args"], *other[0]["args"]]]
    else:
        nodes[0] = [*nodes[0], *other[0]]


def without_a_shape(architecture):
    config = first(architecture, "InputLayer")["config"]
    for name in ("batch_shape", "batch_input_shape"):
        config.pop(name, None)


def lambda_layer(architecture):
    code = {"class_name": "__lambda__", "config": {"code": "4wEAAAA=", "defaults": None, "closure": None}}
    last(architecture).update({"class_name": "Lambda", "config": {"function": code}})


def with_shape(*shape):
    def change(architecture):
        config = first(architecture, "InputLayer")["config"]
        config["batch_shape" if "batch_shape" in config else "batch_input_shape"] = shape

    return change


def setting(name, value):
    return lambda architecture: last(architecture)["config"].update({name: value})


def renamed(**changes):
    return lambda architecture: last(architecture).update(changes)


MISFITS = {
    "lambda": (lambda_layer, "Lambda", "layer 'dense_"),
    "unknown": (renamed(class_name="LSTM"), "LSTM", "known are"),
    "custom": (renamed(registered_name="Custom>Dense"), "only the program that wrote it"),
    "foreign": (renamed(module="mine.layers"), "only the program that wrote it"),
    "custom model": (lambda a: a.update(class_name="MyAutoencoder"), "MyAutoencoder", "Sequential"),
    "custom activation": (setting("activation", "mine"), "'mine'", "known are"),
    "custom activation function": (
        setting("activation", {"class_name": "function", "config": "mine", "module": "builtins"}),
        "'mine'",
    ),
    "channels first": (setting("data_format", "channels_first"), "data_format"),
    "quantised": (setting("quantization_config", {"mode": "int8"}), "quantization_config"),
    "no units": (lambda a: last(a)["config"].pop("units"), "units"),
    "units of no number": (setting("units", "many"), "size must be an integer"),
    "endless units": (setting("units", 10**400), "size must be an integer"),
    "other size": (setting("units", 23), "no autoencoder"),
    "used twice": (fed_twice, "used 2 times"),
    "branched": (branched, "only chains"),
    "two inputs of a layer": (fed_by_two, "only chains"),
    "two outputs": (lambda a: a["config"].update(output_layers=[["a", 0, 0], ["b", 0, 0]]), "2 outputs"),
    "no way": (renamed(inbound_nodes=[]), "chain"),
    "training": (
        lambda a: last(a).update(
            inbound_nodes=json.loads(json.dumps(last(a)["inbound_nodes"]).replace("{}", '{"training": true}'))
        ),
        "training=True",
    ),
    "no shape": (without_a_shape, "shape of its rows"),
    "variable shape": (with_shape(None, None), "fixed length"),
    "four sides": (with_shape(None, 2, 2, 2, 3), "1 to 3 sides"),
    "only an input": (lambda a: a["config"].update(layers=a["config"]["layers"][:1]),),
    "no layers": (lambda a: a["config"].pop("layers"),),
    "listed config": (lambda a: a.update(config=[]),),
    "no config": (lambda a: a.pop("config"), "architecture"),
    "endless shape": (with_shape(None, 10**30),),
}


@pytest.mark.parametrize("case", MISFITS)
def test_what_is_no_chain_of_known_layers_is_refused_by_name(files, case, tmp_path):
    change, *words = MISFITS[case]
    architecture = json.loads((files / "article_dense.json").read_text())
    change(architecture)
    edited = tmp_path / "edited.json"
    edited.write_text(json.dumps(architecture))
    refused(edited, files / "article_dense.weights.h5", words=[str(edited), *words])


@pytest.mark.parametrize(
    ("kind", "name", "value", "words"),
    [
        ("MaxPooling2D", "padding", "causal", ("padding must be",)),
        ("UpSampling2D", "interpolation", "bicubic", ("interpolation must be",)),
        ("Conv2D", "groups", 3, ("groups must divide",)),
        ("Conv2D", "strides", [1, 2, 3], ("Conv2D",)),
        ("UpSampling2D", "size", [10**6, 10**6], ("UpSampling2D", "numbers")),
    ],
)
def test_settings_without_a_counterpart_are_refused(files, kind, name, value, words, tmp_path):
    architecture = json.loads((files / "article_convolutional.json").read_text())
    first(architecture, kind)["config"][name] = value
    (tmp_path / "edited.json").write_text(json.dumps(architecture))
    refused(tmp_path / "edited.json", files / "article_convolutional.weights.h5", words=words)


def test_a_sequential_model_of_the_oldest_form_is_read(keras_files, tmp_path):
    folder = keras_files / "keras2"
    architecture = json.loads((folder / "article_convolutional.json").read_text())
    convolution = architecture["config"]["layers"][1]
    convolution["config"]["batch_input_shape"] = [None, 28, 28, 1]
    architecture["config"] = architecture["config"]["layers"][1:]
    (tmp_path / "old.json").write_text(json.dumps(json.dumps(architecture)))
    model = isthmus.from_keras(tmp_path / "old.json", folder / "article_convolutional_weights.h5")
    check_equal(model, folder / "article_convolutional.npz")


# ---------------------------------------------------------------- files


def test_the_articles_architecture_that_its_weights_overwrote(files, tmp_path):
    weights = next(path for path in files.glob("article_dense*weights.h5"))
    both = tmp_path / "autoencoder.json"
    both.write_bytes(weights.read_bytes())
    refused(both, words=(str(both), "weights alone", "to_json"))
    refused(both, both, words=("weights alone",))


def test_files_in_each_others_place(files, tmp_path):
    json_file, weights = files / "article_dense.json", files / "article_dense.weights.h5"
    refused(json_file, words=(str(json_file), "without its weights"))
    refused(weights, json_file, words=(str(weights), "to_json() first"))
    refused(json_file, json_file, words=("not weights",))
    check_equal(isthmus.from_keras(json_file, files / "article_dense.h5"), files / "article_dense.npz")
    check_equal(isthmus.from_keras(files / "article_dense.h5", weights), files / "article_dense.npz")


@pytest.mark.parametrize("suffix", [".weights.h5", ".h5", ".keras"])
def test_weights_of_another_model_are_refused(files, suffix):
    for other in ("nested", "article_convolutional"):
        path = files / f"{other}{suffix}"
        refused(files / "article_dense.json", path, words=(str(path),))


def test_weights_of_another_shape_are_refused(files, tmp_path):
    architecture = json.loads((files / "article_dense.json").read_text())
    architecture["config"]["layers"][2]["config"]["units"] = 9
    (tmp_path / "edited.json").write_text(json.dumps(architecture))
    for weights in ("article_dense.weights.h5", "article_dense.h5"):
        refused(tmp_path / "edited.json", files / weights, words=("shape (12, 8), not (12, 9)", "kernel"))


def zipped(path, members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def test_files_that_are_no_models(files, tmp_path):
    refused(tmp_path / "missing.keras", words=("no such file",))
    refused(tmp_path, words=("folder",))
    for name, content in {
        "empty": b"",
        "text": b"no model",
        "short zip": b"PK\x03\x04",
        "short hdf5": b"\x89HDF\r\n\x1a\n",
        "broken json": b'{"class_name": ',
        "other json": b'{"a": 1}',
        "deep json": b'{"class_name":' + b"[" * 200_000,
    }.items():
        (tmp_path / name).write_bytes(content)
        refused(tmp_path / name, words=(name,))
    refused(zipped(tmp_path / "other.zip", {"a": b""}), words=("config.json",))
    refused(zipped(tmp_path / "half.zip", {"config.json": b"{}"}), words=("model.weights.h5",))
    whole = (files / "flat.keras").read_bytes()
    for length in (100, len(whole) // 2, len(whole) - 30):
        (tmp_path / "short.keras").write_bytes(whole[:length])
        refused(tmp_path / "short.keras")


def test_archives_that_unpack_to_far_more_are_refused_before_they_are_unpacked(tmp_path):
    zeros = bytes(2**25)
    for name in ("config.json", "model.weights.h5"):
        members = {"config.json": b"{}", "model.weights.h5": b""} | {name: zeros}
        path = zipped(tmp_path / f"{name}.keras", members)
        assert path.stat().st_size < 2**17
        refused(path, words=(name, "would unpack"))


def claims_terabytes(group, name, shape):
    group.create_dataset(name, (10**6, 10**6), dtype="f4", chunks=(1000, 1000))


def unwritten(group, name, shape):
    group.create_dataset(name, shape, dtype="f4")


def outside(group, name, shape):
    group.create_dataset(name, shape, dtype="f4", external=[("/etc/hostname", 0, 4 * int(np.prod(shape)))])


def linked(group, name, shape):
    group[name] = h5py.ExternalLink("other.h5", "/x")


def linked_within(group, name, shape):
    group[name] = h5py.SoftLink("/nowhere")


def of_integers(group, name, shape):
    group.create_dataset(name, data=np.zeros(shape, np.int32))


def a_group(group, name, shape):
    group.create_group(name)


def nothing(group, name, shape):
    pass


ARRAYS = [claims_terabytes, unwritten, outside, linked, linked_within, of_integers, a_group, nothing]


@pytest.mark.parametrize("damage", ARRAYS, ids=lambda damage: damage.__name__)
@pytest.mark.parametrize("weights", ["article_dense.h5", "article_dense.weights.h5"])
def test_arrays_that_are_not_what_they_claim_are_refused_before_they_are_read(files, weights, damage, tmp_path):
    path = tmp_path / weights
    path.write_bytes((files / weights).read_bytes())
    with h5py.File(path, "r+") as file:
        found = []
        file.visititems(lambda name, item: found.append((name, item.shape)) if hasattr(item, "shape") else None)
        name, shape = next(pair for pair in found if pair[1] == (24, 12) and "optimizer" not in pair[0])
        group, _, last_name = name.rpartition("/")
        del file[name]
        damage(file[group], last_name, shape)
    refused(files / "article_dense.json", path, words=(str(path),))


def test_a_heap_that_would_send_the_library_round_for_ever_is_refused(keras_files, tmp_path):
    content = bytearray((keras_files / "keras2" / "article_dense_weights.h5").read_bytes())
    heap = content.index(b"GCOL")
    content[heap + 16 : heap + 32] = bytes(16)
    (tmp_path / "round.h5").write_bytes(content)
    refused(keras_files / "keras2" / "article_dense.json", tmp_path / "round.h5", words=("lists of names",))


def test_half_precision_is_widened(files, tmp_path):
    path = tmp_path / "half.h5"
    path.write_bytes((files / "article_dense.h5").read_bytes())
    with h5py.File(path, "r+") as file:
        group = file["model_weights"]
        found = []
        group.visititems(lambda name, item: found.append(name) if hasattr(item, "shape") else None)
        for name in found:
            values = group[name][()].astype(np.float16)
            del group[name]
            group[name] = values
    rows = np.load(files / "article_dense.npz")["rows"]
    whole = isthmus.from_keras(files / "article_dense.h5").reconstruct(rows)
    np.testing.assert_allclose(isthmus.from_keras(path).reconstruct(rows), whole, atol=0.02)


def refused_or_usable(*paths):
    """Assert that files are refused as ours are, or that they give a model."""
    try:
        model = isthmus.from_keras(*paths)
    except (ModelFileError, ParameterError):
        return
    assert "parameters" in model.summary()


@given(data=st.data())
@settings(deadline=None, max_examples=20)
def test_damaged_architectures_are_refused_or_usable(keras_files, tmp_path_factory, data):
    """Put another value somewhere in the JSON."""
    folder = keras_files / data.draw(st.sampled_from(GENERATIONS))
    architecture = json.loads((folder / "nested.json").read_text())
    place = architecture
    while isinstance(place, dict | list) and place:
        keys = sorted(place) if isinstance(place, dict) else range(len(place))
        key = data.draw(st.sampled_from(list(keys)))
        if not isinstance(place[key], dict | list) or not place[key] or data.draw(st.integers(0, 5)) == 0:
            place[key] = data.draw(
                st.none()
                | st.booleans()
                | st.integers()
                | st.floats()
                | st.text(max_size=3)
                | st.just([])
                | st.just({})
            )
            break
        place = place[key]
    path = tmp_path_factory.getbasetemp() / "damaged.json"
    path.write_text(json.dumps(architecture))
    refused_or_usable(path, folder / "nested.weights.h5")


@given(data=st.data())
@settings(deadline=None, max_examples=20)
def test_damaged_files_are_refused_or_usable(keras_files, tmp_path_factory, data):
    """Change some bytes."""
    folder = keras_files / data.draw(st.sampled_from(GENERATIONS))
    name = data.draw(st.sampled_from(["nested.keras", "nested.h5"]))
    content = bytearray((folder / name).read_bytes())
    for _ in range(data.draw(st.integers(1, 5))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / f"damaged-{name}"
    path.write_bytes(content)
    refused_or_usable(path)


def test_without_h5py_the_extra_is_named(files, monkeypatch):
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(MissingExtraError, match=r"isthmus\[keras\]"):
        isthmus.from_keras(files / "flat.keras")


# ---------------------------------------------------------------- command line


def run(*arguments):
    try:
        main([str(argument) for argument in arguments])
    except SystemExit as end:
        return end.code
    return 0


def test_a_model_is_imported_and_used_from_the_command_line(files, tmp_path, capsys):
    out, codes = tmp_path / "model.safetensors", tmp_path / "codes.npy"
    given = (files / "article_convolutional.json", files / "article_convolutional.weights.h5")
    assert run("import-keras", *given, "-o", out) == 0
    assert "code 7 x 7 x 1" in capsys.readouterr().out
    np.save(tmp_path / "rows.npy", np.load(files / "article_convolutional.npz")["rows"])
    assert run("encode", out, tmp_path / "rows.npy", "-o", codes) == 0
    assert np.load(codes).shape == (3, 49)
    assert run("import-keras", *given, "-o", out) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert run("import-keras", files / "nested.keras", "--bottleneck", "encoder/normal", "-o", out, "--overwrite") == 0
    assert isthmus.load(out).code_shape_ == (6, 6, 3)


@pytest.mark.parametrize(
    "arguments", [("missing.keras",), ("article_dense.json",), ("flat.keras", "--bottleneck", "x")]
)
def test_what_cannot_be_imported_is_one_sentence(files, arguments, tmp_path, capsys):
    out = tmp_path / "model.safetensors"
    assert run("import-keras", files / arguments[0], *arguments[1:], "-o", out) == 2
    shown = capsys.readouterr().err
    assert shown.startswith("isthmus: ")
    assert shown.count("\n") == 1
    assert not out.exists()


# ---------------------------------------------------------------- Keras itself


@pytest.mark.slow
@pytest.mark.parametrize("packages", [("tensorflow-cpu==2.15.1",), ("tensorflow-cpu==2.21.0", "keras==3.15.1")])
def test_what_keras_writes_today(packages, tmp_path):
    """Make the files anew, in an environment of their own."""
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    python = tmp_path / "venv" / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "--quiet", *packages], check=True)
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    subprocess.run([python, SCRIPT, tmp_path], check=True, env=clean | {"CUDA_VISIBLE_DEVICES": ""})
    (made,) = tmp_path.glob("keras?.zip")
    zipfile.ZipFile(io.BytesIO(made.read_bytes())).extractall(tmp_path)
    for generation, name, paths in FILES:
        if generation == made.stem:
            check_equal(isthmus.from_keras(*(tmp_path / path for path in paths)), tmp_path / f"{name}.npz")
