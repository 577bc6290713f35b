"""Layer-wise pre-training: what it leaves in the layers, and what it is worth."""

import numpy as np
import pytest

import isthmus
from isthmus import parts
from isthmus.errors import ParameterError

DIGITS = isthmus.datasets.load_digits()[0].reshape(-1, 64) / np.float32(255)
DEEP = {
    "code_size": 8,
    "hidden": (48, 32, 24, 16),
    "activation": "sigmoid",
    "noise": "masking",
    "noise_level": 0.1,
    "max_epochs": 3,
    "random_state": 0,
}
LONG = {"max_epochs": 50, "learning_rate": 0.005}


def test_a_deep_stack_of_sigmoids_learns_more_when_it_is_pretrained():
    scores = {
        pretrain: isthmus.DenoisingAutoencoder(pretrain=pretrain, **(DEEP | LONG))
        .fit(DIGITS[:1200])
        .score(DIGITS[1200:])
        for pretrain in (False, True)
    }
    assert scores[True] > scores[False] + 0.1


def test_only_the_epochs_of_the_whole_are_in_the_history():
    model = isthmus.DenoisingAutoencoder(pretrain=True, **DEEP).fit(DIGITS[:200])
    assert [epoch.epoch for epoch in model.history_] == [1, 2, 3]


def test_the_same_seed_gives_the_same_stack_twice():
    one, two = (isthmus.DenoisingAutoencoder(pretrain=True, **DEEP).fit(DIGITS[:200]) for _ in range(2))
    np.testing.assert_array_equal(one.transform(DIGITS), two.transform(DIGITS))


def test_a_network_that_is_no_dense_stack_is_refused():
    model = isthmus.DenoisingAutoencoder(None, network=parts.Convolutional((4, 2)), pretrain=True)
    with pytest.raises(ParameterError, match="dense layers"):
        model.fit(DIGITS[:50].reshape(-1, 8, 8))
