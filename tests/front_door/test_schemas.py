"""docs/schemas, held against what runs write: every kind of run and of line, and no field that a schema lacks."""

import json
from typing import Any, NamedTuple

import jsonschema
import pytest

from cleanup.schemas import FOLDER, documents
from cleanup.simulator import Simulator, World
from tests.conftest import MODES, Drafts, aged, script
from tests.runner import Runner
from tests.schemas import LOG, SUMMARY, check_files


def test_the_files_are_what_the_definitions_write() -> None:
    """`make settings` would change nothing, and each is a schema."""
    written = {path.name: path.read_text() for path in FOLDER.iterdir()}
    assert written == documents()
    for text in written.values():
        jsonschema.Draft202012Validator.check_schema(json.loads(text))


class Case(NamedTuple):
    """A run over a list: its flags, the faults of the first drafts, its mode and status, events that it logs."""

    flags: tuple[str, ...]
    faults: tuple[list[str], ...]
    mode: str
    status: str
    events: set[str]


ENDS = {"draft.discarded", "draft.skipped", "draft.failed", "draft.retrying"}
FAULTS = (["404"], ["403"], ["500", "ok"], ["400"], ["500*"], ["429:retry_after=0"])
COPIED = ("--backup", "copies", "--verify", "all", "--note", "CHG-1")
SLEEPY = ("--max-outage", "300ms", "--retry-wait", "1h", "--retry-max-wait", "1h")
CASES = {
    "discard": Case(COPIED, FAULTS, "discard", "complete", {*ENDS, "rate.paused"}),
    "dry": Case(("--dry-run",), (), "dry-run", "complete", {"draft.would_discard", "run.info"}),
    "refused": Case(("--max-discards", "1", "--shard", "0/1"), (), "discard", "refused", {"run.finished"}),
    "outage": Case(SLEEPY, (["500*"],) * 8, "discard", "stopped", {"outage.began", "run.stopping"}),
    "back": Case((), (["500"] * 2,) * 8, "discard", "complete", {"outage.began", "outage.ended"}),
    "branches": Case((*COPIED, "--model", "branches"), (), "discard", "complete", {"draft.discarded"}),
}


@pytest.mark.parametrize("case", CASES.values(), ids=list(CASES))
def test_what_a_run_over_a_list_writes(case: Case, job: Runner, sim: Simulator, world: World, drafts: Drafts) -> None:
    """However it ends."""
    if "branches" in case.flags:
        world.mode = "branches"
    held = drafts(8, updated_at=aged(40))
    for draft, faults in zip(held, case.faults, strict=False):
        script(sim, draft, faults)
    flags = ("--ledger", "ledger.jsonl", "--attempts", "2", "--concurrency", "1", "--log-level", "debug")
    ended = job(job.list_of(held), *flags, *case.flags)
    assert (ended.summary["mode"], ended.summary["status"]) == (case.mode, case.status)
    assert case.events <= {event["event"] for event in ended.events}
    check_files(ended)


@pytest.mark.parametrize("command", ["find", "sweep"])
def test_what_runs_by_rule_write(command: str, job: Runner, world: World, drafts: Drafts) -> None:
    """`find` and `sweep`."""
    drafts(3, updated_at=aged(40))
    flags = {
        "find": ("-o", "found.csv"),
        "sweep": ("--max-share", "off", "--yes", "--ledger", "ledger.jsonl", "--organization", world.organization),
    }
    ended = job(command, "--older-than", "30d", *flags[command])
    assert (ended.code, ended.summary["mode"]) == (0, command)
    check_files(ended)


@MODES
def test_what_an_undo_writes(mode: Any, job: Runner, world: World, drafts: Drafts) -> None:
    """A dry one, a real one, and one more, for which there is nothing left to do."""
    world.mode = mode
    job(job.list_of(drafts(3)), "--ledger", "ledger.jsonl", "--backup", "copies")
    for flags, counts in ((("--dry-run",), "would_restore"), ((), "restored"), ((), "skipped")):
        ended = job("undo", "ledger.jsonl", *flags)
        assert ended.counts[counts] == 3
        check_files(ended)


def test_what_is_said_before_there_is_a_run(runner: Runner) -> None:
    """Bad settings and a bad list, to the job and to `check`."""
    runner.write("bad.csv", "agent,draft\nx,y\n")
    ends = [runner(*words) for words in (("--rate", "fast"), ("bad.csv",), ("check", "bad.csv"))]
    assert [ended.code for ended in ends] == [78, 65, 65]
    said = [event for ended in ends for event in ended.events]
    assert {"settings.invalid", "list.invalid", "check.refused", "run.finished"} <= {event["event"] for event in said}
    for event in said:
        LOG.validate(event)


def test_what_a_report_prints(job: Runner, sim: Simulator, drafts: Drafts) -> None:
    """Of one ledger, and of ledgers of two organizations."""
    held = drafts(4)
    sim.faults.script(held[0].id, ["400"])
    job(job.list_of(held), "--ledger", "one.jsonl")
    first = (job.folder / "one.jsonl").read_text()
    run_id = json.loads(first.splitlines()[0])["run_id"]
    job.write("other.jsonl", first.replace(sim.world.organization, "f" * 24).replace(run_id, "e" * 32))
    ledgers = (["one.jsonl"], ["one.jsonl", "other.jsonl"])
    reports = [json.loads(job("report", *names, "--format", "json").stdout) for names in ledgers]
    assert ["organizations" in report for report in reports] == [False, True]
    for report in reports:
        SUMMARY.validate(report)


def test_a_field_or_a_value_that_is_not_in_the_types_is_found(runner: Runner) -> None:
    """These tests would see it."""
    summary: dict[str, Any] = runner(runner.list_of([])).summary
    SUMMARY.validate(summary)
    for wrong in (summary | {"new": 1}, summary | {"mode": "other"}, {"run_id": "x"}):
        assert not SUMMARY.is_valid(wrong)
