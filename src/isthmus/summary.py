"""The table of layers, output shapes and parameters."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from isthmus.module import AutoencoderModule

Line = tuple[str, str, str]


def summary_of(name: str, module: AutoencoderModule) -> str:
    """Give the table of a module as text: a line for each layer, shapes with the channels last."""
    shape = module.schema.tensor_shape
    lines: list[Line] = [("input", _shape(torch.empty(1, *shape, device="meta")), "0")]
    lines += _layers("encoder", module.encoder, shape)
    lines += _layers("decoder", module.decoder, module.code_tensor_shape)
    count = sum(parameter.numel() for parameter in module.parameters())
    header: Line = ("layer", "output shape", "parameters")
    widths = [max(len(line[column]) for line in [header, *lines]) for column in range(3)]
    rule = "-" * (sum(widths) + 4)
    rows = [f"{a:<{widths[0]}}  {b:<{widths[1]}}  {c:>{widths[2]}}" for a, b, c in [header, *lines]]
    code = " x ".join(map(str, module.code_shape))
    return "\n".join([name, rule, rows[0], rule, *rows[1:], rule, f"code {code}, {count:,} parameters"])


def _layers(part: str, network: nn.Module, shape: tuple[int, ...]) -> list[Line]:
    """Send one row through the layers and note what each gives."""
    lines: list[Line] = []

    def note(title: str, layer: nn.Module, inputs: Any, output: Tensor) -> None:
        count = sum(parameter.numel() for parameter in layer.parameters())
        lines.append((title, _shape(output), f"{count:,}"))

    hooks = [
        layer.register_forward_hook(partial(note, f"{part}.{name} {type(layer).__name__}"))
        for name, layer in network.named_modules()
        if not list(layer.children())
    ]
    device = next((parameter.device for parameter in network.parameters()), torch.device("cpu"))
    try:
        with torch.no_grad():
            network(torch.zeros(1, *shape, device=device))
    finally:
        for hook in hooks:
            hook.remove()
    return lines


def _shape(batch: Tensor) -> str:
    channels, *rest = batch.shape[1:]
    return " x ".join(map(str, (*rest, channels)))
