"""``isthmus doctor``: the health of a model on some rows, in plain words."""

from __future__ import annotations

import json
import math
from argparse import ArgumentParser
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from isthmus.cli.use import MODEL, ROWS, rows_of

if TYPE_CHECKING:
    from isthmus.health import Finding

WORDS = "tell in plain words how healthy a model is on some rows"
CHECKED = "no dead, duplicate, collapsed or saturated units; no under- or overfit; the rows are like those of training"


def add_to(commands: Any) -> None:
    """Add the command and its arguments."""
    parser: ArgumentParser = commands.add_parser(
        "doctor",
        help=WORDS,
        description="Tell in plain words how healthy a model is on some rows: units that are dead, duplicate, "
        "collapsed or saturated, under- and overfit, rows outside the range of training, drift of the error. The exit "
        "code is 0 whatever is found, and 2 if the model or the rows cannot be read.",
        allow_abbrev=False,
    )
    parser.set_defaults(run=doctor)
    parser.add_argument("model", metavar="MODEL", type=Path, help=MODEL)
    parser.add_argument("data", metavar="DATA", help=ROWS)
    parser.add_argument("--json", action="store_true", help="print the findings as JSON")


def doctor(model: Path, data: str, *, json: bool) -> None:
    """Print the findings, the serious first."""
    from isthmus import load
    from isthmus.health import examine

    estimator = load(model)
    findings = examine(estimator, rows_of(data))
    print(_json(findings) if json else _words(findings))


def _json(findings: list[Finding]) -> str:
    plain = [asdict(finding) for finding in findings]
    for finding in plain:
        finding["value"] = finding["value"] if math.isfinite(finding["value"]) else None
    return json.dumps(plain, indent=2)


def _words(findings: list[Finding]) -> str:
    if not findings:
        return f"healthy: {CHECKED}"
    return "\n".join(f"{finding.severity:<9}{finding.what:<14}{finding.sentence}" for finding in findings)
