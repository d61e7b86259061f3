"""The heartbeat: what a monitor hears of a run, and that the run never depends on the monitor."""

import json
import re
import signal
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from cleanup.records.ledger import Ledger
from cleanup.records.message import MOST_BYTES
from cleanup.settings.sources import Refused, load
from cleanup.simulator import Simulator
from tests.conftest import wait_until
from tests.monitors import SECRET, Monitor, listening, tells_no_secret
from tests.runner import Runner


@pytest.fixture
def monitor() -> Iterator[Monitor]:
    """A stand-in for healthchecks.io on loopback."""
    with listening() as server:
        yield server


@pytest.fixture
def beat(job: Runner, monitor: Monitor) -> Runner:
    """The job with a heartbeat, and with every file that it can write."""
    job.environ["CLEANUP_OUTPUT__HEARTBEAT_URL"] = monitor.url
    job.defaults += ["--ledger", "ledger.jsonl", "--leftover", "left.csv", "--metrics", "job.prom"]
    return job


def test_the_monitor_hears_the_start_and_then_the_exit_code(
    beat: Runner, drafts: Callable[..., list[Any]], monitor: Monitor
) -> None:
    """First `/start`, last `/EXITCODE`, also of a run that is refused for what its list holds."""
    ended = beat(beat.list_of(drafts(2)), "--max-discards", "1")
    assert ended.code == 78
    assert monitor.heard == ["/start", "/78"]
    tells_no_secret(ended)


@pytest.mark.parametrize(
    ("manner", "why"),
    [
        ("500", "status 500"),
        ("302", "status 302"),
        ("nonsense", "BadStatusLine"),
        ("down", "Connection refused"),
    ],
)
def test_a_monitor_in_trouble_changes_nothing(
    beat: Runner, sim: Simulator, drafts: Callable[..., list[Any]], monitor: Monitor, manner: str, why: str
) -> None:
    """The run ends as it would have, and says that nobody heard of it, and why; nor does a Pushgateway in trouble."""
    monitor.manner = manner
    if manner == "down":
        monitor.leave()
    beat.environ["CLEANUP_OUTPUT__PUSH_URL"] = monitor.url
    began = time.monotonic()
    ended = beat(beat.list_of(drafts(2)))
    assert time.monotonic() - began < 15
    assert (ended.code, ended.counts["discarded"], sim.left()) == (0, 2, set())
    told = [event["message"] for event in ended.of("run.warning")]
    (heartbeat,) = [message for message in told if "heartbeat" in message]
    assert why in heartbeat
    assert sorted(told) == sorted([heartbeat, f"the metrics could not be pushed: {why}"])
    assert f"the metrics could not be pushed: {why}" in ended.summary["warnings"]
    assert re.search(r'^draft_cleanup_warnings{.*kind="push".*} 1.0$', (beat.folder / "job.prom").read_text(), re.M)
    if manner == "down":
        assert monitor.heard == []
    else:
        start, pushed, last = monitor.heard
        assert (start, last) == ("/start", "/0"), "a redirect is not followed"
        assert pushed.startswith("/metrics/job/draft_cleanup/")
    tells_no_secret(ended)


def test_a_monitor_that_answers_without_end_is_not_listened_to(
    beat: Runner, sim: Simulator, drafts: Callable[..., list[Any]], monitor: Monitor
) -> None:
    """The run ends as it would have, a few seconds later at most, and says that nobody heard of it, and why."""
    monitor.manner = "drip"
    began = time.monotonic()
    ended = beat(beat.list_of(drafts(2)))
    assert time.monotonic() - began < 15
    assert (ended.code, ended.counts["discarded"], sim.left()) == (0, 2, set())
    (told,) = [event["message"] for event in ended.of("run.warning") if "heartbeat" in event["message"]]
    assert "no answer" in told
    tells_no_secret(ended)


def test_a_signal_during_the_last_ping_does_not_unmake_the_run(
    beat: Runner, drafts: Callable[..., list[Any]], monitor: Monitor
) -> None:
    """A run that has done its work and waits for a monitor that hangs ends as what it was, with its last words."""
    monitor.manner = "hang"
    process = beat.start(beat.list_of(drafts(2)))
    wait_until(lambda: "/0" in monitor.heard)
    process.send_signal(signal.SIGTERM)
    process.send_signal(signal.SIGINT)
    ended = beat.wait(process)
    assert (ended.code, ended.of("run.finished")[-1]["exit_code"]) == (0, 0)
    assert monitor.heard == ["/start", "/0"]
    tells_no_secret(ended)


def test_the_proxy_of_the_environment_is_used(beat: Runner, drafts: Callable[..., list[Any]], monitor: Monitor) -> None:
    """Where the way out is a proxy, as for the API; the monitor hears who calls, and an address keeps its query."""
    address = f"http://monitor.invalid/{SECRET}/nightly"
    beat.environ |= {"CLEANUP_OUTPUT__HEARTBEAT_URL": f"{address}?create=1", "no_proxy": "127.0.0.1"}
    beat.environ["http_proxy"] = monitor.url.removesuffix(f"/{SECRET}")
    ended = beat(beat.list_of(drafts(1)))
    assert (ended.code, ended.summary["warnings"]) == (0, [])
    assert monitor.heard == [f"{address}/start?create=1", f"{address}/0?create=1"]
    assert all(call.headers["User-Agent"].startswith("atoms-draft-cleanup/") for call in monitor.calls)
    tells_no_secret(ended)


