"""Writing a report: one page for people, one model card for programs."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from numpy.typing import ArrayLike
from sklearn.utils.validation import check_is_fitted

from isthmus.errors import ParameterError
from isthmus.estimator import BaseAutoencoder
from isthmus.files import replaced
from isthmus.report.measures import measures_of
from isthmus.report.page import page
from isthmus.report.sample import sample_of

SUFFIXES = (".html", ".json")


def write(
    model: BaseAutoencoder,
    X: Any,
    y: ArrayLike | None = None,
    *,
    path: str | Path,
    name: str = "data",
    model_path: str = "model.safetensors",
    overwrite: bool = False,
) -> None:
    """Write what a fitted model is, how well it rebuilds rows and what its codes mean, into one file.

    A page holds everything it shows, and loads nothing. It is readable on a phone, in the dark, with the keyboard and
    by a screen reader. At most 10,000 rows are measured and 2,500 shown on the map, drawn at random, always the same;
    the page says so.

    Parameters
    ----------
    model : autoencoder
        A fitted model.
    X : array-like of shape (n, columns), (n, height, width) or (n, height, width, channels)
        Rows of any kind that the model was fitted on; best those that it has not seen.
    y : array-like of shape (n,), default=None
        Labels: up to 20 distinct values are classes, more are numbers.
    path : str or Path
        The file: ``.html`` for the page, ``.json`` for the model card (see `card`).
    name : str, default="data"
        What the data are called on the page.
    model_path : str, default="model.safetensors"
        What the file of the model is called on the page.
    overwrite : bool, default=False
        Whether a file that exists may be replaced.

    Raises
    ------
    ParameterError
        If ``path`` has another suffix.
    DataError
        If the rows or labels cannot be used.
    FileExistsError
        If the file exists and ``overwrite`` is false.

    Examples
    --------
    >>> import isthmus, tempfile, pathlib
    >>> X, y = isthmus.datasets.load_digits()
    >>> model = isthmus.DenseAutoencoder(code_size=2, max_epochs=1, random_state=0).fit(X)
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "report.html"
    >>> isthmus.report.write(model, X, y, path=path, name="digits")
    >>> path.read_text().startswith("<!doctype html>")
    True
    """
    check_is_fitted(model)
    path = Path(path)
    if path.suffix not in SUFFIXES:
        raise ParameterError(f"path must end in {' or '.join(SUFFIXES)}; got {path}")
    with replaced(path, overwrite=overwrite) as temporary:
        sample = sample_of(model, X, y)
        measures = measures_of(sample, name)
        text = _json(measures) if path.suffix == ".json" else page(sample, measures, model_path)
        temporary.write_text(text, encoding="utf-8")


def card(model: BaseAutoencoder, X: Any, y: ArrayLike | None = None, *, name: str = "data") -> dict[str, Any]:
    """Give what a report states in numbers, as plain values.

    Parameters
    ----------
    model : autoencoder
        A fitted model.
    X : array-like of shape (n, ...)
        Rows, in the shape that was fitted.
    y : array-like of shape (n,), default=None
        Labels.
    name : str, default="data"
        What the data are called.

    Returns
    -------
    dict
        With ``versions``, ``model``, ``data``, ``error``, ``training``, ``code``, ``coordinates`` and ``health``;
        NaN is None.

    Examples
    --------
    >>> import isthmus
    >>> X, _ = isthmus.datasets.load_digits()
    >>> model = isthmus.DenseAutoencoder(code_size=2, max_epochs=1, random_state=0).fit(X)
    >>> isthmus.report.card(model, X)["model"]["code_size"]
    2
    """
    check_is_fitted(model)
    found: dict[str, Any] = json.loads(_json(measures_of(sample_of(model, X, y), name)))
    return found


def _json(measures: dict[str, Any]) -> str:
    return json.dumps(_finite(measures), indent=1, allow_nan=False) + "\n"


def _finite(value: Any) -> Any:
    """Put None where a number is none that JSON has."""
    if isinstance(value, dict):
        return {key: _finite(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
