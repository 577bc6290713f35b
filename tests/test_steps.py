"""What a training step costs, counted: operations and allocations do not depend on what else the machine does."""

import numpy as np
import pytest
from benchmarks.speed.backends import backends
from torch.profiler import ProfilerActivity, profile

from isthmus import ConvolutionalAutoencoder, DenseAutoencoder, VariationalAutoencoder

BATCH, FEW, MORE = 32, 4, 12
IMAGES = np.random.RandomState(0).randint(0, 256, (BATCH * MORE, 28, 28)).astype(np.uint8)
# Operations of a step, those within others too, and how many of them take memory, with torch 2.13.0. Where a change or
# another torch needs more for a good reason, or less, write here what `counted` gives.
MOST = {
    "dense": (DenseAutoencoder(), 163, 6),
    "convolutional": (ConvolutionalAutoencoder(), 317, 70),
    "variational": (VariationalAutoencoder(2), 330, 60),
}
SLACK = 1.05


def counted(model):
    """Operations and allocations of a step: the difference between fits of few steps and of more."""
    found = []
    for steps in (FEW, MORE):
        with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiled:
            model.fit(IMAGES[: steps * BATCH])
        events = [event for event in profiled.events() if event.name.startswith("aten::")]
        found.append((len(events), sum(event.self_cpu_memory_usage > 0 for event in events)))
    few, more = found
    return [(after - before) / (MORE - FEW) for before, after in zip(few, more, strict=True)]


@pytest.mark.parametrize("name", MOST)
def test_a_step_does_no_more_than_it_did(name):
    model, operations, allocations = MOST[name]
    model.set_params(max_epochs=1, batch_size=BATCH, validation_fraction=0.0, random_state=0, **backends()[""])
    model.fit(IMAGES[:BATCH])  # what is made once is not counted
    measured = counted(model)
    assert measured[0] <= SLACK * operations
    assert measured[1] <= SLACK * allocations
    assert measured[0] > operations / SLACK, "it does less: write the new count into MOST"
