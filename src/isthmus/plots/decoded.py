"""What codes stand for, as cells of a figure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from isthmus.errors import ParameterError
from isthmus.legal import Number
from isthmus.pictures import pictures

if TYPE_CHECKING:
    from isthmus.estimator import BaseAutoencoder

_COUNT = Number(2, integer=True)


def check_count(name: str, value: int) -> None:
    """Refuse a number of places that is not an integer of at least 2."""
    if not _COUNT.accepts(value):
        raise ParameterError(f"{name}: the number of places must be {_COUNT}; got {value!r}")


def decoded(model: BaseAutoencoder, codes: NDArray) -> NDArray:
    """Give what codes stand for: pictures, or bars in scaled units where columns are scaled one by one."""
    rebuilt = np.concatenate(list(model._codec().decoded(np.asarray(codes, np.float32))))
    shape = model.schema_.image_shape
    if shape is not None:
        images = rebuilt.reshape(-1, *shape)
        return pictures(images, images)[1]
    scaling = model.scaling_
    if scaling.scale.numel() > 1:
        rebuilt = (rebuilt - scaling.offset.numpy()) / scaling.scale.numpy()
    return rebuilt
