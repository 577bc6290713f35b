"""``isthmus curve`` and ``isthmus compare``: how long a code to take, and which autoencoder."""

from __future__ import annotations

import math
import sys
import warnings
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from isthmus.cli.flags import MODELS, add_flags, estimator_name, parameters_for
from isthmus.cli.labels import HELP as LABELS
from isthmus.cli.labels import labels_of
from isthmus.cli.tables import print_table, write_csv
from isthmus.cli.use import ROWS, rows_of
from isthmus.errors import DataError, ParameterError, require
from isthmus.files import OutputExistsError, replaced
from isthmus.legal import Number, Several
from isthmus.params import parameters_of

CURVE_FILES = ("curve.csv", "curve.png", "curve.svg")
COMPARE_FILES = ("compare.csv",)
FITS = "fits.json"
MOST_ROWS = 20_000
_SIZES = Several(Number(1, integer=True), shortest=1)
_OF_ONE_FIT = ("checkpoint", "checkpoint_minutes", "resume")


def add_to(commands: Any) -> None:
    """Add the commands and their flags."""
    words = "measure the held-out error at several code sizes, beside PCA, and suggest a size"
    parser = _command(commands, "curve", words, "[--model MODEL] [--sizes SIZES]")
    parser.set_defaults(run=curve)
    kinds = f"kind of autoencoder: {', '.join(MODELS)} [default: dense]"
    parser.add_argument("--model", choices=MODELS, default="dense", metavar="MODEL", help=kinds)
    sizes = "code sizes, such as 2,4,8,16,32 [default: those of them that are below the number of columns]"
    parser.add_argument("--sizes", metavar="SIZES", help=sizes)
    _add_common(parser, "isthmus-curve", ("code_size", *_OF_ONE_FIT))
    words = "measure several kinds of autoencoder on the same held-out rows, beside PCA"
    parser = _command(commands, "compare", words, "--models MODELS [--labels FILE]")
    parser.set_defaults(run=compare)
    kinds = f"kinds of autoencoder, with commas between them: {', '.join(MODELS)}"
    parser.add_argument("--models", required=True, metavar="MODELS", help=kinds)
    parser.add_argument("--labels", default="auto", metavar="FILE", help=LABELS)
    _add_common(parser, "isthmus-compare", _OF_ONE_FIT)


def _command(commands: Any, name: str, words: str, usage: str) -> ArgumentParser:
    again = "Ctrl-C ends it with what is finished; the same command goes on from there."
    return commands.add_parser(
        name,
        help=words,
        description=f"{words[0].upper()}{words[1:]}. {again}",
        usage=f"isthmus {name} DATA {usage} [--out DIR] [options]",
        allow_abbrev=False,
    )


def _add_common(parser: ArgumentParser, out: str, without: tuple[str, ...]) -> None:
    parser.add_argument("data", metavar="DATA", help=ROWS)
    rows = f"rows to draw at random, always the same ones, or all [default: {MOST_ROWS:,}, or all if there are fewer]"
    parser.add_argument("--rows", type=_number_or_all, default=MOST_ROWS, metavar="N", help=rows)
    folds = "folds of a cross-validation [default: one split with 20 %% of the rows held out]"
    parser.add_argument("--folds", type=_number(2), metavar="N", help=folds)
    parser.add_argument(
        "--jobs", type=_number(), metavar="N", help="fits at a time; -1: one for each core [default: 1]"
    )
    parser.add_argument("--out", type=Path, default=Path(out), metavar="DIR", help=f"folder to write [default: {out}]")
    parser.add_argument("--overwrite", action="store_true", help="replace files that exist")
    add_flags(parser, without)


def _number(low: float = -math.inf) -> Callable[[str], int]:
    """Make a reader of integers."""
    legal = Number(low, integer=True)

    def read(text: str) -> int:
        if not text.removeprefix("-").isdecimal() or not legal.accepts(int(text)):
            raise ArgumentTypeError(f"must be {legal}; got {text!r}")
        return int(text)

    return read


def _number_or_all(text: str) -> int | None:
    return None if text == "all" else _number(2)(text)


def curve(data: str, *, model: str, sizes: str | None, out: Path, overwrite: bool, **flags: Any) -> None:
    """Measure a model at several code sizes, write the curve and suggest a size."""
    wanted = None if sizes is None else _parsed_sizes(sizes)
    parameters = parameters_for(model, flags)
    _check_free(out, CURVE_FILES, overwrite)
    require("matplotlib.figure", "plot")
    drawn = _Rows(data, flags["rows"])
    import isthmus
    from isthmus.selection import code_size_curve

    estimator = getattr(isthmus, estimator_name(model))(**parameters)
    with _plain_warnings(), _begun(out) as kept:
        found = code_size_curve(estimator, drawn.source, wanted, checkpoint=kept, **_settings(flags, parameters))
    print_table(f"{model}, held-out rows of {drawn}", found.rows())
    print(found.reason)
    _end_unless(found.complete, out)
    write_csv(found.rows(), out / CURVE_FILES[0], overwrite)
    from isthmus.plots import plot_code_size_curve

    figure = plot_code_size_curve(found)
    for name in CURVE_FILES[1:]:
        with replaced(out / name, overwrite=overwrite) as temporary:
            figure.savefig(temporary, dpi=150)
    _finish(out, CURVE_FILES)


