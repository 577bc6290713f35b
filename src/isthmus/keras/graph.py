"""What a Keras configuration says: a chain of layers, some of them models themselves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from isthmus.errors import ModelFileError

_MODELS = ("Functional", "Model", "Sequential")
_OURS = ("keras", "tf_keras", "tensorflow", "keras_core")
_SHAPES = ("batch_shape", "batch_input_shape", "build_input_shape")


@dataclass(frozen=True, eq=False)
class Leaf:
    """A layer.

    Attributes
    ----------
    name : str
        Its name, behind those of the models it is in.
    kind : str
        Its class.
    config : dict
        Its settings.
    """

    name: str
    kind: str
    config: dict[str, Any]

    @property
    def frozen(self) -> bool:
        """Whether Keras counts its weights as not trainable."""
        return self.config.get("trainable") is False

    def __str__(self) -> str:
        return f"layer {self.name!r} ({self.kind})"


@dataclass(frozen=True, eq=False)
class Network:
    """A model.

    Attributes
    ----------
    kind : str
        ``"Sequential"`` or ``"Functional"``.
    members : tuple of Leaf or Network
        What it is made of, in the order in which its weights are kept.
    chain : tuple of Leaf or Network
        The same in the order in which rows pass.
    frozen : bool
        Whether Keras counts its weights as not trainable.
    """

    kind: str
    members: tuple[Leaf | Network, ...]
    chain: tuple[Leaf | Network, ...]
    frozen: bool
    shape: tuple[Any, ...] | None

    def leaves(self) -> Iterator[Leaf]:
        """Yield the layers in the order in which rows pass."""
        for member in self.chain:
            if isinstance(member, Leaf):
                yield member
            else:
                yield from member.leaves()

    @property
    def rows(self) -> tuple[int, ...]:
        """Shape of a row."""
        shape = self._shape()
        if shape is None:
            raise ModelFileError("it does not say the shape of its rows; save it again after it has been called once")
        if not 1 <= len(shape) <= 3 or not all(type(side) is int and side > 0 for side in shape):
            raise ModelFileError(
                f"its rows have the shape {shape}, but must have 1 to 3 sides of a fixed length; rebuild it with such "
                "an Input and save it again"
            )
        return shape

    def _shape(self) -> tuple[Any, ...] | None:
        first = self.chain[0] if self.chain else None
        inner = _shape_in(first.config) if isinstance(first, Leaf) else first and first._shape()
        return inner or self.shape


def network_of(architecture: Any) -> Network:
    """Read the configuration of a model, and refuse what is not a chain."""
    if not isinstance(architecture, dict) or "class_name" not in architecture or "config" not in architecture:
        raise ModelFileError("its JSON is not the architecture of a Keras model")
    if architecture["class_name"] not in _MODELS or _custom(architecture):
        raise ModelFileError(
            f"it is a model of the class {architecture['class_name']!r}, which only the program that wrote it knows; "
            "put its layers into a Sequential or functional model and save that"
        )
    return _network(architecture, "")


def _network(entry: dict[str, Any], prefix: str) -> Network:
    config = entry["config"]
    kind = "Sequential" if entry["class_name"] == "Sequential" else "Functional"
    entries = config if isinstance(config, list) else config["layers"]
    config = {} if isinstance(config, list) else config
    members = tuple(_member(one, prefix) for one in entries)
    names = [_name_of(one) for one in entries]
    chain = members if kind == "Sequential" else tuple(members[place] for place in _order(entries, names, config))
    return Network(kind, members, chain, config.get("trainable") is False, _shape_in(config))


def _member(entry: dict[str, Any], prefix: str) -> Leaf | Network:
    name = f"{prefix}{_name_of(entry)}"
    leaf = Leaf(name, str(entry["class_name"]), entry["config"])
    if _custom(entry):
        raise ModelFileError(f"its {leaf} is of a class that only the program that wrote it knows")
    return _network(entry, f"{name}/") if leaf.kind in _MODELS else leaf


def _name_of(entry: dict[str, Any]) -> str:
    config = entry["config"]
    name = entry.get("name") or (config.get("name") if isinstance(config, dict) else None)
    return str(name or entry["class_name"])


def _custom(entry: dict[str, Any]) -> bool:
    """Whether a class is registered by a user, or lives in a module that is not of Keras."""
    registered, module = entry.get("registered_name"), entry.get("module")
    return ">" in str(registered or "") or (module is not None and str(module).partition(".")[0] not in _OURS)


def _shape_in(config: dict[str, Any]) -> tuple[Any, ...] | None:
    shape = next((config[name] for name in _SHAPES if config.get(name)), None)
    return None if shape is None else tuple(shape[1:])


def _order(entries: Sequence[dict[str, Any]], names: Sequence[str], config: dict[str, Any]) -> list[int]:
    """Follow the one input to the one output; give the places of the layers on the way."""
    ends = [_only(config[key], names, key) for key in ("input_layers", "output_layers")]
    behind: dict[int, int] = {}
    for place, entry in enumerate(entries):
        before = _before(entry, names)
        if before is None:
            continue
        if before in behind:
            raise ModelFileError(
                f"the output of its layer {names[before]!r} goes to {names[behind[before]]!r} and to {names[place]!r}; "
                "only chains of layers are read"
            )
        behind[before] = place
    order = [ends[0]]
    while order[-1] != ends[1]:
        if order[-1] not in behind or len(order) > len(entries):
            raise ModelFileError(f"no chain of layers leads from its layer {names[ends[0]]!r} to {names[ends[1]]!r}")
        order.append(behind[order[-1]])
    if len(order) != len(entries):
        apart = next(name for place, name in enumerate(names) if place not in order)
        raise ModelFileError(f"its layer {apart!r} is not on the way from input to output; only chains are read")
    return order


def _only(ends: Any, names: Sequence[str], key: str) -> int:
    """Give the place of the only input or output; Keras 3 leaves the outer list away."""
    ends = [ends] if ends and isinstance(ends[0], str) else ends
    if len(ends) != 1:
        raise ModelFileError(f"it has {len(ends)} {key.replace('_layers', 's')}; only models with one are read")
    return names.index(ends[0][0])


def _before(entry: dict[str, Any], names: Sequence[str]) -> int | None:
    """Give the place of the layer that feeds a layer, None for an input."""
    nodes = entry.get("inbound_nodes") or []
    if len(nodes) > 1:
        raise ModelFileError(
            f"its layer {_name_of(entry)!r} is used {len(nodes)} times; only chains of layers are read"
        )
    if not nodes:
        return None
    feeds = list(_feeds(nodes[0]))
    if len(feeds) != 1:
        raise ModelFileError(f"its layer {_name_of(entry)!r} has {len(feeds)} inputs; only chains of layers are read")
    return names.index(feeds[0])


def _feeds(node: Any) -> Iterator[str]:
    """Yield the names of the layers that feed a node: of Keras 2, a list, or of Keras 3, arguments with tensors."""
    if isinstance(node, dict) and node.get("class_name") == "__keras_tensor__":
        yield str(node["config"]["keras_history"][0])
    elif isinstance(node, dict):
        if node.get("training") is True:
            raise ModelFileError("one of its layers is called with training=True, whose answers are random")
        for value in node.values():
            yield from _feeds(value)
    elif isinstance(node, list) and len(node) in (3, 4) and isinstance(node[0], str):
        yield node[0]
        yield from _feeds(node[3:])
    elif isinstance(node, list):
        for value in node:
            yield from _feeds(value)
