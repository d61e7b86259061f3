"""The pace through the front door, and what a command loads before it does anything."""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import pytest

from cleanup.simulator import Simulator, World
from cleanup.simulator.limit import RateLimit, RetryAfterForm
from tests.conftest import Drafts
from tests.runner import JOB, Runner

HEAVY = {
    "aiohttp", "anyio", "certifi", "h11", "http.client", "httpx", "prometheus_client", "rich", "starlette", "tenacity",
    "urllib.request", "uvicorn",
}  # fmt: skip
LOADING = f"""
import json, os, runpy, sys
def note(code, end=os._exit):
    with open("modules", "w") as stream:
        json.dump([name for name, module in sys.modules.items() if module], stream)
    end(code)
os._exit = note
sys.argv = {[str(JOB)]!r} + sys.argv[1:]
sys.path.insert(0, {str(JOB.parent)!r})
try:
    runpy.run_path(sys.argv[0], run_name="__main__")
except SystemExit as end:
    note(end.code or 0)
"""


@pytest.mark.unverified
def test_retries_and_checks_keep_the_pace_too(job: Runner, sim: Simulator, drafts: Callable[..., list[Any]]) -> None:
    """Everything that goes to the workspace counts: whose key it is, the check before each discard, second attempts."""
    listed = drafts(20)
    for draft in listed[::4]:
        sim.faults.script(draft.id, ["500"])
    ended = job(job.list_of(listed), "--rate", "40", "--min-idle", "1ms")
    assert (ended.code, sim.left()) == (0, set())
    arrived = [request.arrived for request in sim.requests()]
    assert len(arrived) == 1 + 2 * 25
    # A busy machine may shift arrivals; the pace itself is exact (tests/unit/test_pace.py).
    assert arrived[-1] - arrived[0] >= 50 / 40 - 0.1
    assert sim.max_per_second(0.5) <= 40
    rate = ended.summary["rate"]
    assert rate["limit"] == 40
    assert 0 < rate["achieved"] <= 40


def test_the_rate_holds_where_the_requests_arrive(
    job: Runner, sim: Simulator, drafts: Callable[..., list[Any]]
) -> None:
    """The first request has a connection to wait for, and what follows it comes no nearer for that."""
    ended = job(job.list_of(drafts(3)), "--rate", "2", "--concurrency", "8")
    assert (ended.code, sim.left()) == (0, set())
    # A busy machine may shift arrivals; the pace itself is exact, also behind connections (tests/unit/test_pace.py).
    assert sim.max_per_second(0.9) == 2


def test_without_a_rate_there_is_no_limit(job: Runner, sim: Simulator, drafts: Callable[..., list[Any]]) -> None:
    """`off` is off."""
    ended = job(job.list_of(drafts(60)), "--rate", "off")
    assert (ended.code, sim.left(), ended.summary["rate"]["limit"]) == (0, set(), None)
    assert ended.summary["rate"]["achieved"] > 0


def test_the_limit_is_found_and_kept(world: World, drafts: Callable[..., list[Any]], runner: Runner) -> None:
    """`auto` tells what it found, leaves nothing, and is hardly ever refused."""
    listed = drafts(200, agents=8)
    with Simulator(world, limit=RateLimit(100, 20, retry_after=0.2), latency=0.02) as sim:
        runner.defaults += ["--base-url", sim.url, "--rate", "auto", "--concurrency", "32", "--retry-wait", "50ms"]
        ended = runner(runner.list_of(listed))
        assert (ended.code, sim.left()) == (0, set())
        refused = sim.requests(status=429)
        assert 1 <= len(refused) <= 20
    rate, changed = ended.summary["rate"], ended.of("rate.changed")
    assert changed[-1]["limit"] == rate["limit"]
    assert 50 <= rate["limit"] <= 150  # the estimate itself: tests/unit/test_adaptive_pace.py
    assert (rate["began_at"], "no earlier run" in rate["because"]) == (5, True)
    assert len(ended.of("rate.paused")) == len(changed)


