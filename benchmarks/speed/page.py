"""The tables of a run and its plot, as ``docs/performance.md`` shows them."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.page import table
from benchmarks.speed.contestants import CONTESTANTS
from benchmarks.speed.goals import GOALS, Found, epoch, figure, to_error
from benchmarks.speed.works import ENCODED, WORKS

PAGE = Path(__file__).parents[2] / "docs" / "performance.md"
PLOT = PAGE.with_name("performance-speed.svg")
MB = 1_000_000


def text(found: Found) -> str:
    """Give everything that stands between the marks."""
    rounds = ", ".join(f"{work} {max(map(len, runs.values()))}" for work, runs in found["speed"].items())
    parts = [f"{found['machine']}. Rounds: {rounds}; medians.", versions(found)]
    for work in found["speed"]:
        parts += [f"### {work.capitalize()}: {WORKS[work].words}", table(heads(found, work), lines(found, work))]
    parts += ["### Goals", table(("goal", "bound", "measured", "held"), [goal.cells(found) for goal in GOALS])]
    if "linear" in found:
        rows = [(name, f"{seconds:.2f}") for name, seconds in found["linear"].items()]
        parts += ["### 60,000 images, 50 components", table(("", "seconds"), rows)]
    parts += [f"- {name}: left out: {reason}" for name, reason in found["left_out"].items()]
    if PLOT.exists():
        parts.append(f"![Seconds of an epoch in batches of {found['batches'][0]}]({PLOT.name})")
    return "\n\n".join(parts)


def versions(found: Found) -> str:
    """Name the versions of everything that was measured."""
    answers = [runs[0] for works in found["speed"].values() for runs in works.values()]
    return "; ".join(sorted({f"{answer['versions']} (Python {answer['python']})" for answer in answers})) + "."


def heads(found: Found, work: str) -> Sequence[str]:
    """Give the heads of a work's table."""
    epochs = [head for batch in found["batches"] for head in (f"epoch, batch {batch}", "ratio")]
    error = [] if WORKS[work].target is None else [f"to error {WORKS[work].target:.4f}"]
    return ("", "import", "first step", *epochs, *error, "rows encoded a second", "peak memory")


def lines(found: Found, work: str) -> Sequence[Sequence[str]]:
    """Give a row for each contestant, in the fixed order."""
    return [line(found, work, name) for name in CONTESTANTS if name in found["speed"][work]]


def line(found: Found, work: str, name: str) -> Sequence[str]:
    """Give a contestant's row; ratios are to Isthmus."""
    cells = [CONTESTANTS[name].words]
    cells += [seconds(figure(found, work, name, lambda one, key=key: one[key])) for key in ("import", "first")]
    for batch in found["batches"]:
        own, ours = epoch(found, work, name, batch), epoch(found, work, "isthmus", batch)
        part = figure(found, work, name, lambda one, batch=batch: one["timed"][str(batch)]) < WORKS[work].rows // 2
        cells += [seconds(own) + " *" * part, f"{own / ours:.2f}" if ours == ours else ""]
    if WORKS[work].target is not None:
        cells.append(waited(found, work, name))
    encode = figure(found, work, name, lambda one: one["encode"])
    cells.append("" if math.isnan(encode) else f"{ENCODED / encode:,.0f}")
    return [*cells, f"{figure(found, work, name, lambda one: one['peak']) / MB:,.0f} MB"]


def waited(found: Found, work: str, name: str) -> str:
    """Say how long a contestant took to the error, or where it was when the time was over."""
    runs = found["to_error"].get(work, {}).get(name, [])
    if not runs:
        return ""
    took, last = to_error(found, work, name), runs[-1]
    if math.isinf(took):
        return f"{last['error']:.4f} after {seconds(last['seconds'])}"
    return f"{seconds(took)} ({', '.join(str(run['epochs']) for run in runs)} epochs)"


def seconds(value: float) -> str:
    """Write seconds with three digits."""
    return "" if math.isnan(value) else f"{value:.3g} s"


def draw(found: Found) -> None:
    """Draw the seconds of an epoch, a row of points for each work."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "isthmus", "font.size": 9}):
        works, batch = list(found["speed"]), found["batches"][0]
        picture = Figure(figsize=(7, 0.9 + 0.55 * len(works)), layout="constrained")
        axes: Any = picture.subplots()
        for place, name in enumerate(CONTESTANTS):
            values = [epoch(found, work, name, batch) for work in works]
            ours = name in ("isthmus", "fused")
            marker = {"marker": "D" if ours else "o", "s": 45 if ours else 25, "zorder": 3 if ours else 2}
            label = CONTESTANTS[name].words.replace("*", "")
            if not all(map(math.isnan, values)):
                axes.scatter(values, range(len(works)), label=label, color=f"C{place}", **marker)
        axes.set_yticks(range(len(works)), works)
        axes.invert_yaxis()
        axes.set(xscale="log", xlabel=f"seconds of an epoch, batches of {batch}")
        axes.grid(axis="x", which="both", alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
        picture.legend(loc="outside right upper", frameon=False)
        picture.savefig(PLOT, metadata={"Date": None})
