"""The torch module that a recipe builds: encode, decode, and the named losses of a batch."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from typing import Any

import numpy as np
import torch
from torch import Generator, Tensor, nn

from isthmus.batches import Batch, NormalLatent, Pass
from isthmus.devices import number_of
from isthmus.errors import ModelFileError, ParameterError
from isthmus.parts import layers
from isthmus.parts.penalties import normal
from isthmus.parts.reconstructions import UNIT_RANGE, SquaredError
from isthmus.parts.shapes import ShapesOnly
from isthmus.recipe import Recipe
from isthmus.records import Schema

_WHOLE, _BOUND = "reconstruction", "bound"


class AutoencoderModule(nn.Module):
    """Encoder, bottleneck and decoder of a recipe.

    It is built on torch's meta device, without memory or random numbers; `materialise` gives it weights,
    ``load_state_dict(assign=True)`` those of a file.

    Parameters
    ----------
    recipe : Recipe
        The parts.
    schema : Schema
        What a row looks like.

    Attributes
    ----------
    encoder, decoder : Module
        Plain torch modules on scaled rows, ``(n, columns)`` or channels first.
    code_shape : tuple of int
        Shape of the code of a row, channels last.
    widest : int
        Numbers that the widest layer gives for a row.
    """

    encoder: Any
    decoder: Any
    reconstruction: Any
    _narrow = False

    def __init__(self, recipe: Recipe, schema: Schema) -> None:
        super().__init__()
        self.recipe = recipe
        self.schema = schema
        with torch.device("meta"):
            self.encoder, self.decoder = self._networks()
            with ShapesOnly(), layers.watched([self.encoder, self.decoder]) as outputs:
                row = self.shown(Batch(torch.empty(1, *schema.tensor_shape)))
                code = recipe.bottleneck(self.encoder.eval()(row)).code
                self.decoder.eval()(code)
            self.train()
            self.reconstruction = built(recipe.reconstruction)
        self.widest = max((output.numel() for _, output in outputs), default=1)
        self.code_tensor_shape = tuple(code.shape[1:])
        self.code_shape = (*self.code_tensor_shape[1:], self.code_tensor_shape[0])

    def _networks(self) -> tuple[nn.Module, nn.Module]:
        """Build encoder and decoder; an encoder that sees which cells are missing has twice the columns or channels."""
        recipe, layout = self.recipe, self.schema.layout
        size = layout[0] if recipe.code_size is None and len(layout) == 1 else recipe.code_size
        encoder, decoder = recipe.network.build(layout, size, recipe.bottleneck.heads)
        if recipe.missing_indicator:
            encoder, _ = recipe.network.build((*layout[:-1], 2 * layout[-1]), size, recipe.bottleneck.heads)
        return encoder, decoder

    def materialise(self, generator: Generator) -> AutoencoderModule:
        """Give every layer memory and first weights, drawn from ``generator``."""
        self._apply(lambda values: _room_for(values, generator.device))
        self.recipe.network.initialise(self.encoder, self.decoder, generator)
        if hasattr(self.reconstruction, "reset_parameters"):
            self.reconstruction.reset_parameters()
        self.constrain()
        return self._laid_out()

    def start_at(self, batch: Batch) -> None:
        """Let the decoder's first answer be the mean of some scaled rows, and whatever else can start at them do so."""
        rows = batch.rows if batch.weights is None else batch.rows[batch.weights > 0]
        rows = rows if len(rows) else batch.rows
        logits, mean = isinstance(self.recipe.reconstruction, UNIT_RANGE), rows.mean(dim=0)
        mean = self.reconstruction.link(mean) if hasattr(self.reconstruction, "link") else mean
        layers.start_at(self.decoder, mean, logits=logits)
        if hasattr(self.encoder, "start_at"):
            self.encoder.start_at(rows)
        if hasattr(self.recipe.bottleneck, "start_at"):
            self.recipe.bottleneck.start_at(self.encoder, self.decoder, rows)

    def load_weights(self, weights: Mapping[str, Tensor]) -> AutoencoderModule:
        """Take the weights of a file, after a look at their names, shapes and types."""
        expected = self.state_dict()
        if weights.keys() != expected.keys():
            odd = sorted(weights.keys() ^ expected.keys())
            raise ModelFileError(f"its tensors are not those of the network it describes: {', '.join(odd[:3])}")
        for name, value in weights.items():
            if value.shape != expected[name].shape or value.dtype != expected[name].dtype:
                raise ModelFileError(
                    f"its tensor {name} is {value.dtype} of shape {tuple(value.shape)}, but the network it describes "
                    f"has {expected[name].dtype} of shape {tuple(expected[name].shape)}"
                )
            if value.is_floating_point() and not value.isfinite().all():
                raise ModelFileError(f"its tensor {name} holds numbers that are not finite: the file is damaged")
        self.load_state_dict(dict(weights), assign=True)
        return self._laid_out()

    def _laid_out(self) -> AutoencoderModule:
        """Lay the weights of image networks out with the channels last, which convolutions run fastest on."""
        if len(self.schema.layout) == 3:
            self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        return self

    def encode(self, rows: Tensor, present: Tensor | None = None) -> Tensor:
        """Give the codes of scaled rows, of which cells may be missing; nothing is drawn."""
        return self.recipe.bottleneck(self.encoder(self.shown(Batch(rows, present)))).code

    def decode(self, codes: Tensor) -> Tensor:
        """Give the scaled rows that codes stand for."""
        return self.reconstruction.mean(self.decoder(codes))

    def corrupted(self, batch: Batch, generator: Generator) -> Tensor:
        """Give what the encoder sees of a batch in training; missing cells stay as they are."""
        corruption, rows, present = self.recipe.corruption, batch.rows, batch.present
        if corruption is None:
            return self.shown(batch)
        if self.recipe.missing_indicator and hasattr(corruption, "kept"):
            kept = self._by_column(corruption.kept(rows, generator))
            if present is None:
                return self.shown(Batch(rows * kept, kept))
            return self.shown(Batch(torch.where(present > 0, rows * kept, rows), present * kept))
        corrupted = corruption(rows, generator)
        if present is not None:
            corrupted = torch.where(present > 0, corrupted, rows)
        return self.shown(Batch(corrupted, present))

    def _by_column(self, kept: Tensor) -> Tensor:
        """Let the cells of a category be hidden together: the others would tell which one it is."""
        if self.schema.table is None:
            return kept
        _, first, cells = np.unique(self.schema.table.owners, return_index=True, return_inverse=True)
        return kept[:, first[cells]]

    def shown(self, batch: Batch) -> Tensor:
        """Give what the encoder sees of a batch: the rows and, if the recipe says so, which cells are missing."""
        if not self.recipe.missing_indicator:
            return batch.rows
        missing = torch.zeros_like(batch.rows) if batch.present is None else 1 - batch.present
        return torch.cat([batch.rows, missing], dim=1)

    def constrain(self) -> None:
        """Put weights that must obey a rule back into it; called after each step."""
        if hasattr(self.recipe.bottleneck, "constrain"):
            self.recipe.bottleneck.constrain(self.decoder)

    def losses(
        self, batch: Batch, inputs: Tensor, progress: float, generator: Generator, *, training: bool = True
    ) -> tuple[dict[str, Tensor], Tensor | float]:
        """Give the named losses of a batch and the sum of squared errors of its rows.

        Parameters
        ----------
        batch : Batch
            Scaled rows, channels first.
        inputs : Tensor of shape (n, ...)
            What the encoder gets to see of them.
        progress : float
            Share of the training that is done.
        generator : Generator
            Source of draws.
        training : bool, default=True
            Whether networks and bottlenecks that are random only in training are so.
        """
        chance = generator if training else None
        features = self._passed(self.encoder, inputs, progress, chance)
        if self.recipe.n_importance > 1:
            return self._importance_weighted(batch, features, progress, generator)
        latent = self.recipe.bottleneck(features, progress, self._noise(generator, training))
        output = self._passed(self.decoder, latent.code, progress, chance)
        losses = self.compared(output, batch)
        run = Pass(batch, inputs, latent, output, self.encoder, self.decoder, generator, progress)
        for penalty in self.recipe.penalties:
            losses[penalty.name] = penalty(run)
        return losses, self.squared_error(output, batch, losses)

    @contextmanager
    def narrowed(self, narrow: bool) -> Iterator[None]:
        """Let both networks multiply in bfloat16 where `losses` runs in a block, if that is wanted."""
        before, self._narrow = self._narrow, narrow
        try:
            yield
        finally:
            self._narrow = before

    def _passed(self, network: Any, values: Tensor, progress: float, chance: Generator | None) -> Tensor:
        """Pass values through the encoder or decoder; with a generator one that draws in training does so."""
        with torch.autocast(values.device.type, torch.bfloat16) if self._narrow else nullcontext():
            drawing = chance is not None and hasattr(network, "draw")
            output = network.draw(values, progress, chance) if drawing else network(values)
        return output.float() if self._narrow else output

    def compared(self, output: Tensor, batch: Batch) -> dict[str, Tensor]:
        """Give the reconstruction losses of a batch: missing cells are left out, rows count by their weights.

        There is one, but for mixed tables, which have one for each kind of column.
        """
        if batch.plain and not hasattr(self.reconstruction, "named"):
            return {_WHOLE: self.reconstruction.loss(output, batch.rows)}
        terms = self.terms(output, batch)
        named = self.reconstruction.named(terms) if hasattr(self.reconstruction, "named") else {_WHOLE: terms}
        return {name: batch.mean(own.flatten(1).sum(dim=1)) for name, own in named.items()}

    def reconstruction_loss(self, losses: Mapping[str, float]) -> float | None:
        """Sum those of some named losses that compare rows with what was rebuilt; None if there are none."""
        names = {penalty.name for penalty in self.recipe.penalties} | {_BOUND}
        own = [loss for name, loss in losses.items() if name not in names]
        return sum(own) if own else None

    def terms(self, output: Tensor, batch: Batch) -> Tensor:
        """Give the reconstruction loss of each cell, zero where it is missing."""
        if not hasattr(self.reconstruction, "terms"):
            name = type(self.recipe.reconstruction).__name__
            raise ParameterError(f"{name} has no terms(output, rows), which missing cells and weights need")
        terms = self.reconstruction.terms(output, batch.rows)
        return terms if batch.present is None else terms * batch.present

    def _noise(self, generator: Generator, training: bool) -> Generator | None:
        return generator if training or self.recipe.bottleneck.random else None

    def squared_error(self, output: Tensor, batch: Batch, losses: Mapping[str, Tensor] | None = None) -> Tensor | float:
        """Give the sum of squared errors of a batch, from the reconstruction loss where it is just that."""
        if losses is not None and isinstance(self.recipe.reconstruction, SquaredError):
            return number_of(losses[_WHOLE]) * len(batch)
        with torch.no_grad():
            squares = (self.reconstruction.mean(output) - batch.rows).square_()
            if batch.present is not None:
                squares = squares.mul_(batch.present)
            weighted = batch.weights is not None
            return number_of(batch.mean(squares.flatten(1).sum(dim=1)) * len(batch) if weighted else squares.sum())

    def log_likelihood(self, output: Tensor, batch: Batch) -> Tensor:
        """Give the log-likelihood of the cells of each row that are there, in nats."""
        if batch.present is None:
            return self.reconstruction.log_likelihood(output, batch.rows)
        return -self.terms(output, batch).flatten(1).sum(dim=1)

    def log_weights(self, batch: Batch, n_samples: int, generator: Generator) -> Tensor:
        """Give log p(x|z) + log p(z) - log q(z|x) for draws of z, of shape (n, n_samples), in nats.

        The mean over the draws estimates the evidence lower bound, the logarithm of the mean of their
        exponentials the log-likelihood (Burda et al., "Importance weighted autoencoders", 2016).
        """
        return self._weights(batch, self.encoder(self.shown(batch)), n_samples, 1.0, generator)[0]

    def _weights(
        self, batch: Batch, features: Tensor, n_samples: int, progress: float, generator: Generator
    ) -> tuple[Tensor, Tensor]:
        latent = self.recipe.bottleneck(features.repeat_interleave(n_samples, dim=0), progress, generator)
        output = self._passed(self.decoder, latent.code, progress, None)
        prior_over_posterior = log_ratio(normal(latent)).unflatten(0, (len(batch), n_samples))
        likelihood = self.log_likelihood(output, batch.repeated(n_samples))
        return likelihood.unflatten(0, (len(batch), n_samples)) + prior_over_posterior, output

    def _importance_weighted(
        self, batch: Batch, features: Tensor, progress: float, generator: Generator
    ) -> tuple[dict[str, Tensor], Tensor | float]:
        k = self.recipe.n_importance
        weights, output = self._weights(batch, features, k, progress, generator)
        bound = batch.mean(weights.logsumexp(dim=1) - math.log(k))
        return {_BOUND: -bound}, self.squared_error(output[::k], batch)


def _room_for(values: Tensor, device: torch.device) -> Tensor:
    """Give memory for a tensor that has none; ``to_empty`` does so too, but imports torch's compiler for it."""
    return torch.empty_strided(values.shape, values.stride(), dtype=values.dtype, device=device)


def built(part: Any) -> Any:
    """Give the module that a part builds, or the part itself if it learns nothing."""
    return part.build() if hasattr(part, "build") else part


def log_ratio(latent: NormalLatent) -> Tensor:
    """Give log p(z) - log q(z|x) of each drawn code, for a standard normal p, in nats."""
    standard = (latent.code - latent.mean) * torch.exp(-latent.log_scale)
    return ((standard.square() - latent.code.square()) / 2 + latent.log_scale).flatten(1).sum(dim=1)
