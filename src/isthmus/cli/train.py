"""``isthmus train``: fit a model, write it with its figures, and compare it with PCA."""

from __future__ import annotations

import csv
import json
import os
import sys
import time
import warnings
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from isthmus.cli.engine import Workers, add_engine, workers_of
from isthmus.cli.flags import MODELS, add_flags, estimator_name, parameters_for
from isthmus.cli.use import ROWS, rows_of
from isthmus.errors import DataError, DivergedError, IsthmusError
from isthmus.files import OutputExistsError, replaced

if TYPE_CHECKING:
    from isthmus.estimator import BaseAutoencoder

FILES = ("model.safetensors", "history.csv", "metrics.json", "reconstructions.png", "history.png")


def add_to(commands: Any) -> None:
    """Add the command and its flags."""
    parser = commands.add_parser(
        "train",
        help="train an autoencoder and compare it with PCA",
        description="Train an autoencoder and compare it with PCA. Ctrl-C ends the training early; the best model "
        "so far is kept, written and compared. Under torchrun all processes train one model.",
        usage="isthmus train DATA [--model MODEL] [--out DIR] [options]",
        allow_abbrev=False,
    )
    parser.set_defaults(run=train)
    parser.add_argument("data", metavar="DATA", help=ROWS)
    kinds = f"kind of autoencoder: {', '.join(MODELS)} [default: dense]"
    parser.add_argument("--model", choices=MODELS, default="dense", metavar="MODEL", help=kinds)
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder for the files [default: isthmus-MODEL]")
    parser.add_argument(
        "--test",
        metavar="DATA",
        help="rows to compare on [default: the test images for mnist, else the rows that training held out]",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace files that exist")
    add_engine(parser)
    add_flags(parser)


def train(data: str, *, model: str, out: Path | None, test: str | None, overwrite: bool, **flags: Any) -> None:
    """Fit a model, write it with its figures, and compare it with PCA."""
    workers = workers_of(*(flags.pop(name) for name in ("engine", "workers", "keys")))
    parameters = {"verbose": True} | parameters_for(model, flags)
    folder = out or Path(f"isthmus-{model}")
    _check_free(folder, overwrite)
    import isthmus
    from isthmus.ranks import joined

    rows = rows_of(data) if workers is None else _rows_for(workers, data)
    estimator = getattr(isthmus, estimator_name(model))(**parameters)
    unseen = rows_of(test or "mnist-test") if test or data == "mnist" else None
    started = time.perf_counter()
    with joined() as ranks:
        diverged = None
        if workers is None:
            diverged = _fit(estimator, rows)
        else:
            estimator = isthmus.ray.fit(estimator, data, num_workers=workers.count, keys=workers.keys)
    if not ranks.first:
        return
    seconds = time.perf_counter() - started
    folder.mkdir(parents=True, exist_ok=True)
    estimator.save(folder / FILES[0], overwrite=overwrite)
    metrics = _compared(estimator, rows, unseen) | {"seconds": seconds, "data": data, "model": model}
    _write_figures(estimator, rows if unseen is None else unseen, folder, overwrite)
    _write_tables(estimator, metrics, folder, overwrite)
    _print(metrics, folder)
    if diverged is not None:
        raise diverged


def _rows_for(workers: Workers, data: str) -> Any:
    """Open the Parquet files that the workers are to read, to compare on."""
    from isthmus.ray.files import columns_of
    from isthmus.sources import opened

    return opened(columns_of(data, workers.keys))


def _check_free(folder: Path, overwrite: bool) -> None:
    there = [name for name in FILES if (folder / name).exists()]
    if there and not overwrite:
        raise OutputExistsError(f"{folder / there[0]} exists; pass --overwrite or another --out")
    existing = next(one for one in (folder, *folder.resolve().parents) if one.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK):
        raise DataError(f"--out: {existing} is no folder that can be written to; pass another --out")


def _fit(estimator: BaseAutoencoder, rows: Any) -> DivergedError | None:
    """Fit, and say as a plain line what would be a warning in Python; give what ended a run that left a model."""
    diverged = None
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            estimator.fit(rows)
        except DivergedError as error:
            if not estimator.__sklearn_is_fitted__():
                raise
            diverged = DivergedError(f"{error}; the files hold the best model before that")
    if not estimator.history_:
        raise IsthmusError("interrupted before the first epoch was over: there is no model to write")
    for warning in caught:
        print(f"isthmus: {warning.message}", file=sys.stderr)
    return diverged


def _compared(estimator: BaseAutoencoder, rows: Any, unseen: Any | None) -> dict[str, Any]:
    """Measure the model and PCA at the same code size on rows that neither has seen."""
    import math

    import numpy as np

    from isthmus import LinearAutoencoder
    from isthmus.sources import Part
    from isthmus.validation import checked_source

    rows = checked_source(estimator, rows, reset=False)
    seen, where = rows, "test rows"
    held_out = np.isin(rows.pieces.starts(), estimator.held_out_)
    if unseen is None and held_out.any():
        unseen, where = Part(rows, np.flatnonzero(held_out)), "held-out rows"
        seen = Part(rows, np.flatnonzero(~held_out))
    elif unseen is None:
        unseen, where = rows, "training rows: none were held out"
    columns, code_size = math.prod(estimator.schema_.row_shape), math.prod(estimator.code_shape_)
    pca = LinearAutoencoder(min(code_size, columns)).fit(seen)
    return {
        "code_size": code_size,
        "columns": columns,
        "compared_on": where,
        "rows": len(checked_source(estimator, unseen, reset=False)),
        "error": float(estimator.reconstruction_error(unseen).mean()),
        "explained_variance": estimator.score(unseen),
        "pca_error": float(pca.reconstruction_error(unseen).mean()),
        "pca_explained_variance": pca.score(unseen),
        "parameters": sum(weight.numel() for weight in estimator.module_.parameters()),
        "epochs": estimator.n_iter_,
    }


def _write_figures(estimator: BaseAutoencoder, rows: Any, folder: Path, overwrite: bool) -> None:
    from isthmus import plots

    figures = {FILES[3]: plots.plot_reconstructions(estimator, rows), FILES[4]: plots.plot_history(estimator)}
    for name, figure in figures.items():
        with replaced(folder / name, overwrite=overwrite) as temporary:
            figure.savefig(temporary, dpi=150)


def _write_tables(estimator: BaseAutoencoder, metrics: dict[str, Any], folder: Path, overwrite: bool) -> None:
    epochs = [asdict(epoch) for epoch in estimator.history_]
    for epoch in epochs:
        for prefix, key in (("loss", "losses"), ("validation_loss", "validation_losses")):
            epoch.update({f"{prefix}_{name}": value for name, value in epoch.pop(key).items()})
    with replaced(folder / FILES[1], overwrite=overwrite) as temporary, temporary.open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(epochs[0]) if epochs else ["epoch"])
        writer.writeheader()
        writer.writerows(epochs)
    with replaced(folder / FILES[2], overwrite=overwrite) as temporary:
        temporary.write_text(json.dumps(metrics, indent=2) + "\n")


def _print(metrics: dict[str, Any], folder: Path) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"{metrics['rows']:,} {metrics['compared_on']}, code of {metrics['code_size']} numbers")
    for column in ("", "mean squared error", "variance explained"):
        table.add_column(column, justify="right" if column else "left")
    for name, prefix in ((metrics["model"], ""), ("PCA", "pca_")):
        error, explained = metrics[f"{prefix}error"], metrics[f"{prefix}explained_variance"]
        table.add_row(name, f"{error:.5g}", f"{100 * explained:.2f} %")
    Console().print(table)
    print(f"{metrics['parameters']:,} parameters, {metrics['epochs']} epochs in {metrics['seconds']:.1f} s")
    for name in FILES:
        print(folder / name)