def compare(data: str, *, models: str, labels: str, out: Path, overwrite: bool, **flags: Any) -> None:
    """Measure several models on the same held-out rows and write the table."""
    names = _parsed_models(models)
    parameters = _parameters_of_each(names, flags)
    _check_free(out, COMPARE_FILES, overwrite)
    drawn = _Rows(data, flags["rows"])
    classes = drawn.of(labels_of(labels, data))
    import isthmus
    from isthmus import selection

    estimators = {name: getattr(isthmus, estimator_name(name))(**parameters[name]) for name in names}
    settings = _settings(flags, parameters[names[0]])
    with _plain_warnings(), _begun(out) as kept:
        found = selection.compare(estimators, drawn.source, classes, checkpoint=kept, **settings)
    print_table(f"held-out rows of {drawn}", found.rows())
    _end_unless(found.complete, out)
    write_csv(found.rows(), out / COMPARE_FILES[0], overwrite)
    _finish(out, COMPARE_FILES)


class _Rows:
    """The rows of a study: all, or some drawn at random with a fixed seed, so that a study can go on."""

    def __init__(self, data: str, most: int | None) -> None:
        from isthmus.sources import ArrayRows, drawn
        from isthmus.sources.tables import TABLES, learned
        from isthmus.tables import numbers_only

        whole: Any = rows_of(data)
        if isinstance(whole, TABLES):
            numbers_only("a comparison of fits", learned(whole, None))
        self.source, self.numbers, self._total = whole, None, len(whole)
        if most is not None and most < len(whole):
            import numpy as np

            rows, self.numbers = drawn(whole, most, np.random.RandomState(0))
            self.source = ArrayRows(rows, whole.names)

    def of(self, labels: Any) -> Any:
        """Give the labels of these rows, of those of all rows."""
        if labels is None or self.numbers is None:
            return labels
        if len(labels) != self._total:
            raise DataError(f"--labels must have one label for each of the {self._total} rows; got {len(labels)}")
        return labels[self.numbers]

    def __str__(self) -> str:
        if self.numbers is None:
            return f"all {self._total:,}"
        return f"{len(self.numbers):,} drawn from {self._total:,} (--rows all takes all)"


def _parsed_sizes(text: str) -> tuple[int, ...]:
    try:
        sizes = _SIZES.parse(text)
    except ValueError:
        sizes = ()
    if not _SIZES.accepts(sizes):
        raise ParameterError(f"--sizes must be integers of at least 1 with commas between them; got {text!r}")
    return tuple(int(size) for size in sizes)


def _parsed_models(text: str) -> list[str]:
    names = list(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    if not names or not set(names) <= set(MODELS):
        raise ParameterError(f"--models must be some of {', '.join(MODELS)}, with commas between them; got {text!r}")
    return names


def _parameters_of_each(models: Sequence[str], flags: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Give each model those flags that are parameters of it; a flag of none of them is refused."""
    own = {model: {parameter.name for parameter in parameters_of(MODELS[model])} for model in models}
    common = {name: text for name, text in flags.items() if not any(name in names for names in own.values())}
    parameters_for(models[0], dict.fromkeys(flags) | common)
    return {
        model: parameters_for(model, {name: text if name in own[model] else None for name, text in flags.items()})
        for model in models
    }


def _settings(flags: dict[str, Any], parameters: dict[str, Any]) -> dict[str, Any]:
    """Give the settings of a study; the seed of the models is that of the split too."""
    verbose, seed = parameters.get("verbose", True), parameters.get("random_state")
    return {"cv": flags["folds"], "n_jobs": flags["jobs"], "random_state": seed, "verbose": verbose}


def _check_free(folder: Path, names: Sequence[str], overwrite: bool) -> None:
    there = [name for name in names if (folder / name).exists()]
    if there and not overwrite:
        raise OutputExistsError(f"{folder / there[0]} exists; pass --overwrite or another --out")


@contextmanager
def _begun(folder: Path) -> Iterator[Path]:
    """Make the folder and name the file of finished fits; if nothing comes of it, an empty folder is removed."""
    there = folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    try:
        yield folder / FITS
    finally:
        if not there and not any(folder.iterdir()):
            folder.rmdir()


@contextmanager
def _plain_warnings() -> Iterator[None]:
    """Say as plain lines what would be warnings in Python, in the end."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            yield
        finally:
            for line in dict.fromkeys(str(warning.message) for warning in caught):
                print(f"isthmus: {line}", file=sys.stderr)


def _end_unless(complete: bool, folder: Path) -> None:
    if not complete:
        print(f"the same command goes on from {folder / FITS}", file=sys.stderr)
        raise KeyboardInterrupt


def _finish(folder: Path, names: Sequence[str]) -> None:
    (folder / FITS).unlink(missing_ok=True)
    for name in names:
        print(folder / name)
