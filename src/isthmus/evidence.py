"""What a variational module says about rows: posteriors, evidence lower bounds, log-likelihoods."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor

from isthmus.batches import Batch
from isthmus.module import AutoencoderModule
from isthmus.parts.penalties import divergences, normal
from isthmus.rows import Rows, channels_last

_NUMBERS_AT_ONCE = 2**22


def _batches(module: AutoencoderModule, rows: Rows, draws: int = 1) -> Iterator[Batch]:
    size = max(1, _NUMBERS_AT_ONCE // (math.prod(module.schema.layout) * draws))
    return rows.batches(rows.every(), min(size, 1024))


@torch.inference_mode()
def posteriors(module: AutoencoderModule, rows: Rows) -> tuple[NDArray, NDArray]:
    """Give mean and standard deviation of the code of each row, of shape (n, code numbers)."""
    found: list[tuple[Tensor, Tensor]] = []
    numbers = (math.prod(module.code_shape),)
    for batch in _batches(module, rows):
        latent = normal(module.recipe.bottleneck(module.encoder(module.shown(batch))))
        scale = latent.log_scale.exp()
        found.append((channels_last(latent.mean, numbers).cpu(), channels_last(scale, numbers).cpu()))
    return torch.cat([mean for mean, _ in found]).numpy(), torch.cat([scale for _, scale in found]).numpy()


@torch.inference_mode()
def elbos(module: AutoencoderModule, rows: Rows, n_samples: int, generator: Generator) -> NDArray:
    """Estimate E log p(x|z) - KL(q(z|x) || p(z)) of each row, in nats; the divergence in closed form."""
    bounds = []
    for batch in _batches(module, rows, n_samples):
        features = module.encoder(module.shown(batch))
        posterior = normal(module.recipe.bottleneck(features))
        latent = module.recipe.bottleneck(features.repeat_interleave(n_samples, dim=0), 1.0, generator)
        likelihood = module.log_likelihood(module.decoder(latent.code), batch.repeated(n_samples))
        divergence = divergences(posterior).flatten(1).sum(dim=1)
        bounds.append((likelihood.unflatten(0, (len(batch), n_samples)).mean(dim=1) - divergence).cpu())
    return torch.cat(bounds).double().numpy()


@torch.inference_mode()
def log_likelihoods(module: AutoencoderModule, rows: Rows, n_samples: int, generator: Generator) -> NDArray:
    """Estimate log p(x) of each row as the log of the mean importance weight, in nats."""
    most = min(n_samples, 100)
    found = []
    for batch in _batches(module, rows, most):
        total = torch.full((len(batch),), -torch.inf, dtype=torch.float64, device=batch.rows.device)
        for start in range(0, n_samples, most):
            weights = module.log_weights(batch, min(most, n_samples - start), generator)
            total = torch.logaddexp(total, weights.double().logsumexp(dim=1))
        found.append((total - math.log(n_samples)).cpu())
    return torch.cat(found).numpy()


Estimate = Callable[[AutoencoderModule, Rows, int, Generator], NDArray]


@torch.inference_mode()
def mean_divergences(module: AutoencoderModule, batches: Iterator[Batch]) -> NDArray:
    """Give the mean divergence of each number of the code from the prior, in nats."""
    numbers = (math.prod(module.code_shape),)
    total, count = torch.zeros(numbers, dtype=torch.float64), 0.0
    for batch in batches:
        features = module.encoder(module.shown(batch))
        terms = channels_last(divergences(normal(module.recipe.bottleneck(features))), numbers)
        total += batch.mean(terms).double().cpu() * len(batch)
        count += batch.weight
    return np.asarray(total / count)