def test_a_night_learns_from_the_last_one(world: World, drafts: Callable[..., list[Any]], runner: Runner) -> None:
    """The ledger's last line has the limit that was found, and the next run begins at nine tenths of it."""
    listed = drafts(130, agents=8)
    runner.defaults += ["--rate", "auto", "--concurrency", "32", "--retry-wait", "50ms", "--ledger", "ledger.jsonl"]
    with Simulator(world, limit=RateLimit(60, 20, retry_after=0.2), latency=0.02) as sim:
        first = runner(runner.list_of(listed[:100]), "--base-url", sim.url)
        found = first.summary["rate"]["limit"]
        assert found is not None
        end = json.loads((runner.folder / "ledger.jsonl").read_text().splitlines()[-1])
        assert (end["type"], end["limit"]) == ("end", found)
        second = runner(runner.list_of(listed[100:]), "--base-url", sim.url)
        assert sim.left() == set()
    rate = second.summary["rate"]
    assert rate["began_at"] == pytest.approx(0.9 * found, abs=0.01)
    assert rate["because"] == f"an earlier run found a limit of {found:g} requests a second ({end['time']})"


@pytest.mark.parametrize("form", ["header", "page"])
def test_a_fixed_rate_that_is_refused_slows_down_and_says_so(
    world: World, drafts: Callable[..., list[Any]], runner: Runner, form: RetryAfterForm
) -> None:
    """By a 429, and by a gateway's page of 503. Nothing is lost with the attempts of a run as shipped."""
    listed = drafts(75, agents=8)
    with Simulator(world, limit=RateLimit(30, 5, retry_after=0.2, form=form), latency=0.02) as sim:
        runner.defaults += ["--base-url", sim.url, "--rate", "60", "--retry-wait", "100ms"]
        ended = runner(runner.list_of(listed))
        assert (ended.code, sim.left()) == (0, set())
        assert len(sim.requests(status=503 if form == "page" else 429)) <= 40
    assert ended.of("outage.began") == []
    assert ended.of("rate.changed")[-1]["rate"] < 54
    assert [warning for warning in ended.summary["warnings"] if "limits.rate 60" in warning] != []
    assert ended.summary["rate"]["limit"] == 60


def test_a_limit_that_is_never_met_is_not_reported(job: Runner, drafts: Callable[..., list[Any]]) -> None:
    """With `auto`, the summary names a limit only when the API did."""
    ended = job(job.list_of(drafts(6)), "--rate", "auto")
    assert (ended.code, ended.summary["rate"]["limit"], ended.of("rate.changed")) == (0, None, [])


@pytest.mark.parametrize("command", [["drafts.csv"], ["check", "drafts.csv"], ["report", "ledger.jsonl"], ["--help"]])
def test_a_command_loads_only_what_it_needs(runner: Runner, command: list[str]) -> None:
    """A CronJob starts every time: no HTTP, no table, no simulator where there is nothing to send."""
    runner.write("drafts.csv", "agent,draft\n")
    runner.write("ledger.jsonl", json.dumps({"type": "run", "run_id": "1", "base_url": "http://127.0.0.1/"}) + "\n")
    process = subprocess.run(
        [sys.executable, "-c", LOADING, *command],
        cwd=runner.folder,
        env=runner.environ,
        capture_output=True,
        timeout=60,
    )
    assert process.returncode == 0, process.stderr
    loaded = json.loads((runner.folder / "modules").read_text())
    assert "cleanup.cli.main" in loaded
    assert set(loaded) & HEAVY == ({"rich"} if command[0] == "report" else set())


@pytest.mark.slow
def test_copies_cost_no_pace(job: Runner, sim: Simulator, drafts: Drafts) -> None:
    """A copy is one request more for each draft, and not one more that is reserved and never sent."""
    began = time.monotonic()
    ended = job(job.list_of(drafts(30)), "--backup", "copies", "--rate", "10", "--verify", "off")
    assert ended.code == 0
    assert len(sim.requests()) / (time.monotonic() - began) > 8.4
