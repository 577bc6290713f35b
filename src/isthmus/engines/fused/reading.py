"""A module's networks as steps from planes to planes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn

from isthmus.engines.fused.layers import NotCoveredError, steps_of
from isthmus.engines.fused.operations import Plain, Step
from isthmus.engines.fused.planes import Planes
from isthmus.module import AutoencoderModule
from isthmus.parts import Bernoulli, Point, SquaredError
from isthmus.parts.stages import Stages

_LOSSES = {SquaredError: "squared", Bernoulli: "bernoulli"}


@dataclass(frozen=True)
class Network:
    """A network as steps.

    Attributes
    ----------
    steps : tuple of Step
        Encoder and decoder.
    cut : int
        How many of them are the encoder's.
    loss : str
        The kernel of the reconstruction loss.
    parameters : int
        Length of the vector of all parameters.
    """

    steps: tuple[Step, ...]
    cut: int
    loss: str
    parameters: int

    @property
    def planes(self) -> list[Planes]:
        """What lies before the first step, and behind each."""
        return [self.steps[0].operation.x, *(step.operation.y for step in self.steps)]

    @property
    def packed(self) -> int:
        """Numbers in all packed weights."""
        return sum(step.operation.size for step in self.steps)

    @property
    def products(self) -> int:
        """Products of a weight and a number on the way forward of a row."""
        return sum(step.operation.products for step in self.steps)


def why_not(module: AutoencoderModule) -> str:
    """Say what keeps a module from being emitted; empty if nothing does."""
    try:
        read(module)
    except NotCoveredError as reason:
        return str(reason)
    return ""


def read(module: AutoencoderModule) -> Network:
    """Read a module's networks.

    Raises
    ------
    NotCoveredError
        If something in it cannot be emitted; says what.
    """
    _check(module)
    places: dict[int, int] = {}
    parameters = 0
    for own in module.parameters():
        places[id(own)] = parameters
        parameters += own.numel()
    encoder = steps_of(module.encoder, module.schema.tensor_shape, places)
    decoder = steps_of(module.decoder, module.code_tensor_shape, places)
    if not encoder or not decoder:
        raise NotCoveredError("an encoder or decoder without layers")
    steps = _packed(_with_gaps([*encoder, *decoder]))
    return Network(tuple(steps), len(encoder), _LOSSES[type(module.recipe.reconstruction)], parameters)


def _check(module: AutoencoderModule) -> None:
    """Refuse what is not about single layers."""
    recipe, parameters = module.recipe, list(module.parameters())
    if type(recipe.bottleneck) is not Point:
        raise NotCoveredError(f"the bottleneck {type(recipe.bottleneck).__name__}")
    if recipe.penalties:
        raise NotCoveredError(f"the penalty {recipe.penalties[0].name}")
    if type(recipe.reconstruction) not in _LOSSES:
        raise NotCoveredError(f"the loss {type(recipe.reconstruction).__name__}")
    if recipe.missing_indicator:
        raise NotCoveredError("the encoder sees which cells are missing")
    if any(own.device.type != "cpu" or own.dtype != torch.float32 for own in parameters):
        raise NotCoveredError("the arithmetic is not float32 on the CPU")
    if not all(own.requires_grad for own in parameters):
        raise NotCoveredError("some weights are not learned")
    for network in (module.encoder, module.decoder):
        if type(network) not in (nn.Sequential, Stages):
            raise NotCoveredError(f"the network {type(network).__name__}")
    layers: list[Any] = [*module.encoder, *module.decoder]
    if any(layer._forward_hooks or layer._forward_pre_hooks for layer in layers):
        raise NotCoveredError("a layer is watched by a hook")


def _with_gaps(steps: list[Step]) -> list[Step]:
    """Give planes the gaps that the kernels on both sides of them need; where sizes stay the same, gaps do too."""
    operations = [step.operation for step in steps]
    segments = [0]
    for operation in operations:
        segments.append(segments[-1] + operation.resized)
    gaps: list[tuple[int, int]] = [(0, 0)] * (segments[-1] + 1)
    for segment, behind, operation in zip(segments, segments[1:], operations, strict=False):
        (down, across), (own_down, own_across) = gaps[segment], operation.reach
        gaps[segment] = max(down, own_down), max(across, own_across)
        (down, across), (own_down, own_across) = gaps[behind], operation.reach_behind
        gaps[behind] = max(down, own_down), max(across, own_across)
    return [
        replace(step, operation=_between(step.operation, gaps[before], gaps[after]))
        for step, before, after in zip(steps, segments, segments[1:], strict=False)
    ]


def _between(operation: Plain, before: tuple[int, int], after: tuple[int, int]) -> Plain:
    x = replace(operation.x, gap_y=before[0], gap_x=before[1])
    return replace(operation, x=x, y=replace(operation.y, gap_y=after[0], gap_x=after[1]))


def _packed(steps: list[Step]) -> list[Step]:
    """Give the packed weights of each step their place."""
    place, placed = 0, []
    for step in steps:
        placed.append(replace(step, operation=step.operation.packed_at(place)))
        place += step.operation.size
    return placed
