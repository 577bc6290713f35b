"""A Keras model becomes a fitted `Autoencoder`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from isthmus.errors import ParameterError
from isthmus.keras.bottleneck import Step, split_at, steps_of
from isthmus.keras.files import Contents, opened, reading
from isthmus.keras.graph import Network, network_of
from isthmus.keras.weights import array_of, datasets_of
from isthmus.parts import Layers
from isthmus.persistence import Saved
from isthmus.provenance import Digest, provenance_of
from isthmus.records import Reference
from isthmus.saving import restore
from isthmus.sources.arrays import rows_of
from isthmus.variants import Autoencoder

_UNSCALED = {"offset": 0.0, "scale": 1.0, "centre": 0.0}
_FIXED = ("code_size", "network", "scaling")


def from_keras(
    path: str | Path, weights: str | Path | None = None, *, bottleneck: str | None = None, **parameters: Any
) -> Autoencoder:
    """Take over an autoencoder that Keras 2 or 3 saved. Nothing in the files is executed, imported or unpickled.

    The model must be a chain: one input, one output, each layer fed by the one before; models within the model are
    taken apart. It rebuilds rows in the units that the Keras model took: they are not scaled.

    Parameters
    ----------
    path : str or Path
        A ``.keras`` file, a whole model as HDF5 (``.h5``), or the JSON text of ``to_json()``.
    weights : str or Path, default=None
        The file of ``save_weights``, for JSON; None for files that hold the weights too.
    bottleneck : str, default=None
        Name of the layer whose output is the code, ``"encoder/dense_2"`` for one within a model. None takes the
        smallest output between the first and the last layer with weights, with the activation and the batch
        normalization right behind it.
    **parameters
        Parameters of `Autoencoder` for training that goes on, such as ``learning_rate``.

    Returns
    -------
    Autoencoder
        A fitted model with an empty history; its network is described by `isthmus.parts.Layers`.

    Raises
    ------
    ModelFileError
        If a file is missing, damaged or no model, or the model has a layer of an unknown kind; the message names it.
    ParameterError
        If there is no layer of the name that ``bottleneck`` gives.
    MissingExtraError
        If h5py is not installed.

    Examples
    --------
    >>> import isthmus
    >>> model = isthmus.from_keras("autoencoder.keras", bottleneck="code")  # doctest: +SKIP
    >>> model.partial_fit(X).save("autoencoder.safetensors")  # doctest: +SKIP
    """
    fixed = sorted({*_FIXED} & parameters.keys())
    if fixed:
        raise ParameterError(f"from_keras: {fixed[0]} comes from the Keras model and cannot be given")
    path, other = Path(path), None if weights is None else Path(weights)
    with reading(path), opened(path) as contents:
        network = network_of(contents.architecture_for(other))
        halves = split_at(steps_of(network), bottleneck)
        described = Layers(*(tuple(record for step in half for record in step.records) for half in halves))
        tensors = _tensors(described, network, halves, contents) if other is None else {}
    if other is not None:
        with reading(other), opened(other) as contents:
            tensors = _tensors(described, network, halves, contents)
    model = Autoencoder(None, network=described, scaling="none", **parameters)
    with reading(path):
        restore(model, _saved(model, network.rows, tensors))
    return model


def _saved(model: Autoencoder, row_shape: tuple[int, ...], tensors: dict[str, Tensor]) -> Saved:
    """Give the state of a model that has not been trained here: rows as they are, an empty history."""
    no_rows = np.empty((0, *row_shape), np.float32)
    fitted = {
        "row_shape": row_shape,
        "dtype": "float32",
        "low": 0.0,
        "high": 1.0,
        "n_features_in": math.prod(row_shape),
        "feature_names_in": [],
        "history": [],
        "reference": asdict(Reference(held_out=False, rows=0, error=0.0, deviation=0.0, unusual=0.0)),
        "provenance": asdict(provenance_of(Digest(rows_of(no_rows)), None, "cpu")),
    }
    scaling = {name: torch.full((1,), value).double() for name, value in _UNSCALED.items()}
    nothing = {"held_out": torch.zeros(0, dtype=torch.int64), "ranges": torch.zeros(2, 0, dtype=torch.float64)}
    return Saved("Autoencoder", model.get_params(deep=False), fitted, tensors | scaling | nothing)


def _tensors(
    described: Layers, network: Network, halves: Sequence[Sequence[Step]], contents: Contents
) -> dict[str, Tensor]:
    """Read the weights, each after a look at whether the file holds it in the shape that the network needs."""
    datasets = datasets_of(network, {step.leaf: step.weights for half in halves for step in half}, contents)
    with torch.device("meta"):
        modules = described.build(described.layout(network.rows), None, 1)
    tensors = {}
    for name, module, half in zip(("encoder", "decoder"), modules, halves, strict=True):
        weighted = [step for step in half if step.weights]
        for (place, layer), step in zip(_with_weights(module), weighted, strict=True):
            for weight in step.weights:
                shape = weight.keras_shape(tuple(layer.state_dict()[weight.tensor].shape))
                array = array_of(datasets[step.leaf][weight.name], shape, step, weight)
                tensors[f"module.{name}.{place}.{weight.tensor}"] = torch.from_numpy(weight.ours(array))
    return tensors


def _with_weights(network: nn.Module) -> list[tuple[str, nn.Module]]:
    return [(place, layer) for place, layer in network.named_children() if layer.state_dict()]
