"""One measurement in a process of its own: ``python -m benchmarks.speed.measure PEER ...`` prints a line of JSON.

A peer is a class with ``__init__(work, batch_size)``, ``rows(X)`` (rows as its users hold them), ``train(X, watch)``
(calls ``watch.began()`` and ``watch.ended()`` around each epoch, and stops when the latter is true), ``encode(X)``
and ``rebuild(X)``.
"""

import argparse
import importlib
import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from benchmarks.speed.works import ENCODED, WORKS, Work, read

EPOCHS = 15


class Watch:
    """Times the epochs of a run, without what is looked at between them.

    Parameters
    ----------
    enough : callable
        Whether to stop; asked after each epoch.
    """

    def __init__(self, enough: Callable[["Watch"], bool]) -> None:
        self.seconds: list[float] = []
        self._enough = enough
        self._began = self._started = time.perf_counter()

    def began(self) -> None:
        """Hear that an epoch begins."""
        self._began = time.perf_counter()

    def ended(self) -> bool:
        """Hear that an epoch is over, and say whether to stop."""
        self.seconds.append(time.perf_counter() - self._began)
        return self._enough(self)

    @classmethod
    def of(cls, epochs: int) -> "Watch":
        """Stop after so many epochs."""
        return cls(lambda watch: len(watch.seconds) >= epochs)


def peak_bytes() -> int:
    """Give the most memory that this process held so far."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))


def speed(Peer: Any, options: argparse.Namespace) -> dict[str, Any]:
    """Time first steps, epochs and the encoding of 10,000 rows."""
    work = WORKS[options.work]
    X = Peer.rows(options.folder, work.training_file)
    probe, first = first_step(Peer, work, X, options.batches[0])
    found: dict[str, Any] = {"first": first, "epoch": {}, "timed": {}}
    for batch in options.batches:
        found["epoch"][batch], found["timed"][batch] = epoch(Peer(work, batch), X, batch, options)
    found["peak"] = peak_bytes()
    if hasattr(probe, "encode"):
        rows = probe.rows(options.folder, work.encoded_file)[:ENCODED]
        found["encode"] = statistics.median(seconds(lambda: probe.encode(rows)) for _ in range(4))
    return found


def first_step(Peer: Any, work: Work, X: NDArray, batch: int) -> tuple[Any, float]:
    """Make a peer and let it take a step; give it, and the seconds of set-up, compilation and one batch."""
    started = time.perf_counter()
    peer = Peer(work, batch)
    peer.train(X[:batch], Watch.of(1))
    return peer, time.perf_counter() - started


def epoch(peer: Any, X: NDArray, batch: int, options: argparse.Namespace) -> tuple[float, int]:
    """Give seconds of an epoch, and how many rows were timed: all where that is quick, else a sample."""
    work = WORKS[options.work]
    sample = batch * options.steps if options.steps else work.sample
    watch = Watch.of(2)
    peer.train(X[:sample], watch)
    took, timed = watch.seconds[-1], sample
    whole = len(X) // batch * batch
    if not options.steps and took * whole / sample < options.whole:
        watch = Watch.of(1)
        peer.train(X[:whole], watch)
        took, timed = watch.seconds[-1], whole
    return took * work.rows / timed, timed


def time_to_error(Peer: Any, options: argparse.Namespace) -> dict[str, Any]:
    """Train until the held-out error is reached; the time is that of the epochs, the looks at it are not counted."""
    work = replace(WORKS[options.work], seed=options.to_error)
    assert work.target is not None
    target = work.target
    peer = Peer(work, options.batches[0])
    X, held_out = (peer.rows(options.folder, name) for name in (work.training_file, "held_out.npy"))
    X = X[: options.batches[0] * options.steps] if options.steps else X
    pixels = read(options.folder, "held_out.npy")
    errors: list[float] = []

    def enough(watch: Watch) -> bool:
        errors.append(float(((peer.rebuild(held_out) - pixels) ** 2).mean()))
        return errors[-1] <= target or sum(watch.seconds) > options.limit or len(errors) == EPOCHS

    watch = Watch(enough)
    peer.train(X, watch)
    return {"seconds": sum(watch.seconds), "error": errors[-1], "epochs": len(errors), "reached": errors[-1] <= target}


def seconds(work: Callable[[], object]) -> float:
    """Time one call."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def main() -> None:
    """Measure one peer at one work; whatever the peer prints goes to standard error."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("peer")
    parser.add_argument("work", choices=WORKS)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--batches", type=lambda text: [int(size) for size in text.split(",")], default=[64])
    parser.add_argument("--steps", type=int, default=0, help="steps that are timed; 0: an epoch or a sample")
    parser.add_argument("--whole", type=float, default=3, help="most seconds of an epoch that is timed whole")
    parser.add_argument("--to-error", type=int, metavar="SEED", help="train until the error is reached, with a seed")
    parser.add_argument("--limit", type=float, default=90, help="most seconds of training until the error")
    options = parser.parse_args()
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    module, _, choice = options.peer.partition(":")
    started = time.perf_counter()
    Peer = importlib.import_module(f"benchmarks.speed.peers.{module}").peer(choice)
    found = {"import": time.perf_counter() - started, "python": sys.version.split()[0], "versions": Peer.versions()}
    measured = speed(Peer, options) if options.to_error is None else time_to_error(Peer, options)
    print(json.dumps(found | measured), file=answers, flush=True)


if __name__ == "__main__":
    main()
