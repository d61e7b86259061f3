"""What came of it, as tables in Markdown, and where they go in a page."""

import os
import platform
from collections.abc import Iterable, Sequence

from tests.benchmarks.drain import Drained
from tests.benchmarks.memory import SENT, Size
from tests.benchmarks.processes import NAMES
from tests.benchmarks.processor import COMPARED, IN_FLIGHT

BEGIN, END = "<!-- bench -->", "<!-- /bench -->"


def head() -> str:
    """How to repeat it, and on what it was measured."""
    return (
        f"Measured by `make bench` on {os.cpu_count()} cores with Python {platform.python_version()}, everybody in the "
        "same run, against the simulator (drain) or a stand-in without latency (processor time). Ratios carry over to "
        "other machines, seconds do not."
    )


def drained(found: Iterable[Drained]) -> str:
    """How long each client took, how many drafts it left, and how often it was refused."""
    rows = [
        (
            one.entry.plan.name,
            str(one.entry.drafts),
            one.entry.name,
            f"{one.ratio:.2f} ×",
            str(one.left),
            f"{one.refused:.1%}",
            "" if one.neighbour is None else f"{one.neighbour:.0%}",
        )
        for one in found
    ]
    return rows_as_table(
        ("limit", "drafts", "client", "time / floor", "left standing", "429s", "neighbour served"), rows
    )


def cost(found: dict[str, dict[int, float]]) -> str:
    """Milliseconds for each discard."""
    ours = found["job"][COMPARED]
    rows = [
        (NAMES[name], *(f"{costs[flying]:.2f} ms" for flying in IN_FLIGHT), f"{costs[COMPARED] / ours:.1f} ×")
        for name, costs in found.items()
    ]
    columns = (
        "processor time for each discard",
        *(f"{flying} in flight" for flying in IN_FLIGHT),
        f"of ours at {COMPARED}",
    )
    return rows_as_table(columns, rows)


def sizes(found: Iterable[Size]) -> str:
    """Memory and time by rows."""
    rows = [
        (
            f"{one.rows:,} ({one.form})",
            f"{one.checked.seconds:.1f} s",
            f"{one.checked.megabytes:.0f} MB",
            "" if one.run is None else f"{one.run.megabytes:.0f} MB",
        )
        for one in found
    ]
    return rows_as_table(
        ("rows", "checked in", "peak, checking", f"peak, a run of {SENT} with ledger and leftover"), rows
    )


def started(found: dict[str, float]) -> str:
    """Seconds to start."""
    base = next(iter(found.values()))
    rows = [(f"`{name}`", f"{seconds:.2f} s", f"{seconds / base:.1f} ×") for name, seconds in found.items()]
    return rows_as_table(("start", "time", "of the first"), rows)


def rows_as_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def placed(text: str, figures: str) -> str | None:
    """A page with the figures between its marks; None when it has no marks."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    return f"{before}{begin}\n{figures}\n{end}{after}" if begin and end else None
