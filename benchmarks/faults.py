"""What becomes of a run when the machine fails: kills, damaged files, a full disk, a folder that cannot be written to.

``python -m benchmarks.faults`` makes each fault happen and writes what came of it into ``docs/reliability.md``.
``--short`` makes fewer of them and writes nothing. A full disk is a small tmpfs, which takes the right to mount.
"""

import argparse
import contextlib
import io
import random
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from benchmarks.machine import machine
from benchmarks.page import RELIABILITY, put, table
from isthmus import DenoisingAutoencoder, load
from isthmus.cli import main as command_line
from isthmus.datasets import load_digits
from isthmus.errors import CheckpointWarning, IsthmusError, ModelFileError
from isthmus.estimator import BaseAutoencoder

KILLS, DAMAGES, SHORT = 20, 300, (1, 40)
SETTINGS = {"code_size": 8, "hidden": (16,), "max_epochs": 30, "random_state": 0}
PROGRAM = f"""
import sys, isthmus
model = isthmus.DenoisingAutoencoder(**{SETTINGS}, checkpoint=sys.argv[1], checkpoint_minutes=0.001, resume=True)
model.fit(isthmus.datasets.load_digits()[0]).save(sys.argv[2], overwrite=True)
"""


@dataclass(frozen=True)
class Fault:
    """What was done, how often, and what came of it; ``held`` says whether it is what is promised."""

    name: str
    times: int
    outcome: str
    held: bool


def same(one: BaseAutoencoder, two: BaseAutoencoder) -> bool:
    """Whether two models have the same bits and the same history, but for the time it took."""
    weights = zip(one.module_.state_dict().values(), two.module_.state_dict().values(), strict=True)
    histories = ([replace(epoch, seconds=0.0) for epoch in model.history_] for model in (one, two))
    return all(torch.equal(*pair) for pair in weights) and next(histories) == next(histories)


def model_in(folder: Path, **changes: object) -> BaseAutoencoder:
    """Give an unfitted model that keeps its checkpoints in a folder."""
    return DenoisingAutoencoder(**{**SETTINGS, "max_epochs": 4, "checkpoint": folder, **changes})


def sentence(work: Callable[[], object]) -> str:
    """Give what a piece of work says when it fails, if that is one sentence; a command line must end with code 2."""
    shown = io.StringIO()
    try:
        with contextlib.redirect_stderr(shown):
            work()
    except SystemExit as end:
        text = shown.getvalue().strip()
        return text if end.code == 2 and "\n" not in text else ""
    except (IsthmusError, OSError) as error:
        return "" if "\n" in str(error) else str(error)
    return ""


def kills(count: int, folder: Path) -> Fault:
    """Kill a run at random moments, resume it each time, and compare it with one that was left alone."""
    chance, command, killed = random.Random(0), [sys.executable, "-c", PROGRAM], 0
    subprocess.run([*command, folder / "whole", folder / "whole.safetensors"], check=True)
    while killed < count:
        before = set((folder / "cut").glob("step-*"))
        process = subprocess.Popen([*command, folder / "cut", folder / "cut.safetensors"])
        while set((folder / "cut").glob("step-*")) <= before and process.poll() is None:
            time.sleep(0.01)
        time.sleep(chance.uniform(0.0, 0.1))
        process.kill()
        if process.wait() == 0:  # it came to its end: begin a new run
            for file in (folder / "cut").glob("step-*"):
                file.unlink()
        killed += process.returncode != 0
    subprocess.run([*command, folder / "cut", folder / "cut.safetensors"], check=True)
    held = same(load(folder / "whole.safetensors"), load(folder / "cut.safetensors"))
    outcome = "resumed to the same bits" if held else "**resumed to other bits**"
    return Fault("killed (SIGKILL) at a random moment", count, outcome, held)


def damaged(content: bytes, chance: random.Random) -> bytes:
    """Cut a file short, flip a bit, or overwrite a stretch."""
    place = chance.randrange(len(content))
    kind = chance.randrange(3)
    if kind == 0:
        return content[:place]
    if kind == 1:
        return content[:place] + bytes([content[place] ^ (1 << chance.randrange(8))]) + content[place + 1 :]
    return content[:place] + chance.randbytes(64) + content[place + 64 :]


def damaged_checkpoints(count: int, folder: Path) -> Fault:
    """Damage the last checkpoint and resume: the one before is taken, and the end has the same bits."""
    chance, held = random.Random(0), 0
    whole = model_in(folder / "run").fit(load_digits()[0])
    last = max((folder / "run").glob("step-*"))
    content = last.read_bytes()
    for _ in range(count):
        last.write_bytes(damaged(content, chance))
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            resumed = model_in(folder / "run", resume=True).fit(load_digits()[0])
        said = [one for one in caught if issubclass(one.category, CheckpointWarning)]
        held += same(whole, resumed) and len(said) <= 1
    outcome = f"{held} resumed from the one before, with a warning, to the same bits"
    return Fault("the last checkpoint is damaged", count, outcome, held == count)


