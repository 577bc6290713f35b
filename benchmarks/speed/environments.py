"""Virtual environments of the peers: made once from pinned requirements, kept outside the tree, used again.

A first line ``# ...; python>=3.12`` of a requirements file says which Python its packages want.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

REQUIREMENTS = Path(__file__).with_name("requirements")
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "isthmus-bench"
NEWEST = 20


class NotInstallableError(Exception):
    """Why an environment cannot be made, in a sentence."""


def python_of(name: str) -> Path:
    """Give the Python of an environment, made now if it is not there with the same pins."""
    requirements = REQUIREMENTS / f"{name}.txt"
    base = interpreter_for(requirements.read_text())
    pins = hashlib.sha256(base.encode() + requirements.read_bytes()).hexdigest()[:12]
    folder = CACHE / f"{name}-{pins}"
    python = folder / "bin" / "python"
    if not (folder / "complete").exists():
        print(f"{name}: installing into {folder}", file=sys.stderr)
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([base, "-m", "venv", folder], check=True)
        install = [python, "-m", "pip", "install", "--quiet", "--requirement", requirements]
        answer = subprocess.run(install, capture_output=True, text=True)
        if answer.returncode:
            raise NotInstallableError(f"{name} does not install: {answer.stderr.strip().splitlines()[-1]}")
        (folder / "complete").touch()
    return python


def interpreter_for(pins: str) -> str:
    """Give a Python that is new enough: this one, or the oldest other one on the path or beside this one."""
    wanted = re.match(r"#.*python>=3\.(\d+)", pins)
    least = int(wanted[1]) if wanted else 0
    if sys.version_info[:2] >= (3, least):
        return str(Path(sys.base_prefix) / "bin" / "python3")
    for python in other_pythons(least):
        if subprocess.run([python, "-V"], capture_output=True).returncode == 0:
            return python
    raise NotInstallableError(f"Python 3.{least} is wanted, and there is only {sys.version.split()[0]}")


def other_pythons(least: int) -> Iterator[str]:
    """Yield interpreters of Python 3, the oldest that is new enough first; some may be stand-ins that do not run."""
    for minor in range(least, NEWEST):
        on_path = shutil.which(f"python3.{minor}")
        if on_path:
            yield on_path
        yield from map(str, Path(sys.base_prefix).parent.glob(f"*3.{minor}*/bin/python3.{minor}"))
