"""The short forms of the benchmarks whose tables are promises."""

import sys

import pytest
from benchmarks import faults, memory
from benchmarks.page import put, table

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="memory and disks are looked at as on Linux")


def test_data_larger_than_what_is_kept_are_read_once_an_epoch_in_bounded_memory(tmp_path):
    found = memory.measured("memory map", 300, tmp_path)
    assert found["peak"] < memory.BOUND
    assert found["encode_peak"] < memory.BOUND
    assert 1.9 < found["passes"] < 2.5  # for the scaling, for the epoch, and some rows to look at
    assert list(tmp_path.iterdir()) == []


def test_faults_end_as_promised():
    found = list(faults.faults(short=True))
    assert [fault.name for fault in found if not fault.held] == []
    assert len(found) >= 5


def test_a_table_takes_the_place_of_the_one_before(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("# A\n<!-- one -->\n<!-- /one -->\nrest\n")
    put(page, "one", "old")
    put(page, "one", table(("a", "b"), [(1, "x")]))
    assert page.read_text() == "# A\n<!-- one -->\n| a | b |\n| --- | --- |\n| 1 | x |\n<!-- /one -->\nrest\n"
