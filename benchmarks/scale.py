"""Rows per second of fit and encode against rows, columns and workers: ``python -m benchmarks.scale [--once]``.

One process, two ranks under torchrun and two Ray workers do the same work on the same Parquet files, one after the
other, in rounds; the medians go into ``docs/scale.md``, with a model of how the cost grows, checked by simulation.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

import numpy as np

from benchmarks.machine import machine
from benchmarks.page import put

PAGE = Path(__file__).parents[1] / "docs" / "scale.md"
ENGINES = ("one process", "two ranks", "two Ray workers")
HIDDEN, CODE, BATCH, EPOCHS = (64,), 8, 1024, 3
NETWORK, MEMORY = 1.25e9, 10e9
Fits = dict[tuple[int, int], dict[str, tuple[float, float, float]]]


def main() -> None:
    """Measure, and write the page's table."""
    once = "--once" in sys.argv
    sizes = [(300_000, 50), *([] if once else [(1_200_000, 50)]), (300_000, 400)]
    lines = measured(sizes, rounds=1 if once else 3)
    print("\n".join(lines))
    put(PAGE, "measured", "\n".join(lines))


def measured(sizes: Sequence[tuple[int, int]], rounds: int) -> list[str]:
    """Give the lines of the table, of the model and of what it says."""
    lines = [
        f"{machine()}. Dense network, hidden {HIDDEN}, code {CODE}, batches of {BATCH}; medians of rounds: {rounds}; a "
        "process or worker has one thread.",
        "",
        "| rows x columns | engine | fit, rows/s | of one process | encode, rows/s | of one process | whole fit |",
        "|---|---|---|---|---|---|---|",
    ]
    fits: Fits = {}
    with tempfile.TemporaryDirectory() as folder:
        for rows, columns in sizes:
            files = Path(folder) / f"{rows}x{columns}"
            write_rows(files, rows, columns)
            runs = {engine: [] for engine in ENGINES}
            for _ in range(rounds):
                for engine in ENGINES:
                    runs[engine].append(run(engine, files, Path(folder)))
            fits[rows, columns] = {
                engine: tuple(median(one[place] for one in several) for place in range(3))
                for engine, several in runs.items()
            }
            lines += rows_of_table(rows, columns, fits[rows, columns])
    return [*lines, "", *plan(fits)]


def rows_of_table(rows: int, columns: int, found: dict[str, tuple[float, float, float]]) -> list[str]:
    """Give the table's lines of one size."""
    alone = found[ENGINES[0]]
    lines = []
    for engine, (epoch, encode, whole) in found.items():
        cells = [f"{rows:,} x {columns}", engine, f"{rows / epoch:,.0f}", f"{alone[0] / epoch:.2f}"]
        cells += ["-", "-"] if encode != encode else [f"{rows / encode:,.0f}", f"{alone[1] / encode:.2f}"]
        lines.append(f"| {' | '.join([*cells, f'{whole:.1f} s'])} |")
    return lines


def write_rows(folder: Path, rows: int, columns: int) -> None:
    """Write Parquet files of 50,000 rows on a plane of 8 dimensions, with noise."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder.mkdir()
    random = np.random.RandomState(0)
    plane = random.randn(8, columns)
    for start in range(0, rows, 50_000):
        some = np.tanh(random.randn(min(50_000, rows - start), 8) @ plane) + 0.1 * random.randn(1, columns)
        table = pa.table({f"c{place}": some[:, place].astype(np.float32) for place in range(columns)})
        pq.write_table(table, folder / f"{start:09d}.parquet", row_group_size=10_000)


PROGRAM = """
import json, sys, time
import torch, isthmus, isthmus.ray
from isthmus.ranks import joined
torch.set_num_threads(1)
engine, files, out, settings = sys.argv[1], sys.argv[2], sys.argv[3], json.loads(sys.argv[4])
settings["hidden"] = tuple(settings["hidden"])
model, started = isthmus.DenseAutoencoder(**settings), time.perf_counter()
with joined() as ranks:
    if engine == "two Ray workers":
        model = isthmus.ray.fit(model, files, num_workers=2)
    else:
        model.fit(files)
whole = time.perf_counter() - started
epoch = min(one.seconds for one in model.history_)
encode = float("nan")
started = time.perf_counter()
if engine == "one process":
    model.transform(files)
    encode = time.perf_counter() - started
elif engine == "two Ray workers":
    isthmus.ray.transform(model, files, out, num_workers=2, overwrite=True)
    encode = time.perf_counter() - started
