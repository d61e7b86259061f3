"""Each exit code through the front door, and what goes with it."""

import json
import os
import re
import subprocess
import sys
from typing import Any

import pytest

from cleanup.records.ledger import Ledger
from cleanup.simulator import Simulator
from tests.conftest import Drafts, script
from tests.monitors import listening
from tests.runner import JOB, Ended, Runner


def last_line(ended: Ended) -> dict[str, Any]:
    """The last line of the log, which has the exit code of the process."""
    line = ended.events[-1]
    assert line["event"] == "run.finished"
    assert line["exit_code"] == ended.code
    assert len(ended.stderr.splitlines()[-1].encode()) <= 2000
    return line


def same_everywhere(ended: Ended) -> None:
    """Process, log, summary file and standard output agree."""
    line = last_line(ended)
    summary = ended.summary
    assert summary["exit_code"] == ended.code
    assert {key: summary[key] for key in ("meaning", "counts", "next", "stopped_by")} == {
        key: line[key] for key in ("meaning", "counts", "next", "stopped_by")
    }


@pytest.mark.parametrize(
    ("args", "env", "code", "named"),
    [
        (["absent.csv"], {}, 66, "absent.csv"),
        (["drafts.csv"], {"SMALLEST_API_KEY": ""}, 78, "SMALLEST_API_KEY"),
        (["drafts.csv", "--max-discards", "4"], {}, 78, "--max-discards 5"),
        (["drafts.csv", "--leftover", "absent/left.csv"], {}, 74, "absent/left.csv"),
    ],
)
def test_what_is_refused_before_anything_is_sent(
    job: Runner, sim: Simulator, drafts: Drafts, args: list[str], env: dict[str, str], code: int, named: str
) -> None:
    """The code, a sentence that names what is wrong, a summary that says refused, and not one request."""
    job.list_of(drafts(5))
    ended = job(*args, env=env)
    assert ended.code == code
    same_everywhere(ended)
    assert sim.requests() == []
    assert ended.summary["status"] == "refused"
    assert named in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    ("args", "code"),
    [(["--absent"], 2), ([], 2), (["drafts.csv", "--rate", "fast"], 78)],
)
def test_usage_and_settings(runner: Runner, args: list[str], code: int) -> None:
    """2 is for a flag that is unknown or lacks its value, or for no list at all; 78 for a value that is wrong."""
    runner.defaults.clear()
    ended = runner(*args)
    assert ended.code == code
    assert ended.stdout == ""
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    ("faults", "flags", "code"),
    [
        ({0: ["403"], 1: ["404"], 2: ["500_after"]}, ["--limit", "4"], 0),
        ({0: ["409"]}, ["--limit", "2"], 3),
        ({0: ["423"], 1: ["400"]}, [], 75),
        ({0: ["500*"], 1: ["429:retry_after=90"]}, ["--attempts", "1", "--deadline", "60s"], 4),
    ],
)
def test_what_a_run_that_was_sent_ends_with(
    job: Runner, sim: Simulator, drafts: Drafts, faults: dict[int, list[str]], flags: list[str], code: int
) -> None:
    """Skipped and limited is well; failed for good is 3; what may pass is 75, whatever else failed; time is 4."""
    held = drafts(5)
    for place, kinds in faults.items():
        script(sim, held[place], kinds)
    ended = job(job.list_of(held), *flags, "--concurrency", "1")
    assert ended.code == code
    same_everywhere(ended)
    assert ended.summary["status"] == ("stopped" if code == 4 else "complete")


