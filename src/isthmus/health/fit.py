"""Whether a model learned too little of its rows, or learned them by heart."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from sklearn.decomposition import PCA

from isthmus.health.findings import Finding, Look, graded
from isthmus.metrics import mean_active_units
from isthmus.records import Epoch

_NOTHING = 0.05
_STILL = 0.1
_ROSE = 0.05
_FEW_EPOCHS = 8
_WORSE_THAN_PCA = 1.1
_GAP = 1.5
_SURE = 4.0


def no_better_than_the_mean(look: Look) -> Iterator[Finding]:
    """A model that rebuilds rows hardly better than their mean."""
    spread = float(look.scaled.var(axis=0, dtype=np.float64).mean())
    explained = 1 - float(look.errors.mean()) / spread if spread else 1.0
    if explained < _NOTHING:
        sentence = (
            f"the rows are rebuilt hardly better than by their mean ({100 * explained:.1f} % of their variance is "
            "explained); train longer, change learning_rate, or lower the penalties"
        )
        yield Finding("underfit", "serious", "model", (), explained, sentence)


def worse_than_pca(look: Look) -> Iterator[Finding]:
    """A model that principal components beat, with as many numbers, fitted on half of the rows."""
    size, half = math.ceil(mean_active_units(look.codes)), len(look.scaled) // 2
    if not 0 < size < min(half, look.scaled.shape[1]):
        return
    pca, others = PCA(size, random_state=0).fit(look.scaled[::2]), look.scaled[1::2]
    theirs = float(np.square(pca.inverse_transform(pca.transform(others)) - others).mean())
    own = float(look.errors[1::2].mean())
    ratio = own / theirs if theirs else math.inf
    if own - theirs > 1e-6 * float(np.square(others).mean()) and ratio > _WORSE_THAN_PCA:
        why = "which its penalty or noise may be worth" if look.penalised else "so it has not learned what it could"
        sentence = (
            f"its error is {ratio:.2f} times that of PCA with {size} numbers on the same rows, {why}; train longer, "
            "take wider or more hidden layers, or LinearAutoencoder"
        )
        severity = "note" if look.penalised else graded(ratio, 0, 2)
        yield Finding("underfit", severity, "model", (), ratio, sentence)


def still_learning(look: Look) -> Iterator[Finding]:
    """A run that ended while the error was still falling."""
    errors = [_error(epoch) for epoch in look.model.history_]
    if len(errors) < _FEW_EPOCHS or min(errors) < errors[-1]:
        return
    fall = errors[-1 - len(errors) // 4] / errors[-1] - 1 if errors[-1] > 0 else 0.0
    if fall > _STILL:
        sentence = (
            f"the error was still falling when training ended, by {100 * fall:.0f} % over the last quarter of the "
            f"{len(errors)} epochs; raise max_epochs"
        )
        yield Finding("underfit", graded(fall, 0.3, math.inf), "model", (), fall, sentence)


def learned_by_heart(look: Look) -> Iterator[Finding]:
    """A model that rebuilds the rows it learned from much better than those held out."""
    best = min(look.model.history_, key=lambda epoch: epoch.monitored, default=None)
    if best is None or best.validation_mse is None or not best.mse > 0:
        return
    gap, reference = best.validation_mse / best.mse, look.model.reference_
    margin = _SURE * reference.deviation / math.sqrt(reference.rows)
    if gap > _GAP and best.validation_mse - best.mse > margin:
        sentence = (
            f"the error of held-out rows is {gap:.1f} times that of the rows it learned from; more rows, fewer or "
            "narrower hidden layers, a smaller code_size, weight_decay or noise narrow the gap"
        )
        yield Finding("overfit", graded(gap, 0, 3), "model", (), gap, sentence)


def trained_too_long(look: Look) -> Iterator[Finding]:
    """A run whose held-out loss rose again; the best weights were kept."""
    history = [epoch for epoch in look.model.history_ if epoch.validation_mse is not None]
    if not history:
        return
    best, last = min(history, key=lambda epoch: epoch.monitored), history[-1]
    rise = _error(last) / _error(best) - 1 if _error(best) > 0 else 0.0
    if rise > _ROSE and last.monitored > best.monitored:
        sentence = (
            f"after epoch {best.epoch} of {last.epoch} the held-out error rose, by {100 * rise:.0f} %, and the weights "
            "of that epoch were kept; patience ends such a run early"
        )
        yield Finding("overfit", "note", "model", (), rise, sentence)


def _error(epoch: Epoch) -> float:
    return epoch.mse if epoch.validation_mse is None else epoch.validation_mse