if ranks.first:
    print("FOUND", json.dumps([epoch, encode, whole]))
"""


def run(engine: str, files: Path, folder: Path) -> list[float]:
    """Run one engine in processes of its own; give the seconds of an epoch, of encoding, of the whole fit."""
    program = folder / "program.py"
    program.write_text(PROGRAM)
    launcher = ["-m", "torch.distributed.run", "--nproc-per-node", "2"] if engine == "two ranks" else []
    settings = {"code_size": CODE, "hidden": HIDDEN, "batch_size": BATCH, "max_epochs": EPOCHS, "random_state": 0}
    command = [sys.executable, *launcher, str(program), engine, str(files), str(folder / "codes"), json.dumps(settings)]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "RAY_AUTH_MODE": "disabled", "PYTHONWARNINGS": "ignore"}
    done = subprocess.run(command, env=environment, check=True, text=True, capture_output=True)
    return json.loads(done.stdout.partition("FOUND")[2].splitlines()[0])


# ---------------------------------------------------------------- the model


def plan(fits: Fits) -> list[str]:
    """Say what the measured costs mean for a billion rows of a thousand columns."""
    fewest = min(rows for rows, _ in fits)
    few, wide = ((rows, columns) for rows, columns in fits if rows == fewest)
    lines = ["Cost of a row on one core, from the two widths above:", ""]
    cost = {}
    for name, place in (("fit, an epoch", 0), ("encode", 1)):
        low, high = (fits[size][ENGINES[0]][place] / size[0] for size in (few, wide))
        slope = max(0.0, (high - low) / (wide[1] - few[1]))
        constant = max(0.0, low - slope * few[1])
        cost[name] = constant + slope * 1_000
        lines.append(f"- {name}: {1e6 * constant:.2f} us and {1e9 * slope:.1f} ns a column")
    step = fits[few][ENGINES[0]][0] * BATCH / few[0]
    expected = simulated(step, 1, few[1]) / simulated(step / 2, 2, few[1], MEMORY)
    found = fits[few][ENGINES[0]][0] / fits[few][ENGINES[1]][0]
    return [
        *lines,
        "",
        f"The simulation of two ranks on one machine says {expected:.2f} times one process; measured: {found:.2f}.",
        "",
        "10^9 rows of 1,000 columns, 5 epochs, at $0.05 a core hour, machines of 16 cores, 10 Gbit/s between them:",
        "",
        "| cores | rows of a batch | simulated efficiency | fit | price | encode | price |",
        "|---|---|---|---|---|---|---|",
        *(_billion(cost["fit, an epoch"], cost["encode"], ranks, own) for ranks in (64, 1_024) for own in (64, 1_024)),
    ]


def _billion(fit: float, encode: float, ranks: int, own: int) -> str:
    """Give the line of a cluster on which each rank takes ``own`` rows of a batch."""
    efficiency = simulated(fit * own, 1, 1_000) / simulated(fit * own, ranks, 1_000)
    hours = 5 * 1e9 * fit / ranks / efficiency / 3600, 1e9 * encode / ranks / 3600
    prices = [f"{time:.2f} h | ${0.05 * ranks * time:,.0f}" for time in hours]
    return f"| {ranks:,} | {ranks * own:,} | {efficiency:.2f} | {' | '.join(prices)} |"


def simulated(step: float, ranks: int, columns: int, bandwidth: float = NETWORK, steps: int = 500) -> float:
    """Give the mean seconds of a step whose ranks wait for the slowest and then sum gradients in a ring.

    A rank's step takes a log-normal time with a spread of a tenth. A ring of n ranks sends 2 (n - 1) / n of the bytes
    of the weights in 2 (n - 1) hops, of 20 microseconds each between machines of 16 cores and 2 within one.
    """
    random = np.random.default_rng(0)
    slowest = step * np.exp(0.1 * random.standard_normal((steps, ranks))).max(axis=1)
    weights = 4 * (2 * columns * HIDDEN[0] + 2 * HIDDEN[0] * CODE)
    hops = 2 * (ranks - 1)
    hop = 2e-6 if ranks <= 16 else 20e-6 / 16 + 2e-6 * 15 / 16
    return float(slowest.mean()) + hops * (weights / ranks / bandwidth + hop)


if __name__ == "__main__":
    started = time.perf_counter()
    main()
    print(f"{time.perf_counter() - started:.0f} s")
