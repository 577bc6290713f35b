"""Keras's layers in our words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isthmus import parts
from isthmus.errors import ModelFileError
from isthmus.keras.graph import Leaf

_ACTIVATIONS = {
    **{name: name for name in ("elu", "exponential", "gelu", "leaky_relu", "linear", "relu", "relu6", "selu")},
    **{name: name for name in ("sigmoid", "silu", "softmax", "softplus", "softsign", "tanh")},
    "swish": "silu",
}
_SLOPES = {"leaky_relu": 0.2}


@dataclass(frozen=True)
class Weight:
    """An array of a layer.

    Attributes
    ----------
    name : str
        What Keras calls it.
    tensor : str
        What our module calls it.
    axes : tuple of int
        Which of Keras's axes each of ours is; empty if they are the same.
    learned : bool
        Whether gradients change it.
    """

    name: str
    tensor: str
    axes: tuple[int, ...] = ()
    learned: bool = True

    def keras_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Give Keras's shape of an array that has a shape here."""
        return tuple(shape[self.axes.index(axis)] for axis in range(len(shape))) if self.axes else shape

    def ours(self, array: NDArray) -> NDArray:
        """Put the axes of an array of Keras's into our order."""
        return np.ascontiguousarray(array.transpose(self.axes) if self.axes else array)


KERNEL, TRANSPOSED = Weight("kernel", "weight", (3, 2, 0, 1)), Weight("kernel", "weight", (1, 0))
BIAS = Weight("bias", "bias")
Found = tuple[Sequence[Any], Sequence[Weight]]


def converted(leaf: Leaf, shape: tuple[int, ...]) -> Found:
    """Give a layer as records of ours, for rows of a shape, and the arrays it has.

    Raises
    ------
    ModelFileError
        If it is of an unknown kind, or has a setting that has no counterpart here.
    """
    if leaf.kind not in _LAYERS:
        raise ModelFileError(f"its {leaf} is of a kind that is not read; known are {', '.join(sorted(_LAYERS))}")
    config = leaf.config
    _check(config, "data_format", "channels_last", None)
    _check(config, "quantization_config", None)
    return _LAYERS[leaf.kind](config, shape)


def _check(config: dict[str, Any], name: str, *legal: Any) -> None:
    """Refuse a setting that has no counterpart."""
    value = config.get(name, legal[0])
    if value not in legal:
        raise ModelFileError(f"its {name} is {value!r}, and only {legal[0]!r} is read")


def _activation(value: Any) -> list[Any]:
    """Give the activation that a setting names: a function, or a layer within the layer."""
    if isinstance(value, dict):
        if value.get("class_name") not in _SHAPELESS:
            raise ModelFileError(f"its activation is {value.get('config')!r}, which is none of Keras's own")
        return list(_SHAPELESS[value["class_name"]](value["config"], ())[0])
    name = _ACTIVATIONS.get("linear" if value is None else str(value))
    if name is None:
        raise ModelFileError(f"its activation is {value!r}; known are {', '.join(sorted(_ACTIVATIONS))}")
    return [] if name == "linear" else [parts.Activation(name, slope=_SLOPES.get(name))]


def _pair(value: Any) -> tuple[int, int]:
    first, second = (value, value) if isinstance(value, int) else value
    return first, second


def _margins(value: Any) -> tuple[int, int, int, int]:
    rows, columns = _pair(value)
    return (*_pair(rows), *_pair(columns))


def _dense(config: dict[str, Any], shape: tuple[int, ...]) -> Found:
    bias = config.get("use_bias", True)
    layer = parts.Linear(config["units"], bias=bias)
    return [layer, *_activation(config.get("activation"))], [TRANSPOSED, *[BIAS] * bias]


def _convolution(config: dict[str, Any], shape: tuple[int, ...]) -> Found:
    bias = config.get("use_bias", True)
    layer = parts.Convolution(
        config["filters"],
        kernel=_pair(config["kernel_size"]),
        stride=_pair(config["strides"]),
        padding=config["padding"],
        dilation=_pair(config.get("dilation_rate", 1)),
        groups=config.get("groups", 1),
        bias=bias,
    )
    return [layer, *_activation(config.get("activation"))], [KERNEL, *[BIAS] * bias]


