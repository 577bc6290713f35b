"""A recipe: which parts make an autoencoder."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from isthmus.errors import ParameterError
from isthmus.params import parameters_of
from isthmus.parts import Dense, Point, Selecting
from isthmus.parts.mixed import Mixed
from isthmus.parts.protocols import Bottleneck, Corruption, Network, Penalty, Reconstruction
from isthmus.parts.reconstructions import BY_NAME, UNIT_RANGE
from isthmus.records import Facts


@dataclass(frozen=True)
class Recipe:
    """The parts of an autoencoder.

    Attributes
    ----------
    code_size : int or None
        Numbers in a code; None leaves it to the network.
    network : Network
        Encoder and decoder.
    bottleneck : Bottleneck
        What becomes of the encoder's output.
    corruption : Corruption or None
        What is done to the rows in training.
    reconstruction : Reconstruction
        How a rebuilt row is compared with the row.
    penalties : tuple of Penalty
        Terms added to the loss.
    n_importance : int
        Draws of the code for each row; with more than one the loss is the importance-weighted bound.
    missing_indicator : bool
        Whether the encoder also sees which cells are missing.
    """

    code_size: int | None
    network: Network = field(default_factory=Dense)
    bottleneck: Bottleneck = field(default_factory=Point)
    corruption: Corruption | None = None
    reconstruction: Any = BY_NAME["squared"]
    penalties: tuple[Penalty, ...] = ()
    n_importance: int = 1
    missing_indicator: bool = False

    def __post_init__(self) -> None:
        output = getattr(self.network, "output_activation", "linear")
        if isinstance(self.reconstruction, (*UNIT_RANGE, Mixed)) and output != "linear":
            name = (
                "the loss of a mixed table"
                if isinstance(self.reconstruction, Mixed)
                else type(self.reconstruction).__name__
            )
            raise ParameterError(f"{name} brings its own sigmoid: output_activation must be 'linear'; got {output!r}")
        if self.missing_indicator and isinstance(self.network, Selecting):
            raise ParameterError("missing='mask' is not for a network that selects columns; take 'centre'")


def network_for(
    owner: Any, facts: Facts, cls: type = Dense, output_activation: str | None = None, **changes: Any
) -> Any:
    """Give the network part that an estimator holds, or make one from its parameters.

    Where ``output_activation`` is left open, the network ends in a sigmoid if the rows are within [0, 1] and
    the loss does not bring its own: measured on MNIST, that halves the error of a dense one. A variant for which
    that is wrong names another ``output_activation``.
    """
    if getattr(owner, "network", None) is not None:
        return owner.network
    inside = facts.unit_range and not isinstance(reconstruction_of(owner, facts), (*UNIT_RANGE, Mixed))
    left_open = output_activation or ("sigmoid" if inside else "linear")
    output = getattr(owner, "output_activation", None) or left_open
    names = [parameter.name for parameter in parameters_of(cls)]
    declared = {name: getattr(owner, name) for name in names if hasattr(owner, name)}
    return cls(**(declared | {"output_activation": output} | changes))


def reconstruction_of(owner: Any, facts: Facts) -> Any:
    """Give the reconstruction part that a parameter names or is; of a mixed table that is the loss of its numbers."""
    choice: str | Reconstruction = owner.reconstruction
    part = BY_NAME[choice] if isinstance(choice, str) else choice
    if facts.table is None:
        return part
    table = facts.table
    return Mixed(part, table.numbers, len(table.of_kind("boolean")), table.widths)


def recipe_for(owner: Any, facts: Facts, network: Any = None, **others: Any) -> Recipe:
    """Give the recipe of an estimator: what its parameters say of network, loss and missing cells, and other parts."""
    return Recipe(
        owner.code_size,
        network_for(owner, facts) if network is None else network,
        reconstruction=reconstruction_of(owner, facts),
        missing_indicator=owner.missing == "mask",
        **others,
    )


def layout_of(recipe: Recipe, facts: Facts) -> tuple[int, ...]:
    """Give the shape in which the network sees a row; only networks of flat rows see mixed tables."""
    layout = recipe.network.layout(facts.row_shape)
    if facts.table is not None and len(layout) > 1:
        raise ParameterError(
            f"{type(recipe.network).__name__} sees rows as images or signals, but columns such as {facts.table.odd} "
            "of X are no numbers; take a network of dense layers"
        )
    return layout
