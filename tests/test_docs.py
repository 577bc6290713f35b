"""The Python of a documentation page runs from top to bottom."""

import doctest
import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[1] / "docs"


@pytest.mark.parametrize("name", ["choose.md"])
def test_the_python_of_a_page_runs(name, tmp_path, monkeypatch, capsys):
    blocks = re.findall(r"^```python\n(.*?)^```", (DOCS / name).read_text(), flags=re.S | re.M)
    assert blocks
    monkeypatch.chdir(tmp_path)
    exec(compile("\n".join(blocks), name, "exec"), {"__name__": name})
    assert "held-out error" in capsys.readouterr().out
    assert (tmp_path / "report.html").exists()


def test_the_examples_about_data_are_right():
    flags = doctest.ELLIPSIS | doctest.IGNORE_EXCEPTION_DETAIL
    found = doctest.testfile(str(DOCS / "data.md"), module_relative=False, optionflags=flags)
    assert found.attempted > 20
    assert not found.failed


@pytest.mark.parametrize("page", sorted(DOCS.glob("*.md")), ids=lambda path: path.name)
def test_what_a_page_links_to_is_there(page):
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text())
    assert [link for link in links if not (DOCS / link).exists()] == []
