"""The torch module that a recipe builds: encode, decode, and the named losses of a batch."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Generator, Tensor, nn

from isthmus.errors import ModelFileError
from isthmus.recipe import Recipe
from isthmus.records import Pass, Schema


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

    def __init__(self, recipe: Recipe, schema: Schema) -> None:
        super().__init__()
        self.recipe = recipe
        self.schema = schema
        with torch.device("meta"):
            self.encoder, self.decoder = recipe.network.build(schema.layout, recipe.code_size, recipe.bottleneck.heads)
            code = recipe.bottleneck(self.encoder(torch.empty(1, *schema.tensor_shape))).code
        self.code_tensor_shape = tuple(code.shape[1:])
        self.code_shape = (*self.code_tensor_shape[1:], self.code_tensor_shape[0])

    def materialise(self, generator: Generator) -> AutoencoderModule:
        """Give every layer memory and first weights, drawn from ``generator``."""
        self.to_empty(device=generator.device)
        self.recipe.network.initialise(self.encoder, self.decoder, generator)
        return self._laid_out()

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
        return self.recipe.reconstruction.mean(self.decoder(codes))

    def losses(self, rows: Tensor, progress: float, generator: Generator | None) -> tuple[dict[str, Tensor], Tensor]:
        """Give the named losses of a batch and the sum of squared errors of its rows.

        Parameters
        ----------
        rows : Tensor of shape (n, ...)
            Scaled rows, channels first.
        progress : float
            Share of the training that is done.
        generator : Generator or None
            Source of corruption and draws; None for validation, where nothing is corrupted or drawn.
        """
        recipe = self.recipe
        corrupted = rows if recipe.corruption is None or generator is None else recipe.corruption(rows, generator)
        latent = recipe.bottleneck(self.encoder(corrupted), generator)
        output = self.decoder(latent.code)
        losses = {"reconstruction": recipe.reconstruction.loss(output, rows)}
        run = Pass(rows, corrupted, latent, output, self.encoder, progress)
        for penalty in recipe.penalties:
            losses[penalty.name] = penalty(run)
        with torch.no_grad():
            error = (recipe.reconstruction.mean(output) - rows).square_().sum()
        return losses, error
