"""Errors on MNIST's test images that README and docs state: ``python -m benchmarks.quality [names]``."""

import sys

from benchmarks.machine import machine
from isthmus import ConvolutionalAutoencoder, DenseAutoencoder, LinearAutoencoder
from isthmus.datasets import load_mnist

MODELS = {
    "dense, article's settings": lambda: DenseAutoencoder(random_state=0),
    "convolutional, article's settings": lambda: ConvolutionalAutoencoder(random_state=0),
    "convolutional, for images": lambda: ConvolutionalAutoencoder(
        32, channels=(8, 32, 64), output_activation="sigmoid", max_epochs=12, random_state=0
    ),
    "linear, gradient, k=30": lambda: LinearAutoencoder(
        30, solver="gradient", max_epochs=30, validation_fraction=0.0, random_state=0
    ),
    "linear, exact, k=30": lambda: LinearAutoencoder(30),
    "linear, exact, k=32": lambda: LinearAutoencoder(32),
    "linear, exact, k=49": lambda: LinearAutoencoder(49),
}


def main() -> None:
    """Fit each model on the 60,000 training images and measure it on the 10,000 others."""
    X, T = load_mnist()[0], load_mnist("test")[0]
    print(machine())
    for name in [name for name in MODELS if not sys.argv[1:] or any(word in name for word in sys.argv[1:])]:
        model = MODELS[name]().fit(X)
        error = float(model.reconstruction_error(T).mean()) / 255**2
        seconds = sum(epoch.seconds for epoch in model.history_)
        held_out = [round(epoch.validation_mse, 4) for epoch in model.history_[:3] if epoch.validation_mse is not None]
        print(f"{name}: {error:.5f} a pixel, {784 * error:.3f} an image, {seconds:.0f} s; first epochs {held_out}")


if __name__ == "__main__":
    main()
