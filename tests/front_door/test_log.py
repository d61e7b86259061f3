"""What a run says: the log as JSON and for people, the summary on standard output, and silence where asked for."""

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from cleanup.simulator import Simulator, World
from tests.accounts import keys
from tests.conftest import Drafts, script
from tests.runner import Ended, Runner

EVENTS = {
    *("run.started", "run.progress", "run.stopping", "run.finished", "run.info", "run.warning", "run.bug"),
    *("draft.discarded", "draft.would_discard", "draft.skipped", "draft.failed", "draft.retrying"),
    *("rate.paused", "rate.changed", "outage.began", "outage.ended", "list.invalid", "settings.invalid"),
}
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z")
DRAFT_FIELDS = {"agent", "draft", "reason", "status", "attempts", "seconds", "request_id"}


@pytest.fixture
def mixed(job: Runner, sim: Simulator, drafts: Drafts) -> Callable[..., Ended]:
    """A run in which everything happens: discarded, skipped, retried, paused, failed for now and for good."""
    held = drafts(8)
    scripts = (["404"], ["403"], ["500", "ok"], ["429", "ok"], ["400"], ["500*"], ["html"])

    def run(*flags: str, **more: Any) -> Ended:
        for draft, faults in zip(held, scripts, strict=False):
            script(sim, draft, faults)
        pairs = keys([*held, held[7]])
        return job(job.list_of(pairs), "--attempts", "2", "--concurrency", "1", *flags, **more)

    return run


def test_log_and_summary_are_of_the_promised_shape(mixed: Callable[..., Ended], sim: Simulator) -> None:
    """Of a run in which everything happens."""
    ended = mixed("--log-level", "debug")
    _every_line_is_an_object_with_what_is_promised(ended)
    _the_summary_has_what_is_promised(ended, sim)


def _every_line_is_an_object_with_what_is_promised(ended: Ended) -> None:
    """Time, level, event and run on each; on each draft's line what an auditor asks; the last one is the end."""
    entries = [json.loads(line) for line in ended.stderr.splitlines()]
    assert {entry["run_id"] for entry in entries} == {ended.summary["run_id"]}
    for entry in entries:
        assert TIME.fullmatch(entry["timestamp"])
        assert abs((datetime.fromisoformat(entry["timestamp"]) - datetime.now(UTC)).total_seconds()) < 120
        assert entry["event"] in EVENTS
        assert entry["level"] in ("debug", "info", "warning", "error")
        if entry["event"].startswith("draft."):
            assert entry.keys() >= DRAFT_FIELDS
            assert re.fullmatch("[0-9a-f]{24}", entry["agent"])
            assert entry["level"] == ("error" if entry["event"] == "draft.failed" else "info")
    kinds = [entry["event"] for entry in entries]
    assert set(kinds) >= {"run.started", "draft.discarded", "draft.skipped", "draft.failed", "draft.retrying"}
    assert kinds[-1] == "run.finished"
    assert kinds.count("run.finished") == 1
    assert {entry["reason"] for entry in entries if entry["event"] == "draft.retrying"} == {
        "server_error",
        "rate_limited",
    }
    assert entries[-1].keys() >= {"exit_code", "meaning", "counts", "next"}


def _the_summary_has_what_is_promised(ended: Ended, sim: Simulator) -> None:
    """Every key, of the promised type, and one line of the same on standard output, with nothing around it."""
    summary = ended.summary
    shape: dict[str, Any] = {
        **dict.fromkeys(("run_id", "version", "meaning", "started_at", "finished_at", "base_url", "list"), str),
        **dict.fromkeys(("mode", "status", "organization", "list_sha256", "model", "next"), str),
        **dict.fromkeys(("stopped_by", "reason", "shard", "organization_name"), type(None)),
        **dict.fromkeys(("counts", "skipped", "failed", "not_attempted", "requests", "rate", "verified"), dict),
        **dict.fromkeys(("failures", "warnings"), list),
        "exit_code": int,
        "seconds": float,
        "seconds_per_request": dict,
    }
    assert {key: type(value) for key, value in summary.items()} == shape
    assert list(summary["counts"]) == ["listed", "discarded", "skipped", "failed", "not_attempted"]
    assert summary["counts"] == {"listed": 9, "discarded": 3, "skipped": 3, "failed": 3, "not_attempted": 0}
    assert summary["skipped"] == {"not_found": 1, "forbidden": 1, "duplicate": 1}
    assert summary["failed"] == {"server_error": 1, "bad_request": 1, "unexpected_response": 1}
    assert summary["requests"]["total"] == len(sim.requests()) == sum(summary["requests"]["by_status"].values())
    assert summary["requests"]["by_status"] == sim.journal.by_status()
    assert list(summary["seconds_per_request"]) == ["p50", "p95", "max"]
    assert list(summary["rate"]) == ["achieved", "limit", "began_at", "because"]
    fields = ["agent", "draft", "reason", "status", "attempts", "request_id", "message", "source"]
    assert [list(failure) for failure in summary["failures"]] == [fields] * 3
    assert TIME.fullmatch(summary["started_at"])
    assert TIME.fullmatch(summary["finished_at"])
    (line,) = ended.stdout.splitlines()
    shown = json.loads(line)
    assert {key: value for key, value in shown.items() if key not in ("finished_at", "seconds")} == {
        key: value for key, value in summary.items() if key not in ("finished_at", "seconds")
    }


