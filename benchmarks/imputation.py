"""Cells that were removed, filled by the column mean, scikit-learn's IterativeImputer and an autoencoder, in one run.

``python -m benchmarks.imputation`` removes a fifth of the cells at random from two tables whose columns depend on each
other in curves, and writes the root mean square errors of the filled cells, in standard deviations of their columns,
into docs/data.md: medians over seeds.
"""

import statistics
import time
import warnings

import numpy as np
from sklearn.datasets import load_digits
from sklearn.experimental import enable_iterative_imputer  # noqa: F401
from sklearn.impute import IterativeImputer, SimpleImputer

from benchmarks.machine import machine
from benchmarks.page import DATA, put
from isthmus import DenoisingAutoencoder

SEEDS, SHARE = (0, 1, 2), 0.2


def roll(seed: int) -> np.ndarray:
    """Give ten curved functions of two numbers, a Swiss roll among them, with noise: 2,000 rows."""
    random = np.random.RandomState(seed)
    turn, height = 3 * np.pi * (0.5 + random.rand(2000)), random.rand(2000)
    columns = [turn * np.cos(turn), 10 * height, turn * np.sin(turn), np.sin(turn), np.cos(turn), turn * height]
    columns += [np.sin(6 * height), height**2, turn, np.abs(turn - 9)]
    X = np.column_stack(columns)
    return X + 0.05 * X.std(axis=0) * random.standard_normal(X.shape)


def digits(seed: int) -> np.ndarray:
    """Give the 1,797 digits of scikit-learn as a table of the pixels that vary by more than a gray level of 16."""
    X = load_digits().data
    return X[:, X.std(axis=0) > 1]


def filled(name: str, holes: np.ndarray, seed: int) -> np.ndarray:
    """Fill cells in one of three ways."""
    if name == "column mean":
        return SimpleImputer().fit_transform(holes)
    if name == "IterativeImputer (BayesianRidge)":
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it stops after its 10 rounds
            return IterativeImputer(random_state=seed).fit_transform(holes)
    model = DenoisingAutoencoder(
        noise="masking", noise_level=0.4, missing="mask", scaling="standard", max_epochs=150, random_state=seed
    )
    return model.fit(holes).impute(holes)


def measured(X: np.ndarray, name: str, seed: int) -> tuple[float, float]:
    """Give the error of the filled cells and the seconds it took."""
    gone = np.random.RandomState(100 + seed).rand(*X.shape) < SHARE
    started = time.perf_counter()
    rows = filled(name, np.where(gone, np.nan, X), seed)
    seconds = time.perf_counter() - started
    return float(np.sqrt(np.square((rows - X) / X.std(axis=0))[gone].mean())), seconds


def main() -> None:
    """Measure all, print the table and put it into the page."""
    ways = ("column mean", "IterativeImputer (BayesianRidge)", "DenoisingAutoencoder")
    lines = ["| filled by | Swiss roll and functions of it, 2,000 x 10 | digits, 1,797 x {} |", "|---|---|---|"]
    lines[0] = lines[0].format(digits(0).shape[1])
    for way in ways:
        cells = []
        for table in (roll, digits):
            found = [measured(table(seed), way, seed) for seed in SEEDS]
            error, seconds = (statistics.median(values) for values in zip(*found, strict=True))
            cells.append(f"{error:.3f} ({seconds:.1f} s)")
        lines.append(f"| {way} | {' | '.join(cells)} |")
        print(lines[-1], flush=True)
    text = "\n".join([*lines, "", f"`python -m benchmarks.imputation`, {machine()}."])
    put(DATA, "imputation", text)


if __name__ == "__main__":
    main()
