"""`report`: what an auditor asks of ledgers that runs have written."""

import csv
import io
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from cleanup.simulator import Simulator
from tests.conftest import Runner

COUNTS = ["listed", "discarded", "skipped", "failed", "not_attempted"]


def test_the_report_of_shares_and_reruns_is_what_the_api_saw(
    job: Runner, sim: Simulator, drafts: Callable[..., list[Any]]
) -> None:
    """Two shares, one of them run twice: the shape of a run's summary, in every format, and nothing counted twice."""
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

    by = {
        name: job("report", *ledgers, "--by", "agent", "--format", name).stdout for name in ("json", "csv", "markdown")
    }
    groups = json.loads(by["json"])
    assert sorted(groups) == sorted({draft.agent for draft in held})
    assert {name: sum(row[name] for row in groups.values()) for name in COUNTS} == found["counts"]
    rows = list(csv.DictReader(io.StringIO(by["csv"])))
    assert {row.pop("agent"): {name: int(row[name]) for name in COUNTS} for row in rows} == groups
    assert [line.strip("| ").split(" | ")[0] for line in by["markdown"].splitlines()] == ["agent", "---", *groups]

    table = job("report", *ledgers, "--by", "user", "--since", "1d", "--agent", held[0].agent)
    assert table.stdout.split()[-5:] == [str(groups[held[0].agent][n]) for n in COUNTS]
    day = json.loads(job("report", *ledgers, "--by", "day", "--format", "json").stdout)
    assert sum(row["listed"] for row in day.values()) == 24
    assert max(day) == datetime.now(UTC).date().isoformat()


@pytest.mark.parametrize(
    ("flags", "code", "words"),
    [
        (["missing.jsonl"], 66, "missing.jsonl: the ledger cannot be read: No such file or directory"),
        (["list.csv"], 66, "list.csv: this is no ledger"),
        ([], 2, "LEDGER"),
        (["x.jsonl", "--since", "yesterday"], 2, "no duration"),
        (["x.jsonl", "--agent", "BOB"], 2, "no agent"),
        (["x.jsonl", "--by", "week"], 2, "--by"),
    ],
)
def test_what_cannot_be_reported_is_said_in_a_sentence(runner: Runner, flags: Any, code: int, words: str) -> None:
    """A wrong file is 66, wrong usage 2; no traceback."""
    runner.write("list.csv", "agent,draft\n")
    ended = runner("report", *flags)
    assert (ended.code, ended.stdout) == (code, "")
    assert words in ended.stderr
    assert "Traceback" not in ended.stderr
