"""`report`: what an auditor asks of ledgers that runs have written."""

import csv
import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cleanup.cli.report import report
from cleanup.simulator import Simulator
from tests.conftest import Drafts, script
from tests.runner import Runner

COUNTS = ["listed", "discarded", "skipped", "failed", "not_attempted"]


def test_the_report_of_shares_and_reruns_is_what_the_api_saw(
    job: Runner, sim: Simulator, drafts: Callable[..., list[Any]]
) -> None:
    """Two shares, each run twice, one ledger torn: the shape of a run's summary, and nothing counted twice."""
    held = drafts(24, agents=2)
    for draft, faults in zip(held, (["404"], ["403"], ["400"], ["500*"]), strict=False):
        script(sim, draft, faults)
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
    assert set(found) == set(told) | {"runs", "verified", "reason"}
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


def test_a_killed_run_is_incomplete_until_a_later_one_did_the_rest(job: Runner, sim: Simulator, drafts: Drafts) -> None:
    """Of two shares, one is killed: the whole is worth another run, and says so until that run was there."""
    held = drafts(6)
    listed = job.list_of(held)
    for share in ("0/2", "1/2"):
        job(listed, "--shard", share, "--ledger", f"{share[0]}.jsonl")
    killed = (job.folder / "1.jsonl").read_text().splitlines(keepends=True)
    assert '"type": "end"' in killed[-1]
    job.write("1.jsonl", "".join(killed[:-1]))

    def told() -> tuple[Any, ...]:
        found = json.loads(job("report", "0.jsonl", "1.jsonl", "--format", "json").stdout)
        return found["status"], found["exit_code"], found["meaning"]

    assert told() == ("incomplete", 75, "incomplete: worth another run")
    assert "overall: incomplete: worth another run (75)" in job("report", "0.jsonl", "1.jsonl").stdout
    job(listed, "--shard", "1/2", "--ledger", "1.jsonl", "--resume")
    assert told()[:2] == ("complete", 0)


@pytest.mark.unverified
def test_the_history_of_a_draft(job: Runner, sim: Simulator, drafts: Drafts) -> None:
    """What was tried, when, by whom and which list; in a run's own words, and as JSON."""
    (held,) = drafts(1)
    sim.faults.script(held.id, ["500"])
    listed = job.list_of([held])
    job(listed, "--ledger", "ledger.jsonl", "--attempts", "1", "--note", "CHG-1")
    job(listed, "--ledger", "ledger.jsonl", "--resume", "--note", "CHG-2")
    told = job("report", "ledger.jsonl", "--draft", held.id)
    assert told.code == 0
    assert re.search(r"failed: server error\n.*note: CHG-1\n.*discarded\n.*note: CHG-2\n", told.stdout, re.DOTALL)
    assert "  overall: discarded" in told.stdout
    events = json.loads(job("report", "ledger.jsonl", "--draft", held.id, "--format", "json").stdout)
    assert [(event["outcome"], event["note"]) for event in events] == [("failed", "CHG-1"), ("discarded", "CHG-2")]
    assert {event["source"] for event in events} == {"drafts.csv:2"}
    assert {event["user"] for event in events} == {job.ended[0].ledger()[0]["user"]}


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
    assert "overall: worth another run (75)" in table
    assert "request" not in table


