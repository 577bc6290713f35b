"""Tables, on the screen and in files."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

from isthmus.files import replaced

_HEADS = {
    "explained_variance": "explained",
    "pca_error": "PCA error",
    "pca_explained_variance": "PCA explained",
    "parameters": "weights",
    "knn_accuracy": "kNN",
    "linear_probe_accuracy": "probe",
}


def write_csv(rows: list[dict[str, Any]], path: Path, overwrite: bool) -> None:
    """Write rows as a file with a header."""
    with replaced(path, overwrite=overwrite) as temporary, temporary.open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def print_table(title: str, rows: list[dict[str, Any]]) -> None:
    """Print rows with headings; columns without any number are left out."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title, box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    shown = [column for column in rows[0] if any(row[column] == row[column] for row in rows)]
    for column in shown:
        table.add_column(_HEADS.get(column, column.replace("_", " ")), justify="left" if column == "model" else "right")
    for row in rows:
        table.add_row(*(_cell(column, row[column]) for column in shown))
    Console().print(table)


def _cell(column: str, value: Any) -> str:
    if isinstance(value, str):
        return value
    if column.endswith(("explained_variance", "accuracy")):
        return f"{100 * value:.2f} %"
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"
