"""What papers do with codes: classifiers on them, and networks fine-tuned with labels."""

import copy
from collections.abc import Sequence

import torch
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from torch import Generator, nn
from torch.nn import functional


def linear_accuracy(
    codes: NDArray,
    labels: NDArray,
    test_codes: NDArray,
    test_labels: NDArray,
    *,
    C: float = 1.0,
    tol: float = 1e-2,
    max_iter: int = 100,
) -> float:
    """Give the accuracy of multinomial logistic regression on codes, each divided by the standard deviation of all."""
    scale = codes.std()
    classifier = LogisticRegression(C=C, max_iter=max_iter, tol=tol).fit(codes / scale, labels)
    return float(classifier.score(test_codes / scale, test_labels))


def fine_tuned(
    encoders: Sequence[nn.Module],
    X: NDArray,
    y: NDArray,
    *,
    epochs: int,
    learning_rate: float = 1e-3,
    seed: int = 0,
) -> nn.Module:
    """Give a stack of encoders with a softmax layer on top, all trained with labels.

    Adam under a cosine schedule, batches of 128, as it is after the last epoch.
    """
    generator = Generator().manual_seed(seed)
    rows, labels = torch.tensor(X), torch.tensor(y, dtype=torch.int64)
    stack = nn.Sequential(*(copy.deepcopy(encoder) for encoder in encoders))
    with torch.no_grad():
        width = stack(rows[:1]).shape[1]
    network = nn.Sequential(stack, _softmax_layer(width, generator)).train()
    optimizer = torch.optim.Adam(network.parameters(), learning_rate, fused=True)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs * -(-len(X) // 128))
    for _ in range(epochs):
        for places in torch.randperm(len(X), generator=generator).split(128):
            optimizer.zero_grad()
            functional.cross_entropy(network(rows[places]), labels[places]).backward()
            optimizer.step()
            schedule.step()
    return network.eval()


@torch.inference_mode()
def accuracy(network: nn.Module, rows: NDArray, labels: NDArray) -> float:
    """Give the share of rows whose largest logit is that of their label."""
    guesses = network(torch.from_numpy(rows)).argmax(dim=1).numpy()
    return float((guesses == labels).mean())


def _softmax_layer(width: int, generator: Generator) -> nn.Linear:
    """Give a layer of ten logits with Glorot's weights."""
    layer = nn.Linear(width, 10)
    nn.init.xavier_uniform_(layer.weight, generator=generator)
    nn.init.zeros_(layer.bias)
    return layer
