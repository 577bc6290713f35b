"""Emitted code gives torch's numbers, is compiled once, and is taken where it covers a network and pays."""

import copy
import json
import os
import pickle
import signal
import subprocess
import sys
import time
from unittest.mock import MagicMock

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import isthmus
from isthmus import ConvolutionalAutoencoder
from isthmus.batches import Batch
from isthmus.engines import Autograd, Work, engine_for
from isthmus.engines.fused import choosing, elementwise
from isthmus.engines.fused.caching import Kept
from isthmus.engines.fused.layers import NotCoveredError
from isthmus.engines.fused.planes import sides
from isthmus.engines.fused.reading import read
from isthmus.engines.fused.writing import source_of
from isthmus.engines.threads import Crew, one_thread
from isthmus.errors import ParameterError
from isthmus.module import AutoencoderModule
from isthmus.parts import (
    L1,
    Activation,
    AveragePooling,
    Bernoulli,
    Convolution,
    Convolutional,
    Dense,
    Flatten,
    GaussianNoise,
    Huber,
    Layers,
    Linear,
    MaxPooling,
    Reshape,
    SquaredError,
    TopK,
    UpSampling,
)
from isthmus.recipe import Recipe
from isthmus.records import Schema

MUCH = Work(rows=10**12, batch_size=8)
ACTIVATIONS = st.sampled_from(["linear", "relu", "leaky_relu", "tanh", "sigmoid"])
LOSSES = st.sampled_from([SquaredError(), Bernoulli()])
SMALL = {"channels": (3, 2), "max_epochs": 2, "batch_size": 16, "random_state": 0}
torch.set_num_threads(1)


def module_of(recipe, shape, seed=0):
    module = AutoencoderModule(recipe, Schema(shape, recipe.network.layout(shape)))
    module.materialise(torch.Generator().manual_seed(seed))
    with torch.no_grad():
        for own in module.parameters():
            own.add_(0.1 * torch.rand(own.shape, generator=torch.Generator().manual_seed(1)))
    return module


def interpreted(network):
    """Run emitted code as plain Python: the same arithmetic, without minutes of compilation."""
    stub = MagicMock()
    stub.njit = lambda *arguments, **options: lambda function: function
    before, names = sys.modules.get("numba"), {"__name__": "emitted"}
    sys.modules["numba"] = stub
    try:
        exec(source_of(network), names)
    finally:
        sys.modules.pop("numba")
        if before is not None:
            sys.modules["numba"] = before
    return MagicMock(spec_set=sorted(names), **{name: value for name, value in names.items() if callable(value)})


