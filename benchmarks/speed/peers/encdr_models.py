"""encdr: scikit-learn's interface on Lightning; its networks are dense and end linearly."""

import logging
from importlib.metadata import version
from pathlib import Path
from typing import Any

import lightning
import numpy as np
import torch
from encdr.encdr import ENCDR, VENCDR
from numpy.typing import NDArray

from benchmarks.speed.measure import EPOCHS, Watch
from benchmarks.speed.works import Work, read

QUIET = {"enable_progress_bar": False, "enable_model_summary": False, "accelerator": "cpu"}
logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)


class Epochs(lightning.Callback):
    """Hands the epochs on to a watch."""

    def __init__(self, peer: "Peer", watch: Watch) -> None:
        self._peer, self._watch = peer, watch

    def on_train_epoch_start(self, trainer: Any, pl_module: Any) -> None:
        """Start the clock."""
        self._watch.began()

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        """Stop it; the model can rebuild rows between epochs too."""
        self._peer.model.is_fitted_ = True
        trainer.should_stop = self._watch.ended()
        pl_module.train()


class Peer:
    """An estimator that neither standardises nor holds anything out, as the others."""

    def __init__(self, work: Work, batch_size: int) -> None:
        torch.manual_seed(work.seed)
        kind = VENCDR if work.kind == "variational" else ENCDR
        *hidden, code = work.widths
        settings = {"validation_split": 0.0, "standardize": False, "max_epochs": EPOCHS, "random_state": work.seed}
        self.model: Any = kind(hidden_dims=hidden, latent_dim=code, batch_size=batch_size, **settings)

    @staticmethod
    def versions() -> str:
        """Name what is measured."""
        return f"encdr {version('encdr')}, lightning {lightning.__version__}, torch {torch.__version__}"

    @staticmethod
    def rows(folder: Path, name: str) -> NDArray:
        """Give floats."""
        return read(folder, name)

    def train(self, X: NDArray, watch: Watch) -> None:
        """Fit from the start."""
        self.model.set_params(trainer_kwargs=QUIET | {"callbacks": [Epochs(self, watch)]}).fit(X)

    def encode(self, X: NDArray) -> NDArray:
        """Give codes."""
        return self.model.transform(X)

    def rebuild(self, X: NDArray) -> NDArray:
        """Give rows in [0, 1]."""
        return np.asarray(self.model.predict(X))


def peer(choice: str) -> type[Peer]:
    """Give the class."""
    return Peer
