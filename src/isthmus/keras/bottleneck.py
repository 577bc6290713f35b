"""Where the code of a chain of layers is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from isthmus import parts
from isthmus.errors import IsthmusError, ModelFileError, ParameterError
from isthmus.keras.graph import Leaf, Network
from isthmus.keras.layers import Weight, converted
from isthmus.parts.sequence import shape_behind

_BEHIND = (parts.Activation, parts.BatchNormalization)


@dataclass(frozen=True)
class Step:
    """A layer on the way of a row.

    Attributes
    ----------
    leaf : Leaf
        What Keras says of it.
    records : tuple
        Layers of ours that do the same.
    weights : tuple of Weight
        Its arrays, in Keras's order.
    shape : tuple of int
        Shape of what comes out.
    """

    leaf: Leaf
    records: tuple[Any, ...]
    weights: tuple[Weight, ...]
    shape: tuple[int, ...]


def steps_of(network: Network) -> list[Step]:
    """Convert the layers of a model, one after the other, each for the shape that the one before gives."""
    shape, steps = network.rows, list[Step]()
    if len(shape) == 2:
        # Rows of two axes are images of one channel to `Layers`, but to Keras's layers the second axis is the last.
        steps.append(Step(Leaf("", "Reshape", {}), (parts.Reshape(shape),), (), shape))
    for leaf in network.leaves():
        try:
            records, weights = converted(leaf, shape)
            for record in records:
                shape = shape_behind(record, shape)
        except KeyError as error:
            raise ModelFileError(f"its {leaf} does not say its {error.args[0]}") from error
        except IsthmusError as error:
            already = str(error).startswith("its layer")
            raise ModelFileError(str(error) if already else f"its {leaf} cannot be read: {error}") from error
        except (ArithmeticError, AttributeError, TypeError, ValueError) as error:
            raise ModelFileError(f"its {leaf} has a setting of a wrong kind: {error}") from error
        steps.append(Step(leaf, tuple(records), tuple(weights), shape))
    if math.prod(shape) != math.prod(network.rows):
        raise ModelFileError(f"it makes rows of shape {shape} of rows of shape {network.rows}: it is no autoencoder")
    return steps


def split_at(steps: Sequence[Step], bottleneck: str | None) -> tuple[Sequence[Step], Sequence[Step]]:
    """Divide a chain into encoder and decoder, behind the named layer or at the narrowest place."""
    weighted = [place for place, step in enumerate(steps) if step.weights]
    if len(weighted) < 2:
        raise ModelFileError("it has fewer than two layers with weights: there is no code between them")
    place = _narrowest(steps, weighted[0], weighted[-1]) if bottleneck is None else _named(steps, bottleneck)
    return steps[: place + 1], steps[place + 1 :]


def _narrowest(steps: Sequence[Step], first: int, last: int) -> int:
    """Give the first of the smallest outputs, and what follows it without a change of shape."""
    place = min(range(first, last), key=lambda place: math.prod(steps[place].shape))
    while place + 1 < last and all(isinstance(record, _BEHIND) for record in steps[place + 1].records):
        place += 1
    return place


def _named(steps: Sequence[Step], name: str) -> int:
    """Give the layer of a name, or the last one in a model of that name."""
    paths = [f"/{step.leaf.name}" for step in steps]
    found = [place for place, path in enumerate(paths) if path.endswith(f"/{name}")]
    found = found or [place for place, path in enumerate(paths) if f"/{name}/" in path][-1:]
    if len(found) == 1 and found[0] < len(steps) - 1:
        return found[0]
    reason = f"{len(found)} layers have it" if len(found) > 1 else "no layer but maybe the last has it"
    known = ", ".join(step.leaf.name for step in steps[:-1] if step.leaf.name)
    raise ParameterError(f"bottleneck must be the name of a layer; got {name!r}, but {reason}; layers are {known}")
