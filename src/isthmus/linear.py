"""The linear autoencoder solved exactly, and the principal components that any linear decoder spans.

The optimum of a linear autoencoder spans the subspace of the first principal components (Baldi & Hornik,
"Neural networks and principal component analysis", 1989). The exact solver takes them from the covariance
matrix, or for many columns from a randomized SVD; after training by gradient they are found within the span
of the decoder.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.utils.extmath import randomized_svd, svd_flip
from torch import nn

from isthmus.callbacks import begin_epoch, tell, watched
from isthmus.errors import ParameterError
from isthmus.module import AutoencoderModule
from isthmus.records import Epoch
from isthmus.sources import Order, ordered_blocks
from isthmus.training import Trainer

WIDEST_COVARIANCE = 4_096
_BATCH = 8_192
_NARROW = (np.float32, np.float16, np.uint8, np.int8, np.uint16, np.int16, np.bool_)


@dataclass
class Moments:
    """Count, mean and scatter matrix of rows that come in batches.

    Attributes
    ----------
    count : float
        Rows so far, by their weights.
    mean : ndarray of shape (columns,)
        Their mean, float64.
    scatter : ndarray of shape (columns, columns)
        Sum of the products of centred columns, float64.
    """

    count: float
    mean: NDArray
    scatter: NDArray

    @classmethod
    def none(cls, columns: int) -> Moments:
        """Give the moments of no rows."""
        return cls(0, np.zeros(columns), np.zeros((columns, columns)))

    def add(
        self,
        rows: NDArray,
        offset: NDArray | float = 0.0,
        scale: NDArray | float = 1.0,
        weights: NDArray | None = None,
    ) -> None:
        """Add rows, scaled as (rows - offset) / scale; products are float32, their sums float64."""
        wide = np.float32 if rows.dtype in _NARROW else np.float64
        centred = np.empty((min(len(rows), _BATCH), len(self.mean)), np.float32)
        for start in range(0, len(rows), _BATCH):
            batch, own = rows[start : start + _BATCH], None if weights is None else weights[start : start + _BATCH]
            if own is not None and not own.any():
                continue
            centred = centred[: len(batch)]
            count = len(batch) if own is None else float(own.sum(dtype=np.float64))
            mean = batch.mean(axis=0, dtype=np.float64) if own is None else own @ batch / count
            np.subtract(batch, mean.astype(wide), out=centred, dtype=wide, casting="same_kind")
            if np.any(scale != 1):
                centred /= np.asarray(scale, np.float32)
            if own is not None:
                centred *= np.sqrt(own, dtype=np.float32)[:, None]
            # numpy sees the symmetry, which halves the work
            self.merge(Moments(count, (mean - offset) / scale, centred.T @ centred))

    def merge(self, other: Moments) -> None:
        """Add what other rows gave (Chan's update)."""
        if not other.count:
            return
        total = self.count + other.count
        shift = other.mean - self.mean
        self.scatter += other.scatter
        if self.count:
            self.scatter += np.outer(shift, shift) * (self.count * other.count / total)
        self.mean = self.mean + shift * (other.count / total)
        self.count = total


@dataclass(frozen=True)
class Components:
    """Principal components in scaled units.

    Attributes
    ----------
    directions : ndarray of shape (k, columns)
        Orthonormal, by falling variance; the largest entry of each is positive.
    scatter : ndarray of shape (k,)
        Sum of squares of the centred rows along each.
    total : float
        Sum of squares of the centred rows.
    mean : ndarray of shape (columns,)
        Mean of the rows.
    count : float
        Number of rows, by their weights.
    """

    directions: NDArray
    scatter: NDArray
    total: float
    mean: NDArray
    count: float


def components_from(moments: Moments, k: int) -> Components:
    """Take the first k principal components from a scatter matrix."""
    values, vectors = np.linalg.eigh(moments.scatter)
    directions = _signed(vectors.T[::-1][:k])
    scatter, total = np.maximum(values[::-1][:k], 0.0), float(moments.scatter.trace())
    return Components(directions, scatter, total, moments.mean, moments.count)


def components_of_wide(trainer: Trainer, k: int) -> Components:
    """Take the first k principal components of rows with many columns, by a randomized SVD of them all."""
    batches = list(trainer.rows.batches(trainer.training, _BATCH))
    rows = torch.cat([batch.rows.cpu() for batch in batches]).numpy()
    weights = (
        None
        if trainer.rows.weights is None
        else torch.cat([batch.weights for batch in batches if batch.weights is not None]).cpu().numpy()
    )
    mean = rows.mean(axis=0, dtype=np.float64) if weights is None else weights @ rows.astype(np.float64) / len(rows)
    rows -= mean.astype(np.float32)
    if weights is not None:
        rows *= np.sqrt(weights)[:, None]
    _, values, directions = randomized_svd(rows, k, n_iter=7, random_state=trainer.state.shuffler, flip_sign=False)
    total = float(np.square(rows, dtype=np.float64).sum())
    scatter = np.zeros(k)
    scatter[: len(values)] = values.astype(np.float64) ** 2
    return Components(_signed(_completed(directions, k)), scatter, total, mean, len(rows))


def _completed(directions: NDArray, k: int) -> NDArray:
    """Add orthonormal directions where there are fewer rows than directions wanted."""
    columns = directions.shape[1]
    more = np.eye(k - len(directions), columns)
    basis = np.linalg.qr(np.vstack([directions, more]).T)[0].T
    return np.vstack([directions, basis[len(directions) :]])


def components_within(trainer: Trainer) -> Components:
    """Find the principal components of the training rows within the span of a linear decoder."""
    decoder = _weights(trainer.module.decoder).weight.detach().cpu().double()
    basis = torch.linalg.svd(decoder, full_matrices=False)[0].float()
    columns, k = basis.shape
    count, mean, total, projected = 0.0, torch.zeros(columns).double(), 0.0, Moments.none(k)
    for batch in trainer.rows.batches(trainer.training, _BATCH):
        rows, weights = batch.rows.cpu(), None if batch.weights is None else batch.weights.cpu().numpy()
        projected.add((rows @ basis).numpy(), weights=weights)
        total += float(batch.mean(batch.rows.double().square().sum(dim=1))) * len(batch)
        mean += batch.mean(batch.rows.double()).cpu() * len(batch)
        count += batch.weight
    mean /= count
    inner = components_from(projected, k)
    directions = _signed(inner.directions @ basis.T.double().numpy())
    return Components(directions, inner.scatter, total - count * float(mean.square().sum()), mean.numpy(), count)


def solve(trainer: Trainer, earlier: Moments | None) -> tuple[Components, Moments | None]:
    """Put the exact optimum into a linear module; the epoch's loss is the scatter that is left.

    Parameters
    ----------
    trainer : Trainer
        The module and the rows.
    earlier : Moments or None
        Moments of earlier rows to go on with.

    Returns
    -------
    components : Components
        What was found.
    moments : Moments or None
        Moments of all rows so far; None if there are too many columns for a covariance matrix.
    """
    started, columns = time.perf_counter(), trainer.module.schema.layout[0]
    trainer.epochs = 1
    with watched(trainer):
        begin_epoch(trainer)
        if columns > WIDEST_COVARIANCE:
            moments, components = None, components_of_wide(trainer, trainer.module.code_shape[0])
        else:
            moments = _moments_of_all(trainer, earlier or Moments.none(columns))
            components = components_from(moments, trainer.module.code_shape[0])
        install(trainer.module, components)
        tell(trainer, _record(trainer, components, started))
    return components, moments


def _moments_of_all(trainer: Trainer, earlier: Moments) -> Moments:
    """Add the training rows to earlier ones; each rank reads its share."""
    source, scaling, weights = trainer.rows.source, trainer.rows.scaling, trainer.rows.weights
    moments = earlier if trainer.ranks.first else Moments.none(len(earlier.mean))
    centre = (scaling.centre * scaling.scale + scaling.offset).numpy()
    order = Order(trainer.ranks.share(source.pieces, trainer.training))
    for block, places in ordered_blocks(source, order, numbered=weights is not None):
        flat = block.reshape(len(block), -1)
        if trainer.rows.gaps:
            flat = _filled(flat, centre)
        own = None if weights is None else weights[places]
        moments.add(flat, scaling.offset.numpy(), scaling.scale.numpy(), own)
    first, *others = trainer.ranks.gathered(moments)
    for other in others:
        first.merge(other)
    return first


def _filled(rows: NDArray, centre: NDArray) -> NDArray:
    """Put the mean of the column where a cell is missing; rows without such cells stay as they are, in their type."""
    return np.where(np.isnan(rows), centre, rows) if rows.dtype.kind == "f" and np.isnan(rows).any() else rows


def _record(trainer: Trainer, components: Components, started: float) -> Epoch:
    loss = max(0.0, components.total - float(components.scatter.sum())) / components.count
    epoch = Epoch(
        epoch=len(trainer.state.history) + 1,
        loss=loss,
        losses={"reconstruction": loss},
        mse=loss / trainer.module.schema.layout[0],
        validation_loss=None,
        validation_losses={},
        validation_mse=None,
        denoising_loss=None,
        learning_rate=0.0,
        seconds=time.perf_counter() - started,
        engine="exact",
    )
    trainer.state.history.append(epoch)
    return epoch


def install(module: AutoencoderModule, components: Components) -> None:
    """Make a linear module project on the components and back."""
    directions = torch.from_numpy(components.directions)
    mean = torch.from_numpy(components.mean)
    encoder, decoder = _weights(module.encoder), _weights(module.decoder)
    with torch.no_grad():
        encoder.weight.copy_(directions)
        encoder.bias.copy_(-directions @ mean)
        decoder.weight.copy_(directions.T)
        decoder.bias.copy_(mean)


def check_size(k: int, columns: int) -> None:
    """Refuse a code that is longer than a row."""
    if k > columns:
        raise ParameterError(
            f"LinearAutoencoder: code_size must be at most the number of columns, n_features = {columns}; got {k}"
        )


def _weights(network: nn.Module) -> nn.Linear:
    return next(layer for layer in network.modules() if isinstance(layer, nn.Linear))


def _signed(directions: NDArray) -> NDArray:
    """Make the largest entry of each direction positive, as scikit-learn's PCA does."""
    return svd_flip(None, np.array(directions, dtype=np.float64, order="C"), u_based_decision=False)[1]
