"""Tables that are written into a page of the documentation, each between its own markers."""

from collections.abc import Sequence
from pathlib import Path

DOCS = Path(__file__).parents[1] / "docs"
DATA, RELIABILITY, SHIPPING = (DOCS / f"{name}.md" for name in ("data", "reliability", "shipping"))


def table(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Give a Markdown table."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


def put(page: Path, name: str, text: str) -> None:
    """Replace what a page holds between ``<!-- name -->`` and ``<!-- /name -->``."""
    before, rest = page.read_text().split(f"<!-- {name} -->")
    after = rest.split(f"<!-- /{name} -->")[1]
    page.write_text(f"{before}<!-- {name} -->\n{text}\n<!-- /{name} -->{after}")