@pytest.mark.parametrize(
    ("flags", "code", "words"),
    [
        (["missing.jsonl"], 66, "missing.jsonl: the ledger cannot be read: No such file or directory"),
        (["list.csv"], 66, "list.csv: this is not a ledger"),
        (["."], 66, "Is a directory"),
        ([], 2, "LEDGER"),
        (["x.jsonl", "--since", "yesterday"], 2, "neither a duration nor a time"),
        (["x.jsonl", "--agent", "BOB"], 2, "not a valid agent id"),
        (["x.jsonl", "--by", "week"], 2, "--by"),
        (["x.jsonl", "--draft", "../x"], 2, "not a valid draft id"),
        (["x.jsonl", "--draft", "d", "--by", "day"], 2, "--draft cannot be combined with --by"),
        (["x.jsonl", "--draft", "d", "--format", "csv"], 2, "--draft cannot be combined with --by"),
        (["list.csv.gz"], 66, "list.csv.gz: this is not a ledger"),
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
    (tmp_path / "list.csv.gz").write_text("agent,draft\n")
    monkeypatch.chdir(tmp_path)
    try:
        ended = report(flags)
    except SystemExit as end:
        ended = int(end.code or 0)
    assert ended == code
    assert words in capsys.readouterr().err


def test_names_are_text_and_no_markup(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A user who is called `[/x]`, or what a terminal would obey; and no formula for a spreadsheet."""
    path = tmp_path / "ledger.jsonl"
    for name, flags, said in (
        ("[/x]", [], "[/x] "),
        ("\\u001b[2J", [], "\\x1b[2J "),
        ("\\u001b[2J", ["--format", "markdown"], "| \\x1b[2J |"),
        ("=1+1", ["--format", "csv"], "\n'=1+1,2,"),
    ):
        path.write_text(LEDGER.replace("a|b", name))
        assert report([str(path), "--by", "user", *flags]) == 0
        assert said in capsys.readouterr().out


def test_a_reason_is_text_and_no_markup(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One that no version wrote is shown all the same."""
    (tmp_path / "ledger.jsonl").write_text(LEDGER.replace('"timeout"', '"[/x]"'))
    assert report([str(tmp_path / "ledger.jsonl")]) == 0
    assert re.search(r"failed +1\n +\[/x\] +1\n", capsys.readouterr().out)


def test_a_table_of_no_pairs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A header alone."""
    (tmp_path / "ledger.jsonl").write_text(LEDGER)
    assert report([str(tmp_path / "ledger.jsonl"), "--by", "day", "--since", "1m", "--format", "csv"]) == 0
    assert capsys.readouterr().out == "day,listed,discarded,skipped,failed,not_attempted\n"


@pytest.mark.parametrize(
    ("since", "listed"),
    [("2026-01-02", 1), ("2026-01-01", 2), ("2026-01-01T01:00:01+01:00", 2), ("2026-01-01T00:00:02Z", 1), ("1h", 0)],
)
def test_since_takes_a_duration_a_date_or_a_time(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], since: str, listed: int
) -> None:
    """A date begins at midnight, UTC."""
    (tmp_path / "ledger.jsonl").write_text(LEDGER)
    assert report([str(tmp_path / "ledger.jsonl"), "--since", since, "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["counts"]["listed"] == listed


def test_a_line_that_cannot_be_read_is_65_and_the_rest_is_reported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The report is printed all the same, and the line named."""
    path = tmp_path / "ledger.jsonl"
    path.write_text(LEDGER.replace('"draft": "e"', '"draft": "'))
    assert report([str(path), "--format", "json"]) == 65
    out, err = capsys.readouterr()
    found = json.loads(out)
    assert (found["counts"]["listed"], found["exit_code"], found["meaning"]) == (1, 65, "lines cannot be read")
    assert f"{path}:3: this line cannot be read" in err
    assert report([str(path), "--draft", "d"]) == 65
    assert "discarded" in capsys.readouterr().out


def test_a_torn_last_line_is_named_and_no_damage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is what a kill leaves, and the next run mends it."""
    path = tmp_path / "ledger.jsonl"
    path.write_text(LEDGER + '{"type": "pair", "ag')
    assert report([str(path)]) == 0
    assert f"{path}:5: the last line is torn" in capsys.readouterr().err


def test_organizations_are_told_apart(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The same draft at two of them is two; each has a section, in every format, and a warning says so."""
    paths = []
    for name in ("acme", "zeta"):
        paths.append(str(tmp_path / f"{name}.jsonl"))
        run = f'"run_id": "{name}", "organization": "{name}", "base_url": "https://x"'
        Path(paths[-1]).write_text(LEDGER.replace('"run_id": "r"', run))
    assert report([*paths, "--format", "json"]) == 0
    out, err = capsys.readouterr()
    found, each = json.loads(out), dict(zip(COUNTS, (2, 1, 0, 1, 0), strict=True))
    assert found["organizations"] == {"acme": each, "zeta": each}
    assert (found["counts"]["listed"], found["organization"]) == (4, None)
    assert "these ledgers belong to 2 organizations" in err
    assert "these ledgers belong to 2 organizations" in found["warnings"][0]
    assert report(paths) == 0
    assert re.search(r"\norganization +listed .*\nacme +2 .*\nzeta +2 ", capsys.readouterr().out, re.DOTALL)
    assert report([*paths, "--format", "markdown"]) == 0
    told = capsys.readouterr().out
    assert told.startswith("| organization | outcome | reason | drafts |\n| --- | --- | --- | ---: |\n")
    assert "| zeta | failed | timeout | 1 |" in told
    assert report([*paths, "--format", "json", "--by", "organization"]) == 0
    assert json.loads(capsys.readouterr().out) == found["organizations"]


HISTORY = [
    {"type": "run", "run_id": "r", "time": "2026-11-01T02:00:00Z", "user": "anna", "organization": "66a1",
     "organization_name": "Acme", "host": "h", "os_user": "root", "list": "l.csv", "list_sha256": "5ba",
     "note": "\x1b["},
    {"type": "pair", "run_id": "r", "time": "2026-11-01T02:00:01Z", "agent": "0" * 24, "draft": "d",
     "outcome": "discarded", "reason": None, "status": 200, "attempts": 2, "request_id": "q", "source": "l.csv:7",
     "name": "Draft", "copy": "backup/d.json"},
    {"type": "proof", "run_id": "r", "time": "2026-11-01T02:00:02Z", "agent": "0" * 24, "draft": "d", "gone": True},
    {"type": "end", "run_id": "r", "time": "2026-11-01T02:00:03Z", "exit_code": 0, "counts": {}},
    {"type": "run", "run_id": "u", "time": "2026-11-02T02:00:00Z", "user": "bert", "mode": "undo"},
    {"type": "pair", "run_id": "u", "time": "2026-11-02T02:00:01Z", "agent": "0" * 24, "draft": "d",
     "outcome": "restored", "reason": None, "new_draft": "e", "branch": "restored-d"},
    {"type": "end", "run_id": "u", "time": "2026-11-02T02:00:03Z", "exit_code": 0, "counts": {}},
]  # fmt: skip


def test_the_history_of_a_draft_that_was_discarded_verified_and_made_anew(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """All that there is to say, for people; asked for by the old id or the new one."""
    path = tmp_path / "ledger.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in HISTORY))
    assert report([str(path), "--draft", "d", "--draft", "x"]) == 0
    assert (
        capsys.readouterr().out
        == f"""\
draft d of agent {"0" * 24}
  2026-11-01T02:00:01Z  discarded
      status 200, 2 attempts, request q
      by anna, with a key of Acme (66a1)
      run r, on h, as root
      listed in l.csv:7, SHA-256 5ba
      note: \\x1b[
      named Draft
      copy: backup/d.json
  2026-11-01T02:00:02Z  read back: it is gone
  2026-11-02T02:00:01Z  restored
      by bert
      run u
      branch restored-d
      new draft: e
  overall: restored, the new draft is e

draft x: not in these ledgers
"""
    )
    assert report([str(path), "--draft", "e"]) == 0
    assert "2026-11-02T02:00:01Z  re-created from the copy of draft d\n" in capsys.readouterr().out
    assert report([str(path), "--draft", "d", "--since", "2026-11-02"]) == 0
    assert "read back" not in capsys.readouterr().out


def test_the_history_as_json_says_what_became_of_a_discard(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Events in the order of time, with their places and runs; of a discard, whether it was verified and undone."""
    paths = [str(tmp_path / "2.jsonl"), str(tmp_path / "1.jsonl")]
    for path, lines in zip(paths, (HISTORY[4:], HISTORY[:4]), strict=True):
        Path(path).write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert report([*paths, "--draft", "d", "--format", "json"]) == 0
    events = json.loads(capsys.readouterr().out)
    assert [(event["type"], event["ledger"], event["line"]) for event in events] == [
        ("pair", paths[1], 2),
        ("proof", paths[1], 3),
        ("pair", paths[0], 2),
    ]
    first = events[0]
    assert (first["verified"], first["undone"], first["os_user"], first["copy"]) == (
        True,
        True,
        "root",
        "backup/d.json",
    )
    assert (events[2]["new_draft"], events[2]["user"], events[2]["note"]) == ("e", "bert", None)
