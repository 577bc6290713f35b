"""One fit of one model on one split, measured on the rows that the split holds out."""

from __future__ import annotations

import math
import time
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, FitFailedWarning

from isthmus import metrics
from isthmus.errors import DivergedError, ParameterError
from isthmus.estimator import BaseAutoencoder
from isthmus.module import AutoencoderModule
from isthmus.params import check
from isthmus.principal import LinearAutoencoder
from isthmus.records import Facts, Schema

# Parameters of a model that do not change what it learns, with what a fit among many is given.
_ALONE: dict[str, Any] = {"verbose": False, "checkpoint": None, "checkpoint_minutes": None, "resume": False}
_FREE = ("device", *_ALONE)
_NEIGHBOURS = 5
_NAN = math.nan


@dataclass(frozen=True)
class Measures:
    """What was measured of a fit, on rows that it has not seen.

    Attributes
    ----------
    error, explained_variance : float
        Mean squared error in the units of X, and the share of the variance that is explained.
    seconds : float
        Time of the fit.
    code_size, parameters : float
        Numbers in a code, weights of the networks.
    knn_accuracy, linear_probe_accuracy : float
        What classifiers that learn from the codes of the training rows make of the others; NaN without labels.
    """

    error: float = _NAN
    explained_variance: float = _NAN
    seconds: float = _NAN
    code_size: float = _NAN
    parameters: float = _NAN
    knn_accuracy: float = _NAN
    linear_probe_accuracy: float = _NAN


@dataclass(frozen=True, eq=False)
class Job:
    """A fit to be made: a model by its name, and the rows of a split by its number."""

    name: str
    model: BaseAutoencoder
    split: int
    train: NDArray
    test: NDArray

    @property
    def key(self) -> tuple[str, int]:
        """Name and split."""
        return self.name, self.split

    @property
    def label(self) -> str:
        """What finds the fit in a file."""
        return f"{self.name}, split {self.split}: {described(self.model)}"


@dataclass(frozen=True)
class Outcome:
    """What came of a job: measures, or None if it diverged, and its warnings."""

    job: Job
    measures: Measures | None
    warnings: list[tuple[str, type[Warning]]]


def measured(job: Job, X: NDArray, y: NDArray | None, threads: int) -> Outcome:
    """Make a fit and measure it, on at most some threads; warnings are gathered.

    Training ends early, with a warning, where the user interrupts; a fit that is cut short does not count.

    Raises
    ------
    KeyboardInterrupt
        If the user interrupted the fit.
    """
    measures = None
    with limited(threads), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            measures = _measures(job, X, y)
        except DivergedError as error:
            warnings.warn(f"{error}; it counts as NaN", FitFailedWarning, stacklevel=1)
    if any(issubclass(one.category, ConvergenceWarning) and "interrupted" in str(one.message) for one in caught):
        raise KeyboardInterrupt
    return Outcome(job, measures, [(f"{job.name}: {one.message}", one.category) for one in caught])


def _measures(job: Job, X: NDArray, y: NDArray | None) -> Measures:
    rows, unseen = X[job.train], X[job.test]
    model = alone(job.model)
    _warm_up()
    started = time.perf_counter()
    model.fit(rows)
    seconds = time.perf_counter() - started
    knn, probe = _NAN, _NAN
    if y is not None:
        pairs = model.transform(rows), y[job.train], model.transform(unseen), y[job.test]
        knn = metrics.knn_accuracy(*pairs, n_neighbors=min(_NEIGHBOURS, len(rows)), random_state=0)
        probe = metrics.linear_probe_accuracy(*pairs)
    return Measures(
        float(model.reconstruction_error(unseen).mean()),
        model.score(unseen),
        seconds,
        math.prod(model.code_shape_),
        sum(weight.numel() for weight in model.module_.parameters()),
        knn,
        probe,
    )


@cache
def _warm_up() -> None:
    """Make the first fit of the process, in which libraries load their parts, so that no other is charged with it."""
    LinearAutoencoder(1).fit(np.eye(2))


@contextmanager
def limited(threads: int) -> Iterator[None]:
    """Let torch use at most some threads; joblib's workers limit the libraries below numpy themselves."""
    before = torch.get_num_threads()
    torch.set_num_threads(min(before, threads))
    try:
        yield
    finally:
        torch.set_num_threads(before)


def alone(model: BaseAutoencoder) -> BaseAutoencoder:
    """Clone a model as one of many: it shows no progress of its own and keeps no checkpoints."""
    copy = clone(model)
    return copy.set_params(**{name: value for name, value in _ALONE.items() if name in copy.get_params(deep=False)})


def described(model: BaseAutoencoder, without: tuple[str, ...] = ()) -> str:
    """Write a model with all the parameters that decide what it learns."""
    parameters = {name: value for name, value in model.get_params(deep=False).items() if name not in (*_FREE, *without)}
    seed = parameters.get("random_state")
    if isinstance(seed, np.random.RandomState):
        parameters["random_state"] = f"RandomState {zlib.crc32(repr(seed.get_state(legacy=False)).encode()):08x}"
    return f"{type(model).__name__}({', '.join(f'{name}={value!r}' for name, value in sorted(parameters.items()))})"


def check_model(name: str, model: Any) -> None:
    """Refuse what is no autoencoder, or has an illegal parameter."""
    if not isinstance(model, BaseAutoencoder):
        raise ParameterError(f"{name} must be an autoencoder, such as isthmus.DenseAutoencoder(); got {model!r}")
    check(model)


def code_size_of(model: BaseAutoencoder, X: NDArray) -> int:
    """Tell how many numbers a code of rows of X would have, from networks without weights."""
    shape = X.shape[1:]
    recipe = model.recipe(Facts(shape, 0.0, 1.0))
    module = AutoencoderModule(recipe, Schema(shape, recipe.network.layout(shape)))
    return math.prod(module.code_shape)
