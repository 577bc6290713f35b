"""Peak memory against rows: data of 10 MB to 20 GB, fitted for an epoch and encoded, as a memory map and as Parquet.

``python -m benchmarks.memory`` makes the data, measures each in a process of its own, and writes the table into
``docs/reliability.md``. ``--short`` takes data of 10 and 300 MB and writes nothing; ``--folder`` says where there is
room, ``--kinds`` and ``--sizes`` (in MB) choose.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy

from benchmarks.machine import machine
from benchmarks.page import RELIABILITY, put, table

COLUMNS, BLOCK = 1_000, 8_192
ROW = 4 * COLUMNS
KINDS = ("memory map", "Parquet")
SIZES, SHORT = (10, 100, 1_000, 5_000, 20_000), (10, 300)
BOUND = 1_000
MB = 1_000_000
HEADS = ("data", "rows", "size", "fit: peak", "data read", "seconds", "encode: peak", "seconds")


def blocks(rows: int) -> Iterator[np.ndarray]:
    """Yield rows that eight numbers describe, with noise, some 32 MB at a time."""
    random = np.random.default_rng(0)
    basis = random.standard_normal((8, COLUMNS), dtype=np.float32)
    noise = random.standard_normal((BLOCK, COLUMNS), dtype=np.float32) / 4
    for start in range(0, rows, BLOCK):
        count = min(BLOCK, rows - start)
        yield random.standard_normal((count, 8), dtype=np.float32) @ basis + np.roll(noise, start // BLOCK, 0)[:count]


def make_map(folder: Path, rows: int) -> Path:
    """Write a ``.npy`` file block by block."""
    path = folder / "rows.npy"
    with path.open("wb") as file:
        npy.write_array_header_1_0(file, {"descr": "<f4", "fortran_order": False, "shape": (rows, COLUMNS)})
        for block in blocks(rows):
            file.write(block.tobytes())
    return path


def make_parquet(folder: Path, rows: int) -> Path:
    """Write a folder of files of 16 row groups of 32 MB."""
    import pyarrow
    from pyarrow import parquet

    folder = folder / "rows"
    folder.mkdir()
    writer, names = None, [f"x{column}" for column in range(COLUMNS)]
    for place, block in enumerate(blocks(rows)):
        one = pyarrow.table(dict(zip(names, np.ascontiguousarray(block.T), strict=True)))
        if place % 16 == 0:
            if writer is not None:
                writer.close()
            path = folder / f"{place // 16:04d}.parquet"
            writer = parquet.ParquetWriter(path, one.schema, use_dictionary=False, write_statistics=True)
        assert writer is not None
        writer.write_table(one)
    assert writer is not None
    writer.close()
    return folder


MAKE: dict[str, Callable[[Path, int], Path]] = {"memory map": make_map, "Parquet": make_parquet}


def resident(what: str) -> int:
    """Give what the system says of this process's memory: ``VmRSS`` now, or ``VmHWM``, the most so far; in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(f"{what}:"))


def counted(sources: list[type]) -> list[int]:
    """Count the bytes of all blocks that sources hand out from now on."""
    total = [0]
    for source in sources:
        read: Any = source.read  # type: ignore[attr-defined]

        def counting(self: Any, *arguments: Any, read: Any = read) -> Iterator[np.ndarray]:
            for block in read(self, *arguments):
                total[0] += block.nbytes
                yield block

        source.read = counting  # type: ignore[attr-defined]
    return total


def watched(work: Callable[[], object], base: int) -> tuple[float, float]:
    """Do something; give the most memory over ``base`` meanwhile in MB, and seconds."""
    Path("/proc/self/clear_refs").write_text("5")  # forget the peak so far
    started = time.perf_counter()
    work()
    return (resident("VmHWM") - base) / MB, time.perf_counter() - started


def measure(data: str, folder: str) -> None:
    """Fit and encode in this process, and print what was seen as JSON."""
    import isthmus
    from isthmus.cli import main as command_line
    from isthmus.sources.arrays import SlicedRows
    from isthmus.sources.opening import from_path
    from isthmus.sources.parquet import ParquetRows

    settings: dict[str, Any] = {"max_epochs": 1, "batch_size": 4096, "random_state": 0, "validation_fraction": 0.02}
    model = isthmus.DenseAutoencoder(8, hidden=(16,), **settings)
    model.fit(np.eye(64, dtype=np.float32))  # load what a first fit loads
    source, saved, base = from_path(data), Path(folder) / "model.safetensors", resident("VmRSS")
    read = counted([SlicedRows, ParquetRows])
    peak, seconds = watched(lambda: model.fit(source), base)
    passes = read[0] / (len(source) * ROW)
    model.save(saved)
    codes = Path(folder) / ("codes.npy" if data.endswith(".npy") else "codes.parquet")
    encode_peak, encode_seconds = watched(lambda: command_line(["encode", str(saved), data, "-o", str(codes)]), base)
    names = ("peak", "passes", "seconds", "encode_peak", "encode_seconds")
    print(json.dumps(dict(zip(names, (peak, passes, seconds, encode_peak, encode_seconds), strict=True))))


def measured(kind: str, size: int, folder: Path) -> dict[str, Any]:
    """Make data of a size in MB, measure it in a process of its own, and delete it."""
    rows = size * MB // ROW
    place = Path(tempfile.mkdtemp(prefix="isthmus-memory-", dir=folder))
    try:
        command = [sys.executable, "-m", "benchmarks.memory", "--child", str(MAKE[kind](place, rows)), str(place)]
        answer = subprocess.run(command, check=True, capture_output=True, text=True, env=os.environ)
        return {"kind": kind, "rows": rows, "size": size, **json.loads(answer.stdout.splitlines()[-1])}
    finally:
        shutil.rmtree(place)


def line(found: dict[str, Any]) -> list[str]:
    """Give a row of the table; small data are read into memory at once."""
    read = f"{found['passes']:.2f} times" if found["passes"] else "once, into memory"
    return [
        found["kind"],
        f"{found['rows']:,}",
        f"{found['size']:,} MB",
        f"{found['peak']:,.0f} MB",
        read,
        f"{found['seconds']:.0f}",
        f"{found['encode_peak']:,.0f} MB",
        f"{found['encode_seconds']:.0f}",
    ]


def main() -> None:
    """Measure all sizes for which there is room."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()))
    parser.add_argument("--kinds", type=lambda text: text.split(","), default=KINDS)
    parser.add_argument("--sizes", type=lambda text: [int(size) for size in text.split(",")])
    options = parser.parse_args()
    if options.child:
        measure(*options.child)
        return
    found = []
    for kind in options.kinds:
        for size in options.sizes or (SHORT if options.short else SIZES):
            if shutil.disk_usage(options.folder).free < 1.2 * size * MB:
                print(f"{kind}, {size:,} MB: left out, {options.folder} has no room")
                continue
            found.append(measured(kind, size, options.folder))
            print(" | ".join(line(found[-1])), flush=True)
    text = f"{machine()}; {COLUMNS:,} columns of float32, one epoch; peaks are over import and a first fit."
    if not options.short:
        put(RELIABILITY, "memory", f"{table(HEADS, [line(one) for one in found])}\n\n{text}")


if __name__ == "__main__":
    main()