def test_a_dry_run_is_heard_of_and_says_what_it_is(
    beat: Runner, sim: Simulator, drafts: Callable[..., list[Any]], monitor: Monitor
) -> None:
    """The weeks of looking are monitored too, and nobody takes them for weeks of work."""
    assert beat(beat.list_of(drafts(2)), "--dry-run").code == 0
    assert monitor.heard == ["/start", "/0"]
    table, told = message_in(monitor)
    assert "would discard" in table
    assert (told["mode"], told["counts"]["would_discard"]) == ("dry-run", 2)


def test_a_run_that_is_locked_out_is_not_heard_of(
    beat: Runner, drafts: Callable[..., list[Any]], monitor: Monitor
) -> None:
    """No monitor is to think that the run with the lock failed, nor are its figures in a Pushgateway replaced."""
    beat.environ["CLEANUP_OUTPUT__PUSH_URL"] = monitor.url
    with Ledger(str(beat.folder / "ledger.jsonl")):
        assert beat(beat.list_of(drafts(2))).code == 75
    assert monitor.heard == []


def message_in(monitor: Monitor) -> tuple[str, dict[str, Any]]:
    """The last ping's message: what is for people, and the summary."""
    last = monitor.calls[-1]
    assert (last.method, last.headers["Content-Type"]) == ("POST", "text/plain; charset=utf-8")
    *table, line = last.body.splitlines()
    return "\n".join(table), json.loads(line)


def test_the_last_ping_has_the_summary(
    beat: Runner, sim: Simulator, drafts: Callable[..., list[Any]], monitor: Monitor
) -> None:
    """For people the table that a console shows, quiet or not, and below it what the summary file has."""
    held = drafts(3)
    sim.faults.script(held[0].id, ["400"])
    ended = beat(beat.list_of(held), "--log-format", "console", "--quiet")
    assert [call.method for call in monitor.calls] == ["GET", "POST"]
    assert monitor.heard == ["/start", "/3"]
    table, told = message_in(monitor)
    assert table.strip() == ended.stdout.strip()
    assert "exit 3" in table
    for moving in ("finished_at", "seconds"):
        del told[moving]
    assert told.items() <= ended.summary.items()
    tells_no_secret(ended)


def test_a_long_message_says_what_it_leaves_out(
    beat: Runner, sim: Simulator, drafts: Callable[..., list[Any]], monitor: Monitor
) -> None:
    """No monitor has to take more than ten thousand bytes. Only failures are missing, and only from the JSON."""
    held = drafts(90)
    for draft in held:
        sim.faults.script(draft.id, ["400"])
    ended = beat(beat.list_of(held))
    assert ended.code == 3
    table, told = message_in(monitor)
    assert MOST_BYTES - 500 < len(monitor.calls[-1].body.encode()) <= MOST_BYTES
    assert told["failures"] == ended.summary["failures"][: len(told["failures"])]
    assert f"Below are {len(told['failures'])} of these 90 failures" in table


def test_an_address_that_is_none_is_refused_without_being_shown(runner: Runner) -> None:
    """A wrong heartbeat address is a wrong setting; it may still be a secret."""
    ended = runner("-", env={"CLEANUP_OUTPUT__HEARTBEAT_URL": f"ftp://{SECRET}/x"})
    assert ended.code == 78
    assert "output.heartbeat_url" in ended.stderr
    tells_no_secret(ended)
    for address in (f"https://{SECRET}:port/", f"https://a b/{SECRET}"):
        with pytest.raises(Refused) as refusal:
            load({}, {"CLEANUP_OUTPUT__HEARTBEAT_URL": address}, None, None)
        (said,) = refusal.value.problems
        assert "output.heartbeat_url" in said
        assert SECRET not in said


@pytest.mark.parametrize(
    ("config", "wrong"),
    [
        (f"output:\n  heartbeat_url: [https://{SECRET}]\n  heartbeat_ulr: https://{SECRET}", 2),
        (f"output:\n  heartbeat_url: https://{SECRET}: x", 1),
    ],
)
def test_an_address_in_the_wrong_place_is_not_repeated(runner: Runner, config: str, wrong: int) -> None:
    """A list, a misspelt key, broken YAML: named without the value."""
    runner.write("settings.yaml", config)
    ended = runner("-", "--config", "settings.yaml")
    assert (ended.code, len(ended.of("settings.invalid"))) == (78, wrong)
    assert SECRET not in ended.stdout + ended.stderr


@pytest.mark.parametrize(
    ("flags", "code"),
    [
        (("--ledger", "/dev/full"), 74),
        (("--resume", "--ledger", "off"), 78),
        (("--key-file", "missing"), 78),
    ],
    ids=lambda value: value[-1] if isinstance(value, tuple) else "",
)
def test_whatever_refuses_a_run_is_heard_of(
    beat: Runner, drafts: Callable[..., list[Any]], monitor: Monitor, flags: tuple[str, ...], code: int
) -> None:
    """A full disk, a missing key: just what a monitor is there for. (Of lost mounts, see `test_check`.)"""
    ended = beat(beat.list_of(drafts(1)), *flags)
    assert ended.code == code
    assert monitor.heard == ["/start", f"/{code}"]


def test_a_run_that_names_no_list_is_heard_of(beat: Runner, monitor: Monitor) -> None:
    """A schedule whose list is no longer set."""
    assert beat().code == 2
    assert monitor.heard == ["/start", "/2"]
