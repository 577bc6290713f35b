"""How the cost of a fit grows with rows, columns and epochs: ``python -m benchmarks.growth [--quick]``.

Each size is a process of its own. The table and the plot go into ``docs/performance.md``; ``--quick`` takes small sizes
and writes nothing.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from numpy.lib import format as npy

from benchmarks.machine import machine
from benchmarks.memory import resident, watched
from benchmarks.page import put, table

PAGE = Path(__file__).parents[1] / "docs" / "performance.md"
PLOT = PAGE.with_name("performance-growth.svg")
CODE, HIDDEN, BATCH, BLOCK = 2, (16,), 1_024, 100_000
MB, NANO = 1_000_000, 1e9
HEADS = ("rows", "columns", "held in", "epochs", "epoch", "a row", "a cell", "fit", "peak", "data + model + 2 batches")


@dataclass(frozen=True)
class Size:
    """What is fitted."""

    rows: int
    columns: int = 8
    epochs: int = 2
    mapped: bool = False


ROWS = [Size(10_000), Size(100_000), Size(1_000_000), Size(1_000_000, mapped=True), Size(10_000_000, mapped=True)]
COLUMNS = [Size(100_000, columns) for columns in (30, 100, 300, 1_000)]
EPOCHS = [Size(100_000, epochs=epochs) for epochs in (4, 8, 16)]
QUICK = [Size(2_000), Size(20_000), Size(20_000, mapped=True), Size(2_000, 80), Size(2_000, epochs=4)]


def write(path: Path, size: Size) -> None:
    """Write rows that two numbers describe, with noise, block by block."""
    random = np.random.default_rng(0)
    plane = random.standard_normal((2, size.columns), dtype=np.float32)
    with path.open("wb") as file:
        npy.write_array_header_1_0(file, {"descr": "<f4", "fortran_order": False, "shape": (size.rows, size.columns)})
        for start in range(0, size.rows, BLOCK):
            count = min(BLOCK, size.rows - start)
            rows = random.standard_normal((count, 2), dtype=np.float32) @ plane
            file.write((rows + random.standard_normal(rows.shape, dtype=np.float32) / 4).tobytes())


def measure(path: str, size: Size) -> dict[str, Any]:
    """Fit in this process; give seconds of an epoch and of the fit, the peak and what it should hold, in MB."""
    import isthmus

    settings = {"hidden": HIDDEN, "batch_size": BATCH, "validation_fraction": 0.0, "random_state": 0}
    model = isthmus.DenseAutoencoder(CODE, max_epochs=size.epochs, **settings)
    model.fit(np.random.RandomState(0).rand(64, size.columns).astype(np.float32))  # load what a first fit loads
    base = resident("VmRSS")
    peak, seconds = watched(lambda: model.fit(path if size.mapped else np.load(path)), base)
    weights = sum(weight.numel() for weight in model.module_.parameters())
    data = 0 if size.mapped else size.rows * size.columns
    numbers = data + 4 * weights + 2 * BATCH * size.columns  # a weight has a gradient and two averages
    epoch = median(epoch.seconds for epoch in model.history_[1:])
    return {"epoch": epoch, "fit": seconds, "peak": peak, "needed": 4 * numbers / MB}


def measured(size: Size, folder: Path) -> dict[str, Any]:
    """Make rows of a size, measure in a process of its own, and delete them."""
    path = folder / "rows.npy"
    write(path, size)
    command = [sys.executable, "-m", "benchmarks.growth", "--child", str(path), json.dumps(asdict(size))]
    answer = subprocess.run(command, check=True, capture_output=True, text=True)
    path.unlink()
    return json.loads(answer.stdout)


def line(size: Size, found: dict[str, Any]) -> list[str]:
    """Give a row of the table."""
    return [
        f"{size.rows:,}",
        f"{size.columns:,}",
        "a memory map" if size.mapped else "memory",
        str(size.epochs),
        f"{found['epoch']:.3g} s",
        f"{NANO * found['epoch'] / size.rows:,.0f} ns",
        f"{NANO * found['epoch'] / size.rows / size.columns:,.1f} ns",
        f"{found['fit']:.3g} s",
        f"{found['peak']:,.0f} MB",
        f"{found['needed']:,.1f} MB",
    ]


def draw(found: dict[Size, dict[str, Any]]) -> None:
    """Draw nanoseconds of an epoch: a row's against rows, a cell's against columns."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "isthmus", "font.size": 9}):
        picture = Figure(figsize=(7, 2.6), layout="constrained")
        by_rows, by_columns = picture.subplots(1, 2)
        for mapped, label in ((False, "memory"), (True, "memory map")):
            sizes = [size for size in ROWS if size.mapped == mapped]
            costs = [NANO * found[size]["epoch"] / size.rows for size in sizes]
            by_rows.plot([size.rows for size in sizes], costs, "o-", label=label)
        costs = [NANO * found[size]["epoch"] / size.rows / size.columns for size in COLUMNS]
        by_columns.plot([size.columns for size in COLUMNS], costs, "o-")
        by_rows.set(xscale="log", ylim=0, xlabel="rows of 8 columns", ylabel="ns a row and epoch")
        by_columns.set(xscale="log", ylim=0, xlabel="columns, 100,000 rows", ylabel="ns a cell and epoch")
        by_rows.legend(frameon=False)
        for axes in (by_rows, by_columns):
            axes.grid(alpha=0.3)
            axes.spines[["top", "right"]].set_visible(False)
        picture.savefig(PLOT, metadata={"Date": None})


def main() -> None:
    """Measure all sizes, or with ``--child`` one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    if options.child:
        print(json.dumps(measure(options.child[0], Size(**json.loads(options.child[1])))))
        return
    found = {}
    folder = Path(tempfile.mkdtemp(prefix="isthmus-growth-"))
    try:
        for size in QUICK if options.quick else [*ROWS, *COLUMNS, *EPOCHS]:
            found[size] = measured(size, folder)
            print(" | ".join(line(size, found[size])), flush=True)
    finally:
        shutil.rmtree(folder)
    if options.quick:
        return
    draw(found)
    about = (
        f"{machine()}; dense network, hidden {HIDDEN}, code {CODE}, batches of {BATCH:,}; peaks are over a first fit."
    )
    rows = table(HEADS, [line(size, one) for size, one in found.items()])
    put(PAGE, "growth", f"{about}\n\n{rows}\n\n![Cost of a row and of a cell]({PLOT.name})")


if __name__ == "__main__":
    main()
