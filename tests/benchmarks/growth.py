"""`python -m tests.benchmarks.growth report|resume|find|discard`: what a command takes as its input grows.

Not a part of `python -m tests.benchmarks`: the longest ledger takes two gigabytes of disk, a million discards ten
minutes.
"""

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.benchmarks.processes import Spent, discarding, job, measure, simulator, stand_in, write_list

LINES = (100_000, 1_000_000, 5_000_000)
_RUN = (
    '{{"type": "run", "run_id": "{run:032x}", "time": "2026-01-01T02:00:00Z", "user": "anna@example.com", '
    '"base_url": "https://api.smallest.ai/atoms/v1"}}\n'
)
_END = '{{"type": "end", "run_id": "{run:032x}", "time": "2026-01-01T03:00:00Z", "exit_code": 75, "counts": {{}}}}\n'
_PAIR = (
    '{{"type": "pair", "time": "2026-{month:02}-{day:02}T02:{minute:02}:{second:02}.{thousandth:03}Z", '
    '"run_id": "{run:032x}", "agent": "{agent:024x}", "draft": "{draft:024x}", "outcome": "{outcome}", '
    '"reason": {reason}, "status": {status}, "attempts": 1, "seconds": 0.0812, "request_id": "{draft:032x}", '
    '"source": "drafts.csv:{row}", "name": "Draft {draft}", "updated_at": "2025-10-01T00:00:00.000Z"}}\n'
)


def write_ledger(path: Path, lines: int) -> None:
    """Write a ledger of so many pairs, no two the same: 100,000 a run, fifty to an agent, one of a hundred failed."""
    with path.open("w") as stream:
        stream.writelines(_lines(lines))


def _lines(pairs: int) -> Iterator[str]:
    for number in range(pairs):
        run, row = divmod(number, 100_000)
        if not row:
            yield _RUN.format(run=run)
        failed = number % 100 == 99
        yield _PAIR.format(
            month=1 + run % 12, day=1 + run // 12 % 28, minute=row // 6000 % 60, second=row // 100 % 60,
            thousandth=row % 100 * 10, run=run, agent=number // 50, draft=number, row=row + 2,
            outcome="failed" if failed else "discarded", reason='"timeout"' if failed else "null",
            status="null" if failed else 200,
        )  # fmt: skip
        if row == 99_999 or number == pairs - 1:
            yield _END.format(run=run)


def head(what: str) -> None:
    """Print a table's first line."""
    print(f"{what:>10} {'seconds':>9} {'CPU s':>9} {'peak MB':>9}")


def row(size: int, spent: Spent) -> None:
    """Print what a command took."""
    assert spent.code == 0, f"the command ended with {spent.code}"
    print(f"{size:>10,} {spent.seconds:>9.1f} {spent.processor:>9.1f} {spent.megabytes:>9.0f}", flush=True)


def report(*flags: str) -> None:
    """`report` over ledgers of several lengths."""
    head("lines")
    for lines in LINES:
        with tempfile.TemporaryDirectory() as folder:
            ledger = Path(folder) / "ledger.jsonl"
            write_ledger(ledger, lines)
            row(lines, measure(job("report", ledger.name, "--format", "json", *flags), ledger.parent))


def resume(*flags: str) -> None:
    """`check --resume` of a list of 10,000 pairs by ledgers of several lengths, which settle most of it."""
    head("lines")
    for lines in LINES:
        with tempfile.TemporaryDirectory() as folder:
            home = Path(folder)
            write_ledger(home / "ledger.jsonl", lines)
            write_list(home / "drafts.csv", 10_000)
            row(lines, measure(job("check", "drafts.csv", "--resume", "--ledger", "ledger.jsonl", *flags), home))


def find(*flags: str) -> None:
    """`find` over workspaces of several sizes, three drafts to an agent, at any rate."""
    head("agents")
    for agents in (1000, 3000, 10_000):
        with tempfile.TemporaryDirectory() as folder:
            home = Path(folder)
            with simulator(home, "--agents", str(agents), "--drafts", str(3 * agents)) as served:
                command = job(
                    "find", "--base-url", served.url, "--rate", "off", "--concurrency", "16", "-o", "found.csv"
                )
                row(agents, measure([*command, *flags], home))


def discard(*flags: str) -> None:
    """Lists of several lengths really discarded, with ledger and log, by a stand-in that answers at once."""
    head("drafts")
    for drafts in (10_000, 100_000, 1_000_000):
        with tempfile.TemporaryDirectory() as folder:
            home = Path(folder)
            write_list(home / "drafts.csv", drafts)
            with stand_in(home, most=drafts) as served:
                spent = measure([*discarding("job", home, served.url, 16), *flags], home)
            row(drafts, spent)
            assert served.seen["left"] == 0, f"{served.seen['left']} drafts are left"


PARTS: dict[str, Callable[..., None]] = {"report": report, "resume": resume, "find": find, "discard": discard}


def main() -> int:
    """Measure one part; what comes after its name are flags for the command."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.growth", description=__doc__)
    parser.add_argument("part", choices=PARTS)
    options, flags = parser.parse_known_args()
    PARTS[options.part](*flags)
    return 0


if __name__ == "__main__":
    sys.exit(main())
