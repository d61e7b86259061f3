"""The journal: what it writes of a draft, and what it takes for a warning."""

import io
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from cleanup.lists.pair_list import PairList
from cleanup.lists.rows import Row
from cleanup.model import Ending, Result
from cleanup.plan import make_plan
from cleanup.records.journal import Journal
from cleanup.records.ledger import Ledger
from cleanup.records.past import read
from cleanup.records.summary import Identity
from cleanup.show.log import Output, make_log
from cleanup.stop import Stop


@pytest.fixture
def told() -> io.StringIO:
    """The log."""
    return io.StringIO()


@pytest.fixture
def journal(told: io.StringIO) -> Journal:
    """The journal of a run that has not begun."""
    now = datetime(2026, 11, 24, tzinfo=UTC)
    identity = Identity("1", "discard", False, now, "https://one.example", "drafts", "drafts.csv", None)
    return Journal(identity, make_log(Output(told, quiet=False), "json", "info", str, colours=False))


def test_a_line_tells_of_the_draft_what_is_known(tmp_path: Path, journal: Journal) -> None:
    """Name, branch, last edit and copy, each only if it is there; whatever else is known stays in the log."""
    pairs = PairList("drafts.csv")
    for number in range(2):
        pairs.add(Row(number + 2, "0" * 24, f"d{number}"))
    journal.open_account(make_plan(pairs))
    journal.stop = Stop()
    known = {"name": "Spring", "branch": "main", "updated_at": "2026-01-02T03:04:05.678Z", "copy": "copies/d0.json"}
    path = str(tmp_path / "ledger.jsonl")
    with Ledger(path) as journal.ledger:
        journal.settle(Result(pairs[0], Ending.DISCARDED, details={**known, "editor": "Ann"}))
        journal.settle(Result(pairs[1], Ending.DISCARDED, details={"name": "Autumn"}))
    lines: list[dict[str, Any]] = [line for _, line in read(path) if line is not None]
    optional = {*known, "editor"}
    assert [{key: line[key] for key in optional & line.keys()} for line in lines] == [known, {"name": "Autumn"}]


def test_each_warning_is_told_and_counted_once(told: io.StringIO, journal: Journal) -> None:
    """By its kind; what is only worth knowing is told as such, and not counted."""
    for _ in range(2):
        journal.warn("an old list", kind="none_found")
        journal.warn("something")
        journal.warn("it moved", level="info")
    assert journal.facts.warnings == ["an old list", "something", "it moved"]
    assert journal.facts.warning_kinds == {"none_found": 1, "other": 1}
    events = [json.loads(line)["event"] for line in told.getvalue().splitlines()]
    assert events == ["run.warning", "run.warning", "run.info"]
