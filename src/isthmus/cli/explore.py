"""``isthmus explore``: look at a model in the browser."""

from __future__ import annotations

import os
import sys
from argparse import ArgumentParser, ArgumentTypeError
from pathlib import Path
from typing import Any

from isthmus.cli.labels import HELP, labels_of
from isthmus.cli.use import MODEL, ROWS, rows_of
from isthmus.errors import require


def add_to(commands: Any) -> None:
    """Add the command and its arguments."""
    words = "serve a page to explore a model in: map of codes, live decoding, drawing, noise, search"
    parser: ArgumentParser = commands.add_parser(
        "explore", help=words, description=f"{words[0].upper()}{words[1:]}. Ctrl-C ends it.", allow_abbrev=False
    )
    parser.set_defaults(run=explore)
    parser.add_argument("model", metavar="MODEL", type=Path, help=MODEL)
    parser.add_argument("data", metavar="DATA", help=ROWS)
    parser.add_argument("--labels", default="auto", metavar="FILE", help=HELP)
    rows = "the most rows that are shown; of more, some are drawn [default: 100000]"
    parser.add_argument("--rows", type=_number(1, 2**31), default=100_000, metavar="N", help=rows)
    host = "where to listen; another than the default lets other machines in [default: 127.0.0.1]"
    parser.add_argument("--host", default="127.0.0.1", metavar="NAME", help=host)
    parser.add_argument(
        "--port", type=_number(0, 65535), default=0, metavar="N", help="port; 0 is a free one [default: 0]"
    )
    opening = parser.add_mutually_exclusive_group()
    opening.add_argument("--open", action="store_true", default=None, help="open the page in the browser")
    words = "only print its address [default: open it where there is a terminal and a desktop]"
    opening.add_argument("--no-browser", dest="open", action="store_false", help=words)
    words = "write the page into a folder instead, for any web server; it decodes within the browser"
    parser.add_argument("--export", type=Path, metavar="DIR", help=words)
    parser.add_argument("--overwrite", action="store_true", help="replace a folder that was exported before")


def _number(low: int, high: int) -> Any:
    def read(text: str) -> int:
        if not text.isdecimal() or not low <= int(text) <= high:
            raise ArgumentTypeError(f"must be an integer from {low} to {high}; got {text!r}")
        return int(text)

    return read


def explore(
    model: Path,
    data: str,
    *,
    labels: str,
    rows: int,
    host: str,
    port: int,
    open: bool | None,
    export: Path | None,
    overwrite: bool,
) -> None:
    """Serve the explorer of a model, or write it into a folder."""
    if export is not None:
        _write(model, data, labels, rows, export, overwrite)
        return
    from isthmus import load
    from isthmus.explorer import explore as answer

    answer(
        load(model),
        rows_of(data),
        labels_of(labels, data),
        n_rows=rows,
        host=host,
        port=port,
        browser=_has_desktop() if open is None else open,
    )


def _write(model: Path, data: str, labels: str, rows: int, folder: Path, overwrite: bool) -> None:
    require("onnx", "onnx")
    from isthmus import load
    from isthmus.explorer.atlas import atlas_of
    from isthmus.explorer.folder import check_folder, write_folder

    check_folder(folder, overwrite=overwrite)
    atlas = atlas_of(load(model), rows_of(data), labels_of(labels, data), n_rows=rows)
    size = write_folder(atlas, folder, overwrite=overwrite)
    print(f"{folder}: {size / 1e6:.1f} MB; look at it with python -m http.server --directory {folder}")


def _has_desktop() -> bool:
    """Whether someone sits at a terminal of a desktop."""
    named = sys.platform in ("darwin", "win32") or "DISPLAY" in os.environ or "WAYLAND_DISPLAY" in os.environ
    return sys.stdout.isatty() and named
