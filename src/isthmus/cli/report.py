"""``isthmus report``: one page that says what a model is and what its codes mean."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from isthmus.cli.labels import HELP, labels_of
from isthmus.cli.use import MODEL, ROWS, check_free, load_model, rows_of

_SUFFIXES = (".html", ".json")


def add_to(commands: Any) -> None:
    """Add the command and its arguments."""
    words = "write a page of what a model is, how well it rebuilds rows, and what its codes mean"
    more = "The page holds all it shows and loads nothing. As .json it is a model card of the same facts."
    sentence = f"{words[0].upper()}{words[1:]}. {more}"
    parser = commands.add_parser("report", help=words, description=sentence, allow_abbrev=False)
    parser.set_defaults(run=report)
    parser.add_argument("model", metavar="MODEL", type=Path, help=MODEL)
    parser.add_argument("data", metavar="DATA", help=f"{ROWS}; best rows that the model has not seen")
    parser.add_argument("--labels", default="auto", metavar="FILE", help=HELP)
    out = Path("report.html")
    words = f"file to write: .html or .json [default: {out}]"
    parser.add_argument("-o", "--out", type=Path, default=out, metavar="FILE", help=words)
    parser.add_argument("--overwrite", action="store_true", help="replace a file that exists")


def report(model: Path, data: str, *, labels: str, out: Path, overwrite: bool) -> None:
    """Write the page or the model card."""
    check_free(out, overwrite, _SUFFIXES)
    estimator, rows, classes = load_model(model), rows_of(data), labels_of(labels, data)
    from isthmus.report import write

    write(estimator, rows, classes, path=out, name=Path(data).name, model_path=str(model), overwrite=overwrite)
    print(out)