def test_for_people(mixed: Callable[..., Ended]) -> None:
    """A table that fits 80 columns but for the command, and log lines that say what there is to say and no more."""
    ended = mixed("--log-format", "console", env={"TERM": "xterm-256color", "COLUMNS": "200"})
    assert all(len(line) <= 80 for line in ended.stdout.splitlines()[:-1])
    assert ended.stdout.splitlines()[-1] == ended.summary["next"]
    for words in (
        "discarded 3",
        "skipped 3",
        "not found 1",
        "failed 3",
        "bad request 1",
        "not attempted 0",
        "listed 9",
    ):
        assert re.search(r"^ *" + words.replace(" ", r"\s+") + r"$", ended.stdout, re.M), words
    assert "exit 75: worth another run" in ended.stdout
    assert "\x1b" not in ended.stdout + ended.stderr
    assert "None" not in ended.stderr
    assert "{" not in ended.stdout
    *_, last = ended.stderr.splitlines()
    assert "run.finished" in last
    assert "exit 75: worth another run; 9 listed, 3 discarded, 3 skipped, 3 failed; for what is left, " in last
    assert ended.stderr.count("draft.discarded") == 3


@pytest.mark.parametrize(
    ("level", "least", "absent"),
    [("warning", "warning", "draft.discarded"), ("error", "error", "rate.paused")],
)
def test_the_level_is_kept(mixed: Callable[..., Ended], level: str, least: str, absent: str) -> None:
    """Nothing below the level; a run that does not end well is an error, so its last line is always there."""
    ended = mixed("--log-level", level)
    levels = ["debug", "info", "warning", "error"]
    assert min(levels.index(entry["level"]) for entry in ended.events) == levels.index(least)
    assert absent not in ended.stderr
    assert ended.events[-1]["event"] == "run.finished"
    assert ended.events[-1]["level"] == "error"


def test_quiet(job: Runner, sim: Simulator, drafts: Drafts) -> None:
    """Not a byte when all is well, warnings or not; everything when it is not."""
    held = drafts(4)
    sim.world.take_away(held[0].id)
    sim.faults.script("*", ["500"], on="user")
    ended = job(job.list_of(held), "--quiet", "--log-format", "console")
    assert (ended.code, ended.stdout, ended.stderr) == (0, "", "")
    assert ended.counts["discarded"] == 3
    more = drafts(3)
    sim.faults.script(more[0].id, ["400"])
    ended = job(job.list_of(more), "--quiet")
    assert ended.code == 3
    assert json.loads(ended.stdout)["exit_code"] == 3
    kinds = [entry["event"] for entry in ended.events]
    assert kinds[0] == "run.started"
    assert sorted(kinds[1:-1]) == ["draft.discarded", "draft.discarded", "draft.failed"]
    assert kinds[-1] == "run.finished"
    ended = job("absent.csv", "--quiet")
    assert ended.code == 66
    assert "absent.csv" in ended.stderr


@pytest.mark.parametrize(("style", "what"), [("json", "command"), ("console", "command"), ("json", "sentence")])
def test_the_last_line_fits_a_termination_message(
    job: Runner, sim: Simulator, drafts: Drafts, style: str, what: str
) -> None:
    """At most 2,000 bytes, however long the command or a name is, in whatever script."""
    long = "/".join(["名前" * 30] * 12)
    held = drafts(1)
    sim.faults.script(held[0].id, ["500*"])
    if what == "command":
        words = ["--note", "ノート" * 150, "--ledger", "x" * 200, "--attempts", "1"]
        ended = job(job.list_of(held), "--log-format", style, *words)
        assert ended.code == 75
    else:
        ended = job(f"{long}.csv", "--log-format", style)
        assert ended.code == 66
    last = ended.stderr.splitlines()[-1]
    assert "run.finished" in last
    assert len(last.encode()) <= 2000
    if style == "json":
        assert json.loads(last)["next"]


def test_what_prevents_silent_failure(job: Runner, sim: Simulator, world: World, drafts: Drafts) -> None:
    """None of the drafts found, and an endpoint that is announced to end, are warnings, each reported once.

    The metrics count them by kind, so that what `--quiet` keeps from a person reaches a monitor.
    """
    held = drafts(4)
    for draft in held:
        world.take_away(draft.id)
    world.headers = {"Deprecation": "true", "Sunset": "Sat, 01 Jan 2028 00:00:00 GMT"}
    ended = job(job.list_of(held), "--metrics", "nightly.prom")
    assert ended.code == 0
    warnings = ended.summary["warnings"]
    assert [entry["message"] for entry in ended.of("run.warning")] == warnings
    assert len(warnings) == 3
    assert "Deprecation: true" in warnings[0]
    assert "Sunset: Sat, 01 Jan 2028" in warnings[1]
    assert warnings[2] == "none of the listed drafts was found: is this an old list?"
    metrics = (job.folder / "nightly.prom").read_text()
    counted = re.findall(r'^draft_cleanup_warnings{.*kind="(\w+)".*} (\S+)$', metrics, re.MULTILINE)
    assert sorted(counted) == [("deprecation", "2.0"), ("none_found", "1.0"), ("other", "0.0")]
