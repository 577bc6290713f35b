"""A fitted estimator as plain values, and back."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any

import numpy as np
import torch

from isthmus.errors import ModelFileError
from isthmus.module import AutoencoderModule
from isthmus.params import check
from isthmus.persistence import Saved, record, shaped
from isthmus.recipe import layout_of
from isthmus.records import Epoch, Facts, Provenance, Reference, Schema
from isthmus.scaling import Scaling
from isthmus.tables import TableSchema


def saved_of(model: Any) -> Saved:
    """Give a fitted estimator as plain values."""
    schema, scaling = model.schema_, model.scaling_
    fitted = {
        "row_shape": schema.row_shape,
        "dtype": schema.dtype,
        "table": None if schema.table is None else schema.table.plain(),
        "low": scaling.low,
        "high": scaling.high,
        "n_features_in": model.n_features_in_,
        "feature_names_in": [str(name) for name in getattr(model, "feature_names_in_", [])],
        "history": [asdict(epoch) for epoch in model.history_],
        "reference": asdict(model.reference_),
        "provenance": asdict(model.provenance_),
    }
    tensors = {f"module.{name}": value for name, value in model.module_.state_dict().items()}
    tensors |= {f"array.{name}": torch.from_numpy(np.array(getattr(model, name))) for name in model._arrays}
    tensors |= {
        "offset": scaling.offset,
        "scale": scaling.scale,
        "centre": scaling.centre,
        "ranges": scaling.ranges,
        "held_out": torch.from_numpy(model._held_out),
    }
    return Saved(type(model).__name__, model.get_params(deep=False), fitted, tensors)


def restore(model: Any, saved: Saved) -> None:
    """Take the state of a file, after a look at whether its pieces fit together."""
    check(model)
    tensors, fitted = dict(saved.tensors), saved.fitted
    row_shape, names = tuple(fitted["row_shape"]), [str(name) for name in fitted["feature_names_in"]]
    low, high = float(fitted["low"]), float(fitted["high"])
    offset, scale, centre, ranges = (tensors.pop(name) for name in ("offset", "scale", "centre", "ranges"))
    model.scaling_ = Scaling(offset, scale, low, high, centre, ranges)
    held_out = tensors.pop("held_out")
    model._held_out = shaped("held_out", held_out, torch.int64, (len(held_out), 2)[: held_out.ndim]).numpy()
    arrays = {name: tensors.pop(f"array.{name}") for name in model._arrays}
    weights = {name.removeprefix("module."): value for name, value in tensors.items()}
    table = TableSchema.read(fitted["table"]) if fitted.get("table") is not None else None
    facts = Facts(row_shape, low, high, table)
    recipe = model.recipe(facts)
    schema = Schema(row_shape, layout_of(recipe, facts), str(fitted["dtype"]), table)
    if table is not None and row_shape != (table.cells,):
        raise ModelFileError(f"its rows of shape {row_shape} do not fit the {table.cells} cells of its table")
    n_features = facts.columns if table is None else len(table.columns)
    if int(fitted["n_features_in"]) != n_features or len(names) not in (0, n_features):
        raise ModelFileError(f"its rows of shape {row_shape} do not fit its columns or their names")
    model.scaling_.check_fits(facts.columns)
    model.module_ = AutoencoderModule(recipe, schema).load_weights(weights).eval()
    sizes = {"code": math.prod(model.code_shape_), "columns": facts.columns}
    for name, value in arrays.items():
        shape = tuple(sizes[size] for size in model._arrays[name])
        setattr(model, name, shaped(name, value, torch.float64, shape).numpy())
    model.history_ = [record(Epoch, epoch) for epoch in fitted["history"]]
    model.reference_ = record(Reference, fitted["reference"])
    model.provenance_ = record(Provenance, fitted["provenance"])
    model.n_iter_, model.n_features_in_ = len(model.history_), n_features
    if names:
        model.feature_names_in_ = np.array(names, dtype=object)
