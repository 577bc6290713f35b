"""Torch loops by hand: one with a DataLoader as in a tutorial, one tuned for the CPU."""

from pathlib import Path
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from benchmarks.speed.measure import EPOCHS, Watch
from benchmarks.speed.peers.networks import pair, shape
from benchmarks.speed.works import Work, read

RATE = 1e-3


class Network(nn.Module):
    """Encoder and decoder, and for a variational one the draw between them."""

    def __init__(self, work: Work) -> None:
        super().__init__()
        self.encoder, self.decoder = pair(work)
        self.heads = nn.Linear(work.widths[-2], 2 * work.widths[-1]) if work.kind == "variational" else None

    def encode(self, rows: Tensor) -> Tensor:
        """Give codes."""
        features = self.encoder(rows)
        return features if self.heads is None else self.heads(features).chunk(2, dim=1)[0]

    def loss(self, rows: Tensor) -> Tensor:
        """Give the mean squared error, or with a draw the summed one and the divergence."""
        if self.heads is None:
            return nn.functional.mse_loss(self.decoder(self.encoder(rows)), rows)
        mean, log_variance = self.heads(self.encoder(rows)).chunk(2, dim=1)
        code = mean + torch.randn_like(mean) * (log_variance / 2).exp()
        divergence = (mean.square() + log_variance.exp() - 1 - log_variance).sum() / 2
        return (nn.functional.mse_loss(self.decoder(code), rows, reduction="sum") + divergence) / len(rows)


class Plain:
    """A DataLoader and an optimizer with their defaults."""

    def __init__(self, work: Work, batch_size: int) -> None:
        torch.manual_seed(work.seed)
        self._batch_size, self._shape = batch_size, shape(work)
        self._network = Network(work)
        self._optimizer: torch.optim.Optimizer = torch.optim.Adam(self._network.parameters(), lr=RATE)

    @staticmethod
    def versions() -> str:
        """Name what is measured."""
        return f"torch {torch.__version__}"

    @staticmethod
    def rows(folder: Path, name: str) -> NDArray:
        """Give floats."""
        return read(folder, name)

    def train(self, X: NDArray, watch: Watch) -> None:
        """Take batches from a loader."""
        rows = torch.from_numpy(X).reshape(-1, *self._shape)
        loader = DataLoader(TensorDataset(rows), batch_size=self._batch_size, shuffle=True)
        for _ in range(EPOCHS):
            watch.began()
            for (batch,) in loader:
                self._step(batch)
            if watch.ended():
                return

    def _step(self, batch: Tensor) -> None:
        self._optimizer.zero_grad()
        self._network.loss(batch).backward()
        self._optimizer.step()

    @torch.no_grad()
    def encode(self, X: NDArray) -> NDArray:
        """Give codes of all rows at once."""
        return self._network.encode(torch.from_numpy(X).reshape(-1, *self._shape)).flatten(1).numpy()

    @torch.no_grad()
    def rebuild(self, X: NDArray) -> NDArray:
        """Give rows in [0, 1]."""
        network = self._network
        rebuilt = network.decoder(network.encode(torch.from_numpy(X).reshape(-1, *self._shape)))
        return rebuilt.flatten(1).numpy()


class Tuned(Plain):
    """Slices of a shuffled array, channels last, a fused optimizer."""

    def __init__(self, work: Work, batch_size: int) -> None:
        super().__init__(work, batch_size)
        if work.kind == "convolutional":
            self._network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._optimizer = torch.optim.Adam(self._network.parameters(), lr=RATE, fused=True)

    def train(self, X: NDArray, watch: Watch) -> None:
        """Take slices."""
        rows = torch.from_numpy(X)
        for _ in range(EPOCHS):
            watch.began()
            for batch in rows[torch.randperm(len(rows))].split(self._batch_size):
                self._step(batch.reshape(-1, *self._shape))
            if watch.ended():
                return


def peer(choice: str) -> Any:
    """Give the class that is named."""
    return {"plain": Plain, "tuned": Tuned}[choice]
