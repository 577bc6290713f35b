"""``isthmus export`` and ``isthmus serve``: a model for other runtimes, and behind HTTP."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from isthmus.cli.use import MODEL, ROWS, load_model, rows_of
from isthmus.errors import ParameterError

KINDS = ("onnx", "pt2")


def add_to(commands: Any) -> None:
    """Add the commands and their arguments."""
    _add_export(commands)
    _add_serve(commands)


def _add_export(commands: Any) -> None:
    words = "write a model for a runtime without this package, and compare it with the model"
    parser = commands.add_parser(
        "export",
        help=words,
        description=f"{words[0].upper()}{words[1:]}. Without --encoder and --decoder both are written.",
        allow_abbrev=False,
    )
    parser.set_defaults(run=export)
    parser.add_argument("model", metavar="MODEL", type=Path, help=MODEL)
    parser.add_argument("--encoder", action="store_true", help="write the encoder: rows to codes")
    parser.add_argument("--decoder", action="store_true", help="write the decoder: codes to rows")
    kinds = "onnx for onnxruntime, pt2 for torch.export [default: as --out ends, else onnx]"
    parser.add_argument("--to", choices=KINDS, help=kinds)
    parser.add_argument("--data", metavar="DATA", help=f"rows to compare on, besides random ones; {ROWS}")
    parser.add_argument("--int8", action="store_true", help="weights as 8-bit integers; says what that loses")
    out = "file to write, .onnx or .pt2 [default: beside MODEL, with its name]"
    parser.add_argument("-o", "--out", type=Path, metavar="FILE", help=out)
    parser.add_argument("--overwrite", action="store_true", help="replace a file that exists")


def _add_serve(commands: Any) -> None:
    words = "answer POST /encode, /decode and /reconstruct over HTTP, as JSON, .npy or Arrow"
    parser = commands.add_parser(
        "serve",
        help=words,
        description=f"{words[0].upper()}{words[1:]}. /openapi.json describes it; SIGTERM ends it when all that has "
        "come is answered.",
        allow_abbrev=False,
    )
    parser.set_defaults(run=serve)
    parser.add_argument("model", metavar="MODEL", type=Path, help=MODEL)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on [default: 127.0.0.1]")
    parser.add_argument("--port", type=int, default=8000, help="port to listen on; 0: a free one [default: 8000]")
    largest = "largest body of a request in MB [default: 32]"
    parser.add_argument("--max-megabytes", type=float, default=32.0, metavar="MB", help=largest)
    longest = "longest time for a body to arrive and for its answer in seconds [default: 30]"
    parser.add_argument("--timeout", type=float, default=30.0, metavar="SECONDS", help=longest)


def export(
    model: Path,
    *,
    encoder: bool,
    decoder: bool,
    to: str | None,
    data: str | None,
    int8: bool,
    out: Path | None,
    overwrite: bool,
) -> None:
    """Write a model for another runtime and say how far its answers are from the model's."""
    out = _named(model, out, to, encoder, decoder)
    halves = {"encoder": encoder or not decoder, "decoder": decoder or not encoder}
    rows = None if data is None else rows_of(data)
    print(load_model(model).export(out, rows, **halves, int8=int8, overwrite=overwrite))


def serve(model: Path, *, host: str, port: int, max_megabytes: float, timeout: float) -> None:
    """Serve a model over HTTP until it is told to end."""
    for flag, value in (("max-megabytes", max_megabytes), ("timeout", timeout)):
        if not 0 < value < math.inf:
            raise ParameterError(f"--{flag} must be a number above 0; got {value:g}")
    estimator = load_model(model)
    from isthmus import serving
    from isthmus.ports import address_of, listening

    size = round(max_megabytes * 2**20)
    limits = serving.Limits(body_bytes=size, waiting_bytes=max(size, 2**29), seconds=timeout)
    with listening(host, port) as taken:
        print(f"{model} is served at {address_of(taken)} (Ctrl-C or SIGTERM ends it)", flush=True)
        serving.serve(estimator, taken, limits)


def _named(model: Path, out: Path | None, to: str | None, encoder: bool, decoder: bool) -> Path:
    """Give the file to write: the one that is named, or one beside the model that tells which half it holds."""
    if out is None:
        half = "" if encoder == decoder else "-encoder" if encoder else "-decoder"
        return model.with_name(f"{model.stem}{half}.{to or KINDS[0]}")
    if out.suffix.removeprefix(".") not in ((to,) if to else KINDS):
        raise ParameterError(f"--out must end in {f'.{to}' if to else '.onnx or .pt2'}; got {out}")
    return out
