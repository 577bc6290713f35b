"""How a model was made: it can be repeated, and its rows be told from others."""

import hashlib
import json
import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

import isthmus
from isthmus.cli import main
from isthmus.provenance import Digest, drawn_random, seed_of, versions
from isthmus.sources import ArrayRows

X = isthmus.datasets.load_digits()[0][:200].reshape(200, -1)
SMALL = {"code_size": 2, "hidden": (8,), "max_epochs": 2}


def weights_of(model):
    return {name: value.numpy().tobytes() for name, value in model.module_.state_dict().items()}


@settings(deadline=None, max_examples=50)
@given(cuts=st.lists(st.integers(0, 30), max_size=5), dtype=st.sampled_from(["uint8", ">i2", "float32", "float64"]))
def test_a_digest_is_that_of_all_bytes_however_they_are_cut(cuts, dtype):
    rows = np.arange(90).reshape(30, 3).astype(dtype)
    digest = Digest(ArrayRows(rows))
    for block in np.split(rows, sorted(cuts)):
        digest.add(block)
    expected = hashlib.sha256(f"{np.dtype(dtype).str} (3,)".encode() + rows.tobytes())
    assert (str(digest), digest.rows) == (expected.hexdigest(), 30)


def test_the_digest_is_that_of_the_training_rows():
    model = isthmus.DenseAutoencoder(**SMALL, random_state=0).fit(X)
    training = np.delete(X, model.held_out_, axis=0)
    expected = hashlib.sha256(b"|u1 (64,)" + training.tobytes()).hexdigest()
    assert (model.provenance_.digest, model.provenance_.rows) == (expected, len(training))
    other = X.copy()
    other[np.setdiff1d(np.arange(200), model.held_out_)[5], 3] ^= 1
    assert isthmus.DenseAutoencoder(**SMALL, random_state=0).fit(other).provenance_.digest != expected


def test_the_same_rows_have_the_same_digest_wherever_they_come_from(tmp_path):
    np.save(tmp_path / "rows.npy", X)
    kinds = [
        X,
        tmp_path / "rows.npy",
        np.load(tmp_path / "rows.npy", mmap_mode="r"),
        csr_array(X),
        np.array_split(X, 7),
    ]
    kinds[-1] = Batches(kinds[-1])
    models = [isthmus.LinearAutoencoder(2).fit(kind) for kind in kinds]
    assert len({model.provenance_.digest for model in models}) == 1


class Batches:
    def __init__(self, batches):
        self._batches = batches

    def __iter__(self):
        return iter(self._batches)


def test_weights_and_further_passes_do_not_change_the_digest():
    fits = [
        isthmus.LinearAutoencoder(2, scaling="standard").fit(X, sample_weight=weight)
        for weight in (None, np.ones(200), np.arange(200) % 2)
    ]
    assert len({model.provenance_.digest for model in fits}) == 1


def test_a_seed_that_was_drawn_repeats_the_run():
    one = isthmus.DenoisingAutoencoder(**SMALL).fit(X)
    two = isthmus.DenoisingAutoencoder(**SMALL).fit(X)
    again = isthmus.DenoisingAutoencoder(**SMALL, random_state=one.provenance_.seed).fit(X)
    assert one.provenance_.seed != two.provenance_.seed
    assert weights_of(again) == weights_of(one) != weights_of(two)


def test_a_run_that_resumes_keeps_its_seed(tmp_path):
    fits = [isthmus.DenseAutoencoder(**SMALL, checkpoint=tmp_path, resume=True).fit(X) for _ in range(2)]
    assert fits[0].provenance_.seed == fits[1].provenance_.seed


@pytest.mark.parametrize("seed", [0, 1, 2**32 - 1])
def test_the_seed_of_a_source_of_chance_is_found(seed):
    random = np.random.RandomState(seed)
    assert seed_of(random) == seed
    random.random_sample()
    assert seed_of(random) is None


def test_no_seed_is_made_up():
    assert seed_of(np.random.RandomState(np.random.PCG64(3))) is None
    assert seed_of(np.random.RandomState([1, 2, 3])) is None
    assert seed_of(drawn_random()) is not None
    used = np.random.RandomState(0)
    used.random_sample()
    assert isthmus.DenseAutoencoder(**SMALL, random_state=used).fit(X).provenance_.seed is None


def test_drawing_a_seed_leaves_the_global_generator_alone():
    np.random.seed(0)  # noqa: NPY002
    before = np.random.get_state()[1].tobytes()  # noqa: NPY002
    isthmus.DenseAutoencoder(**SMALL).fit(X)
    assert np.random.get_state()[1].tobytes() == before  # noqa: NPY002


def test_partial_fit_counts_the_rows_of_all_calls():
    def fitted(*batches):
        model = isthmus.DenseAutoencoder(**SMALL, random_state=0)
        for batch in batches:
            model.partial_fit(batch)
        return model.provenance_

    found = fitted(X[:100], X[100:])
    assert (found.rows, found.seed) == (200, 0)
    assert found.digest == fitted(X[:100], X[100:]).digest
    assert found.digest not in (fitted(X[100:], X[:100]).digest, fitted(X[:100]).digest)


def test_a_file_and_the_command_tell_how_a_model_was_made(tmp_path, capsys):
    model = isthmus.DenseAutoencoder(**SMALL, random_state=7).fit(X)
    model.save(tmp_path / "model.safetensors")
    assert isthmus.load(tmp_path / "model.safetensors").provenance_ == model.provenance_
    assert model.provenance_.versions == versions()
    main(["summary", str(tmp_path / "model.safetensors")])
    answer = capsys.readouterr().out
    for word in (model.provenance_.digest, "random_state=7", model.provenance_.date, "torch 2.", "hidden=(8,)"):
        assert word in answer


PROGRAM = """
import sys, numpy as np, isthmus
X = isthmus.datasets.load_digits()[0][:400]
models = {
    "denoising": isthmus.DenoisingAutoencoder(4, max_epochs=4, random_state=0),
    "convolutional": isthmus.ConvolutionalAutoencoder(4, channels=(4,), max_epochs=2, random_state=0),
    "variational": isthmus.VariationalAutoencoder(4, beta=.1, max_epochs=4, random_state=0),
    "linear": isthmus.LinearAutoencoder(4, random_state=0),
}
np.savez(sys.argv[1], **{name: model.fit(X).reconstruct(X) for name, model in models.items()})
"""


def test_fresh_processes_give_the_same_bits_and_other_threads_nearly_the_same(tmp_path):
    runs = {}
    own = torch.get_num_threads()
    for name, threads in (("again", own), ("other threads", 3 - min(own, 2))):
        environment = os.environ | {"OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)}
        subprocess.run([sys.executable, "-c", PROGRAM, tmp_path / f"{name}.npz"], check=True, env=environment)
        runs[name] = np.load(tmp_path / f"{name}.npz")
    exec(PROGRAM.replace("sys.argv[1]", "path"), {"path": tmp_path / "here.npz"})
    here = np.load(tmp_path / "here.npz")
    for model in here.files:
        np.testing.assert_array_equal(here[model], runs["again"][model], err_msg=model)
        difference = np.abs(here[model] - runs["other threads"][model]).mean()
        assert difference < 0.01 * here[model].std(), model


def test_provenance_is_plain_json(tmp_path):
    model = isthmus.LinearAutoencoder(2).fit(X)
    assert json.loads(json.dumps(vars(model.provenance_))) == vars(model.provenance_)
