"""SIGTERM and SIGINT at every kind of moment: nothing new is sent, what was sent is finished, everything is written."""

import array
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import termios
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import pytest

from cleanup.simulator import Simulator
from tests.accounts import FLAGS, check_account, endings, keys, leftover
from tests.conftest import Drafts, wait_until
from tests.runner import JOB, Runner
from tests.terminal import Terminal
from tests.watched import Watched

SOON = 0.4
"""Seconds after a signal was taken within which requests may still arrive, on a busy machine."""


@dataclass
class Case:
    """A moment: how the API behaves, when the signal comes, and how the pairs end."""

    arrange: Callable[[Simulator, list[Any]], None]
    moment: Callable[[Simulator, Watched], object]
    flags: tuple[str, ...] = ()
    drafts: int = 60
    """How many there are; many where the run would otherwise be done before the signal comes."""
    signals: tuple[int, ...] = (signal.SIGTERM,)
    failed: set[str] = field(default_factory=set)
    status: str = "stopped"


def script(text: str, endpoint: str = "discard") -> Callable[[Simulator, list[Any]], None]:
    return lambda sim, _held: sim.faults.script("*", text, on=endpoint)


def answered(endpoint: str, count: int) -> Callable[[Simulator, Watched], object]:
    return lambda sim, _run: sum(r.answered is not None for r in sim.requests(endpoint)) >= count


def under_way(endpoint: str, count: int) -> Callable[[Simulator, Watched], object]:
    return lambda sim, _run: sum(r.answered is None for r in sim.requests(endpoint)) >= count


def logged(text: str) -> Callable[[Simulator, Watched], object]:
    return lambda _sim, run: run.has_logged(text)


SLEEPY = ("--retry-wait", "1h", "--retry-max-wait", "1h")
HANGING = ("--timeout", "60s")
CASES = {
    "busy workers": Case(script("slow:20ms*"), answered("discard", 10), drafts=400),
    "busy workers, SIGINT": Case(script("slow:20ms*"), answered("discard", 10), drafts=400, signals=(signal.SIGINT,)),
    "retries being slept": Case(script("500*"), answered("discard", 2), (*SLEEPY,), drafts=2, failed={"server_error"}),
    "a pause after a 429": Case(
        script("429:retry_after=200*"), logged("rate.paused"), ("--concurrency", "2"), failed={"rate_limited"}
    ),
    "an outage": Case(script("500*"), logged("outage.began"), SLEEPY, failed={"server_error"}),
    "an outage that hangs": Case(
        script("hang*"), logged("outage.began"), (*SLEEPY, "--timeout", "1s"), failed={"timeout"}
    ),
    "a hanging attempt, twice": Case(
        script("hang*"),
        under_way("discard", 8),
        HANGING,
        signals=(signal.SIGTERM, signal.SIGTERM),
        failed={"interrupted"},
    ),
    "a hanging attempt, SIGINT and SIGTERM": Case(
        script("hang*"),
        under_way("discard", 3),
        (*HANGING, "--concurrency", "3"),
        signals=(signal.SIGINT, signal.SIGTERM),
        failed={"interrupted"},
    ),
    "an attempt that ends in time": Case(script("slow:700ms*"), under_way("discard", 8)),
    "before it is known whose key it is": Case(
        script("hang*", "user"), under_way("user", 1), HANGING, signals=(signal.SIGTERM,) * 2, status="refused"
    ),
    "right after it is known whose key it is": Case(
        script("slow:300ms", "user"), under_way("user", 1), status="refused"
    ),
    "between a look and its deed": Case(
        script("slow:700ms*", "look"), under_way("look", 4), ("--min-idle", "1ms", "--concurrency", "4")
    ),
    "a backup being asked for": Case(
        script("slow:700ms*", "backup"), under_way("backup", 4), ("--backup", "kept", "--concurrency", "4")
    ),
}


TO_THE_END = ("busy workers", "a hanging attempt, twice", "between a look and its deed")