def _transposed(config: dict[str, Any], shape: tuple[int, ...]) -> Found:
    bias, extra = config.get("use_bias", True), config.get("output_padding")
    _check(config, "groups", 1)
    layer = parts.TransposedConvolution(
        config["filters"],
        kernel=_pair(config["kernel_size"]),
        stride=_pair(config["strides"]),
        padding=config["padding"],
        dilation=_pair(config.get("dilation_rate", 1)),
        extra=None if extra is None else _pair(extra),
        bias=bias,
    )
    return [layer, *_activation(config.get("activation"))], [KERNEL, *[BIAS] * bias]


def _pooling(kind: Callable[..., Any]) -> Callable[[dict[str, Any], tuple[int, ...]], Found]:
    def convert(config: dict[str, Any], shape: tuple[int, ...]) -> Found:
        stride = config.get("strides")
        stride = None if stride is None else _pair(stride)
        return [kind(_pair(config["pool_size"]), stride=stride, padding=config["padding"])], []

    return convert


def _upsampling(config: dict[str, Any], shape: tuple[int, ...]) -> Found:
    return [parts.UpSampling(_pair(config["size"]), interpolation=config.get("interpolation", "nearest"))], []


def _relu(config: dict[str, Any], shape: tuple[int, ...]) -> Found:
    _check(config, "threshold", 0.0, None)
    slope, highest = config.get("negative_slope") or 0.0, config.get("max_value")
    if highest is None:
        return [parts.Activation("leaky_relu", slope=slope) if slope else parts.Activation("relu")], []
    _check(config, "max_value", 6.0)
    _check(config, "negative_slope", 0.0, None)
    return [parts.Activation("relu6")], []


def _leaky_relu(config: dict[str, Any], shape: tuple[int, ...]) -> Found:
    slope = config["negative_slope"] if "negative_slope" in config else config["alpha"]
    return [parts.Activation("leaky_relu", slope=slope)], []


def _softmax(config: dict[str, Any], shape: tuple[int, ...]) -> Found:
    _check(config, "axis", -1, len(shape), [-1])
    return [parts.Activation("softmax")], []


def _normalization(config: dict[str, Any], shape: tuple[int, ...]) -> Found:
    _check(config, "axis", -1, [-1], len(shape), [len(shape)])
    _check(config, "renorm", False)
    scale, offset = config.get("scale", True), config.get("center", True)
    layer = parts.BatchNormalization(
        momentum=1 - config["momentum"], epsilon=config["epsilon"], scale=scale, offset=offset
    )
    learned = [*[Weight("gamma", "weight")] * scale, *[Weight("beta", "bias")] * offset]
    moments = [Weight("moving_mean", "running_mean", learned=False)]
    return [layer], [*learned, *moments, Weight("moving_variance", "running_var", learned=False)]


def _dropout(config: dict[str, Any], shape: tuple[int, ...]) -> Found:
    _check(config, "noise_shape", None)
    return [parts.Dropout(config["rate"])], []


# Layers whose settings do not depend on the shape of what comes in: they may be an activation of another.
_SHAPELESS: dict[str, Callable[[dict[str, Any], tuple[int, ...]], Found]] = {
    "ELU": lambda config, shape: ([parts.Activation("elu", slope=config.get("alpha", 1.0))], []),
    "LeakyReLU": _leaky_relu,
    "ReLU": _relu,
    "Softmax": _softmax,
}
_LAYERS: dict[str, Callable[[dict[str, Any], tuple[int, ...]], Found]] = {
    **_SHAPELESS,
    "Activation": lambda config, shape: (_activation(config["activation"]), []),
    "ActivityRegularization": lambda config, shape: ([], []),
    "AveragePooling2D": _pooling(parts.AveragePooling),
    "BatchNormalization": _normalization,
    "Conv2D": _convolution,
    "Conv2DTranspose": _transposed,
    "Cropping2D": lambda config, shape: ([parts.Cropping(_margins(config["cropping"]))], []),
    "Dense": _dense,
    "Dropout": _dropout,
    "Flatten": lambda config, shape: ([parts.Flatten()], []),
    "GaussianNoise": lambda config, shape: ([parts.Noise(parts.GaussianNoise(config["stddev"]))], []),
    "InputLayer": lambda config, shape: ([], []),
    "MaxPooling2D": _pooling(parts.MaxPooling),
    "Reshape": lambda config, shape: ([parts.Reshape(tuple(config["target_shape"]))], []),
    "UpSampling2D": _upsampling,
    "ZeroPadding2D": lambda config, shape: ([parts.ZeroPadding(_margins(config["padding"]))], []),
}
