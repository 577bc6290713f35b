"""Who is measured: Isthmus and its peers, each with its environment, and why some of them are left out."""

import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.speed.backends import why_no_fused
from benchmarks.speed.environments import NotInstallableError, python_of
from benchmarks.speed.works import Work

ROOT = Path(__file__).parents[2]
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "TF_NUM_INTRAOP_THREADS")
DENSE = ("dense", "variational")


@dataclass(frozen=True)
class Contestant:
    """One of those who are measured.

    Attributes
    ----------
    words : str
        What the page calls it.
    peer : str
        Its module in ``peers``, a colon, and which of its classes.
    environment : str
        Its requirements file; empty for the environment that this program runs in.
    settings : dict
        Environment variables.
    kinds : tuple of str
        The kinds of works that it can do.
    """

    words: str
    peer: str
    environment: str = ""
    settings: dict[str, str] = field(default_factory=dict)
    kinds: tuple[str, ...] = (*DENSE, "convolutional")

    def can_do(self, work: Work) -> bool:
        """Whether it can do a work."""
        return work.kind in self.kinds


def keras(name: str, backend: str) -> Contestant:
    """Give Keras on a backend."""
    settings = {"KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "2"}
    return Contestant(f"Keras on {name}", "keras_models:", backend, settings)


CONTESTANTS = {
    "isthmus": Contestant("**Isthmus**", "ours:"),
    "fused": Contestant("**Isthmus**, fused", "ours:fused"),
    "keras-tensorflow": keras("TensorFlow", "tensorflow"),
    "keras-jax": keras("JAX", "jax"),
    "keras-torch": keras("torch", "torch"),
    "pythae": Contestant("pythae", "pythae_models:", "torch"),
    "encdr": Contestant("encdr", "encdr_models:", "encdr", kinds=DENSE),
    "loader": Contestant("torch, DataLoader", "loops:plain", "torch"),
    "tuned": Contestant("torch, tuned by hand", "loops:tuned", "torch"),
    "floor": Contestant("matrix products alone", "floor:", kinds=DENSE),
}


def ready(names: Iterable[str]) -> tuple[dict[str, str], dict[str, str]]:
    """Give the Python of each contestant that can be measured, and why others cannot."""
    pythons, left_out = {}, {}
    for name in names:
        environment = CONTESTANTS[name].environment
        reason = why_no_fused() if name == "fused" else ""
        try:
            pythons[name] = str(python_of(environment)) if environment else sys.executable
        except NotInstallableError as error:
            reason = str(error)
        if reason:
            left_out[name] = reason
            pythons.pop(name, None)
    return pythons, left_out


def environment_of(contestant: Contestant, threads: int) -> dict[str, str]:
    """Give the variables of a contestant's process: the numbers of threads are its own, unless one is asked for."""
    kept = {name: value for name, value in os.environ.items() if name not in THREADS}
    asked = {name: str(threads) for name in THREADS} if threads else {}
    return kept | asked | contestant.settings | {"PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / "src")))}
