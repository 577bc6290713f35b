"""Small data, one small unfitted estimator for each public class, and illegal values for each parameter."""

import math
import os
import subprocess
import sys
import tempfile
import venv

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone

import isthmus
from browser import chromium  # noqa: F401
from isthmus.parts import Dense, Huber, Point, SquaredError

collect_ignore = ["keras_fixtures.py"]  # a program for environments that have Keras

torch.set_num_threads(1)
os.environ["ISTHMUS_CACHE"] = tempfile.mkdtemp(prefix="isthmus-tests-")

SMALL = {"max_epochs": 2, "batch_size": 16, "random_state": 0}

VARIANTS = [
    isthmus.Autoencoder(2, network=Dense((8,), activation="leaky_relu"), reconstruction=Huber(0.5), **SMALL),
    isthmus.ConcreteAutoencoder(2, hidden=(8,), activation="leaky_relu", **SMALL),
    isthmus.ContractiveAutoencoder(2, hidden=(8,), code_activation="leaky_relu", **SMALL),
    isthmus.ConvolutionalAutoencoder(2, channels=(4, 2), activation="leaky_relu", **SMALL),
    isthmus.DenoisingAutoencoder(2, hidden=(8,), activation="leaky_relu", **SMALL),
    isthmus.DenseAutoencoder(2, hidden=(8,), **SMALL),
    isthmus.LinearAutoencoder(2, **SMALL),
    isthmus.SparseAutoencoder(2, code_activation="leaky_relu", **SMALL),
    isthmus.VariationalAutoencoder(2, hidden=(8,), beta=0.01, activation="leaky_relu", **SMALL),
]

NAN, INF = math.nan, math.inf
NO_COUNT = (0, -1, 1.5, "many", True, NAN)
NO_POSITIVE = (0, -1, INF, NAN, "some", True)
NO_FACTOR = (-1, INF, NAN, "some", None)
NO_ACTIVATION = ("swish", "", 3)

ILLEGAL = {
    "activation": (*NO_ACTIVATION, None),
    "backend": ("numba", "", None, 1),
    "batch_size": (*NO_COUNT, None),
    "beta": NO_FACTOR,
    "bottleneck": ("point", Dense(), Point),
    "channels": ((), (0,), (4, 1.5), 4, "4", None),
    "checkpoint": (1, "", b"run", ("run",)),
    "checkpoint_minutes": NO_POSITIVE,
    "clip_gradient": NO_POSITIVE,
    "code_activation": NO_ACTIVATION,
    "code_size": NO_COUNT,
    "contraction": NO_FACTOR,
    "corruption": ("noise", Dense()),
    "device": ("gpu", "cuda:0", 0, None),
    "end_temperature": (*NO_POSITIVE, None),
    "free_bits": NO_FACTOR,
    "handle_unknown": ("warn", None, 1),
    "hidden": ((0,), (8, -1), (8, 1.5), ("8",), 8, "8", None, np.array(8)),
    "image_shape": ((12,), (1, 1, 3, 4), (0, 12), (3, 4.0), "3x4", 12),
    "kernel_size": (0, 2, -3, 1.5, "3", None),
    "learning_rate": NO_POSITIVE,
    "max_categories": NO_COUNT,
    "max_epochs": NO_COUNT,
    "missing": ("mean", None, 1),
    "n_active": (*NO_COUNT, None),
    "n_importance": (*NO_COUNT, None),
    "network": ("dense", Point(), Dense),
    "noise": ("uniform", None, 1),
    "noise_level": NO_FACTOR,
    "optimizer": ("adamax", "", 1, None),
    "output_activation": NO_ACTIVATION,
    "patience": NO_COUNT,
    "penalties": (None, "sparse", Point(), (Point(),), (1,)),
    "pretrain": (None, "yes", 2),
    "precision": ("float16", "", None, 32),
    "random_state": (-1, 2**32, 0.5, "seed"),
    "reconstruction": ("cosine", None, SquaredError, Point()),
    "retries": (-1, 1.5, "many", True, None),
    "resume": (None, "yes", 2),
    "scaling": ("robust", None, 1),
    "schedule": ("step", None, 1),
    "solver": ("svd", None, 1),
    "sparsity": ("l2", None, 1),
    "sparsity_weight": NO_FACTOR,
    "start_temperature": (*NO_POSITIVE, None),
    "target_activation": (0, 1, NAN, "some", None),
    "validation_fraction": (-0.1, 0.95, NAN, "some", None),
    "verbose": (-1, 1.5, "yes", None),
    "warmup": (-0.1, 1.1, NAN, "some", None),
    "weight_decay": NO_FACTOR,
}


def name_of(estimator):
    return type(estimator).__name__


def waves(count, *shape):
    """Rows within [0, 1] that three numbers describe well, float32."""
    random = np.random.default_rng(0)
    phase, speed, height = random.random((3, count, 1))
    columns = np.linspace(0, 3, int(np.prod(shape)))
    rows = 0.5 + 0.4 * height * np.sin(6 * phase + (1 + speed) * columns)
    return rows.reshape(count, *shape).astype(np.float32)


def environment(folder, *packages):
    """Make a virtual environment of its own with some packages; give the folder of its programs."""
    venv.create(folder, with_pip=False)
    programs = folder / ("Scripts" if os.name == "nt" else "bin")
    command = [sys.executable, "-m", "pip", "--python", str(programs / "python"), "install", "--quiet", "--no-compile"]
    done = subprocess.run([*command, *packages], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"{packages} cannot be installed here: {done.stderr.strip().splitlines()[-1]}")
    return programs


@pytest.fixture(scope="session")
def rows():
    return waves(60, 12)


@pytest.fixture(scope="session")
def images():
    return waves(40, 6, 5)


@pytest.fixture(scope="session")
def colours():
    return waves(40, 6, 5, 3)


@pytest.fixture(params=["rows", "images", "colours"])
def data(request):
    """Rows, grey images and colour images in turn."""
    return request.getfixturevalue(request.param)


@pytest.fixture(params=VARIANTS, ids=name_of)
def model(request):
    """Each variant in turn, unfitted."""
    return clone(request.param)


@pytest.fixture(params=VARIANTS, ids=name_of, scope="session")
def fitted(request, rows):
    """Each variant in turn, fitted on `rows`; tests must leave it as it is."""
    return clone(request.param).fit(rows)


@pytest.fixture(scope="session")
def frame(rows):
    """`rows` with names of columns."""
    return pd.DataFrame(rows, columns=[f"x{column}" for column in range(rows.shape[1])])


@pytest.fixture(scope="session")
def models(frame):
    """Each variant by name, fitted on `frame`; tests must leave them as they are."""
    return {name_of(variant): clone(variant).fit(frame) for variant in VARIANTS}


@pytest.fixture(scope="session")
def folder(models, tmp_path_factory):
    """One file for each variant, and room for damaged ones."""
    folder = tmp_path_factory.mktemp("models")
    for name, model in models.items():
        model.save(folder / f"{name}.safetensors")
    return folder


@pytest.fixture(params=[name_of(variant) for variant in VARIANTS])
def path(request, folder):
    """The file of each variant in turn."""
    return folder / f"{request.param}.safetensors"
