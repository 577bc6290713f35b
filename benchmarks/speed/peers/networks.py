"""The networks as plain torch modules: what anybody would write."""

from itertools import pairwise

from torch import nn

from benchmarks.speed.works import Work

LAST = {"sigmoid": nn.Sigmoid, "linear": nn.Identity}


def pair(work: Work) -> tuple[nn.Sequential, nn.Sequential]:
    """Give encoder and decoder; the encoder of a variational network ends before the two heads."""
    if work.kind == "convolutional":
        return convolutional(work)
    *hidden, code = work.widths
    encoder = stack((work.columns, *hidden))
    if work.kind == "dense":
        encoder.append(nn.Linear(hidden[-1], code))
    decoder = stack((code, *reversed(hidden)))
    return encoder, decoder.extend([nn.Linear(hidden[0], work.columns), LAST[work.last]()])


def stack(widths: tuple[int, ...]) -> nn.Sequential:
    """Give linear layers with rectifiers."""
    layers = [layer for before, after in pairwise(widths) for layer in (nn.Linear(before, after), nn.ReLU())]
    return nn.Sequential(*layers)


def convolutional(work: Work) -> tuple[nn.Sequential, nn.Sequential]:
    """Give the article's network."""
    wide, narrow = work.widths
    encoder = nn.Sequential(
        *(nn.Conv2d(1, wide, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(wide, narrow, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
    )
    decoder = nn.Sequential(
        *(nn.Conv2d(narrow, narrow, 3, padding=1), nn.ReLU(), nn.Upsample(scale_factor=2)),
        *(nn.Conv2d(narrow, wide, 3, padding=1), nn.ReLU(), nn.Upsample(scale_factor=2)),
        nn.Conv2d(wide, 1, 3, padding=1),
    )
    return encoder, decoder


def shape(work: Work) -> tuple[int, ...]:
    """Give the shape of a row, channels first."""
    return (1, 28, 28) if work.kind == "convolutional" else (work.columns,)
