"""Fitting on Ray Train."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TypeVar

from sklearn.base import clone

from isthmus.errors import IsthmusError, require
from isthmus.ray.cluster import check_workers, cluster, cpus_for
from isthmus.ray.files import checked_input, columns_of, is_local

Model = TypeVar("Model")
_FILE = "model.safetensors"


def fit(
    model: Model,
    path: str | Path,
    *,
    num_workers: int,
    keys: Sequence[str] = (),
    storage_path: str | Path | None = None,
    max_failures: int = 3,
    use_gpu: bool = False,
    classes: Iterable[type] = (),
) -> Model:
    """Fit a model to Parquet files with several workers of a Ray cluster.

    The workers are the ranks of one run: each reads its share of the rows, and the batches are as large as
    ``batch_size`` says in all. After each epoch the state of the run is kept; if a worker dies, Ray starts the workers
    again and they go on from there.

    Parameters
    ----------
    model : autoencoder
        An estimator; it stays as it is.
    path : str or Path
        A Parquet file, a folder of such files, or an address of one such as ``"s3://bucket/rows"``; all workers must
        be able to read it.
    num_workers : int
        Processes that train.
    keys : sequence of str, default=()
        Columns that are no data, such as an identifier.
    storage_path : str or Path, default=None
        Folder that all workers can write to, for checkpoints and the result; needed on more than one machine. None:
        a temporary folder.
    max_failures : int, default=3
        How often workers that died are started again.
    use_gpu : bool, default=False
        Whether each worker has a GPU of its own.
    classes : iterable of type, default=()
        The parts that you wrote yourself, if the model uses any.

    Returns
    -------
    autoencoder
        The fitted model, of the class of ``model``.

    Raises
    ------
    DataError
        If there are no such files or columns.
    IsthmusError
        If the workers failed more often than that.
    MissingExtraError
        If Ray is not installed.

    Examples
    --------
    >>> import isthmus.ray  # doctest: +SKIP
    >>> model = isthmus.DenseAutoencoder(8)  # doctest: +SKIP
    >>> fitted = isthmus.ray.fit(model, "rows/", num_workers=2, keys=["id"])  # doctest: +SKIP
    """
    check_workers(num_workers)
    columns_of(path, keys)
    with ExitStack() as stack:
        folder = str(storage_path or stack.enter_context(tempfile.TemporaryDirectory(prefix="isthmus-ray-")))
        if is_local(folder):
            folder = str(Path(folder).absolute())
        ray = stack.enter_context(cluster())
        train = require("ray.train", "ray")
        torch_trainer = require("ray.train.torch", "ray").TorchTrainer
        trainer = torch_trainer(
            _fit_on_worker,
            train_loop_config={"model": _prepared(model, folder), "path": checked_input(path), "keys": tuple(keys)},
            scaling_config=train.ScalingConfig(
                num_workers=num_workers,
                use_gpu=use_gpu,
                resources_per_worker={"CPU": cpus_for(ray, num_workers)} | ({"GPU": 1} if use_gpu else {}),
            ),
            run_config=train.RunConfig(
                name="fit", storage_path=folder, failure_config=train.FailureConfig(max_failures=max_failures)
            ),
        )
        try:
            result = trainer.fit()
        except train.TrainingFailedError as error:
            raise IsthmusError(f"the workers could not fit the model: {_cause(error)}") from error
        from isthmus.loading import load

        with result.checkpoint.as_directory() as kept:
            fitted: Any = load(Path(kept) / _FILE, classes=classes)
    return fitted.set_params(**{name: getattr(model, name) for name in ("checkpoint", "resume", "device", "verbose")})


def _prepared(model: Any, folder: str) -> Any:
    """Give the model with a checkpoint to go on from: its own, or one in the common folder."""
    kept = model.checkpoint or (f"{folder}/run" if is_local(folder) else None)
    return clone(model).set_params(checkpoint=kept, resume=kept is not None, verbose=False)


def _fit_on_worker(config: dict[str, Any]) -> None:
    """Run on each worker: fit together, and let the first one hand the model over."""
    train = require("ray.train", "ray")
    model = config["model"].fit(columns_of(config["path"], config["keys"]))
    last = {"epochs": model.n_iter_, "loss": model.history_[-1].monitored}
    if train.get_context().get_world_rank() > 0:
        train.report(last)
        return
    with tempfile.TemporaryDirectory() as folder:
        model.save(Path(folder) / _FILE)
        train.report(last, checkpoint=train.Checkpoint.from_directory(folder))


def _cause(error: BaseException) -> str:
    """Give the sentence of what failed first in a worker."""
    failures = getattr(error, "worker_failures", None) or {}
    first = next(iter(failures.values()), error)
    inner = getattr(first, "cause", None) or first.__cause__ or first
    return " ".join(str(inner).split("\n\n")[0].split())
