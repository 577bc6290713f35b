"""Many fits: in parallel, with progress, stopped by Ctrl-C and taken up again."""

from __future__ import annotations

import warnings
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from joblib import cpu_count, effective_n_jobs
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.parallel import Parallel, delayed

from isthmus.errors import ParameterError
from isthmus.estimator import BaseAutoencoder
from isthmus.legal import Either, Flag, Number
from isthmus.metrics.checks import Seed, check_parameter, check_seed
from isthmus.selection.finished import Finished
from isthmus.selection.fits import Job, Measures, Outcome, measured
from isthmus.selection.splits import check_classes, fingerprint, splits_of
from isthmus.sources import whole
from isthmus.sources.tables import table_of
from isthmus.tables import numbers_only
from isthmus.validation import checked_source

Key = tuple[str, int]


@dataclass(frozen=True)
class Plan:
    """How the fits of a study are made: what `code_size_curve` and `compare` are given alike."""

    cv: Any
    n_jobs: int | None
    random_state: Seed
    verbose: bool
    checkpoint: Any

    def check(self) -> None:
        """Refuse values that are not legal."""
        if self.n_jobs is not None and not (Number(integer=True).accepts(self.n_jobs) and self.n_jobs):
            words = "an integer other than 0 (-1 for as many as there are cores) or None"
            raise ParameterError(f"n_jobs must be {words}; got {self.n_jobs!r}")
        check_seed(self.random_state)
        check_parameter("verbose", self.verbose, Either(Flag(), Number(0, integer=True)))


@dataclass(frozen=True, eq=False)
class Results:
    """What the fits gave.

    Attributes
    ----------
    measures : dict of (name, split) to Measures
        The finished fits.
    n_splits : int
        Number of splits.
    asked : int
        Number of fits that were to be made.
    """

    measures: dict[Key, Measures]
    n_splits: int
    asked: int

    @property
    def complete(self) -> bool:
        """Whether no fit is missing."""
        return len(self.measures) == self.asked

    def whole(self, items: Sequence[tuple[str, ...]]) -> tuple[list[int], list[int]]:
        """Find what can be compared: places of items, and splits on which all of their models are finished.

        These are all items on the splits that are done, or, while none is, the split that is the furthest.
        """
        splits = range(self.n_splits)
        there = np.array([[all((name, i) in self.measures for name in item) for i in splits] for item in items])
        done = np.flatnonzero(there.all(axis=0))
        kept = done if len(done) else [there.sum(axis=0).argmax()]
        places = np.flatnonzero(there[:, kept].all(axis=1))
        if not len(places):
            raise KeyboardInterrupt
        return places.tolist(), [int(i) for i in kept]

    def values(self, measure: str, names: Sequence[str], splits: Sequence[int]) -> NDArray:
        """Give a measure of models on splits, shape (names, splits)."""
        return np.array([[getattr(self.measures[name, i], measure) for i in splits] for name in names], float)


def rows_for(model: BaseAutoencoder, X: Any) -> NDArray:
    """Check rows once for all fits, and give them as an array in their own type."""
    source = checked_source(clone(model), X, reset=True)
    numbers_only("a comparison of fits", table_of(source))
    return whole(source)


def study(
    what: str, models: Mapping[str, BaseAutoencoder], X: NDArray, y: NDArray | None, plan: Plan, stacklevel: int = 4
) -> Results:
    """Fit each model on each split and measure it on the rows that the split holds out.

    The fits of a split come before those of the next one, so that what is finished early can be compared.
    """
    finished = Finished(plan.checkpoint, what, fingerprint(X, *([] if y is None else [y])))
    seed = finished.seed(plan.random_state)
    splits = splits_of(plan.cv, X, y, seed)
    if y is not None:
        check_classes(y, splits)
    finished.begin(seed, fingerprint(*(rows for split in splits for rows in split)))
    jobs = [Job(name, model, i, *rows) for i, rows in enumerate(splits) for name, model in models.items()]
    kept = {job.key: finished.get(job) for job in jobs}
    results = {key: measures for key, measures in kept.items() if measures is not None}
    todo = [job for job in jobs if job.key not in results]
    try:
        with closing(_outcomes(todo, X, y, plan, len(jobs))) as outcomes:
            for outcome in outcomes:
                results[outcome.job.key] = outcome.measures or Measures()
                if outcome.measures is not None:
                    finished.add(outcome.job, outcome.measures)
                for text, category in outcome.warnings:
                    warnings.warn(text, category, stacklevel=stacklevel)
    except KeyboardInterrupt:
        message = f"interrupted after {len(results)} of {len(jobs)} fits; what is finished is given"
        warnings.warn(message, ConvergenceWarning, stacklevel=stacklevel)
    return Results(results, len(splits), len(jobs))


def _outcomes(
    todo: Sequence[Job], X: NDArray, y: NDArray | None, plan: Plan, total: int
) -> Generator[Outcome, None, None]:
    """Make fits and yield them as they end; the cores are shared between those that run at a time."""
    at_once = max(1, min(effective_n_jobs(plan.n_jobs), len(todo)))
    tasks = (delayed(measured)(job, X, y, max(1, cpu_count() // at_once)) for job in todo)
    parallel = Parallel(n_jobs=at_once, return_as="generator_unordered")
    with _progress(plan.verbose, total - len(todo), total) as show, closing(parallel(tasks)) as outcomes:
        for outcome in outcomes:
            show(outcome)
            yield outcome


@contextmanager
def _progress(verbose: bool, done: int, total: int) -> Iterator[Any]:
    """Show a bar of the fits; give a function that is told of each."""
    if not verbose:
        yield lambda outcome: None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
    from rich.progress import TimeRemainingColumn as Left

    columns = (TextColumn("fits"), MofNCompleteColumn(), BarColumn(), TextColumn("{task.fields[last]}"))
    with Progress(*columns, TimeElapsedColumn(), TextColumn("left"), Left()) as bar:
        task = bar.add_task("fits", total=total, completed=done, last="")

        def show(outcome: Outcome) -> None:
            error = "diverged" if outcome.measures is None else f"error {outcome.measures.error:.4g}"
            bar.update(task, advance=1, last=f"{outcome.job.name}: {error}")

        yield show
