"""What a report states in numbers: plain values that JSON can hold."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn import __version__ as sklearn_version

from isthmus import __version__, metrics
from isthmus.health import examine
from isthmus.report.sample import Compared, Sample

_NEIGHBOURS, _QUERIES = 5, 1000
_MOST_COORDINATES, _DECODED, _LONG_CODE = 10, 40_000, 64
_MOST_CLASSES = 20
Values = dict[str, Any]


def measures_of(sample: Sample, name: str) -> Values:
    """Measure a model on rows.

    Parameters
    ----------
    sample : Sample
        The rows.
    name : str
        What the data are called.

    Returns
    -------
    dict
        With ``isthmus``, ``model``, ``data``, ``error``, ``training``, ``code``, ``coordinates`` and ``health``.
    """
    return {
        "format": 1,
        "versions": {"isthmus": __version__, "torch": torch.__version__, "scikit-learn": sklearn_version},
        "model": _model(sample),
        "data": _data(sample, name),
        "error": _error(sample),
        "training": _training(sample),
        "code": _code(sample),
        "coordinates": _coordinates(sample),
        "health": [asdict(finding) for finding in examine(sample.model, sample.source)],
    }


def _model(sample: Sample) -> Values:
    model = sample.model
    defaults = type(model)().get_params(deep=False)
    parameters = model.get_params(deep=False)
    return {
        "class": type(model).__name__,
        "parameters": {key: _plain(value) for key, value in sorted(parameters.items())},
        "changed": sorted(key for key, value in parameters.items() if _plain(value) != _plain(defaults.get(key))),
        "row_shape": list(model.schema_.row_shape),
        "code_shape": list(model.code_shape_),
        "code_size": math.prod(model.code_shape_),
        "columns": model.n_features_in_,
        "weights": sum(weight.numel() for weight in model.module_.parameters()),
        "layers": model.summary(),
    }


def _data(sample: Sample, name: str) -> Values:
    return {
        "name": name,
        "rows": sample.total,
        "rows_measured": len(sample.rows),
        "labelled": sample.labels is not None,
    }


def _error(sample: Sample) -> Values:
    """Give errors on all rows, and beside PCA on the rows that PCA has not seen."""
    unseen = sample.unseen
    rows, rebuilt, pca = sample.compared[unseen], sample.rebuilt_compared[unseen], sample.pca_rebuilt
    quantiles = (0, 0.25, 0.5, 0.75, 1)
    return {
        "mean_squared_error": float(np.nanmean(sample.errors)),
        "explained_variance": metrics.explained_variance(sample.compared, sample.rebuilt_compared),
        "units": "columns scaled by their spread" if sample.scales_columns else "those of the data",
        "row_error_quantiles": dict(
            zip(map(str, quantiles), _floats(np.nanquantile(sample.errors, quantiles)), strict=True)
        ),
        "beside_pca": {
            "rows": len(unseen),
            "model": _pair(rows, rebuilt),
            "pca": _pair(rows, pca),
        },
    }


def _pair(rows: NDArray, rebuilt: NDArray) -> Values:
    errors = metrics.mean_squared_error(rows, rebuilt, per="row")
    return {
        "mean_squared_error": metrics.mean_squared_error(rows, rebuilt),
        "explained_variance": metrics.explained_variance(rows, rebuilt),
        "median_row": float(np.nanmedian(errors)),
        "worst_row": float(np.nanmax(errors)),
    }


def _training(sample: Sample) -> Values:
    history = sample.model.history_
    best = min(history, key=lambda epoch: epoch.monitored, default=None)
    return {
        "epochs": len(history),
        "best_epoch": best.epoch if best else None,
        "held_out_rows": len(sample.model.held_out_),
        "seconds": round(sum(epoch.seconds for epoch in history), 3),
        "provenance": asdict(sample.model.provenance_),
        "history": [asdict(epoch) for epoch in history],
    }


def _code(sample: Sample) -> Values:
    """Measure what the codes keep of the rows; measures of neighbours leave out rows with missing cells."""
    there = np.isfinite(sample.rows.reshape(len(sample.rows), -1)).all(axis=1)
    rows, codes = sample.compared[there], sample.codes[there]
    found: Values = {"mean_active_units": metrics.mean_active_units(codes) if len(codes) else None}
    found |= {"dead_fraction": metrics.dead_fraction(sample.codes)}
    if len(rows) > 2 * _NEIGHBOURS:
        options: Values = {"n_neighbors": _NEIGHBOURS, "n_samples": _QUERIES, "random_state": 0}
        found["neighbours"] = {
            "n_neighbors": _NEIGHBOURS,
            "rows": min(_QUERIES, len(rows)),
            "trustworthiness": metrics.trustworthiness(rows, codes, **options),
            "continuity": metrics.continuity(rows, codes, **options),
            "neighbourhood_overlap": metrics.neighbourhood_overlap(rows, codes, **options),
        }
    return found | _read_from(sample)


def _read_from(sample: Sample) -> Values:
    """Say how well classes are read from codes, if there are classes."""
    if sample.labels is None or sample.labels.dtype.kind == "f":
        return {}
    classes, counts = np.unique(sample.labels.astype(str), return_counts=True)
    if not 2 <= len(classes) <= _MOST_CLASSES or counts.min() < 5:
        return {}
    options: Values = {"random_state": 0}
    labels = sample.labels.astype(str)
    return {
        "classes": dict(zip(classes.tolist(), counts.tolist(), strict=True)),
        "knn_accuracy": metrics.knn_accuracy(
            sample.codes, labels, n_neighbors=_NEIGHBOURS, n_samples=_QUERIES, **options
        ),
        "linear_probe_accuracy": metrics.linear_probe_accuracy(sample.codes, labels, **options),
    }


def _coordinates(sample: Sample) -> list[Values]:
    """Describe each number of the code, in the order of the explained variance that each adds, or of its spread."""
    codes, size = sample.codes, sample.codes.shape[1]
    order, added = np.argsort(-codes.std(axis=0), kind="stable"), None
    there = np.isfinite(sample.rows.reshape(len(sample.rows), -1)).all(axis=1)
    rows = sample.compared[there]
    if size <= _LONG_CODE and len(rows) > 1 and np.ptp(rows) > 0:
        most = min(size, _MOST_COORDINATES)
        options: Values = {"n_samples": min(max(_DECODED // (size * most), 50), 250), "random_state": 0}
        found = metrics.importance_order(Compared(sample), rows, n_coordinates=most, **options)
        order = np.concatenate([found.order, [place for place in order if place not in found.order]])
        added = found.added
    kl = getattr(sample.model, "kl_per_unit_", None)
    return [
        {
            "number": int(place) + 1,
            "mean": float(codes[:, place].mean()),
            "standard_deviation": float(codes[:, place].std()),
            "low": float(np.percentile(codes[:, place], 2)),
            "high": float(np.percentile(codes[:, place], 98)),
            "active_rows": float((codes[:, place] != 0).mean()),
            "explained_variance_added": float(added[rank]) if added is not None and rank < len(added) else None,
            "kl": None if kl is None else float(kl[place]),
        }
        for rank, place in enumerate(order.astype(int))
    ]


def _plain(value: Any) -> Any:
    """Give what JSON can hold; parts as they print."""
    if isinstance(value, tuple | list):
        return [_plain(one) for one in value]
    if isinstance(value, np.generic):
        return value.item()
    return value if value is None or isinstance(value, bool | int | float | str) else repr(value)


def _floats(values: NDArray) -> list[float]:
    return [float(value) for value in values]
