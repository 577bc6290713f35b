"""Loading a model: which class a file means, and its state."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from isthmus import variants
from isthmus.concrete import ConcreteAutoencoder
from isthmus.errors import ModelFileError, ParameterError
from isthmus.estimator import BaseAutoencoder
from isthmus.hyperparameters import DEVICES
from isthmus.persistence import read
from isthmus.principal import LinearAutoencoder
from isthmus.saving import restore
from isthmus.variational import VariationalAutoencoder

ESTIMATORS: tuple[type[BaseAutoencoder], ...] = (
    variants.Autoencoder,
    variants.DenseAutoencoder,
    variants.ConvolutionalAutoencoder,
    LinearAutoencoder,
    variants.DenoisingAutoencoder,
    variants.SparseAutoencoder,
    ConcreteAutoencoder,
    variants.ContractiveAutoencoder,
    VariationalAutoencoder,
)


def load(path: str | Path, *, device: str = "auto", classes: Iterable[type] = ()) -> BaseAutoencoder:
    """Load a model that ``save`` wrote. Nothing in the file is executed, imported or unpickled.

    Parameters
    ----------
    path : str or Path
        The file.
    device : {"auto", "cpu", "cuda", "mps"}, default="auto"
        Where the arithmetic shall run; a model trained on a GPU runs on a CPU too.
    classes : iterable of type, default=()
        The parts that you wrote yourself, if the model uses any.

    Returns
    -------
    estimator
        The fitted model.

    Raises
    ------
    ModelFileError
        If the file is missing, damaged, no model, or of a newer format.

    Examples
    --------
    >>> import isthmus, tempfile, pathlib
    >>> X, _ = isthmus.datasets.load_digits()
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "digits.safetensors"
    >>> isthmus.LinearAutoencoder(code_size=2).fit(X).save(path)
    >>> isthmus.load(path).transform(X).shape
    (1797, 2)
    """
    path = Path(path)
    if device not in DEVICES:
        raise ParameterError(f"device must be one of {', '.join(DEVICES)}; got {device!r}")
    saved = read(path, {cls.__name__: cls for cls in classes})
    cls = {cls.__name__: cls for cls in ESTIMATORS}.get(saved.name)
    if cls is None:
        raise ModelFileError(f"{path}: it holds a {saved.name!r}, which this version of isthmus does not know")
    try:
        model: BaseAutoencoder = cls(**saved.parameters).set_params(device=device)
        restore(model, saved)
    except (ValueError, TypeError, LookupError, AttributeError, RuntimeError, ArithmeticError, MemoryError) as error:
        raise ModelFileError(f"{path}: {error}") from error
    return model
