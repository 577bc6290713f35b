"""The command line. It imports what a command needs only when the command runs, so that help answers at once."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from collections.abc import Sequence
from typing import Never

from isthmus import __version__
from isthmus.cli import bring, choose, doctor, explore, report, ship, train, use
from isthmus.errors import CommandLineError, MissingExtraError


class _Parser(ArgumentParser):
    """A parser whose refusals are exceptions."""

    def error(self, message: str) -> Never:
        """Refuse a command line."""
        raise CommandLineError(f"{message}; see {self.prog} --help")


def parser() -> ArgumentParser:
    """Make the parser of the whole command line; a command's function is its default ``run``."""
    top = _Parser("isthmus", description="Autoencoders as unsupervised dimension reduction.", allow_abbrev=False)
    top.add_argument("--version", action="version", version=__version__)
    commands = top.add_subparsers(metavar="COMMAND", required=True)
    train.add_to(commands)
    choose.add_to(commands)
    use.add_to(commands)
    doctor.add_to(commands)
    report.add_to(commands)
    ship.add_to(commands)
    explore.add_to(commands)
    bring.add_to(commands)
    return top


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command line; bad input ends it with one plain sentence and exit code 2."""
    try:
        options = vars(parser().parse_args(arguments))
        options.pop("run")(**options)
    except KeyboardInterrupt:
        _end("interrupted", 130)
    except (ValueError, OSError, MissingExtraError) as error:
        _end(str(error), 2)
    except MemoryError:
        _end("not enough memory for this; take fewer rows or a smaller batch_size", 2)


def _end(message: str, code: int) -> Never:
    print("isthmus:", " ".join(message.split("\n\n")[0].split()), file=sys.stderr)
    sys.exit(code)
