"""The ledger as it reaches the disk: one write for each line, on disk within a second, never in the way."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from cleanup.records.files import user_name
from cleanup.simulator import Simulator
from tests.accounts import FLAGS, check_account, keys
from tests.conftest import Drafts
from tests.runner import Ended, Runner

PAIR_KEYS = {
    "type", "time", "run_id", "agent", "draft", "outcome", "reason", "status", "attempts", "seconds", "request_id",
    "source",
}  # fmt: skip


@pytest.mark.unverified
def test_what_stands_in_it(job: Runner, sim: Simulator, drafts: Drafts) -> None:
    """A run line, a line for each pair that was sent or protected, an end line; no key, no secret."""
    held = drafts(12, agents=4)
    listed = job.list_of([*held, held[0]])
    sim.faults.script(held[3].id, ["500", "ok"])
    ended = job(listed, *FLAGS, "--protect", held[1].agent, "--limit", "7", "--note", "change 4711")
    assert ended.code == 0
    check_account(ended, sim, keys(held))
    run, *pairs, end = ended.ledger()
    assert set(run) == {
        "type", "run_id", "time", "version", "mode", "host", "os_user", "base_url", "organization", "organization_name",
        "user", "list", "list_sha256", "settings", "note",
    }  # fmt: skip
    assert (run["mode"], run["os_user"]) == ("discard", user_name(os.geteuid()))
    assert (run["note"], run["list"], run["settings"]["limits"]["per_run"]) == ("change 4711", "drafts.csv", 7)
    assert all(set(line) == PAIR_KEYS for line in pairs)
    assert sum(line["reason"] == "protected" for line in pairs) == 3
    retried = next(line for line in pairs if line["draft"] == held[3].id)
    assert (retried["attempts"], retried["status"], retried["source"]) == (2, 200, "drafts.csv:5")
    requests = {request.request_id for request in sim.requests("discard")}
    assert {line["request_id"] for line in pairs if line["reason"] != "protected"} <= requests
    assert set(end) == {"type", "run_id", "time", "exit_code", "counts"}
    assert (sim.requests("drafts"), ended.summary["verified"]["checked"]) == ([], 0), "guard.verify is off"
    assert "sk_simulator" not in (job.folder / "ledger.jsonl").read_text()


def test_nothing_to_send_is_on_record_too(job: Runner, sim: Simulator, drafts: Drafts) -> None:
    """All pairs are protected. No request is sent, but the ledger still records why."""
    held = drafts(3, agents=1)
    ended = job(job.list_of(held), *FLAGS, "--protect", held[0].agent)
    assert ended.code == 0
    check_account(ended, sim, keys(held))
    assert sim.requests() == []
    assert [line["type"] for line in ended.ledger()] == ["run", "pair", "pair", "pair", "end"]


def test_system_calls(job: Runner, sim: Simulator, drafts: Drafts) -> None:
    """Each line is one write; syncs come from another thread than the writes do, at the end from any."""
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("there is no strace here; tests/unit/test_ledger.py counts the same calls from inside")
    held = drafts(120)
    sim.faults.script("*", "slow:100ms*")
    command = job.command(job.list_of(held), "--ledger", "ledger.jsonl", "--concurrency", "8")
    trace = job.folder / "trace"
    traced = subprocess.run(
        [strace, "-f", "-y", "-s", "1", "-e", "trace=write,fsync,fdatasync", "-o", str(trace), *command],
        cwd=job.folder, env=job.environ, stdin=subprocess.DEVNULL, capture_output=True, timeout=60,
    )  # fmt: skip
    if b"ptrace" in traced.stderr and not trace.read_text():
        pytest.skip("this user may not trace")
    assert traced.returncode == 0
    calls = re.findall(r"^(\d+) +(write|fsync|fdatasync)\(\d+<[^>]*/ledger\.jsonl>", trace.read_text(), re.MULTILINE)
    lines = Ended(traced.returncode, "", "", job.folder).ledger()
    writers = {thread for thread, call in calls if call == "write"}
    syncs = [thread for thread, call in calls if call != "write"]
    assert len([call for _, call in calls if call == "write"]) == len(lines)
    assert len(writers) == 1
    assert len(syncs) >= 2
    assert [thread for thread in syncs[:-1] if thread in writers] == [], "the event loop waits for no disk"
    assert calls[-1][1] != "write", "and at the end everything is on disk"


def test_a_line_has_left_the_process_before_its_pair_counts(job: Runner, sim: Simulator, drafts: Drafts) -> None:
    """At every moment the ledger has at least every pair that the log reports."""
    held = drafts(40)
    ledger = job.folder / "ledger.jsonl"
    process = job.start(job.list_of(held), "--ledger", ledger, stderr=subprocess.PIPE)
    assert process.stderr is not None
    told = 0
    for line in process.stderr:
        if '"draft.discarded"' in line:
            told += 1
            assert json.loads(line)["draft"] in ledger.read_text()
    assert job.wait(process).code == 0
    assert told == 40
    assert Path(ledger).read_text().count('"pair"') == 40


def _rename(path: Path) -> None:
    path.rename(path.with_suffix(".1"))


def _rename_and_create(path: Path) -> None:
    _rename(path)
    path.touch()


def _copy_and_truncate(path: Path) -> None:
    os.truncate(path, 0)


@pytest.mark.parametrize("rotate", [_rename, _rename_and_create, _copy_and_truncate])
def test_a_ledger_that_is_rotated_in_the_middle_stops_the_run(
    rotate: Callable[[Path], None], job: Runner, sim: Simulator, drafts: Drafts
) -> None:
    """Another run would take another ledger, or one with holes, for the record: 74, with a sentence."""
    held = drafts(400)
    sim.faults.script("*", "slow:20ms*")
    sim.after(lambda _world: rotate(job.folder / "ledger.jsonl"), endpoint="discard", nth=20)
    ended = job(job.list_of(held), *FLAGS)
    assert (ended.code, ended.summary["stopped_by"]) == (74, "output")
    assert "during the run" in ended.events[-1]["reason"]
    assert ended.summary["not_attempted"]["stopped"] > 0
    assert len(sim.requests("discard")) == ended.counts["discarded"]
