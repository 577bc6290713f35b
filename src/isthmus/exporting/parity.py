"""The comparison of a file with its model, before the file is kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from isthmus.codec import Codec
from isthmus.exporting.graphs import CODES, REBUILT, Graph
from isthmus.rows import batch_of, tensor_of

BATCH_SIZES = (1, 7, 1_000)
LIMIT = 1e-5
Answer = Callable[[NDArray], list[NDArray]]


@dataclass(frozen=True)
class Parity:
    """How far the answers of a file are from those of its model, as a share of the range of these.

    Attributes
    ----------
    rows : int
        Rows compared.
    largest, typical : float
        Largest difference, and the square root of the mean squared one.
    error, model_error : float or None
        Mean squared error of the rows rebuilt by both; None where no rows are rebuilt from rows.
    """

    rows: int
    largest: float
    typical: float
    error: float | None
    model_error: float | None


def compare(graph: Graph, codec: Codec, answer: Answer, X: NDArray | None) -> Parity:
    """Run a file and its model on random rows and on X, at each batch size.

    Parameters
    ----------
    graph : Graph
        What the file holds.
    codec : Codec
        The model itself.
    answer : callable
        Runs the file on one batch.
    X : ndarray of shape (n, ...), or None
        Rows of the user, of which 1,000 are compared.
    """
    pools = _random_rows(codec, graph.dtype if graph.encodes else None)
    if X is not None:
        pools.append(_many(X.astype(graph.dtype) if graph.encodes else X))
    rebuilt = [codec_outputs(codec, rows) for rows in pools]
    if not graph.encodes:
        pools = [_spread(np.concatenate([codes for codes, _ in rebuilt])), *(codes for codes, _ in rebuilt)]
    differences, squares, errors = [], [], []
    for rows in pools:
        expected = _expected(graph, codec, rows)
        settled = _settled(codec, rows) if graph.encodes else np.ones(len(rows), bool)
        ranges = [float(np.ptp(values)) or float(np.abs(values).max()) or 1.0 for values in expected]
        for size in BATCH_SIZES:
            found = answer(rows[:size])
            pairs = zip(found, expected, ranges, strict=True)
            apart = [_apart(one, other[:size], span)[settled[:size]] for one, other, span in pairs]
            differences += [values.max(initial=0.0) for values in apart]
            squares += [np.square(values).mean() for values in apart if values.size]
        if graph.encodes and graph.decodes:
            errors.append([_error(rows, values[-1]) for values in (found, expected)])
    error, model_error = errors[-1] if errors else (None, None)
    return Parity(
        len(pools) * sum(BATCH_SIZES), float(max(differences)), float(np.sqrt(np.mean(squares))), error, model_error
    )


def codec_outputs(codec: Codec, rows: NDArray) -> tuple[NDArray, NDArray]:
    """Give codes and rebuilt rows of the model itself."""
    codes = np.concatenate(list(codec.encoded([rows])))
    return codes, np.concatenate(list(codec.decoded(codes)))


def _expected(graph: Graph, codec: Codec, values: NDArray) -> list[NDArray]:
    if not graph.encodes:
        return [np.concatenate(list(codec.decoded(values)))]
    answers = dict(zip((CODES, REBUILT), codec_outputs(codec, values), strict=True))
    return [answers[name] for name in graph.output_names]


def _apart(found: NDArray, expected: NDArray, span: float) -> NDArray:
    """Give differences as shares of a range, one row for each row; what is no number is infinitely far.

    Neighbours among the float32 numbers do not differ: where the answers are far from zero for their range, two
    runtimes round to either of them.
    """
    if found.shape != expected.shape:
        return np.full((len(expected), 1), np.inf)
    apart = np.abs(found.astype(np.float64) - expected) - np.spacing(np.abs(expected))
    return np.nan_to_num(apart.clip(0).reshape(len(apart), -1) / span, nan=np.inf)


def _error(rows: NDArray, rebuilt: NDArray) -> float:
    return float(np.nanmean(np.square(rebuilt.astype(np.float64) - rows)))


def _many(rows: NDArray) -> NDArray:
    """Give 1,000 rows; fewer are repeated."""
    return np.resize(rows, (max(BATCH_SIZES), *rows.shape[1:])) if len(rows) < max(BATCH_SIZES) else rows


def _random_rows(codec: Codec, dtype: np.dtype | None) -> list[NDArray]:
    """Draw rows within the range of the training rows; where the type has NaN, also some with missing cells."""
    random, scaling, schema = np.random.default_rng(0), codec.scaling, codec.module.schema
    scaled = random.uniform(scaling.low, scaling.high, (max(BATCH_SIZES), int(np.prod(schema.row_shape))))
    rows = scaled * scaling.scale.numpy() + scaling.offset.numpy()
    if dtype is not None and dtype.kind in "iu":
        limits = np.iinfo(dtype)
        rows = np.clip(np.rint(rows), limits.min, limits.max)
    elif dtype is not None and dtype.kind == "b":
        rows = rows > rows.mean()
    rows = rows.reshape(len(rows), *schema.row_shape).astype(dtype or np.float32)
    if rows.dtype.kind != "f":
        return [rows]
    return [rows, np.where(random.random(rows.shape) < 0.1, np.array(np.nan, rows.dtype), rows)]


def _spread(codes: NDArray) -> NDArray:
    """Draw codes within the range of some codes."""
    drawn = np.random.default_rng(0).uniform(codes.min(axis=0), codes.max(axis=0), (max(BATCH_SIZES), codes.shape[1]))
    return drawn.astype(np.float32)


@torch.inference_mode()
def _settled(codec: Codec, rows: NDArray) -> NDArray:
    """Tell which rows are not so close to a tie of a bottleneck that chooses that rounding decides."""
    module = codec.module
    bottleneck: Any = module.recipe.bottleneck
    if not hasattr(bottleneck, "margin"):
        return np.ones(len(rows), bool)
    shown = (
        module.shown(batch_of(tensor_of(batch), module.schema, codec.scaling, gaps=batch.dtype.kind == "f"))
        for batch in codec.batches([rows])
    )
    return np.concatenate([bottleneck.margin(module.encoder(batch)).numpy() for batch in shown]) > LIMIT
