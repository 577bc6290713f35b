"""Exported files beside their models: size, difference, and what weights of 8 bits lose.

``python -m benchmarks.export`` prints the table and writes it into docs/shipping.md.
"""

import tempfile
from pathlib import Path

import isthmus
from benchmarks.machine import machine
from benchmarks.page import SHIPPING, put

MODELS = {
    "`DenseAutoencoder(32)`": isthmus.DenseAutoencoder(32, max_epochs=3, random_state=0),
    "`ConvolutionalAutoencoder()`": isthmus.ConvolutionalAutoencoder(max_epochs=1, random_state=0),
}


def main() -> None:
    """Measure, print, and write the table between its marks."""
    X, _ = isthmus.datasets.load_mnist()
    unseen, _ = isthmus.datasets.load_mnist("test")
    lines = [
        f"{machine()}; `python -m benchmarks.export`: MNIST, trained on 10,000 images, compared on 1,000 test images.",
        "",
        "| model | file | size | largest difference | typical | error of the file | of the model |",
        "|---|---|---|---|---|---|---|",
    ]
    with tempfile.TemporaryDirectory() as folder:
        for name, model in MODELS.items():
            model.fit(X[:10_000])
            for kind, path, int8 in ((".onnx", "m.onnx", False), (".pt2", "m.pt2", False), ("8 bits", "i.onnx", True)):
                found = model.export(Path(folder) / path, unseen, int8=int8, overwrite=True)
                lines.append(
                    f"| {name} | {kind} | {found.size / 1024:,.0f} kB | {found.difference:.1e} | "
                    f"{found.typical_difference:.1e} | {found.error:.2f} | {found.model_error:.2f} |"
                )
    print("\n".join(lines))
    put(SHIPPING, "export", "\n".join(lines))


if __name__ == "__main__":
    main()
