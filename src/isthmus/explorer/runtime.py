"""ONNX Runtime for browsers: which version, where its files are, and how they get there.

Its 14 MB of WebAssembly are no part of the repository. ``python -m isthmus.explorer.runtime`` takes them from npm, as
building a wheel does. Nothing here imports the package, so that the build can run it.
"""

from __future__ import annotations

import base64
import hashlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

VERSION = "1.30.0"
INTEGRITY = "sha512-q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJmg8pZClzcV7svNc4rKY3jL02Vb7QmRMDs1SigqR4CXAfKYQ=="
FOLDER = Path(__file__).parent / "runtime"
FILES = ("ort.wasm.bundle.min.mjs", "ort-wasm-simd-threaded.wasm")


def is_there() -> bool:
    """Whether the files of this version are there."""
    marks = FOLDER / "version.txt"
    return marks.is_file() and marks.read_text() == VERSION and all((FOLDER / name).is_file() for name in FILES)


def fetch() -> None:
    """Take the files from npm, unless they are there.

    Raises
    ------
    OSError
        If npm is missing or cannot load the package, or what it loads is not what it should be.
    """
    if is_there():
        return
    npm = shutil.which("npm")
    if npm is None:
        raise OSError(f"npm is needed to load onnxruntime-web {VERSION}; install Node.js")
    with tempfile.TemporaryDirectory() as folder:
        command = [npm, "pack", "--silent", f"onnxruntime-web@{VERSION}"]
        loaded = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        if loaded.returncode:
            reason = (loaded.stderr.strip() or "no reason given").splitlines()[-1]
            raise OSError(f"npm cannot load onnxruntime-web {VERSION}: {reason}")
        (archive,) = Path(folder).glob("*.tgz")
        _take(archive, Path(folder))


def _take(archive: Path, folder: Path) -> None:
    """Check an archive and move what is needed of it to its place."""
    digest = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
    if f"sha512-{digest}" != INTEGRITY:
        raise OSError(f"onnxruntime-web {VERSION} is not the archive it should be: its sha512 differs")
    made = folder / "runtime"
    made.mkdir()
    with tarfile.open(archive) as files:
        for name in FILES:
            member = files.extractfile(f"package/dist/{name}")
            assert member is not None
            (made / name).write_bytes(member.read())
    (made / "version.txt").write_text(VERSION)
    shutil.rmtree(FOLDER, ignore_errors=True)
    shutil.move(made, FOLDER)


if __name__ == "__main__":
    try:
        fetch()
    except OSError as error:
        sys.exit(str(error))
