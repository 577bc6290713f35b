"""Whether rows are like those that the model was trained on."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isthmus.health.findings import Finding, Look, graded, listed

_FEW_ROWS = 100
_MARGIN = 0.25
_NARROW = 0.02
_DRIFTED = 1.2
_EASIER = 0.5
_SURE = 4.0


def few_rows(look: Look) -> Iterator[Finding]:
    """Too few rows to say much."""
    n = len(look.rows)
    if n < _FEW_ROWS:
        sentence = f"there are only {n} rows, so all findings are uncertain; give some {_FEW_ROWS} or more"
        yield Finding("few_rows", "note", "rows", (), float(n), sentence)


def out_of_range(look: Look) -> Iterator[Finding]:
    """Cells that lie well outside what training saw: by more than a quarter of its range."""
    flat, (low, high) = _flat(look), look.model.scaling_.ranges.numpy()
    if not low.size:
        return
    margin = _MARGIN * (high - low)
    outside = (flat < low - margin) | (flat > high + margin)
    share = float(outside.any(axis=1).mean())
    if not share:
        return
    by_cell = outside.mean(axis=0)
    cells = np.argsort(-by_cell, kind="stable")[: np.count_nonzero(by_cell)]
    worst, columns = int(cells[0]), _columns_of(look.model, cells)
    found, known = (np.nanmin(flat[:, worst]), np.nanmax(flat[:, worst])), (low, high)
    limits = [float(limit[worst if limit.size > 1 else 0]) for limit in known]
    sentence = (
        f"{100 * share:.3g} % of the rows leave the range of the training rows, in column "
        f"{listed([_name(look.model, column) for column in columns])}: the first reaches from {found[0]:.6g} to "
        f"{found[1]:.6g}, in training from {limits[0]:.6g} to {limits[1]:.6g}; check their units, or fit again with "
        "such rows"
    )
    severity = graded(share, max(0.01, 2 / len(flat)), 0.1)
    yield Finding("out_of_range", severity, "columns", tuple(columns), share, sentence)


def narrow_range(look: Look) -> Iterator[Finding]:
    """Rows that span a tiny part of the range of training: scaled already, as a rule."""
    flat, (low, high) = _flat(look), look.model.scaling_.ranges.numpy()
    varied = high > low
    if not varied.any() or len(flat) < 2:
        return
    spans = np.array([np.nanmax(flat) - np.nanmin(flat)]) if low.size == 1 else _spans(flat)
    part = float(np.median((spans / np.where(varied, high - low, 1))[varied]))
    if part < _NARROW:
        sentence = (
            f"the rows span only {100 * part:.2g} % of the range of the training rows; were they scaled already? "
            "Give them in the units in which the model was fitted"
        )
        yield Finding("narrow_range", "warning", "rows", (), part, sentence)


def drift(look: Look) -> Iterator[Finding]:
    """An error that differs from that of the rows held out in training by more than chance."""
    reference, n = look.model.reference_, len(look.errors)
    if not reference.rows:
        return
    error = float(look.errors.mean())
    ratio = error / reference.error if reference.error > 0 else (math.inf if error > 1e-12 else 1.0)
    noise = math.hypot(reference.deviation / math.sqrt(reference.rows), float(look.errors.std()) / math.sqrt(n))
    if math.isfinite(error) and abs(error - reference.error) <= _SURE * noise:
        return
    known = "rows held out in training" if reference.held_out else "training rows"
    if ratio > _DRIFTED or not math.isfinite(error):
        share = float((look.errors > reference.unusual).mean())
        sentence = (
            f"the error is {ratio:.3g} times that of the {known}, and {100 * share:.3g} % of the rows are worse than "
            "the worst 1 % were; these rows are of another kind: look at the worst ones, or fit again with such rows"
        )
        yield Finding("drift", graded(ratio, 0, 2), "rows", (), ratio, sentence)
    elif ratio < _EASIER:
        sentence = (
            f"the error is only {ratio:.3g} times that of the {known}: these rows are easier, such as blank, repeated "
            "or learned ones, and say little about others"
        )
        yield Finding("drift", "note", "rows", (), ratio, sentence)


def _flat(look: Look) -> NDArray:
    return look.rows.reshape(len(look.rows), -1)


def _columns_of(model: Any, cells: NDArray) -> list[int]:
    """Give the columns of cells, each once; only in a mixed table has a column several cells."""
    table = getattr(model.schema_, "table", None)
    owners = cells if table is None else np.asarray(table.owners)[cells]
    return list(dict.fromkeys(int(column) for column in owners))


def _spans(flat: NDArray) -> NDArray:
    return np.fmax.reduce(flat).astype(np.float64) - np.fmin.reduce(flat)


def _name(model: Any, column: int) -> str:
    names = getattr(model, "feature_names_in_", None)
    return str(column) if names is None else repr(str(names[column]))
