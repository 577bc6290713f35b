"""Keras as in the article: a functional model, ``compile`` and ``fit``; ``KERAS_BACKEND`` says on what."""

import sys
from pathlib import Path
from typing import Any

import keras
from keras import layers, ops
from numpy.typing import NDArray

from benchmarks.speed.measure import EPOCHS, Watch
from benchmarks.speed.works import Work, read


class Sampling(layers.Layer):
    """Draws a code, and adds its divergence from the prior to the loss."""

    def __init__(self) -> None:
        super().__init__()
        self.seeds = keras.random.SeedGenerator(0)

    def call(self, inputs: Any) -> Any:
        """Draw."""
        mean, log_variance = inputs
        divergence = ops.sum(ops.square(mean) + ops.exp(log_variance) - 1 - log_variance, axis=1) / 2
        self.add_loss(ops.mean(divergence))
        return mean + keras.random.normal(ops.shape(mean), seed=self.seeds) * ops.exp(log_variance / 2)


class Epochs(keras.callbacks.Callback):
    """Hands the epochs on to a watch."""

    def __init__(self, watch: Watch) -> None:
        super().__init__()
        self._watch = watch

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Start the clock."""
        self._watch.began()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Stop it."""
        if self._watch.ended():
            self.model.stop_training = True


class Peer:
    """A model that was compiled with adam and the squared error."""

    def __init__(self, work: Work, batch_size: int) -> None:
        keras.utils.set_random_seed(work.seed)
        self._batch_size = batch_size
        self._shape = (28, 28, 1) if work.kind == "convolutional" else (work.columns,)
        image = keras.Input(self._shape)
        code, passed_on = encoded(image, work)
        self._model = keras.Model(image, decoded(passed_on, work))
        self._encoder = keras.Model(image, code)
        self._model.compile(optimizer="adam", loss=summed if work.kind == "variational" else "mse")

    @staticmethod
    def versions() -> str:
        """Name what is measured."""
        name = keras.backend.backend()
        return f"keras {keras.__version__}, {name} {sys.modules[name].__version__}"

    @staticmethod
    def rows(folder: Path, name: str) -> NDArray:
        """Give floats."""
        return read(folder, name)

    def train(self, X: NDArray, watch: Watch) -> None:
        """Call fit once."""
        X = X.reshape(-1, *self._shape)
        self._model.fit(X, X, batch_size=self._batch_size, epochs=EPOCHS, verbose=0, callbacks=[Epochs(watch)])

    def encode(self, X: NDArray) -> NDArray:
        """Give codes."""
        return self._encoder.predict(X.reshape(-1, *self._shape), batch_size=512, verbose=0)

    def rebuild(self, X: NDArray) -> NDArray:
        """Give rows in [0, 1]."""
        return self._model.predict(X.reshape(-1, *self._shape), batch_size=512, verbose=0).reshape(len(X), -1)


def summed(rows: Any, rebuilt: Any) -> Any:
    """Give the squared error of each row, a sum over columns."""
    return ops.sum(ops.square(rows - rebuilt), axis=-1)


def encoded(values: Any, work: Work) -> tuple[Any, Any]:
    """Give the code, and what the decoder gets: the code, or a draw."""
    if work.kind == "convolutional":
        for filters in work.widths:
            values = layers.Conv2D(filters, 3, activation="relu", padding="same")(values)
            values = layers.MaxPooling2D(2, padding="same")(values)
        return values, values
    *hidden, code = work.widths
    for width in hidden:
        values = layers.Dense(width, activation="relu")(values)
    mean = layers.Dense(code)(values)
    return mean, mean if work.kind == "dense" else Sampling()([mean, layers.Dense(code)(values)])


def decoded(values: Any, work: Work) -> Any:
    """Give the rebuilt row."""
    if work.kind == "convolutional":
        for filters in reversed(work.widths):
            values = layers.Conv2D(filters, 3, activation="relu", padding="same")(values)
            values = layers.UpSampling2D(2)(values)
        return layers.Conv2D(1, 3, activation=work.last, padding="same")(values)
    for width in reversed(work.widths[:-1]):
        values = layers.Dense(width, activation="relu")(values)
    return layers.Dense(work.columns, activation=work.last)(values)


def peer(choice: str) -> type[Peer]:
    """Give the class."""
    return Peer
