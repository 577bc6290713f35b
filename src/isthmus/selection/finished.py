"""The file of finished fits, with which a study that was stopped goes on."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from isthmus.errors import DataError, ParameterError
from isthmus.files import replaced
from isthmus.metrics.checks import Seed
from isthmus.selection.fits import Job, Measures

_FORMAT = 1
_WORDS = {
    "study": "fits of another study, {there}",
    "data": "fits on other data",
    "splits": "fits on other splits (cv or random_state)",
}


class Finished:
    """Finished fits, kept in a file after each, or in memory alone.

    Parameters
    ----------
    path : str, Path or None
        A JSON file, read if it exists; None keeps nothing beyond this object.
    study, data : str
        What the fits are for, and the fingerprint of the rows.

    Raises
    ------
    DataError
        If the file is of other data or another study, or is no such file.
    """

    def __init__(self, path: Any, study: str, data: str) -> None:
        if path is not None and not isinstance(path, str | Path):
            raise ParameterError(f"checkpoint must be the path of a JSON file, or None for none; got {path!r}")
        self._path = None if path is None else Path(path)
        self._head: dict[str, Any] = {"format": _FORMAT, "study": study, "data": data}
        self._fits: dict[str, Measures] = {}
        self._there = self._read() if self._path is not None and self._path.exists() else {}
        if self._there:
            self._compare("study")
            self._compare("data")

    def seed(self, random_state: Seed) -> int:
        """Give the seed of the split: as asked for, else the one that the file began with, else a new one."""
        if not isinstance(random_state, np.random.RandomState | None):
            return int(random_state)
        random = random_state or np.random.RandomState()
        return int(self._there.get("seed", random.randint(2**31)))

    def begin(self, seed: int, splits: str) -> None:
        """Fix the seed and the splits, and write the file."""
        self._head |= {"seed": seed, "splits": splits}
        if self._there:
            self._compare("splits")
        self._write()

    def get(self, job: Job) -> Measures | None:
        """Give what was measured of a job, None if it is not finished."""
        return self._fits.get(job.label)

    def add(self, job: Job, measures: Measures) -> None:
        """Keep a finished fit."""
        self._fits[job.label] = measures
        self._write()

    def _read(self) -> dict[str, Any]:
        try:
            there = json.loads(Path(self._path or "").read_text())
            if there["format"] != _FORMAT:
                raise ValueError(there["format"])
            self._fits = {label: Measures(**fit) for label, fit in there["fits"].items()}
            return {name: there[name] for name in ("study", "data", "seed", "splits")}
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise DataError(
                f"checkpoint: {self._path} is damaged, or no file of finished fits; take another name"
            ) from error

    def _compare(self, name: str) -> None:
        if self._there[name] != self._head[name]:
            words = _WORDS[name].format(there=self._there[name])
            raise DataError(f"checkpoint: {self._path} holds {words}; remove it or take another name")

    def _write(self) -> None:
        if self._path is None:
            return
        fits = {
            label: {name: value for name, value in asdict(fit).items() if not math.isnan(value)}
            for label, fit in self._fits.items()
        }
        with replaced(self._path, overwrite=True) as temporary:
            temporary.write_text(json.dumps(self._head | {"fits": fits}, indent=1) + "\n")
