"""The C library keeps memory during a fit, and not afterwards."""

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch

from isthmus import allocator
from isthmus.allocator import kept_memory

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc is Linux's")
BLOCK = 200 * 2**20


def resident():
    """Bytes of this process that lie in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def faults():
    """Pages that this process had to fetch so far."""
    return int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[7])


def take_and_free():
    torch.zeros(BLOCK // 4).add_(1)


def faults_of_a_block():
    """Pages fetched to take and free a block: the fewest of several, as the first ones may not fit where one was."""
    counts = []
    for _ in range(4):
        fetched = faults()
        take_and_free()
        counts.append(faults() - fetched)
    return min(counts)


def test_memory_is_kept_inside_and_given_back_after():
    before = resident()
    with kept_memory():
        again, inside = faults_of_a_block(), resident()
    assert inside - before > BLOCK / 2
    assert again < BLOCK / 4096 / 10
    assert resident() - before < BLOCK / 2


def test_outside_large_blocks_are_fetched_anew():
    with kept_memory():
        pass
    assert faults_of_a_block() > BLOCK / 2**21 / 2  # at least one fault for each huge page


def test_blocks_nest_and_run_side_by_side():
    def fit(_):
        with kept_memory(), kept_memory():
            assert allocator._users >= 2
            take_and_free()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(fit, range(8)))
    assert allocator._users == 0


def test_an_error_inside_leaves_nothing_behind():
    with pytest.raises(ZeroDivisionError), kept_memory():
        raise ZeroDivisionError
    assert allocator._users == 0
