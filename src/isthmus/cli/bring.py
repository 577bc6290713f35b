"""The commands that bring models of other software."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from isthmus.cli.use import check_free


def add_to(commands: Any) -> None:
    """Add the command and its arguments."""
    words = "turn an autoencoder that Keras saved into a model file"
    one = commands.add_parser(
        "import-keras", help=words, description=f"{words[0].upper()}{words[1:]}.", allow_abbrev=False
    )
    one.set_defaults(run=import_keras)
    one.add_argument("model", metavar="MODEL", type=Path, help="a .keras or .h5 file, or the JSON text of to_json()")
    one.add_argument("weights", metavar="WEIGHTS", type=Path, nargs="?", help="the file of save_weights(), for JSON")
    one.add_argument("--bottleneck", metavar="NAME", help="layer that gives the code [default: the smallest output]")
    one.add_argument("-o", "--out", type=Path, required=True, metavar="FILE", help="file to write: .safetensors")
    one.add_argument("--overwrite", action="store_true", help="replace a file that exists")


def import_keras(model: Path, weights: Path | None, *, bottleneck: str | None, out: Path, overwrite: bool) -> None:
    """Write a Keras model as ours and print its layers."""
    check_free(out, overwrite, (".safetensors",))
    from isthmus import from_keras

    estimator = from_keras(model, weights, bottleneck=bottleneck)
    estimator.save(out, overwrite=overwrite)
    print(estimator.summary())