@pytest.mark.unverified
def test_standard_output_that_cannot_be_written(job: Runner, sim: Simulator, drafts: Drafts) -> None:
    """All is done, and still it is 74 in the end, for a monitor and in a gateway too. No traceback."""
    with open("/dev/full", "w") as full, listening() as monitor, listening() as gateway:  # noqa: PTH123
        urls = {"CLEANUP_OUTPUT__HEARTBEAT_URL": monitor.url, "CLEANUP_OUTPUT__PUSH_URL": gateway.url}
        process = job.start(job.list_of(drafts(3)), "--ledger", "ledger.jsonl", env=urls, stdout=full)
        ended = job.wait(process)
    assert ended.code == 74
    assert ended.summary["exit_code"] == 74
    assert ended.summary["stopped_by"] == "output"
    assert (len(sim.requests()), sim.left()) == (4, set())
    assert "Traceback" not in ended.stderr
    assert {line["type"] for line in ended.ledger()} <= {"run", "pair", "end"}
    assert monitor.heard == ["/start", "/74"]
    (call,) = gateway.calls
    assert re.search(r"^draft_cleanup_exit_code{.*} 74\.0$", call.body, re.MULTILINE)


def test_a_log_that_nobody_reads_any_more(job: Runner, sim: Simulator, drafts: Drafts) -> None:
    """A reader that goes away (`2>&1 | head -1`) stops the run rather than let it go on unrecorded."""
    reading, writing = os.pipe()
    sim.workspace.latency = (0.02, 0.02)
    process = job.start(job.list_of(drafts(200)), "--concurrency", "2", stderr=writing)
    os.close(writing)
    with os.fdopen(reading) as log:
        assert "run.started" in log.readline()
    ended = job.wait(process)
    assert ended.code == 74
    assert ended.summary["exit_code"] == 74
    assert 0 < len(sim.left()) < 200
    assert ended.counts["discarded"] == 200 - len(sim.left())
    assert ended.summary["not_attempted"] == {"stopped": len(sim.left())}


@pytest.mark.parametrize(("place", "code"), [("absent/ledger.jsonl", 74), ("ledger.jsonl", 75)])
def test_the_last_line_says_what_refused_the_run(job: Runner, drafts: Drafts, place: str, code: int) -> None:
    """A ledger that cannot be written or is held: with `--log-level error` the reason is there, and in the summary."""
    with Ledger(str(job.folder / "ledger.jsonl")):
        ended = job(job.list_of(drafts(1)), "--ledger", place, "--log-level", "error", "--log-format", "json")
    assert ended.code == code
    line = last_line(ended)
    assert (line["level"], line["reason"].split(":")[0]) == ("error", place)
    assert code == 75 or ended.summary["reason"] == line["reason"]
    assert json.loads(ended.stdout)["reason"] == line["reason"]
    assert [entry["level"] for entry in ended.of("run.stopping")] == ["error"]
    waiting = "wait until the run that is using the ledger has ended; then, for what"
    assert line["next"].startswith(waiting) == (code == 75), "a resume beside it would be locked out again"


def test_a_log_that_is_appended_to_is_not_cut(job: Runner, drafts: Drafts) -> None:
    """`2>>log` with a file on /dev/stderr, or on another such stream: what it held stays, and so does what is said."""
    files = ("--summary", "/dev/stderr", "--leftover", "/dev/fd/3", "--metrics", "/dev/fd/4")
    command = [sys.executable, str(JOB), *job.defaults, job.list_of(drafts(1)), *files]
    logs = [job.folder / name for name in ("log", "log3", "log4")]
    for log in logs:
        log.write_text("of an earlier night\n")
    words = ["/bin/sh", "-c", 'exec "$@" 2>>log 3>>log3 4>>log4', "sh", *command]
    shell = subprocess.run(words, cwd=job.folder, env=job.environ, capture_output=True)
    assert shell.returncode == 0
    told, leftover, metrics = [log.read_text() for log in logs]
    assert told.startswith("of an earlier night\n{")
    assert '"run.started"' in told
    assert '"started_at": "' in told
    assert '"run.finished"' in told.splitlines()[-1]
    assert leftover.startswith("of an earlier night\nagent,draft")
    assert metrics.startswith("of an earlier night\n")
    assert "\ndraft_cleanup_listed" in metrics
