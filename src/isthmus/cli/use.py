"""The commands that use a fitted model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter
from rich.console import Console

from isthmus.files import OutputExistsError, replaced

if TYPE_CHECKING:
    from isthmus.estimator import BaseAutoencoder

Output = Annotated[Path, Parameter(name=["--out", "-o"])]
Overwrite = Annotated[bool, Parameter(negative="")]


def summary(model: Path) -> None:
    """Print layers, output shapes and parameter counts of a model.

    Parameters
    ----------
    model
        A model.safetensors.
    """
    Console(soft_wrap=True, highlight=False, markup=False).print(_load(model).summary())


def encode(model: Path, data: str, *, out: Output, overwrite: Overwrite = False) -> None:
    """Write the codes of rows.

    Parameters
    ----------
    model
        A model.safetensors.
    data
        Rows: mnist, digits, a .npy, .npz, .csv, .parquet or IDX file, or a folder of images.
    out
        File to write: .npy, .csv or .parquet.
    overwrite
        Replace a file that exists.
    """
    _check_free(out, overwrite)
    estimator = _load(model)
    names = [str(name) for name in estimator.get_feature_names_out()]
    _write(estimator.transform(rows_of(data)), names, out, overwrite)


def decode(model: Path, codes: str, *, out: Output, overwrite: Overwrite = False) -> None:
    """Write the rows that codes stand for.

    Parameters
    ----------
    model
        A model.safetensors.
    codes
        Codes: a .npy, .npz, .csv or .parquet file.
    out
        File to write: .npy, .csv or .parquet.
    overwrite
        Replace a file that exists.
    """
    _check_free(out, overwrite)
    estimator = _load(model)
    from isthmus.datasets import read

    _write(estimator.inverse_transform(read(codes)), _column_names(estimator), out, overwrite)


def reconstruct(model: Path, data: str, *, out: Output, overwrite: Overwrite = False) -> None:
    """Write rows as the model rebuilds them.

    Parameters
    ----------
    model
        A model.safetensors.
    data
        Rows: mnist, digits, a .npy, .npz, .csv, .parquet or IDX file, or a folder of images.
    out
        File to write: .npy, .csv or .parquet.
    overwrite
        Replace a file that exists.
    """
    _check_free(out, overwrite)
    estimator = _load(model)
    _write(estimator.reconstruct(rows_of(data)), _column_names(estimator), out, overwrite)


def evaluate(model: Path, data: str) -> None:
    """Print how well a model rebuilds rows.

    Parameters
    ----------
    model
        A model.safetensors.
    data
        Rows: mnist-test, digits, a .npy, .npz, .csv, .parquet or IDX file, or a folder of images.
    """
    import numpy as np

    estimator, rows = _load(model), rows_of(data)
    errors = estimator.reconstruction_error(rows)
    lines = {
        "rows": f"{len(errors):,}",
        "mean squared error": f"{errors.mean():.6g}",
        "median of the rows": f"{np.median(errors):.6g}",
        "worst row": f"{errors.max():.6g} (row {errors.argmax()})",
        "variance explained": f"{100 * estimator.score(rows):.3f} %",
    }
    console = Console(soft_wrap=True, highlight=False)
    for name, value in lines.items():
        console.print(f"{name:<20}{value}")


def plot(
    model: Path,
    data: str | None = None,
    *,
    out: Output,
    kind: Literal["reconstructions", "codes", "history"] = "reconstructions",
    n: int = 10,
    overwrite: Overwrite = False,
) -> None:
    """Draw originals, codes and reconstructions, or the map of codes, or the history.

    Parameters
    ----------
    model
        A model.safetensors.
    data
        Rows: mnist-test, digits, a .npy, .npz, .csv, .parquet or IDX file, or a folder of images; not for history.
    out
        File to write: .png, .pdf or .svg.
    kind
        What to draw.
    n
        Examples in the figure of reconstructions.
    overwrite
        Replace a file that exists.
    """
    from isthmus.errors import DataError

    _check_free(out, overwrite, (".png", ".pdf", ".svg"))
    estimator = _load(model)
    if data is None and kind != "history":
        raise DataError(f"plot --kind {kind} needs rows: isthmus plot MODEL DATA -o FILE")
    from isthmus import plots

    if kind == "history":
        figure = plots.plot_history(estimator)
    elif kind == "codes":
        figure = plots.plot_codes(estimator, rows_of(str(data)))
    else:
        figure = plots.plot_reconstructions(estimator, rows_of(str(data)), n=n)
    with replaced(out, overwrite=overwrite) as temporary:
        figure.savefig(temporary, dpi=150)


def rows_of(data: str) -> Any:
    """Read rows; a table with named columns is handed on with its names."""
    from isthmus.datasets.files import read_named
    from isthmus.errors import require

    table = read_named(data)
    if table.columns is None:
        return table.values
    return require("pyarrow", "data").table(dict(zip(table.columns, table.values.T, strict=True)))


def _load(model: Path) -> BaseAutoencoder:
    from isthmus import load

    return load(model)


def _column_names(estimator: BaseAutoencoder) -> list[str]:
    names = getattr(estimator, "feature_names_in_", None)
    return [f"x{place}" for place in range(estimator.n_features_in_)] if names is None else list(names)


def _check_free(out: Path, overwrite: bool, suffixes: tuple[str, ...] = (".npy", ".csv", ".parquet")) -> None:
    """Refuse an output before any work is done for it."""
    from isthmus.errors import DataError

    if out.suffix not in suffixes:
        raise DataError(f"--out must end in {', '.join(suffixes)}; got {out}")
    if not out.parent.is_dir():
        raise DataError(f"--out: there is no folder {out.parent}")
    if out.exists() and not overwrite:
        raise OutputExistsError(f"{out} exists; pass --overwrite or another --out")


def _write(rows: Any, names: list[str], out: Path, overwrite: bool) -> None:
    """Write rows as an array of their shape, or flat as a table with names."""
    import numpy as np

    from isthmus.errors import require

    with replaced(out, overwrite=overwrite) as temporary:
        if out.suffix == ".npy":
            np.save(temporary, rows)
            return
        columns = dict(zip(names, rows.reshape(len(rows), -1).T, strict=True))
        table = require("pyarrow", "data").table(columns)
        if out.suffix == ".csv":
            require("pyarrow.csv", "data").write_csv(table, temporary)
        else:
            require("pyarrow.parquet", "data").write_table(table, temporary)
