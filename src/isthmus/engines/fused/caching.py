"""Where emitted code is kept: a source file for each network, beside it what numba made of it and what was decided."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import platform
import sys
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock

from isthmus.files import OutputExistsError, replaced

VARIABLE = "ISTHMUS_CACHE"
Tell = Callable[[str], None]


def cache_folder() -> Path:
    """Give the folder of compiled code: what the environment variable says, else the user's cache.

    Examples
    --------
    >>> import os
    >>> os.environ["ISTHMUS_CACHE"] = "/tmp/compiled"
    >>> str(cache_folder())
    '/tmp/compiled'
    >>> del os.environ["ISTHMUS_CACHE"]
    """
    if os.environ.get(VARIABLE):
        return Path(os.environ[VARIABLE])
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local")) / "isthmus"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "isthmus"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "isthmus"


def processor() -> str:
    """Name the processor as well as the system knows it."""
    file = Path("/proc/cpuinfo")
    lines = file.read_text().splitlines() if file.exists() else []
    return next((line for line in lines if line.startswith("model name")), platform.processor())


class Kept:
    """The code of a network in the cache.

    Parameters
    ----------
    source : str
        Its text. The name of the file is a digest of it, of the versions, and of machine and threads, on which a
        decision depends.
    """

    def __init__(self, source: str) -> None:
        self._source = source
        facts = (source, metadata.version("numba"), sys.version, processor(), str(torch.get_num_threads()))
        digest = hashlib.blake2b("\n".join(facts).encode(), digest_size=10).hexdigest()
        self.name = f"fused_{digest}"
        self.file = cache_folder() / f"{self.name}.py"
        self._decision = self.file.with_suffix(".json")

    @property
    def decision(self) -> dict[str, Any] | None:
        """What was decided about it on this machine; None if nothing was."""
        try:
            return dict(json.loads(self._decision.read_text()))
        except FileNotFoundError:
            return None
        except ValueError:
            self._decision.unlink(missing_ok=True)
            return None

    def decide(self, decision: dict[str, Any]) -> dict[str, Any]:
        """Keep a decision, unless another process was first; give the one that is kept."""
        _write(self._decision, json.dumps(decision) + "\n")
        return self.decision or decision

    def load(self, tell: Tell) -> Any:
        """Give the compiled code; compile it if no process has done so before, one at a time."""
        self.file.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(self.file.with_suffix(".lock")):
            _write(self.file, self._source)
            return _loaded(self.name, self.file, tell)


def _loaded(name: str, file: Path, tell: Tell) -> Any:
    """Run an emitted file, once in a process; numba looks for its module among the loaded ones, too."""
    if f"isthmus_{name}" in sys.modules:
        return sys.modules[f"isthmus_{name}"]
    compiled = file.parent / "__pycache__"
    if not any(compiled.glob(f"{name}.*.nbc")):
        tell("compiling the network, once for this machine")
    specification = importlib.util.spec_from_file_location(f"isthmus_{name}", file)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    sys.modules[specification.name] = module
    try:
        specification.loader.exec_module(module)
    except BaseException:
        del sys.modules[specification.name]
        raise
    return module


def _write(path: Path, text: str) -> None:
    """Write a file that is not there: numba takes a file with another date for another file."""
    if path.exists():
        return
    try:
        with replaced(path, overwrite=False) as temporary:
            temporary.write_text(text)
    except OutputExistsError:
        return
