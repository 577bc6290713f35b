"""pythae: its AE and VAE with our networks, and its trainer."""

import contextlib
import tempfile
from pathlib import Path
from typing import Any

import torch
from numpy.typing import NDArray
from pythae.data.datasets import BaseDataset
from pythae.models import AE, VAE, AEConfig, VAEConfig
from pythae.models.base.base_utils import ModelOutput
from pythae.models.nn import BaseDecoder, BaseEncoder
from pythae.trainers import BaseTrainer, BaseTrainerConfig
from pythae.trainers.training_callbacks import TrainingCallback
from torch import Tensor, nn

from benchmarks.speed.measure import EPOCHS, Watch
from benchmarks.speed.peers.networks import pair, shape
from benchmarks.speed.works import Work, read

RATE = 1e-3  # the other peers' default; pythae's own is a tenth of it


class Stopped(Exception):  # noqa: N818
    """The watch has seen enough."""


class Epochs(TrainingCallback):
    """Hands the epochs on to a watch."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch

    def on_epoch_begin(self, training_config: Any, **_: Any) -> None:
        """Start the clock."""
        self._watch.began()

    def on_epoch_end(self, training_config: Any, **_: Any) -> None:
        """Stop it."""
        if self._watch.ended():
            raise Stopped


class Encoder(BaseEncoder):
    """Our encoder, with the head or heads that pythae wants."""

    def __init__(self, network: nn.Module, work: Work) -> None:
        super().__init__()
        self.network, self.heads = network, None
        self.latent_dim = 49 if work.kind == "convolutional" else work.widths[-1]
        if work.kind == "variational":
            self.heads = nn.Linear(work.widths[-2], 2 * work.widths[-1])

    def forward(self, x: Tensor) -> ModelOutput:
        """Give the code, or mean and logarithm of the variance."""
        features = self.network(x).flatten(1)
        if self.heads is None:
            return ModelOutput(embedding=features)
        mean, log_variance = self.heads(features).chunk(2, dim=1)
        return ModelOutput(embedding=mean, log_covariance=log_variance)


class Decoder(BaseDecoder):
    """Our decoder."""

    def __init__(self, network: nn.Module, work: Work) -> None:
        super().__init__()
        front = [nn.Unflatten(1, (1, 7, 7))] if work.kind == "convolutional" else []
        self.network = nn.Sequential(*front, network)

    def forward(self, z: Tensor) -> ModelOutput:
        """Give the rebuilt rows."""
        return ModelOutput(reconstruction=self.network(z))


class Peer:
    """A model, trained by pythae's trainer."""

    def __init__(self, work: Work, batch_size: int) -> None:
        torch.manual_seed(work.seed)
        self._shape = shape(work)
        encoder, decoder = pair(work)
        parts = Encoder(encoder, work), Decoder(decoder, work)
        sizes = {"input_dim": self._shape, "latent_dim": parts[0].latent_dim}
        variational = work.kind == "variational"
        self._model: Any = VAE(VAEConfig(**sizes), *parts) if variational else AE(AEConfig(**sizes), *parts)
        self._settings = {
            "per_device_train_batch_size": batch_size,
            "num_epochs": EPOCHS,
            "seed": work.seed,
            "learning_rate": RATE,
            "no_cuda": True,
        }

    @staticmethod
    def versions() -> str:
        """Name what is measured."""
        from importlib.metadata import version

        return f"pythae {version('pythae')}, torch {torch.__version__}"

    @staticmethod
    def rows(folder: Path, name: str) -> NDArray:
        """Give floats."""
        return read(folder, name)

    def train(self, X: NDArray, watch: Watch) -> None:
        """Run the trainer until the watch has seen enough."""
        rows = BaseDataset(torch.from_numpy(X).reshape(-1, *self._shape), torch.zeros(len(X)))
        with tempfile.TemporaryDirectory() as folder:
            config = BaseTrainerConfig(output_dir=folder, **self._settings)
            with contextlib.suppress(Stopped):
                BaseTrainer(self._model, rows, training_config=config, callbacks=[Epochs(watch)]).train()

    @torch.no_grad()
    def encode(self, X: NDArray) -> NDArray:
        """Give codes of all rows at once."""
        return self._model.encoder(torch.from_numpy(X).reshape(-1, *self._shape)).embedding.numpy()

    @torch.no_grad()
    def rebuild(self, X: NDArray) -> NDArray:
        """Give rows in [0, 1]."""
        return self._model.decoder(torch.from_numpy(self.encode(X))).reconstruction.flatten(1).numpy()


def peer(choice: str) -> type[Peer]:
    """Give the class."""
    return Peer
