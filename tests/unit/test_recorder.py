"""The recorder and the reporter: what is written of a draft, and what is taken for a warning."""

import io
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from cleanup.console.log import Output, make_log
from cleanup.console.reporter import Reporter
from cleanup.lists.pair_list import PairList
from cleanup.lists.rows import Row
from cleanup.model import Ending, Outcome, Result
from cleanup.plan import make_plan
from cleanup.records.ledger import Ledger
from cleanup.records.past import read
from cleanup.records.recorder import Recorder
from cleanup.records.summary import Identity
from cleanup.stop import Stop

NOW = datetime(2026, 11, 24, tzinfo=UTC)
IDENTITY = Identity("1", "discard", Outcome.DISCARDED, NOW, "https://one.example", "drafts.csv", None, "drafts")


@pytest.fixture
def logged() -> io.StringIO:
    """The log."""
    return io.StringIO()


@pytest.fixture
def reporter(logged: io.StringIO) -> Reporter:
    """The reporter of a run that has not begun."""
    return Reporter(make_log(Output(logged, quiet=False), "json", "info", str, colours=False), Stop())


def test_a_line_tells_of_the_draft_what_is_known(tmp_path: Path, reporter: Reporter) -> None:
    """Name, branch, last edit and copy, each only if it is there; whatever else is known stays in the log."""
    pairs = PairList("drafts.csv")
    for number in range(2):
        pairs.add(Row(number + 2, "0" * 24, f"d{number}"))
    known = {"name": "Spring", "branch": "main", "updated_at": "2026-01-02T03:04:05.678Z", "copy": "copies/d0.json"}
    path = str(tmp_path / "ledger.jsonl")
    with Ledger(path) as ledger:
        recorder = Recorder(IDENTITY, make_plan(pairs), ledger, reporter, Stop())
        recorder.record(Result(pairs[0], Ending.DISCARDED, details={**known, "editor": "Ann"}))
        recorder.record(Result(pairs[1], Ending.DISCARDED, details={"name": "Autumn"}))
    lines: list[dict[str, Any]] = [line for _, line in read(path) if line is not None]
    optional = {*known, "editor"}
    assert [{key: line[key] for key in optional & line.keys()} for line in lines] == [known, {"name": "Autumn"}]


def test_each_warning_is_logged_and_counted_once(logged: io.StringIO, reporter: Reporter) -> None:
    """By its kind; what is only worth knowing is logged as such, and not counted."""
    for _ in range(2):
        reporter.warn("an old list", kind="none_found")
        reporter.warn("something")
        reporter.note("it moved")
    assert reporter.warnings == ["an old list", "something", "it moved"]
    assert reporter.kinds == {"none_found": 1, "other": 1}
    events = [json.loads(line)["event"] for line in logged.getvalue().splitlines()]
    assert events == ["run.warning", "run.warning", "run.info"]
