"""``--engine ray``: where ``train`` and ``encode`` do their work."""

from __future__ import annotations

from argparse import ArgumentParser
from dataclasses import dataclass

from isthmus.errors import ParameterError


@dataclass(frozen=True)
class Workers:
    """Workers of a Ray cluster, and the columns that are no data for them."""

    count: int
    keys: tuple[str, ...]


def add_engine(parser: ArgumentParser) -> None:
    """Add the flags."""
    words = "local: this process; ray: workers of a Ray cluster, on Parquet files (pip install 'isthmus[ray]')"
    parser.add_argument("--engine", choices=("local", "ray"), default="local", help=f"{words} [default: local]")
    parser.add_argument("--workers", metavar="N", help="workers of --engine ray [default: 2]")
    parser.add_argument("--keys", metavar="NAMES", help="for --engine ray: columns that are no data, such as id,day")


def workers_of(engine: str, workers: str | None, keys: str | None) -> Workers | None:
    """Give the workers that the flags ask for; None for this process.

    Raises
    ------
    ParameterError
        If the flags do not fit together, or the number is none.
    """
    if engine == "local":
        if workers is not None or keys is not None:
            raise ParameterError("--workers and --keys belong to --engine ray")
        return None
    if workers is not None and not (workers.isdecimal() and int(workers)):
        raise ParameterError(f"--workers must be an integer of at least 1; got {workers!r}")
    return Workers(int(workers or 2), tuple(name for name in (keys or "").split(",") if name))
