"""Isthmus and its peers on the same work in one run: ``python -m benchmarks.speed [--quick]``.

Each measurement is a process of its own; contestants take turns, in a new order each round. Medians and ratios go into
``docs/performance.md``, with a plot beside it. What was measured so far is kept in the cache folder, so that a run that
was cut short can be written down: ``--page-only``.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks import linear
from benchmarks.machine import machine
from benchmarks.page import put
from benchmarks.speed.contestants import CONTESTANTS, ROOT, environment_of, ready
from benchmarks.speed.environments import CACHE
from benchmarks.speed.page import PAGE, draw, text
from benchmarks.speed.startup import startup
from benchmarks.speed.works import BATCHES, WORKS, write
from isthmus.datasets import load_mnist

KEPT = CACHE / "speed.json"
QUICK_STEPS = 10


def names(known: Any) -> Any:
    """Give a reader of comma-separated names."""

    def read(text: str) -> list[str]:
        unknown = sorted(set(text.split(",")) - set(known))
        if unknown:
            raise argparse.ArgumentTypeError(f"{unknown[0]!r} is not known; known: {', '.join(known)}")
        return text.split(",")

    return read


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few steps, once, and the page stays as it is")
    parser.add_argument("--works", type=names(WORKS), default=list(WORKS))
    parser.add_argument("--peers", type=names(CONTESTANTS), default=list(CONTESTANTS))
    parser.add_argument("--batches", type=lambda text: [int(size) for size in text.split(",")], default=list(BATCHES))
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--no-errors", dest="errors", action="store_false", help="leave out the time to an error")
    parser.add_argument("--threads", type=int, default=0, help="threads of each process; 0: its own default")
    parser.add_argument("--page-only", action="store_true", help="write the page from what was measured last")
    options = parser.parse_args()
    options.steps = QUICK_STEPS if options.quick else 0
    options.repeats = 1 if options.quick else options.repeats
    return options


class Run:
    """A run of measurements, kept in a file as it grows."""

    def __init__(self, options: argparse.Namespace, folder: Path) -> None:
        self.options, self.folder = options, folder
        self.pythons, left_out = ready(options.peers)
        self.found: dict[str, Any] = {
            "machine": f"{machine()}, load {os.getloadavg()[0]:.1f} at the start",
            "batches": options.batches,
            "left_out": {CONTESTANTS[name].words: reason for name, reason in left_out.items()},
            "speed": {},
            "to_error": {},
        }

    def everything(self) -> None:
        """Measure in rounds, then what needs no rounds."""
        for place in range(self.options.repeats):
            for work in self.options.works:
                self._round(work)
                if self.options.errors and WORKS[work].target is not None:
                    self._round(work, seed=place)
        self.found["linear"] = linear.measured(repeats=1 if self.options.quick else linear.REPEATS)
        ours = environment_of(CONTESTANTS["isthmus"], self.options.threads)
        self.found["startup"] = startup(str(self.folder / "training.npy"), ours, self.options.repeats)
        self.found["machine"] += f", {os.getloadavg()[0]:.1f} at the end"
        self._keep()

    def _round(self, work: str, seed: int | None = None) -> None:
        """Let every contestant do a work once, in a new order; with a seed until an error is reached."""
        what = "speed" if seed is None else "to_error"
        able = [name for name in self.pythons if CONTESTANTS[name].can_do(WORKS[work])]
        if seed is not None and "floor" in able:
            able.remove("floor")
        for name in random.sample(able, len(able)):
            answer = self._measured(name, work, seed)
            if answer is None:
                continue
            self.found[what].setdefault(work, {}).setdefault(name, []).append(answer)
            self._keep()

    def _measured(self, name: str, work: str, seed: int | None) -> dict[str, Any] | None:
        contestant, options = CONTESTANTS[name], self.options
        batches = options.batches if seed is None else options.batches[:1]
        command = [self.pythons[name], "-m", "benchmarks.speed.measure", contestant.peer, work, str(self.folder)]
        command += ["--batches", ",".join(map(str, batches)), "--steps", str(options.steps)]
        command += ["--limit", "1"] * options.quick + ([] if seed is None else ["--to-error", str(seed)])
        started, variables = time.perf_counter(), environment_of(contestant, options.threads)
        answer = subprocess.run(command, capture_output=True, text=True, env=variables, cwd=ROOT)
        if answer.returncode:
            reason = (answer.stderr.strip() or "no reason given").splitlines()[-1]
            self.found["left_out"][f"{contestant.words}, {work}"] = reason
            print(f"{work}, {name}: failed: {reason}", file=sys.stderr)
            return None
        print(f"{work}, {name}: {answer.stdout.strip()} ({time.perf_counter() - started:.0f} s)", flush=True)
        return json.loads(answer.stdout)

    def _keep(self) -> None:
        if not self.options.quick:
            KEPT.parent.mkdir(parents=True, exist_ok=True)
            KEPT.write_text(json.dumps(self.found))


def main() -> None:
    """Measure, print, and write the page."""
    options = arguments()
    if options.page_only:
        found = json.loads(KEPT.read_text())
    else:
        with tempfile.TemporaryDirectory() as folder:
            write(Path(folder), load_mnist()[0], load_mnist("test")[0])
            run = Run(options, Path(folder))
            run.everything()
            found = run.found
    print(text(found))
    if not options.quick:
        draw(found)
        put(PAGE, "speed", text(found))


if __name__ == "__main__":
    main()
