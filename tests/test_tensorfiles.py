"""Files of tensors: what was written comes back, and no bit changes unseen."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from isthmus.errors import ModelFileError
from isthmus.tensorfiles import read_tensors, write_tensors

HEADER = {"number": 0.1, "words": ["a", None]}
TENSORS = {
    "weights": torch.randn(3, 4, generator=torch.Generator().manual_seed(0)),
    "turned": torch.arange(6.0).reshape(2, 3).t(),
    "empty": torch.zeros(0, 2),
    "flags": torch.tensor([True, False]),
    "number": torch.tensor(3),
    "spread": torch.tensor(3.0).expand(1),
}


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    path = tmp_path_factory.mktemp("file") / "whole"
    write_tensors(path, "some", HEADER, TENSORS)
    return path


def assert_whole(path):
    header, tensors = read_tensors(path, "some")
    assert header == HEADER
    assert tensors.keys() == TENSORS.keys()
    for name, value in TENSORS.items():
        assert tensors[name].dtype == value.dtype
        assert torch.equal(tensors[name], value)


def test_what_is_written_comes_back(path):
    assert_whole(path)


@settings(max_examples=200, deadline=None)
@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_any_bit_that_flips_is_noticed(place, bit, path):
    content = bytearray(path.read_bytes())
    content[int(place * len(content))] ^= 1 << bit
    damaged = path.with_name("damaged")
    damaged.write_bytes(content)
    try:
        read_tensors(damaged, "some")
    except ModelFileError:
        return
    assert_whole(damaged)  # the bit was one of the padding


def test_files_of_another_kind_are_refused(path, tmp_path):
    with pytest.raises(ModelFileError, match="not one that isthmus wrote"):
        read_tensors(path, "other")
    save_file(TENSORS | {"turned": torch.zeros(1)}, tmp_path / "old", metadata={"some": "{}"})
    with pytest.raises(ModelFileError, match="no checksum"):
        read_tensors(tmp_path / "old", "some")
