"""Units of a code that carry nothing, or nothing new."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from torch import nn

from isthmus import evidence
from isthmus.health.findings import Finding, Look, graded, listed
from isthmus.metrics import activation_frequencies, dead_units, kl_per_unit
from isthmus.rows import Rows
from isthmus.sources.arrays import ArrayRows

_COLLAPSED = 0.01
_SAME = 0.99
_ENOUGH_ROWS = 30
_STUCK = 0.95
_SELDOM = 0.01
_BLOCK = 512
_ENDS = {nn.Sigmoid: (0.01, 0.99), nn.Tanh: (-0.98, 0.98)}
_PASSIVE = (nn.MaxPool1d, nn.MaxPool2d, nn.Flatten, nn.Unflatten, nn.Identity)


def collapsed(look: Look) -> Iterator[Finding]:
    """Units of a variational code whose posterior is the prior, whatever the row."""
    if not look.recipe.bottleneck.random:
        return
    divergences = _divergences(look)
    units = np.flatnonzero(divergences < _COLLAPSED)
    if len(units):
        sentence = (
            f"{_share(units, divergences)} collapsed to the prior ({listed(units)}): their divergence is below "
            f"{_COLLAPSED} nats and they say nothing about the rows; a smaller beta or code_size, warmup or free_bits "
            "keep them alive"
        )
        severity = graded(len(units) / len(divergences), 0.25, 0.75)
        yield _of_units("collapsed", severity, units, float(divergences[units].mean()), sentence)


def dead(look: Look) -> Iterator[Finding]:
    """Units that are the same for every row."""
    units = np.flatnonzero(_dead(look))
    if len(units):
        sentence = (
            f"{_share(units, look.codes[0])} are the same for every row ({listed(units)}) and carry nothing; "
            f"{_cure(look)}"
        )
        share = len(units) / look.codes.shape[1]
        yield _of_units("dead", graded(share, 0.1, 0.5), units, share, sentence)


def duplicate(look: Look) -> Iterator[Finding]:
    """Units that go with an earlier one, up to a factor."""
    live = np.flatnonzero(~_dead(look))
    if len(look.codes) < _ENOUGH_ROWS or len(live) < 2:
        return
    pairs = [(int(live[i]), int(live[j]), r) for i, j, r in _copies(look.codes[:, live])]
    if pairs:
        named = listed([f"{copy} goes with {first}" for first, copy, _ in pairs])
        sentence = (
            f"{_share(pairs, look.codes[0])} repeat another one, with a correlation of {_SAME} or more ({named}); "
            "a smaller code_size keeps as much"
        )
        severity = graded(len(pairs) / look.codes.shape[1], 0.1, 0.5)
        units = np.array([copy for _, copy, _ in pairs])
        yield _of_units("duplicate", severity, units, max(abs(r) for *_, r in pairs), sentence)


def saturated(look: Look) -> Iterator[Finding]:
    """Units that sit at the end of their activation, where no gradient comes through."""
    activation = _last_activation(look.model.module_.encoder)
    if look.sparse or look.recipe.bottleneck.random or activation is None:
        return
    if type(activation) in _ENDS:
        low, high = _ENDS[type(activation)]
        stuck = ((look.codes < low) | (look.codes > high)).mean(axis=0)
        limit, where = _STUCK, "sit at the ends of"
    else:
        stuck, limit, where = 1 - activation_frequencies(look.codes), 1 - _SELDOM, "are at the zero of"
    units = np.flatnonzero((stuck >= limit) & ~_dead(look))
    if len(units):
        name = type(activation).__name__.lower()
        sentence = (
            f"{_share(units, stuck)} {where} their {name} for at least {100 * limit:.0f} % of the rows "
            f"({listed(units)}), where no gradient comes through; lower learning_rate or take another code_activation"
        )
        severity = graded(len(units) / len(stuck), 0.1, 0.5)
        yield _of_units("saturated", severity, units, float(stuck[units].mean()), sentence)


def _of_units(what: str, severity: str, units: NDArray, value: float, sentence: str) -> Finding:
    return Finding(what, severity, "units", tuple(int(unit) for unit in units), value, sentence)


def _share(some: object, every: NDArray) -> str:
    return f"{len(some)} of the {len(every)} units of the code"  # type: ignore[arg-type]


def _dead(look: Look) -> NDArray:
    """Tell which units never move; those that a prior took are named as collapsed."""
    found = dead_units(look.codes)
    return found & ~(_divergences(look) < _COLLAPSED) if look.recipe.bottleneck.random else found


def _divergences(look: Look) -> NDArray:
    model = look.model
    rows = Rows(ArrayRows(look.rows), model.schema_, model.scaling_, model._codec().device, look.rows.dtype.kind == "f")
    return kl_per_unit(*evidence.posteriors(model.module_, rows))


def _copies(codes: NDArray) -> Iterator[tuple[int, int, float]]:
    """Yield each unit that is correlated to an earlier one, with the first such, some units at a time."""
    centred = codes.astype(np.float64) - codes.mean(axis=0, dtype=np.float64)
    centred /= np.linalg.norm(centred, axis=0)
    for start in range(0, codes.shape[1], _BLOCK):
        correlations = centred[:, start : start + _BLOCK].T @ centred[:, : start + _BLOCK]
        for place, row in enumerate(correlations, start):
            earlier = np.flatnonzero(np.abs(row[:place]) >= _SAME)
            if len(earlier):
                yield int(earlier[0]), place, float(row[earlier[0]])


def _last_activation(encoder: nn.Module) -> nn.Module | None:
    """Give the sigmoid, tanh or rectifier through which codes come, if they come through one."""
    layers = [layer for layer in encoder.modules() if not list(layer.children()) and not isinstance(layer, _PASSIVE)]
    last = layers[-1] if layers else None
    return last if isinstance(last, nn.Sigmoid | nn.Tanh | nn.ReLU) else None


def _cure(look: Look) -> str:
    if look.sparse:
        return "a larger n_active, a smaller sparsity_weight (for top_k a larger one) or a smaller code_size wakes them"
    if isinstance(_last_activation(look.model.module_.encoder), nn.ReLU):
        return "a smaller learning_rate or another code_activation, such as linear, keeps them alive"
    return "take a smaller code_size, or train longer"