def agree(recipe, shape, count=3, made=interpreted):
    """Compare losses, gradients, codes and reconstructions with torch's."""
    module = module_of(recipe, shape)
    twin, network = copy.deepcopy(module), read(module)
    code, draw = made(network), torch.Generator().manual_seed(2)
    batch = Batch(torch.rand(count, *module.schema.layout, generator=draw).movedim(-1, 1))
    theirs = Autograd(twin)(batch, 0.5, torch.Generator().manual_seed(3))
    fused = isthmus.engines.fused.Fused(module, network, code)
    ours = fused(batch, 0.5, torch.Generator().manual_seed(3))
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)
    exact, inputs = copy.deepcopy(twin).double(), twin.corrupted(batch, torch.Generator().manual_seed(3)).double()
    exact.zero_grad()
    losses, _ = exact.losses(Batch(batch.rows.double()), inputs, 0.5, torch.Generator())
    sum(losses.values()).backward()
    for own, other in zip(fused.gradients, exact.parameters(), strict=True):
        scale = float(other.grad.abs().max()) + 1e-3
        torch.testing.assert_close(own.double() / scale, other.grad / scale, rtol=0, atol=3e-5)
    passes = isthmus.engines.fused.passes.Passes(module, network, code)
    with torch.no_grad():
        codes = passes.encode(batch.rows)
        torch.testing.assert_close(codes, twin.encode(batch.rows), rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(passes.decode(codes), twin.decode(codes), rtol=1e-5, atol=1e-5)


@settings(max_examples=15, deadline=None)
@given(
    size=st.tuples(st.integers(1, 7), st.integers(1, 7)),
    colours=st.sampled_from([1, 2]),
    channels=st.lists(st.integers(1, 3), min_size=1, max_size=2),
    kernel_size=st.sampled_from([1, 3, 5]),
    activation=ACTIVATIONS,
    code_size=st.sampled_from([None, 3]),
    loss=LOSSES,
)
def test_convolutional_networks_of_any_size_give_the_gradients_of_autograd(
    size, colours, channels, kernel_size, activation, code_size, loss
):
    network = Convolutional(channels, kernel_size=kernel_size, activation=activation)
    agree(Recipe(code_size, network, reconstruction=loss), (*size, colours))


@settings(max_examples=6, deadline=None)
@given(length=st.integers(1, 9), kernel_size=st.sampled_from([1, 3, 5]), code_size=st.sampled_from([None, 2]))
def test_signals_do_too(length, kernel_size, code_size):
    agree(Recipe(code_size, Convolutional((2,), kernel_size=kernel_size)), (length,))


HALVES = st.sampled_from([MaxPooling(2), AveragePooling(2), MaxPooling(2, padding="same"), AveragePooling((2, 2))])
MAPS = st.one_of(
    st.builds(Convolution, st.integers(1, 3), kernel=st.sampled_from([1, 3, (3, 1), (1, 5)]), bias=st.booleans()),
    st.builds(Activation, ACTIVATIONS),
    st.builds(Activation, st.just("leaky_relu"), slope=st.just(0.2)),
)


@settings(max_examples=15, deadline=None)
@given(maps=st.lists(MAPS, max_size=3), half=HALVES, behind=st.lists(MAPS, max_size=2), up=st.booleans())
def test_lists_of_layers_do_too(maps, half, behind, up):
    encoder = (*maps, half, *behind)
    decoder = (
        (UpSampling(2), *behind, Convolution(1)) if up else (Flatten(), Linear(24, bias=False), Reshape((4, 6, 1)))
    )
    agree(Recipe(None, Layers(encoder, decoder)), (4, 6))


@pytest.mark.slow
@pytest.mark.parametrize("loss", [SquaredError(), Bernoulli()])
def test_compiled_code_of_every_kind_of_layer_does_too(loss):
    pytest.importorskip("numba")
    maps = (Convolution(2, kernel=5), Activation("tanh"), AveragePooling(2, padding="same"), Convolution(3, bias=False))
    small = (Activation("leaky_relu"), MaxPooling(2, padding="same"), Activation("sigmoid"), Activation("tanh"))
    encoder = (*maps, *small, Flatten(), Linear(4))
    decoder = (Linear(9), Reshape((3, 3, 1)), UpSampling(2), Activation("sigmoid"), UpSampling(1), Convolution(2))
    pooled = (Convolution(2), MaxPooling(2), UpSampling(2), Convolution(1))
    recipe = Recipe(None, Layers(encoder, (*decoder, *pooled)), reconstruction=loss)
    agree(recipe, (6, 6), made=lambda network: Kept(source_of(network)).load(print))


def test_wide_kernels_are_cut_into_pieces():
    agree(Recipe(None, Convolutional((2,), kernel_size=7)), (6, 4))


def test_dense_layers_only_can_be_emitted():
    agree(Recipe(2, Dense((4,), activation="tanh", output_activation="sigmoid")), (5,))


def test_corrupted_rows_are_compared_with_clean_ones():
    agree(Recipe(None, Convolutional((2,)), corruption=GaussianNoise(0.3)), (4, 4))


@pytest.mark.parametrize(("size", "factor"), [(1, 2), (3, 1), (3, 2), (5, 2), (7, 2)])
def test_a_kernel_on_up_sampled_lines_is_one_on_the_small_ones(size, factor):
    draw = np.random.default_rng(0)
    kernel, lines = draw.random(size), draw.random(5)
    large = np.repeat(lines, factor)
    expected = np.convolve(np.pad(large, size // 2), kernel[::-1], "valid")
    offsets, sums = sides(size, factor)
    small = np.pad(lines, size)
    for line in range(factor):
        wider = np.array(sums[line]) @ kernel
        found = [wider @ small[[place + size + offset for offset in offsets[line]]] for place in range(5)]
        assert np.allclose(found, expected[line::factor])


def test_the_exponential_is_exact_to_two_units_in_the_last_place():
    x = np.linspace(-80, 80, 2001, dtype=np.float32)
    found = np.array([elementwise.exponential(value) for value in x])
    assert np.abs(found / np.exp(x.astype(np.float64)) - 1).max() < 2.4e-7


@pytest.mark.parametrize(
    ("recipe", "reason"),
    [
        (Recipe(None, Convolutional((2,), activation="gelu")), "the layer GELU"),
        (Recipe(None, Convolutional((2,)), reconstruction=Huber()), "the loss Huber"),
        (Recipe(None, Convolutional((2,)), penalties=(L1(0.1),)), "the penalty l1"),
        (Recipe(4, Convolutional((2,)), TopK(2)), "the bottleneck TopK"),
        (Recipe(None, Convolutional((2,)), missing_indicator=True), "the encoder sees which cells are missing"),
        (Recipe(None, Layers((Convolution(1, dilation=2),), (Convolution(1),))), "a convolution that is not odd"),
        (Recipe(None, Layers((Convolution(1), MaxPooling(3)), (UpSampling(3),))), "pooling that is not by 2"),
        (
            Recipe(None, Layers((Convolution(1), MaxPooling(2)), (UpSampling(2, interpolation="bilinear"),))),
            "nearest neighbours",
        ),
    ],
)
def test_what_is_not_covered_is_left_to_torch_with_the_reason(recipe, reason):
    module = module_of(recipe, (6, 6))
    with pytest.raises(NotCoveredError, match=reason):
        read(module)
    assert reason in engine_for(module, "auto", MUCH).name
    with pytest.raises(ParameterError, match=f"{reason}.*take backend="):
        engine_for(module, "fused")


def test_weights_that_are_not_learned_and_layers_with_hooks_are_left_to_torch():
    module = module_of(Recipe(None, Convolutional((2,))), (4, 4))
    handle = module.encoder[0].register_forward_hook(lambda *arguments: None)
    with pytest.raises(NotCoveredError, match="a hook"):
        read(module)
    handle.remove()
    module.encoder[0].weight.requires_grad_(False)
    with pytest.raises(NotCoveredError, match="not learned"):
        read(module)


@pytest.mark.parametrize(
    ("work", "reason"),
    [
        (Work(rows=100), "too little work to compile for"),
        (Work(rows=10**12, plain=False), "missing cells or weights"),
        (Work(rows=10**12, alone=False), "several processes train"),
    ],
)
def test_the_name_says_why_code_is_not_compiled(work, reason):
    pytest.importorskip("numba")
    module = module_of(Recipe(None, Convolutional((2,))), (4, 4))
    assert engine_for(module, "auto", work).name == f"autograd ({reason})"
    assert engine_for(module, "torch", MUCH).name == "autograd (not only dense layers)"


def test_without_numba_torch_trains(monkeypatch):
    monkeypatch.setattr(choosing, "find_spec", lambda name: None)
    module = module_of(Recipe(None, Convolutional((2,))), (4, 4))
    assert engine_for(module, "auto", MUCH).name == "autograd (numba is not installed)"
    with pytest.raises(ParameterError, match="numba is not installed"):
        engine_for(module, "fused")


def test_a_folder_that_cannot_be_written_to_is_named(monkeypatch, tmp_path):
    pytest.importorskip("numba")
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("ISTHMUS_CACHE", str(tmp_path / "file" / "folder"))
    module = module_of(Recipe(None, Convolutional((2,))), (4, 4))
    assert "the cache folder" in engine_for(module, "auto", MUCH).name
    with pytest.raises(ParameterError, match=r"the cache folder .* cannot be written to"):
        engine_for(module, "fused")


def test_what_numba_cannot_compile_is_left_to_torch_with_its_words(monkeypatch, tmp_path):
    pytest.importorskip("numba")
    monkeypatch.setenv("ISTHMUS_CACHE", str(tmp_path))
    emitted = choosing.source_of
    monkeypatch.setattr(
        choosing, "source_of", lambda network: emitted(network) + "\nnjit((Numbers,))(lambda x: x.shap)\n"
    )
    module = module_of(Recipe(None, Convolutional((1,))), (4, 4))
    assert engine_for(module, "auto", MUCH).name.startswith("autograd (not fused: numba cannot compile the network: ")
    with pytest.raises(ParameterError, match="numba cannot compile the network: "):
        engine_for(module, "fused")
    assert choosing.passes_for(module, "fused") is None


def test_decisions_are_taken_once(monkeypatch, tmp_path):
    pytest.importorskip("numba")
    monkeypatch.setenv("ISTHMUS_CACHE", str(tmp_path))
    first, second = Kept("text"), Kept("text")
    assert first.decision is None
    assert first.decide({"faster": False}) == {"faster": False}
    assert second.decide({"faster": True}) == {"faster": False}
    assert Kept("other").decision is None
    next(tmp_path.glob("*.json")).write_text("{")
    assert second.decision is None


def test_a_decision_against_the_code_is_followed(monkeypatch, tmp_path):
    pytest.importorskip("numba")
    monkeypatch.setenv("ISTHMUS_CACHE", str(tmp_path))
    module = module_of(Recipe(None, Convolutional((2,))), (4, 4))
    Kept(source_of(read(module))).decide({"faster": False})
    assert engine_for(module, "auto", MUCH).name == "autograd (fused code is not faster)"
    assert choosing.passes_for(module, "auto") is None


@pytest.fixture(scope="module")
def compiled(images):
    """A model by compiled code, and how it was made."""
    pytest.importorskip("numba")
    return ConvolutionalAutoencoder(**SMALL, backend="fused").fit(images)


def test_a_fit_by_compiled_code_is_that_by_torch(compiled, images):
    torchs = ConvolutionalAutoencoder(**SMALL, backend="torch").fit(images)
    assert {epoch.engine for epoch in compiled.history_} == {"fused"}
    for own, other in zip(compiled.history_, torchs.history_, strict=True):
        assert own.loss == pytest.approx(other.loss, rel=1e-5)
        assert own.validation_loss == pytest.approx(other.validation_loss, rel=1e-5)
        assert own.mse == pytest.approx(other.mse, rel=1e-5)
    for own, other in zip(compiled.module_.parameters(), torchs.module_.parameters(), strict=True):
        torch.testing.assert_close(own, other, rtol=1e-4, atol=1e-5)


def test_the_same_run_gives_the_same_bits_by_any_number_of_threads(compiled, images, monkeypatch):
    for threads in (1, 3):
        fixed = property(lambda crew, threads=threads: threads, lambda crew, value: None)
        monkeypatch.setattr(Crew, "size", fixed, raising=False)
        again = ConvolutionalAutoencoder(**SMALL, backend="fused").fit(images)
        for own, other in zip(compiled.module_.parameters(), again.module_.parameters(), strict=True):
            assert torch.equal(own, other)


def test_torch_gets_its_threads_back():
    torch.set_num_threads(2)
    try:
        with one_thread():
            assert torch.get_num_threads() == 1
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(1)


def test_codes_and_rows_by_compiled_code_are_those_by_torch(compiled, images):
    torchs = copy.deepcopy(compiled).set_params(backend="torch")
    codes = compiled.transform(images)
    np.testing.assert_allclose(codes, torchs.transform(images), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(compiled.reconstruct(images), torchs.reconstruct(images), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(compiled.inverse_transform(codes), torchs.inverse_transform(codes), rtol=1e-5, atol=1e-5)
    assert compiled.score(images) == pytest.approx(torchs.score(images), rel=1e-5)


def test_models_are_copied_pickled_and_saved_without_their_code(compiled, images, tmp_path):
    compiled.save(tmp_path / "model.safetensors")
    loaded = isthmus.load(tmp_path / "model.safetensors")
    for other in (copy.deepcopy(compiled), pickle.loads(pickle.dumps(compiled)), loaded):
        assert np.array_equal(other.transform(images), compiled.transform(images))


def test_partial_fit_goes_on_with_rows_that_count_differently(images):
    pytest.importorskip("numba")
    weights = np.linspace(0.5, 1.5, len(images))
    models = [ConvolutionalAutoencoder(**SMALL, backend=backend) for backend in ("fused", "torch")]
    for model in models:
        model.partial_fit(images).partial_fit(images, sample_weight=weights).partial_fit(images)
    for own, other in zip(*(model.module_.parameters() for model in models), strict=True):
        torch.testing.assert_close(own, other, rtol=1e-4, atol=1e-5)


def test_a_run_that_was_stopped_resumes_with_the_same_bits(compiled, images, tmp_path):
    model = ConvolutionalAutoencoder(**SMALL, backend="fused", checkpoint=tmp_path)
    whole = model.fit(images).module_.state_dict()
    max(tmp_path.glob("step-*")).unlink()
    resumed = model.set_params(resume=True).fit(images).module_.state_dict()
    assert all(torch.equal(resumed[name], value) for name, value in whole.items())
    assert all(torch.equal(compiled.module_.state_dict()[name], value) for name, value in whole.items())


def test_code_is_compiled_once_for_all_processes(compiled, images, tmp_path, capfd):
    """Another process finds the files that this one left, and leaves them as they are."""
    kept = Kept(source_of(read(compiled.module_)))
    before = {file.name: file.stat().st_mtime_ns for file in kept.file.parent.rglob("*.nb*")}
    compiled.save(tmp_path / "model.safetensors")
    np.save(tmp_path / "rows.npy", images)
    program = (
        "import isthmus, numpy as np, sys, torch; torch.set_num_threads(1); model = isthmus.load(sys.argv[1]);"
        "np.save(sys.argv[2], model.transform(np.load(sys.argv[2])))"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "model.safetensors"), str(tmp_path / "rows.npy")]
    subprocess.run(command, check=True)
    assert np.array_equal(np.load(tmp_path / "rows.npy"), compiled.transform(images))
    assert {file.name: file.stat().st_mtime_ns for file in kept.file.parent.rglob("*.nb*")} == before


def test_processes_that_compile_at_once_wait_for_each_other(images, tmp_path):
    """Of two that find an empty folder one compiles; one that is killed meanwhile leaves nothing that harms."""
    pytest.importorskip("numba")
    np.save(tmp_path / "rows.npy", images)
    program = (
        "import isthmus, numpy as np, sys, torch; torch.set_num_threads(1); X = np.load(sys.argv[1]);"
        "model = isthmus.ConvolutionalAutoencoder(channels=(1,), max_epochs=1, random_state=0, backend='fused').fit(X);"
        "np.save(sys.argv[2], model.transform(X))"
    )
    cache = tmp_path / "cache"

    def started(name):
        command = [sys.executable, "-c", program, str(tmp_path / "rows.npy"), str(tmp_path / f"{name}.npy")]
        return subprocess.Popen(command, env={**os.environ, "ISTHMUS_CACHE": str(cache)})

    killed = started("killed")
    while not list(cache.rglob("*.nbi")) and killed.poll() is None:
        time.sleep(0.01)
    killed.kill()
    assert killed.wait() == -signal.SIGKILL
    both = [started(name) for name in ("one", "other")]
    assert [process.wait() for process in both] == [0, 0]
    assert np.array_equal(np.load(tmp_path / "one.npy"), np.load(tmp_path / "other.npy"))
    assert len(list(cache.glob("*.py"))) == 1


def test_auto_measures_and_keeps_what_it_found(compiled, monkeypatch):
    monkeypatch.setattr(choosing, "_LEAST_PRODUCTS", 0)
    module = copy.deepcopy(compiled.module_).train()
    kept, texts = Kept(source_of(read(module))), []
    engine = engine_for(module, "auto", Work(rows=10, batch_size=4), texts.append)
    decision = json.loads(kept.file.with_suffix(".json").read_text())
    assert decision["agrees"]
    assert decision["torch_ms"] > 0 < decision["fused_ms"]
    assert engine.name == ("fused" if decision["faster"] else "autograd (fused code is not faster)")
    assert texts == []


def test_a_progress_bar_names_the_engine(images, capsys):
    ConvolutionalAutoencoder(**SMALL | {"max_epochs": 1}, verbose=True).fit(images)
    assert "gradients by autograd (" in capsys.readouterr().out


def test_numbers_that_are_not_finite_stay_so(compiled, images):
    module = copy.deepcopy(compiled.module_)
    with torch.no_grad():
        module.encoder[0].weight.fill_(torch.nan)
    engine = engine_for(module, "fused")
    rows = torch.from_numpy(images)[:, None]
    losses, _ = engine(Batch(rows), 0.5, torch.Generator())
    assert not torch.isfinite(losses["reconstruction"])
