"""Where the two layouts of Keras's HDF5 files keep the arrays of each layer."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isthmus.errors import ModelFileError
from isthmus.keras.bottleneck import Step
from isthmus.keras.files import Contents, child, names_in
from isthmus.keras.graph import Leaf, Network
from isthmus.keras.layers import Weight

_BY_ATTRIBUTES = ("layers", "_layer_checkpoint_dependencies")
_PACKED = 1_000
Slots = Mapping[Leaf, Sequence[Weight]]
Found = dict[Leaf, dict[str, Any]]


def datasets_of(network: Network, slots: Slots, contents: Contents) -> Found:
    """Find the arrays of every layer, in whichever layout the file has.

    Parameters
    ----------
    network : Network
        The model, whose order of layers is the file's.
    slots : mapping of Leaf to sequence of Weight
        The arrays that each layer has.
    contents : Contents
        The file.

    Returns
    -------
    dict of Leaf to dict of str to Dataset
        The datasets of each layer by their names in Keras; nothing is read yet.
    """
    group = contents.weights_group()
    if "model_weights" in group:
        group = child(group, "model_weights")
    if names_in(group, "layer_names") is not None:
        return dict(_listed(network, slots, group))
    if any(name in group for name in _BY_ATTRIBUTES):
        return dict(_by_attributes(network, slots, group))
    raise ModelFileError("an HDF5 file, but it holds no weights of a Keras model")


# ---------------------------------------------------------------- lists of names: Keras 2, and .h5 of Keras 3


def _listed(network: Network, slots: Slots, group: Any) -> Iterator[tuple[Leaf, dict[str, Any]]]:
    """Match the layers of the model with the groups of the file, both in their order, as Keras does."""
    owners = [member for member in network.members if _arrays(member, slots)]
    groups = [child(group, name) for name in names_in(group, "layer_names") or []]
    stored = [(one, names_in(one, "weight_names") or []) for one in groups]
    stored = [(one, names) for one, names in stored if names]
    if len(stored) != len(owners):
        raise ModelFileError(f"it holds weights of {len(stored)} layers, but the architecture has {len(owners)} such")
    for owner, (one, names) in zip(owners, stored, strict=True):
        expected = _arrays(owner, slots)
        if len(names) != len(expected):
            raise ModelFileError(f"its group {one.name} holds {len(names)} arrays, but there must be {len(expected)}")
        found: Found = {}
        for (leaf, weight), name in zip(expected, names, strict=True):
            found.setdefault(leaf, {})[weight.name] = child(one, name)
        yield from found.items()


def _arrays(member: Leaf | Network, slots: Slots) -> list[tuple[Leaf, Weight]]:
    """Give the arrays of a layer or a model in the order of the file: what is trained, then what is not."""
    trained, fixed = _both(member, slots, frozen=False)
    return trained + fixed


def _both(
    member: Leaf | Network, slots: Slots, *, frozen: bool
) -> tuple[list[tuple[Leaf, Weight]], list[tuple[Leaf, Weight]]]:
    frozen = frozen or member.frozen
    if isinstance(member, Leaf):
        own = [(member, weight) for weight in slots[member]]
        trained = [] if frozen else [pair for pair in own if pair[1].learned]
        return trained, [pair for pair in own if frozen or not pair[1].learned]
    pairs = [_both(inner, slots, frozen=frozen) for inner in member.members]
    return [one for trained, _ in pairs for one in trained], [one for _, fixed in pairs for one in fixed]


# ---------------------------------------------------------------- a tree of attributes: .keras and .weights.h5


def _by_attributes(network: Network, slots: Slots, group: Any) -> Iterator[tuple[Leaf, dict[str, Any]]]:
    """Match the layers of each class with the groups that are called after the class and numbered."""
    tree = child(group, next((name for name in _BY_ATTRIBUTES if name in group), _BY_ATTRIBUTES[0]))
    groups: dict[str, list[Any]] = {}
    for member in network.members:
        kind = _snake_case(member.kind)
        if not _arrays(member, slots):
            continue
        if kind not in groups:
            groups[kind] = _numbered(tree, kind)
        if not groups[kind]:
            raise ModelFileError(f"it holds the weights of fewer layers of the class {member.kind} than there must be")
        own = groups[kind].pop(0)
        if isinstance(member, Network):
            yield from _by_attributes(member, slots, own)
        else:
            yield member, _variables(member, slots[member], child(own, "vars"))
    left = [name for name, own in groups.items() if own]
    if left:
        raise ModelFileError(f"it holds the weights of more layers of the class {left[0]} than the architecture has")


def _variables(leaf: Leaf, weights: Sequence[Weight], group: Any) -> dict[str, Any]:
    if len(group) != len(weights):
        raise ModelFileError(f"its group {group.name} holds {len(group)} arrays, but the {leaf} has {len(weights)}")
    return {weight.name: child(group, str(place)) for place, weight in enumerate(weights)}


def _numbered(tree: Any, kind: str) -> list[Any]:
    """Give the groups of a class that hold arrays, in the order of their numbers."""
    matches = [(re.fullmatch(rf"{kind}(?:_(\d{{1,9}}))?", name), name) for name in tree]
    numbered = sorted((int(match[1] or 0), name) for match, name in matches if match)
    groups = [child(tree, name) for _, name in numbered]
    return [one for one in groups if one.visititems(lambda name, item: hasattr(item, "shape") or None)]


def _snake_case(name: str) -> str:
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()


# ---------------------------------------------------------------- one array


def array_of(dataset: Any, shape: tuple[int, ...], step: Step, weight: Weight) -> NDArray:
    """Read an array as float32, after a look at what the file says of it: it must hold what it claims, itself."""
    what = f"the array {weight.name} of the {step.leaf}"
    if not hasattr(dataset, "shape") or tuple(dataset.shape or ()) != shape:
        raise ModelFileError(f"{what} has the shape {getattr(dataset, 'shape', None)}, not {shape}")
    if dataset.dtype.kind != "f":
        raise ModelFileError(f"{what} holds {dataset.dtype}, not floating-point numbers")
    if dataset.external or dataset.is_virtual or dataset.nbytes > _PACKED * dataset.id.get_storage_size():
        raise ModelFileError(f"{what} is not in the file")
    return np.ascontiguousarray(dataset[()], dtype=np.float32)
