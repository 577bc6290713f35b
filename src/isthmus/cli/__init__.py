"""The command line. It imports what a command needs only when the command runs, so that help answers at once."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from cyclopts import App, CycloptsError
from rich.console import Console

from isthmus import __version__
from isthmus.cli import train, use
from isthmus.errors import MissingExtraError

app = App(
    name="isthmus",
    help="Autoencoders as unsupervised dimension reduction.",
    version=__version__,
    help_format="plaintext",
    help_on_error=False,
)
app.command(train.train, name="train")
for command in (use.summary, use.encode, use.decode, use.reconstruct, use.evaluate, use.plot):
    app.command(command)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command line; bad input ends it with one plain sentence and exit code 2."""
    try:
        app(arguments, exit_on_error=False, print_error=False, result_action="return_value")
    except KeyboardInterrupt:
        _end("interrupted", 130)
    except CycloptsError as error:
        _end(str(error), 2)
    except (ValueError, OSError, MissingExtraError) as error:
        _end(str(error), 2)
    except MemoryError:
        _end("not enough memory for this; take fewer rows or a smaller batch_size", 2)


def _end(message: str, code: int) -> None:
    sentence = " ".join(message.split("\n\n")[0].split())
    Console(stderr=True, soft_wrap=True, highlight=False, markup=False).print(f"isthmus: {sentence}")
    sys.exit(code)