def damaged_models(count: int, folder: Path) -> Fault:
    """Damage a model file and load it: it is refused, or loads as it was where the damage is in the padding."""
    chance, refused, loaded = random.Random(0), 0, 0
    path = folder / "model.safetensors"
    X, _ = load_digits()
    model = DenoisingAutoencoder(**{**SETTINGS, "max_epochs": 1}).fit(X)
    model.save(path)
    codes, content = model.transform(X), path.read_bytes()
    for _ in range(count):
        path.write_bytes(damaged(content, chance))
        try:
            loaded += np.array_equal(load(path).transform(X), codes)
        except ModelFileError as error:
            refused += "\n" not in str(error)
    outcome = f"{refused} refused in one sentence, {loaded} loaded as it was; nothing else"
    return Fault("a model file is damaged", count, outcome, refused + loaded == count)


@contextlib.contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Path]:
    """Mount a small file system.

    Raises
    ------
    PermissionError
        If this user may not.
    """
    place = folder / "disk"
    place.mkdir(exist_ok=True)
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", place], capture_output=True)
    if mounted.returncode:
        raise PermissionError(mounted.stderr.decode().strip())
    try:
        yield place
    finally:
        subprocess.run(["umount", place], check=True)


def full_disk(folder: Path) -> Iterator[Fault]:
    """Train, save and encode where there is no room."""
    X = load_digits()[0]
    saved = folder / "fitted.safetensors"
    model = DenoisingAutoencoder(**{**SETTINGS, "max_epochs": 1}).fit(X)
    model.save(saved)
    with small_disk(folder, "200k") as disk:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            run = model_in(disk / "run", hidden=(64,)).fit(X)
        warned = any(issubclass(one.category, CheckpointWarning) for one in caught)
        whole = model_in(folder / "elsewhere", hidden=(64,)).fit(X)
        yield Fault("checkpoints on a full disk", 1, "the run goes on, with a warning", warned and same(run, whole))
        with contextlib.suppress(OSError), (disk / "filled").open("wb", buffering=0) as file:
            while file.write(bytes(4096)):
                pass
        before = sorted(disk.rglob("*"))
        for name, work in (
            ("a model saved on a full disk", lambda: model.save(disk / "model.safetensors")),
            ("codes written on a full disk", lambda: encode(saved, folder, disk / "codes.npy")),
        ):
            held = bool(sentence(work)) and sorted(disk.rglob("*")) == before
            yield Fault(name, 1, "one sentence, and no half of a file", held)


def encode(model: Path, folder: Path, out: Path) -> None:
    """Encode more rows than there is room for, on the command line."""
    np.save(folder / "rows.npy", np.tile(load_digits()[0], (4, 1, 1)))
    command_line(["encode", str(model), str(folder / "rows.npy"), "-o", str(out), "--overwrite"])


def read_only(folder: Path) -> Iterator[Fault]:
    """Train and save where nothing can be written."""
    X = load_digits()[0]
    model = DenoisingAutoencoder(**{**SETTINGS, "max_epochs": 1}).fit(X)
    with small_disk(folder, "1m") as disk:
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        train = ["train", "digits", "--out", str(disk)]
        before, at_once = "one sentence, before any training", "one sentence"
        for name, outcome, word, work in (
            ("checkpoints in a read-only folder", before, "checkpoint:", lambda: model_in(disk / "run").fit(X)),
            ("`isthmus train --out` in a read-only folder", before, "--out:", lambda: command_line(train)),
            ("a model saved in a read-only folder", at_once, "", lambda: model.save(disk / "model.safetensors")),
        ):
            said = sentence(work)
            yield Fault(name, 1, outcome, bool(said) and word in said)


def faults(short: bool) -> Iterator[Fault]:
    """Make all faults happen, each in a folder of its own."""
    n_kills, n_damages = SHORT if short else (KILLS, DAMAGES)
    works: list[Callable[[Path], Iterator[Fault]]] = [
        lambda folder: iter([kills(n_kills, folder)]),
        lambda folder: iter([damaged_checkpoints(max(2, n_damages // 10), folder)]),
        lambda folder: iter([damaged_models(n_damages, folder)]),
        full_disk,
        read_only,
    ]
    for work in works:
        with tempfile.TemporaryDirectory(prefix="isthmus-faults-") as folder:
            try:
                yield from work(Path(folder))
            except PermissionError as error:
                yield Fault(str(work.__doc__).partition("\n")[0], 0, f"left out: mounting is refused ({error})", True)


def main() -> None:
    """Print each fault as it is known, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true")
    options = parser.parse_args()
    found = []
    for fault in faults(options.short):
        found.append(fault)
        print(
            f"{fault.name}, {fault.times} times: {fault.outcome} ({'held' if fault.held else 'NOT HELD'})", flush=True
        )
    rows = [(one.name, one.times, one.outcome, "yes" if one.held else "**no**") for one in found]
    if not options.short:
        put(RELIABILITY, "faults", f"{table(('fault', 'times', 'what came of it', 'held'), rows)}\n\n{machine()}.")
    if not all(one.held for one in found):
        sys.exit(1)


if __name__ == "__main__":
    main()
