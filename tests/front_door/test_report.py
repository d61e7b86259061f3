"""`report`: what an auditor asks of ledgers that runs have written."""

import csv
import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cleanup.commands.report import report
from cleanup.simulator import Simulator
from tests.conftest import Runner

COUNTS = ["listed", "discarded", "skipped", "failed", "not_attempted"]


def test_the_report_of_shares_and_reruns_is_what_the_api_saw(
    job: Runner, sim: Simulator, drafts: Callable[..., list[Any]]
) -> None:
    """Two shares, each run twice, one ledger torn: the shape of a run's summary, and nothing counted twice."""
    held = drafts(24, agents=2)
    for draft, script in zip(held, (["404"], ["403"], ["400"], ["500*"]), strict=False):
        sim.faults.script(draft.id, script)
    listed = job.list_of(held)
    for share in ("0/2", "1/2"):
        job(listed, "--shard", share, "--ledger", f"{share[0]}.jsonl", "--attempts", "1")
    sim.faults.script(held[3].id, ["ok"])
    for share in ("0/2", "1/2"):
        ended = job(listed, "--shard", share, "--ledger", f"{share[0]}.jsonl", "--resume", "--note", "again")
    with (job.folder / "1.jsonl").open("a") as ledger:
        ledger.write('{"type": "pair", "agent": "0000')  # a power cut

    ledgers = ("1.jsonl", "0.jsonl", "1.jsonl")
    reported = job("report", *ledgers, "--format", "json")
    assert reported.code == 0
    assert "1.jsonl:" in reported.stderr
    found, told = json.loads(reported.stdout), ended.summary
    assert set(found) == set(told) | {"runs"}
    assert all(set(found[part]) == set(told[part]) for part in ("counts", "requests", "rate"))
    discarded = {request.draft for request in sim.requests("discard") if request.status == 200}
    assert found["counts"] == dict(zip(COUNTS, (24, len(discarded), 24 - len(discarded), 0, 0), strict=True))
    assert (found["runs"], found["list"], found["organization"]) == (4, "drafts.csv", told["organization"])

    by_agent = job("report", *ledgers, "--by", "agent", "--format", "csv").stdout
    rows = list(csv.DictReader(io.StringIO(by_agent)))
    assert sorted(row["agent"] for row in rows) == sorted({draft.agent for draft in held})
    assert {name: sum(int(row[name]) for row in rows) for name in COUNTS} == found["counts"]
    (row,) = [row for row in rows if row["agent"] == held[0].agent]
    table = job("report", *ledgers, "--by", "user", "--since", "1d", "--agent", held[0].agent)
    assert table.stdout.split()[-5:] == [row[name] for name in COUNTS]


LEDGER = """\
{"type": "run", "run_id": "r", "time": "2026-01-01T00:00:00Z", "user": "a|b"}
{"type": "pair", "run_id": "r", "time": "2026-01-01T00:00:01Z", "agent": "AGENT", "draft": "d", "outcome": "discarded"}
{"type": "pair", "run_id": "r", "time": "2026-01-02T00:00:01Z", "agent": "AGENT", "draft": "e", "outcome": "failed", \
"reason": "timeout"}
{"type": "end", "run_id": "r", "time": "2026-01-02T00:00:02Z", "counts": {}}
""".replace("AGENT", "0" * 24)


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (
            ["--format", "csv"],
            "outcome,reason,drafts\ndiscarded,,1\nskipped,,0\nfailed,timeout,1\nnot_attempted,,0",
        ),
        (["--format", "csv", "--by", "day", "--since", "1d"], "day,listed,discarded,skipped,failed,not_attempted"),
        (
            ["--format", "markdown", "--by", "user"],
            (
                "| user | listed | discarded | skipped | failed | not_attempted |\n"
                "| --- | ---: | ---: | ---: | ---: | ---: |\n| a\\|b | 2 | 1 | 0 | 1 | 0 |"
            ),
        ),
        (
            ["--format", "json", "--by", "day"],
            (
                '{"2026-01-01": {"listed": 1, "discarded": 1, "skipped": 0, "failed": 0, "not_attempted": 0}, '
                '"2026-01-02": {"listed": 1, "discarded": 0, "skipped": 0, "failed": 1, "not_attempted": 0}}'
            ),
        ),
    ],
)
def test_every_format(tmp_path: Path, capsys: pytest.CaptureFixture[str], flags: list[str], said: str) -> None:
    """CSV and Markdown for tables elsewhere, JSON for programs."""
    (tmp_path / "ledger.jsonl").write_text(LEDGER)
    assert report([str(tmp_path / "ledger.jsonl"), *flags]) == 0
    assert capsys.readouterr() == (said + "\n", "")


def test_a_table_shows_what_a_run_shows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Outcomes, failures, the meaning; no line about requests, which ledgers do not count."""
    (tmp_path / "ledger.jsonl").write_text(LEDGER)
    assert report([str(tmp_path / "ledger.jsonl")]) == 0
    table = capsys.readouterr().out
    assert re.search(r"discarded +1\n.*failed +1\n +timeout +1\n", table, re.DOTALL)
    assert "taken together: worth another run (75)" in table
    assert "request" not in table


@pytest.mark.parametrize(
    ("flags", "code", "words"),
    [
        (["missing.jsonl"], 66, "missing.jsonl: the ledger cannot be read: No such file or directory"),
        (["list.csv"], 66, "list.csv: this is no ledger"),
        (["."], 66, "Is a directory"),
        ([], 2, "LEDGER"),
        (["x.jsonl", "--since", "yesterday"], 2, "is not a duration"),
        (["x.jsonl", "--agent", "BOB"], 2, "is not a valid agent id"),
        (["x.jsonl", "--by", "week"], 2, "--by"),
    ],
)
def test_what_cannot_be_reported_is_said_in_a_sentence(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    flags: Any,
    code: int,
    words: str,
) -> None:
    """A wrong file is 66, wrong usage 2."""
    (tmp_path / "list.csv").write_text("agent,draft\n")
    monkeypatch.chdir(tmp_path)
    try:
        ended = report(flags)
    except SystemExit as end:
        ended = int(end.code or 0)
    assert ended == code
    assert words in capsys.readouterr().err
