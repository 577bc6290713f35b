"""The network that selects columns of its input: a concrete autoencoder's."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from torch import Generator, Tensor, nn

from isthmus import hyperparameters
from isthmus.errors import ParameterError
from isthmus.legal import OneOf
from isthmus.params import like, param, part
from isthmus.parts import layers
from isthmus.parts.networks import Dense
from isthmus.parts.schedules import Exponential
from isthmus.parts.subset import best_columns

_LEANING = 20.0


@part
class Selecting:
    """A selector of columns as encoder, dense layers as decoder.

    In training each number of the code is a mixture of all columns, drawn from a concrete distribution whose
    temperature falls; afterwards it is one column, and no column is taken twice (Balin, Abid & Zou, "Concrete
    autoencoders for differentiable feature selection and reconstruction", 2019). The selection starts at the
    columns from which a linear regression rebuilds all columns best: from a start at random, as in the paper,
    training ends at worse ones than that.
    """

    kind: ClassVar[str] = "network"

    hidden: Sequence[int] = like(hyperparameters.Concrete, "hidden", kw_only=False)
    activation: str = like(hyperparameters.Concrete, "activation")
    output_activation: str = param("linear", OneOf(hyperparameters.ACTIVATIONS), "Activation of the last layer.")
    start_temperature: float = like(hyperparameters.Concrete, "start_temperature")
    end_temperature: float = like(hyperparameters.Concrete, "end_temperature")

    def layout(self, row_shape: tuple[int, ...]) -> tuple[int, ...]:
        """A row is seen as one flat vector."""
        return (math.prod(row_shape),)

    def build(self, layout: tuple[int, ...], code_size: int | None, heads: int) -> tuple[nn.Module, nn.Module]:
        """Build selector and decoder."""
        columns = layout[0]
        if code_size is None or code_size > columns or heads != 1:
            raise ParameterError(
                f"code_size must be at most the number of columns, n_features = {columns}, and the bottleneck a "
                f"Point; got {code_size} and {heads} heads"
            )
        temperature = Exponential(self.start_temperature, self.end_temperature)
        mirrored = Dense(self.hidden, activation=self.activation, output_activation=self.output_activation)
        return Selector(columns, code_size, temperature), mirrored.build(layout, code_size, 1)[1]

    def initialise(self, encoder: Any, decoder: nn.Module, generator: Generator) -> None:
        """Draw the first weights of selector and decoder in place."""
        nn.init.xavier_normal_(encoder.logits, generator=generator)
        layers.initialise(decoder, generator)


class Selector(nn.Module):
    """Selects columns: softly while it is trained, one each and all distinct afterwards.

    Attributes
    ----------
    logits : Parameter of shape (selected, columns)
        How strongly each number of the code leans to each column.
    """

    def __init__(self, columns: int, selected: int, temperature: Exponential) -> None:
        super().__init__()
        self.logits = nn.Parameter(torch.empty(selected, columns))
        self._temperature = temperature

    @torch.no_grad()
    def start_at(self, rows: Tensor) -> None:
        """Lean to the columns from which a linear regression rebuilds these rows best."""
        chosen = torch.from_numpy(best_columns(rows.flatten(1).cpu().numpy(), len(self.logits)))
        self.logits[torch.arange(len(chosen)), chosen] += _LEANING

    def draw(self, rows: Tensor, progress: float, generator: Generator) -> Tensor:
        """Mix columns with weights from a concrete (Gumbel-softmax) distribution, one draw for a batch."""
        uniform = torch.rand(self.logits.shape, generator=generator, device=rows.device).clamp_min(1e-10)
        gumbel = -torch.log(-torch.log(uniform).clamp_max(-1e-10))
        weights = torch.softmax((self.logits + gumbel) / self._temperature.at(progress), dim=1)
        return rows @ weights.T

    def support(self) -> Tensor:
        """Give the selected column of each number of the code: the likeliest ones that are all distinct."""
        if self.logits.is_meta:
            return torch.arange(len(self.logits))
        likelihood = torch.log_softmax(self.logits.detach().double(), dim=1).cpu().numpy()
        return torch.from_numpy(np.ascontiguousarray(linear_sum_assignment(-likelihood)[1]))

    def forward(self, rows: Tensor) -> Tensor:
        """Take the selected columns."""
        return rows[:, self.support().to(rows.device)]

    def plain(self) -> nn.Module:
        """Give a module that takes the columns which are selected now, and can be traced."""
        return Columns(self.support())


class Columns(nn.Module):
    """Takes columns of its input.

    Parameters
    ----------
    columns : Tensor of int64 of shape (selected,)
        Their numbers.
    """

    columns: Tensor

    def __init__(self, columns: Tensor) -> None:
        super().__init__()
        self.register_buffer("columns", columns)

    def forward(self, rows: Tensor) -> Tensor:
        """Take the columns."""
        return rows.index_select(1, self.columns)