@pytest.mark.unverified
@pytest.mark.parametrize("name", CASES)
def test_a_signal_at_any_moment(name: str, job: Runner, sim: Simulator, drafts: Drafts) -> None:
    """Exit 130 or 143 within the bound, no new request, and an account that adds up and agrees with the API's."""
    case = CASES[name]
    held = drafts(case.drafts)
    case.arrange(sim, held)
    run = Watched(job, (job.list_of(held), *FLAGS, *case.flags))
    wait_until(lambda: case.moment(sim, run))
    at = run.stop(case.signals[0])
    for number in case.signals[1:]:
        run.signal(number)
    ended = run.end()
    assert ended.code == 128 + case.signals[0]
    assert [request for request in sim.requests() if request.arrived > at + SOON] == []
    check_account(ended, sim, keys(held))
    summary = ended.summary
    assert (summary["status"], summary["stopped_by"]) == (case.status, "signal")
    assert set(summary["failed"]) == case.failed
    assert set(summary["not_attempted"]) <= {"interrupted"}
    sent = {request.draft for request in sim.requests("discard")}
    assert {draft for (_, draft), _ in endings(ended).items()} >= sent, "what was sent is on record"
    assert summary["requests"]["total"] == len(sim.requests())
    last = ended.events[-1]
    assert [summary[key] for key in ("meaning", "next", "stopped_by")] == [
        last[key] for key in ("meaning", "next", "stopped_by")
    ]
    if not case.failed:
        assert summary["counts"]["discarded"] == len(held) - len(sim.left()) == len(sim.requests("discard"))
    if case.failed == {"interrupted"}:
        assert summary["failed"] == {"interrupted": len(sim.requests("discard"))}
    if case.status == "stopped" and case.drafts > 2:
        assert summary["counts"]["not_attempted"] > 0
    if name not in TO_THE_END:
        return
    # What is left goes straight back in, and then everything is gone.
    for endpoint in ("discard", "user", "look", "backup"):
        sim.faults.script("*", "ok", on=endpoint)
    again = job("leftover.csv", "--ledger", "ledger.jsonl", "--leftover", "leftover2.csv", "--resume", *case.flags)
    assert again.code == 0
    assert sim.left() == set()


@pytest.mark.slow
def test_a_hanging_attempt_is_cut_short_after_20_seconds(job: Runner, sim: Simulator, drafts: Drafts) -> None:
    """One signal alone gives what is in flight 20 seconds."""
    held = drafts(20)
    sim.faults.script("*", "hang*")
    run = Watched(job, (job.list_of(held), *FLAGS, *HANGING))
    wait_until(lambda: len(sim.requests("discard")) == 8)
    run.signal(signal.SIGTERM)
    at = time.monotonic()
    ended = run.end(timeout=40)
    assert 19 < time.monotonic() - at < 25
    assert ended.code == 143
    check_account(ended, sim, keys(held))
    assert ended.summary["failed"] == {"interrupted": 8}


def endless(job: Runner) -> IO[bytes]:
    """A pipe as standard input that nobody closes but the test."""
    os.mkfifo(job.folder / "typed")
    return open(str(job.folder / "typed"), "r+b", buffering=0)  # noqa: PTH123 - its name is to be a text


def test_a_list_that_never_ends(job: Runner, sim: Simulator, drafts: Drafts) -> None:
    """While standard input is being read a signal ends the run at once, with a summary that has no pair."""
    rows = "agent,draft\n" + "".join(f"{agent},{draft}\n" for agent, draft in keys(drafts(20)))
    with endless(job) as stdin:
        run = Watched(job, ("-", *FLAGS), {"stdin": stdin})
        stdin.write(rows.encode())
        unread = array.array("i", [1])

        def all_read() -> bool:
            fcntl.ioctl(stdin.fileno(), termios.FIONREAD, unread)
            return unread[0] == 0

        wait_until(all_read)
        run.signal(signal.SIGTERM)
        run.process.wait(timeout=10)  # standard input is still open
    ended = run.end()
    assert ended.code == 143
    assert (ended.summary["status"], ended.summary["stopped_by"]) == ("refused", "signal")
    assert ended.counts == {"listed": 0, "discarded": 0, "skipped": 0, "failed": 0, "not_attempted": 0}
    assert ended.events[-1]["event"] == "run.finished"
    assert sim.requests() == []


