"""The cluster that the work runs on: one that is there, or one that is started on this machine for the time of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from isthmus.errors import ParameterError, require
from isthmus.legal import Number

_WORKERS = Number(1, integer=True)


@contextmanager
def cluster() -> Iterator[Any]:
    """Give the module `ray`, connected; a cluster that is started here ends with the block."""
    ray = require("ray", "ray")
    mine = not ray.is_initialized()
    if mine:
        ray.init(include_dashboard=False, log_to_driver=False, logging_level="error", configure_logging=False)
    try:
        yield ray
    finally:
        if mine:
            ray.shutdown()


def check_workers(num_workers: Any) -> None:
    """Refuse what is no number of workers."""
    if not _WORKERS.accepts(num_workers):
        raise ParameterError(f"num_workers must be {_WORKERS}; got {num_workers!r}")


def cpus_for(ray: Any, num_workers: int) -> float:
    """Give the processors to ask for for each worker: half of all for them together, so that Ray's own tasks run."""
    return min(1.0, float(ray.cluster_resources().get("CPU", 1.0)) / (2 * num_workers))
