"""What papers do with codes: classifiers on them, and networks fine-tuned with labels."""

import copy
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from torch import nn
from torch.nn import functional


def linear_accuracy(
    codes: NDArray, labels: NDArray, test_codes: NDArray, test_labels: NDArray, C: float = 1.0
) -> float:
    """Give the accuracy of multinomial logistic regression on codes, each divided by the standard deviation of all."""
    scale = codes.std()
    classifier = LogisticRegression(C=C, max_iter=100, tol=1e-2).fit(codes / scale, labels)
    return float(classifier.score(test_codes / scale, test_labels))


def fine_tuned_accuracy(
    encoders: list[nn.Module], X: NDArray, y: NDArray, T: NDArray, t: NDArray, *, epochs: int, seed: int = 0
) -> float:
    """Give the test accuracy of a stack of encoders with a linear layer on top, all trained with labels.

    Adam at .001 under a cosine schedule, batches of 128, at the last epoch: no choice by test rows.
    """
    generator = torch.Generator().manual_seed(seed)
    stack: Any = nn.Sequential(*(copy.deepcopy(encoder) for encoder in encoders))
    with torch.no_grad():
        width = stack(torch.from_numpy(X[:1])).shape[1]
    head = nn.Linear(width, 10)
    nn.init.xavier_uniform_(head.weight, generator=generator)
    nn.init.zeros_(head.bias)
    network = nn.Sequential(stack, head).train()
    optimizer = torch.optim.Adam(network.parameters(), 1e-3, fused=True)
    steps = epochs * -(-len(X) // 128)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    rows, labels = torch.from_numpy(X), torch.from_numpy(y.astype(np.int64))
    for _ in range(epochs):
        for places in torch.randperm(len(X), generator=generator).split(128):
            optimizer.zero_grad()
            functional.cross_entropy(network(rows[places]), labels[places]).backward()
            optimizer.step()
            schedule.step()
    with torch.inference_mode():
        guesses = network.eval()(torch.from_numpy(T)).argmax(dim=1).numpy()
    return float((guesses == t).mean())