@pytest.mark.parametrize("command", ["find", "sweep"])
def test_a_signal_while_the_workspace_is_searched(command: str, job: Runner, sim: Simulator, drafts: Drafts) -> None:
    """Nothing is printed as if it were the whole list, nothing is discarded, and the summary says why."""
    drafts(40, agents=40)
    sim.faults.script("*", "slow:50ms*", on="drafts")
    more = () if command == "find" else ("--organization", sim.world.organization, "--yes", "--max-share", "100%")
    run = Watched(job, (command, "--older-than", "1ms", "--concurrency", "2", *more))
    wait_until(lambda: len(sim.requests("drafts")) > 5)
    at = run.stop(signal.SIGTERM)
    ended = run.end()
    assert ended.code == 143
    assert [request for request in sim.requests() if request.arrived > at + SOON] == []
    assert sim.requests("discard") == []
    assert "draft," not in ended.stdout
    assert (ended.summary["status"], ended.summary["stopped_by"]) == ("refused", "signal")
    assert ended.events[-1]["event"] == "run.finished"


@pytest.mark.parametrize("typed", ["\x03", None], ids=["ctrl-c", "SIGTERM"])
def test_the_question_is_answered_with_a_signal(typed: str | None, job: Runner, sim: Simulator, drafts: Drafts) -> None:
    """At the question a signal means no: nothing was sent, everything is left over, and the code is the signal's."""
    held = drafts(12)
    terminal = Terminal(job, job.list_of(held), *FLAGS, on=("stdin", "stderr"))
    terminal.read_until("[y/N]")
    assert "Discard 12 drafts of 3 agents" in terminal.shown
    if typed is None:
        os.kill(terminal.process.pid, signal.SIGTERM)
    else:
        terminal.type(typed)
    ended = terminal.end(seconds=15)
    assert ended.code == (143 if typed is None else 130)
    assert (ended.summary["status"], ended.summary["stopped_by"]) == ("refused", "signal")
    assert ended.summary["not_attempted"] == {"interrupted": 12}
    assert [row["reason"] for row in leftover(job.folder)] == ["interrupted"] * 12
    assert sim.requests("discard") == []


def can_unshare() -> bool:
    command = shutil.which("unshare")
    return (
        command is not None
        and subprocess.run([command, "--pid", "--fork", "true"], capture_output=True).returncode == 0
    )


def test_as_pid_1(job: Runner, sim: Simulator, drafts: Drafts) -> None:
    """As the first process of a container, where a signal without a handler would be ignored."""
    if not can_unshare():
        pytest.skip("this user may not begin a namespace of process ids")
    held = drafts(60)
    sim.faults.script("*", "slow:20ms*")
    command = ["unshare", "--pid", "--fork", "--kill-child", sys.executable, str(JOB), *job.defaults]
    process = subprocess.Popen(
        [*command, job.list_of(held), *FLAGS],
        cwd=job.folder, env=job.environ, text=True, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    job.started.append(process)
    wait_until(lambda: len(sim.requests("discard")) > 10)
    inside = int(Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()[0])
    os.kill(inside, signal.SIGTERM)
    ended = job.wait(process, timeout=15)
    assert ended.code == 143
    check_account(ended, sim, keys(held))
    assert Counter(row["outcome"] for row in leftover(job.folder))["not_attempted"] > 0


@pytest.mark.parametrize("ignored", [False, True], ids=["a terminal that is closed", "under nohup"])
def test_a_hangup(ignored: bool, job: Runner, sim: Simulator, drafts: Drafts) -> None:
    """It ends the run as a SIGTERM does, unless the caller wants it to be ignored."""
    held = drafts(30)
    flags = (*FLAGS, "--rate", "40", "--concurrency", "1")
    ignore = {"preexec_fn": lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN)} if ignored else {}
    run = Watched(job, (job.list_of(held), *flags), ignore)
    wait_until(lambda: len(sim.requests("discard")) > 3)
    run.signal(signal.SIGHUP)
    ended = run.end()
    check_account(ended, sim, keys(held))
    assert ended.code == (0 if ignored else 143)
    assert bool(sim.left()) != ignored


