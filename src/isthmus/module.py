"""The torch module that a recipe builds: encode, decode, and the named losses of a batch."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Generator, Tensor, nn

from isthmus.errors import ModelFileError
from isthmus.parts import layers
from isthmus.parts.penalties import normal
from isthmus.parts.reconstructions import UNIT_RANGE, SquaredError
from isthmus.recipe import Recipe
from isthmus.records import NormalLatent, Pass, Schema


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
    """

    encoder: Any
    decoder: Any
    reconstruction: Any

    def __init__(self, recipe: Recipe, schema: Schema) -> None:
        super().__init__()
        self.recipe = recipe
        self.schema = schema
        with torch.device("meta"):
            self.encoder, self.decoder = recipe.network.build(schema.layout, recipe.code_size, recipe.bottleneck.heads)
            code = recipe.bottleneck(self.encoder.eval()(torch.empty(1, *schema.tensor_shape))).code
            self.encoder.train()
            self.reconstruction = built(recipe.reconstruction)
        self.code_tensor_shape = tuple(code.shape[1:])
        self.code_shape = (*self.code_tensor_shape[1:], self.code_tensor_shape[0])

    def materialise(self, generator: Generator) -> AutoencoderModule:
        """Give every layer memory and first weights, drawn from ``generator``."""
        self.to_empty(device=generator.device)
        self.recipe.network.initialise(self.encoder, self.decoder, generator)
        if hasattr(self.reconstruction, "reset_parameters"):
            self.reconstruction.reset_parameters()
        self.constrain()
        return self._laid_out()

    def start_at(self, rows: Tensor) -> None:
        """Let the decoder's first answer be the mean of some scaled rows, and whatever else can start at them do so."""
        logits = isinstance(self.recipe.reconstruction, UNIT_RANGE)
        layers.start_at(self.decoder, rows.mean(dim=0), logits=logits)
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
        self.load_state_dict(dict(weights), assign=True)
        return self._laid_out()

    def _laid_out(self) -> AutoencoderModule:
        """Lay the weights of image networks out with the channels last, which convolutions run fastest on."""
        if len(self.schema.layout) == 3:
            self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        return self

    def encode(self, rows: Tensor) -> Tensor:
        """Give the codes of scaled rows; nothing is drawn."""
        return self.recipe.bottleneck(self.encoder(rows)).code

    def decode(self, codes: Tensor) -> Tensor:
        """Give the scaled rows that codes stand for."""
        return self.reconstruction.mean(self.decoder(codes))

    def corrupted(self, rows: Tensor, generator: Generator) -> Tensor:
        """Give what the encoder sees of scaled rows in training."""
        return rows if self.recipe.corruption is None else self.recipe.corruption(rows, generator)

    def constrain(self) -> None:
        """Put weights that must obey a rule back into it; called after each step."""
        if hasattr(self.recipe.bottleneck, "constrain"):
            self.recipe.bottleneck.constrain(self.decoder)

    def losses(
        self, rows: Tensor, inputs: Tensor, progress: float, generator: Generator, *, training: bool = True
    ) -> tuple[dict[str, Tensor], Tensor]:
        """Give the named losses of a batch and the sum of squared errors of its rows.

        Parameters
        ----------
        rows, inputs : Tensor of shape (n, ...)
            Scaled rows, channels first, and what the encoder gets to see of them.
        progress : float
            Share of the training that is done.
        generator : Generator
            Source of draws.
        training : bool, default=True
            Whether encoders and bottlenecks that are random only in training are so.
        """
        features = self._features(inputs, progress, generator if training else None)
        if self.recipe.n_importance > 1:
            return self._importance_weighted(rows, features, progress, generator)
        latent = self.recipe.bottleneck(features, progress, self._noise(generator, training))
        output = self.decoder(latent.code)
        losses = {"reconstruction": self.reconstruction.loss(output, rows)}
        run = Pass(rows, inputs, latent, output, self.encoder, self.decoder, generator, progress)
        for penalty in self.recipe.penalties:
            losses[penalty.name] = penalty(run)
        return losses, self.squared_error(output, rows, losses["reconstruction"])

    def _features(self, inputs: Tensor, progress: float, generator: Generator | None) -> Tensor:
        if generator is not None and hasattr(self.encoder, "draw"):
            return self.encoder.draw(inputs, progress, generator)
        return self.encoder(inputs)

    def _noise(self, generator: Generator, training: bool) -> Generator | None:
        return generator if training or self.recipe.bottleneck.random else None

    @torch.no_grad()
    def squared_error(self, output: Tensor, rows: Tensor, loss: Tensor | None = None) -> Tensor:
        """Give the sum of squared errors of rows, from the reconstruction loss where it is just that."""
        if loss is not None and isinstance(self.recipe.reconstruction, SquaredError):
            return loss.detach() * len(rows)
        return (self.reconstruction.mean(output) - rows).square_().sum()

    def log_weights(self, rows: Tensor, n_samples: int, generator: Generator) -> Tensor:
        """Give log p(x|z) + log p(z) - log q(z|x) for draws of z, of shape (n, n_samples), in nats.

        The mean over the draws estimates the evidence lower bound, the logarithm of the mean of their
        exponentials the log-likelihood (Burda et al., "Importance weighted autoencoders", 2016).
        """
        return self._weights(rows, self.encoder(rows), n_samples, 1.0, generator)[0]

    def _weights(
        self, rows: Tensor, features: Tensor, n_samples: int, progress: float, generator: Generator
    ) -> tuple[Tensor, Tensor]:
        latent = self.recipe.bottleneck(features.repeat_interleave(n_samples, dim=0), progress, generator)
        output = self.decoder(latent.code)
        prior_over_posterior = log_ratio(normal(latent)).unflatten(0, (len(rows), n_samples))
        likelihood = self.reconstruction.log_likelihood(output, rows.repeat_interleave(n_samples, dim=0))
        return likelihood.unflatten(0, (len(rows), n_samples)) + prior_over_posterior, output

    def _importance_weighted(
        self, rows: Tensor, features: Tensor, progress: float, generator: Generator
    ) -> tuple[dict[str, Tensor], Tensor]:
        k = self.recipe.n_importance
        weights, output = self._weights(rows, features, k, progress, generator)
        bound = (weights.logsumexp(dim=1) - math.log(k)).mean()
        return {"bound": -bound}, self.squared_error(output[::k], rows)


def built(part: Any) -> Any:
    """Give the module that a part builds, or the part itself if it learns nothing."""
    return part.build() if hasattr(part, "build") else part


def log_ratio(latent: NormalLatent) -> Tensor:
    """Give log p(z) - log q(z|x) of each drawn code, for a standard normal p, in nats."""
    standard = (latent.code - latent.mean) * torch.exp(-latent.log_scale)
    return ((standard.square() - latent.code.square()) / 2 + latent.log_scale).flatten(1).sum(dim=1)
