"""What is traced: encoder, decoder or both, with the scaling inside."""

from __future__ import annotations

import copy
import dataclasses
import json
import math
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor, nn

from isthmus.codec import Codec
from isthmus.provenance import versions
from isthmus.rows import tensor_of

ROWS, CODES, REBUILT = "rows", "codes", "rebuilt"


class Graph(nn.Module):
    """Encoder, decoder or both of a codec, from what users have to what they want.

    Parameters
    ----------
    codec : Codec
        A trained module with its scaling.
    encodes, decodes : bool
        Which halves; with both the codes are given too.
    """

    def __init__(self, codec: Codec, *, encodes: bool, decodes: bool) -> None:
        super().__init__()
        self.codec = codec
        self.module = codec.module
        self.encodes, self.decodes = encodes, decodes

    @property
    def input_name(self) -> str:
        """What goes in."""
        return ROWS if self.encodes else CODES

    @property
    def output_names(self) -> list[str]:
        """What comes out, in this order."""
        return [name for name, wanted in ((CODES, self.encodes), (REBUILT, self.decodes)) if wanted]

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of one row of each."""
        row_shape = self.module.schema.row_shape
        return {ROWS: row_shape, CODES: (math.prod(self.module.code_shape),), REBUILT: row_shape}

    @property
    def dtype(self) -> np.dtype:
        """The type of the input: that of the X that was fitted, float32 for codes."""
        if not self.encodes:
            return np.dtype(np.float32)
        return tensor_of(np.zeros(1, self.module.schema.dtype)).numpy().dtype

    def example(self) -> Tensor:
        """Give an input to trace with; more than one row, so that no size is taken for a constant."""
        return torch.from_numpy(np.zeros((3, *self.shapes[self.input_name]), self.dtype))

    def forward(self, values: Tensor) -> tuple[Tensor, ...]:
        """Encode, decode, or both; missing cells are seen wherever the type allows them."""
        codes = self.codec.codes_of(values, gaps=values.is_floating_point()) if self.encodes else values
        rebuilt = (self.codec.rows_of(codes),) if self.decodes else ()
        return (codes, *rebuilt) if self.encodes else rebuilt


def plain(codec: Codec) -> Codec:
    """Give a copy on the CPU whose networks are made of steps that can be traced."""
    module = copy.deepcopy(codec.module).cpu().eval()
    module.encoder, module.decoder = _plain(module.encoder), _plain(module.decoder)
    return dataclasses.replace(codec, module=module, device=torch.device("cpu"))


def _plain(network: nn.Module) -> nn.Module:
    if not hasattr(network, "plain"):
        return network
    steps: Any = network
    return steps.plain()


@dataclass(frozen=True)
class Description:
    """What a file says about the model it holds, as text.

    Attributes
    ----------
    name : str
        The estimator's class.
    columns : tuple of str
        Names of the columns of X; empty if it had none.
    """

    name: str
    columns: tuple[str, ...] = ()

    @classmethod
    def of(cls, model: Any) -> Self:
        """Describe a fitted estimator."""
        return cls(type(model).__name__, tuple(map(str, getattr(model, "feature_names_in_", ()))))

    def entries(self, graph: Graph) -> dict[str, str]:
        """Give the entries of a file's metadata."""
        schema, shapes = graph.module.schema, graph.shapes
        return {
            "isthmus.class": self.name,
            "isthmus.part": " and ".join(["encoder"] * graph.encodes + ["decoder"] * graph.decodes),
            "isthmus.row_shape": json.dumps(schema.row_shape),
            "isthmus.row_dtype": schema.dtype,
            "isthmus.code_shape": json.dumps(graph.module.code_shape),
            "isthmus.code_size": str(shapes[CODES][0]),
            "isthmus.columns": json.dumps(self.columns),
            "isthmus.versions": json.dumps(versions()),
        }
