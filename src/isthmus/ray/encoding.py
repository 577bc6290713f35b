"""Encoding on Ray Data: Parquet to Parquet."""

from __future__ import annotations

import logging
import math
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from isthmus.errors import require
from isthmus.files import OutputExistsError
from isthmus.ray.cluster import check_workers, cluster, cpus_for
from isthmus.ray.files import checked_input, columns_of, is_local

_BYTES = 2**25


class Encoder:
    """An actor that holds a model and gives tables of keys and codes for tables of rows."""

    def __init__(self, model: Any, keys: Sequence[str]) -> None:
        self._model, self._keys = model, list(keys)
        self._names = [str(name) for name in model.get_feature_names_out()]

    def __call__(self, table: Any) -> Any:
        """Encode the columns that are no keys."""
        arrow = require("pyarrow", "ray")
        codes = self._model.transform(table.drop_columns(self._keys))
        coded = {name: arrow.array(codes[:, place]) for place, name in enumerate(self._names)}
        return arrow.table({name: table[name] for name in self._keys} | coded)


def transform(
    model: Any,
    path: str | Path,
    out: str | Path,
    *,
    num_workers: int,
    keys: Sequence[str] = (),
    use_gpu: bool = False,
    overwrite: bool = False,
) -> None:
    """Encode Parquet files into Parquet files with several workers of a Ray cluster, in the order of the rows.

    Parameters
    ----------
    model : autoencoder
        A fitted model; each worker holds one.
    path : str or Path
        A Parquet file, a folder of such files, or an address of one such as ``"s3://bucket/rows"``.
    out : str or Path
        Folder or address to write to: the keys and the codes, named as ``get_feature_names_out`` says. Files in the
        order of their names hold the rows in their order.
    num_workers : int
        Processes that encode.
    keys : sequence of str, default=()
        Columns that are no data, such as an identifier; they are written beside the codes.
    use_gpu : bool, default=False
        Whether each worker has a GPU of its own.
    overwrite : bool, default=False
        Whether a folder that exists may be replaced.

    Raises
    ------
    DataError
        If there are no such files or columns.
    OutputExistsError
        If the folder exists and ``overwrite`` is false.
    MissingExtraError
        If Ray is not installed.

    Examples
    --------
    >>> import isthmus.ray  # doctest: +SKIP
    >>> model = isthmus.load("model.safetensors")  # doctest: +SKIP
    >>> isthmus.ray.transform(model, "rows/", "codes/", num_workers=2, keys=["id"])  # doctest: +SKIP
    """
    check_workers(num_workers)
    columns_of(path, keys)
    if is_local(out) and Path(out).exists() and not overwrite:
        raise OutputExistsError(f"{out} exists; choose another name or ask to overwrite it")
    with cluster() as ray, _quietly_in_order() as data:
        codes = data.read_parquet(checked_input(path)).map_batches(
            Encoder,
            fn_constructor_args=(model, tuple(keys)),
            batch_size=max(1, _BYTES // (8 * math.prod(model.schema_.row_shape))),
            batch_format="pyarrow",
            compute=data.ActorPoolStrategy(min_size=1, max_size=num_workers),
            num_cpus=cpus_for(ray, num_workers),
            num_gpus=1 if use_gpu else None,
        )
        _written(codes, out)


@contextmanager
def _quietly_in_order() -> Iterator[Any]:
    """Give the module `ray.data` with blocks in their order and errors alone on the screen, for a block of code.

    Ray's second reader of Parquet (``use_datasource_v2``, the default of 2.60) hands row groups on as they come,
    whatever order is asked for; the first one keeps it.
    """
    data = require("ray.data", "ray")
    context, logger = data.DataContext.get_current(), logging.getLogger("ray.data")
    wanted = [(context.execution_options, "preserve_order", True), (context, "enable_progress_bars", False)]
    if hasattr(context, "use_datasource_v2"):
        wanted.append((context, "use_datasource_v2", False))
    before, level = [getattr(owner, name) for owner, name, _ in wanted], logger.level
    for owner, name, value in wanted:
        setattr(owner, name, value)
    logger.setLevel(logging.ERROR)
    try:
        yield data
    finally:
        for (owner, name, _), value in zip(wanted, before, strict=True):
            setattr(owner, name, value)
        logger.setLevel(level)


def _written(codes: Any, out: str | Path) -> None:
    """Write into a folder beside the one that is wanted, and put it in its place when it is whole."""
    if not is_local(out):
        codes.write_parquet(str(out))
        return
    target = Path(out).absolute()
    unfinished = target.with_name(f".{target.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    try:
        codes.write_parquet(str(unfinished))
        if target.is_dir():
            shutil.rmtree(target)
        unfinished.rename(target)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
