"""The commands that use a fitted model."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from isthmus.cli.engine import add_engine, workers_of
from isthmus.cli.labels import HELP as LABELS
from isthmus.cli.labels import labels_of
from isthmus.cli.writing import write_blocks, write_tables
from isthmus.files import OutputExistsError, replaced

if TYPE_CHECKING:
    from isthmus.estimator import BaseAutoencoder
    from isthmus.sources import Source
    from isthmus.sources.tables import MixedTable

_OF_ROWS, _OF_MODEL = ("reconstructions", "codes", "traversal"), ("history", "manifold", "filters")
MODEL = "a model.safetensors"
ROWS = (
    "rows: mnist, mnist-test, digits, a .npy, .npz, .csv, .parquet or IDX file, a folder of images or of Parquet "
    "files, or a pattern such as 'data/*.parquet'; large .npy and Parquet files and images stay on disk"
)


def add_to(commands: Any) -> None:
    """Add the commands and their arguments."""
    one = _command(
        commands, summary, "print layers, output shapes and parameter counts of a model, and how it was made"
    )
    one.add_argument("model", metavar="MODEL", type=Path, help=MODEL)
    for run, words in (
        (encode, "write the codes of rows"),
        (decode, "write the rows that codes stand for"),
        (reconstruct, "write rows as the model rebuilds them"),
        (impute, "write rows with their missing cells filled by what the model rebuilds"),
    ):
        one = _command(commands, run, words)
        one.add_argument("model", metavar="MODEL", type=Path, help=MODEL)
        if run is decode:
            one.add_argument("codes", metavar="CODES", help="codes: a .npy, .npz, .csv or .parquet file")
        else:
            one.add_argument("data", metavar="DATA", help=ROWS)
        _add_output(one, ".npy, .csv or .parquet" + ("; a folder with --engine ray" if run is encode else ""))
        if run is encode:
            add_engine(one)
    one = _command(commands, evaluate, "print how well a model rebuilds rows")
    one.add_argument("model", metavar="MODEL", type=Path, help=MODEL)
    one.add_argument("data", metavar="DATA", help=ROWS)
    one = _command(
        commands, plot, "draw reconstructions, the map of codes, what they stand for, the history, or the first weights"
    )
    one.add_argument("model", metavar="MODEL", type=Path, help=MODEL)
    one.add_argument("data", metavar="DATA", nargs="?", help=f"{ROWS}; not for {', '.join(_OF_MODEL)}")
    kinds = (*_OF_ROWS, *_OF_MODEL)
    one.add_argument("--kind", choices=kinds, default=kinds[0], help=f"what to draw [default: {kinds[0]}]")
    one.add_argument("--n", type=int, default=10, help="examples in the figure of reconstructions [default: 10]")
    one.add_argument("--labels", default="auto", metavar="FILE", help=f"of the codes: {LABELS}")
    _add_output(one, ".png, .pdf or .svg")


def _command(commands: Any, run: Callable[..., None], words: str) -> ArgumentParser:
    sentence = f"{words[0].upper()}{words[1:]}."
    parser = commands.add_parser(run.__name__, help=words, description=sentence, allow_abbrev=False)
    parser.set_defaults(run=run)
    return parser


def _add_output(parser: ArgumentParser, suffixes: str) -> None:
    parser.add_argument("-o", "--out", type=Path, required=True, metavar="FILE", help=f"file to write: {suffixes}")
    parser.add_argument("--overwrite", action="store_true", help="replace a file that exists")


def summary(model: Path) -> None:
    """Print layers, output shapes and parameter counts of a model, and how it was made."""
    from isthmus.provenance import described

    estimator = load_model(model)
    print(estimator.summary())
    print(described(estimator.provenance_))
    print(f"with  {' '.join(str(estimator).split())}")


def encode(model: Path, data: str, *, out: Path, overwrite: bool, **flags: Any) -> None:
    """Write the codes of rows."""
    workers = workers_of(*(flags[name] for name in ("engine", "workers", "keys")))
    if workers is not None:
        from isthmus import ray

        estimator = load_model(model)
        ray.transform(estimator, data, out, num_workers=workers.count, keys=workers.keys, overwrite=overwrite)
        return
    check_free(out, overwrite)
    estimator = load_model(model)
    names = [str(name) for name in estimator.get_feature_names_out()]
    source = _checked(estimator, data)
    write_blocks(estimator._codec().encoded(source), len(source), names, out, overwrite)


def decode(model: Path, codes: str, *, out: Path, overwrite: bool) -> None:
    """Write the rows that codes stand for."""
    check_free(out, overwrite)
    estimator = load_model(model)
    from isthmus.datasets import read

    rows = estimator.inverse_transform(read(codes))
    _write_rows(estimator, [rows], len(rows), out, overwrite)


def reconstruct(model: Path, data: str, *, out: Path, overwrite: bool) -> None:
    """Write rows as the model rebuilds them."""
    check_free(out, overwrite)
    estimator = load_model(model)
    source = _checked(estimator, data)
    rebuilt = (estimator._given_back(rows, None) for _, rows in estimator._codec().rebuilt(source))
    _write_rows(estimator, rebuilt, len(source), out, overwrite)


def impute(model: Path, data: str, *, out: Path, overwrite: bool) -> None:
    """Write rows with their missing cells filled by what the model rebuilds."""
    check_free(out, overwrite)
    estimator = load_model(model)
    source = _checked(estimator, data)
    filled = (estimator._framed(rows, None) for rows in estimator._codec().filled(source))
    _write_rows(estimator, filled, len(source), out, overwrite)


def evaluate(model: Path, data: str) -> None:
    """Print how well a model rebuilds rows."""
    import numpy as np

    estimator, rows = load_model(model), rows_of(data)
    errors = estimator.reconstruction_error(rows)
    lines = {
        "rows": f"{len(errors):,}",
        "mean squared error": f"{errors.mean():.6g}",
        "median of the rows": f"{np.median(errors):.6g}",
        "worst row": f"{errors.max():.6g} (row {errors.argmax()})",
        "variance explained": f"{100 * estimator.score(rows):.3f} %",
    }
    for name, value in lines.items():
        print(f"{name:<20}{value}")


def plot(model: Path, data: str | None, *, out: Path, kind: str, n: int, labels: str, overwrite: bool) -> None:
    """Draw a figure of a model, or of rows and what the model makes of them."""
    from isthmus.errors import DataError

    check_free(out, overwrite, (".png", ".pdf", ".svg"))
    estimator = load_model(model)
    if data is None and kind in _OF_ROWS:
        raise DataError(f"plot --kind {kind} needs rows: isthmus plot MODEL DATA -o FILE")
    from isthmus import plots

    draw = getattr(plots, f"plot_{kind}")
    if kind in _OF_MODEL:
        figure = draw(estimator)
    elif kind == "reconstructions":
        figure = draw(estimator, rows_of(str(data)), n=n)
    elif kind == "codes":
        figure = draw(estimator, rows_of(str(data)), labels_of(labels, str(data)))
    else:
        figure = draw(estimator, rows_of(str(data)))
    with replaced(out, overwrite=overwrite) as temporary:
        figure.savefig(temporary, dpi=150)


def rows_of(data: str) -> Source | MixedTable:
    """Open rows; what is large stays on disk."""
    from isthmus.sources.opening import from_path

    return from_path(data)


def _checked(estimator: BaseAutoencoder, data: str) -> Source:
    """Open rows that a model is to be used on."""
    from isthmus.validation import checked_source

    return checked_source(estimator, rows_of(data), reset=False)


def load_model(model: Path) -> BaseAutoencoder:
    """Load a model."""
    from isthmus import load

    return load(model)


def _write_rows(estimator: BaseAutoencoder, blocks: Iterable[Any], n: int, out: Path, overwrite: bool) -> None:
    """Write rows that come in blocks: arrays, or of a mixed table frames."""
    from isthmus.errors import DataError
    from isthmus.tables import frame_of

    if estimator.schema_.table is None:
        write_blocks(blocks, n, _column_names(estimator), out, overwrite)
    elif out.suffix == ".npy":
        raise DataError(f"--out must end in .csv or .parquet for a table with columns that are no numbers; got {out}")
    else:
        write_tables((frame_of(frame).to_arrow() for frame in blocks), out, overwrite)


def _column_names(estimator: BaseAutoencoder) -> list[str]:
    names = getattr(estimator, "feature_names_in_", None)
    return [f"x{place}" for place in range(estimator.n_features_in_)] if names is None else list(names)


def check_free(out: Path, overwrite: bool, suffixes: tuple[str, ...] = (".npy", ".csv", ".parquet")) -> None:
    """Refuse an output before any work is done for it."""
    from isthmus.errors import DataError

    if out.suffix not in suffixes:
        raise DataError(f"--out must end in {', '.join(suffixes)}; got {out}")
    if not out.parent.is_dir():
        raise DataError(f"--out: there is no folder {out.parent}")
    if out.exists() and not overwrite:
        raise OutputExistsError(f"{out} exists; pass --overwrite or another --out")