def flood(run: Watched) -> None:
    """Signals of all kinds one after the other until the process has ended."""
    end = time.monotonic() + 15
    while run.process.poll() is None:
        assert time.monotonic() < end, "it never ended"
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            run.process.send_signal(number)
        time.sleep(0.0005)


@pytest.mark.parametrize("moment", ["while it sends", "while it reads its list"])
def test_signals_without_end(moment: str, job: Runner, sim: Simulator, drafts: Drafts) -> None:
    """From the first to the process's end: none of them comes between the run and its last words."""
    held, stack = drafts(60), ExitStack()
    sim.faults.script("*", "slow:20ms*")
    if moment == "while it sends":
        run = Watched(job, (job.list_of(held), *FLAGS))
        wait_until(lambda: len(sim.requests("discard")) > 10)
    else:
        stdin = stack.enter_context(endless(job))
        run = Watched(job, ("-", *FLAGS), {"stdin": stdin})
        stdin.write(b"agent,draft\n")
        wait_until(lambda: (job.folder / "ledger.jsonl").exists())
    with stack:
        run.signal(signal.SIGTERM)
        flood(run)
        ended = run.end()
    assert ended.code in (130, 143), "of those that come at once, any may be the first"
    assert (ended.summary["exit_code"], ended.summary["stopped_by"]) == (ended.code, "signal")
    assert ended.events[-1]["event"] == "run.finished"
    assert len(ended.events) == len(ended.stderr.splitlines()), "nothing but the log"
    if moment == "while it sends":
        check_account(ended, sim, keys(held))


def test_a_signal_while_the_files_are_written(job: Runner, sim: Simulator, drafts: Drafts) -> None:
    """The run has ended as it has ended, and everything is written."""
    held = drafts(12)
    pipe = job.folder / "pipe"
    os.mkfifo(pipe)
    reader, writer = (os.open(pipe, flags | os.O_NONBLOCK) for flags in (os.O_RDONLY, os.O_WRONLY))
    full = 0
    with suppress(BlockingIOError):
        while True:
            full += os.write(writer, b"\n" * 512)
    run = Watched(job, (job.list_of(held), *FLAGS, "--metrics", "pipe"))
    wait_until(lambda: (job.folder / "summary.json").exists())  # the metrics come next, and find no room
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP) * 20:
        run.signal(number)
    assert run.process.poll() is None
    text = b""

    def has_ended_and_all_is_read() -> bool:
        nonlocal text
        ended = run.process.poll() is not None
        with suppress(BlockingIOError):
            text += os.read(reader, 1 << 20)
        return ended

    wait_until(has_ended_and_all_is_read)
    os.close(reader)
    os.close(writer)
    assert b"draft_cleanup" in text[full:]
    ended = run.end()
    assert ended.code == 0
    check_account(ended, sim, keys(held))


HANGING_LOOKUP = """
import pathlib, socket, time
getaddrinfo = socket.getaddrinfo
def hang(host, *args, **more):
    if host in ("hangs.invalid", b"hangs.invalid"):
        pathlib.Path("looked-up").touch()
        time.sleep(60)
    return getaddrinfo(host, *args, **more)
socket.getaddrinfo = hang
"""


@pytest.mark.parametrize("count", [1, 2])
def test_a_name_that_is_never_resolved(count: int, job: Runner) -> None:
    """The thread that asks for it cannot be ended; the process ends all the same, with everything written."""
    (job.folder / "site").mkdir()
    job.write("site/sitecustomize.py", HANGING_LOOKUP)
    pairs = job.list_of([("a" * 24, "draft-1")])
    timeout = "2s" if count == 1 else "60s"
    words = (pairs, *FLAGS, "--base-url", "https://hangs.invalid/atoms/v1", "--timeout", timeout)
    run = Watched(job, words, {"env": {"PYTHONPATH": str(job.folder / "site")}})
    wait_until(lambda: (job.folder / "looked-up").exists())
    run.signal(signal.SIGTERM)
    if count == 2:
        wait_until(lambda: run.has_logged("run.stopping"))
        run.signal(signal.SIGTERM)
    ended = run.end(timeout=15)
    assert ended.code == 143
    assert (ended.summary["stopped_by"], ended.counts["not_attempted"]) == ("signal", 1)
    assert ended.events[-1]["event"] == "run.finished"
