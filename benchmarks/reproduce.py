"""Reproduce the papers' numbers: ``python -m benchmarks.reproduce [names]``.

Each protocol's outcome is kept in ``benchmarks/reproductions.json`` as soon as it is known;
``docs/reproductions.md`` is written from that file.
"""

import json
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.machine import machine
from benchmarks.protocols import PROTOCOLS, TRIED

RESULTS = Path(__file__).with_name("reproductions.json")
PAGE = Path(__file__).parents[1] / "docs" / "reproductions.md"


def main() -> None:
    """Run the named protocols, or all."""
    names = sys.argv[1:] or list(PROTOCOLS)
    unknown = sorted(set(names) - set(PROTOCOLS))
    if unknown:
        sys.exit(f"unknown: {', '.join(unknown)}; known: {', '.join(PROTOCOLS)}")
    for name in names:
        started = time.perf_counter()
        outcome = PROTOCOLS[name]()
        results: dict[str, Any] = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
        results[name] = asdict(outcome) | {
            "reached": bool(outcome.reached),
            "seconds": round(time.perf_counter() - started),
            "machine": machine(),
        }
        results = {known: results[known] for known in PROTOCOLS if known in results}
        RESULTS.write_text(json.dumps(results, indent=2) + "\n")
        PAGE.write_text(page(results))
        print(f"{name}: {outcome.measured} ({'reached' if outcome.reached else 'MISSED'}: {outcome.bar})", flush=True)


def page(results: dict[str, Any]) -> str:
    """Write the table and the notes."""
    lines = [
        "# Published numbers, reproduced",
        "",
        "Written by `python -m benchmarks.reproduce`; MNIST, pixels divided by 255, test images unless said otherwise.",
        "Seconds are those of a machine that did other work beside: they tell long from short, not how fast it is.",
        "",
        "| protocol | published | ours | bar | reached | seconds |",
        "|---|---|---|---|---|---|",
    ]
    for name, result in results.items():
        words = (result["published"], result["measured"], result["bar"], "yes" if result["reached"] else "**no**")
        lines.append(f"| {name} | {' | '.join(words)} | {result['seconds']} |")
    waiting = [name for name in PROTOCOLS if name not in results]
    if waiting:
        lines += ["", f"Written, but not run to their end yet: {', '.join(waiting)}."]
    missed = [name for name, result in results.items() if not result["reached"]]
    if missed:
        lines += ["", "## Not reached, and what was tried", ""]
        lines += [f"- **{name}**: {TRIED.get(name, 'nothing but what is said below')}." for name in missed]
    lines += ["", "## What differs from the papers", ""]
    for name, result in results.items():
        paper = " ".join((PROTOCOLS[name].__doc__ or "").split())
        lines.append(f"- **{name}** ({paper.rstrip('.')}): {result['differences']}. {result['machine']}.")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
