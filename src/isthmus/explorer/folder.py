"""The explorer as a folder of files, for any web server; it decodes and encodes within the browser."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from isthmus.errors import MissingExtraError
from isthmus.explorer import runtime
from isthmus.explorer.atlas import Atlas
from isthmus.explorer.site import PAGE, index, styles
from isthmus.files import OutputExistsError

_MARK = Path("data", "atlas.json")


def check_folder(folder: Path, *, overwrite: bool) -> None:
    """Refuse a folder that cannot be written, before any work is done for it.

    Raises
    ------
    OutputExistsError
        If it exists and is not to be replaced, or holds anything but an explorer.
    MissingExtraError
        If ONNX Runtime for browsers is not installed.
    """
    if not folder.parent.is_dir():
        raise FileNotFoundError(f"there is no folder {folder.parent} for the folder {folder.name}")
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
    if folder.exists() and not overwrite:
        raise OutputExistsError(f"{folder} exists; choose another name or ask to overwrite it")
    if folder.exists() and not (folder / _MARK).is_file():
        raise OutputExistsError(f"{folder} is no explorer that was exported before, and is not overwritten")
    if not runtime.is_there():
        advice = "run python -m isthmus.explorer.runtime once, which needs npm"
        raise MissingExtraError(f"ONNX Runtime for browsers is needed for this and is not installed: {advice}")


def write_folder(atlas: Atlas, folder: Path, *, overwrite: bool = False) -> int:
    """Write page, data, networks and the runtime of these; encoder and decoder are compared with the model first.

    Parameters
    ----------
    atlas : Atlas
        What the page shows.
    folder : Path
        The folder to make.
    overwrite : bool, default=False
        Whether an explorer that was exported there before may be replaced.

    Returns
    -------
    int
        Bytes written.

    Raises
    ------
    OutputExistsError, MissingExtraError
        As `check_folder` does.
    ExportError
        If the network cannot be exported, or the file's answers are not the model's.
    """
    check_folder(folder, overwrite=overwrite)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as temporary:
        made = Path(temporary) / "new"
        _fill(atlas, made)
        if folder.exists():
            folder.rename(Path(temporary) / "old")
        made.rename(folder)
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _fill(atlas: Atlas, folder: Path) -> None:
    (folder / "data" / "rows").mkdir(parents=True)
    for name in atlas.file_names():
        (folder / "data" / name).write_bytes(atlas.file(name))
    for half, other in (("decoder", "encoder"), ("encoder", "decoder")):
        atlas.model.export(folder / "data" / f"{half}.onnx", atlas.rows, **{other: False})
    shutil.copytree(PAGE, folder / "page")
    shutil.copytree(runtime.FOLDER, folder / "runtime")
    (folder / "index.html").write_text(index("onnx"), "utf-8")
    (folder / "theme.css").write_text(styles(), "utf-8")
