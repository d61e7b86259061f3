"""The crontab's own lines, run as cron runs them: `/bin/sh -c`, next to nothing in the environment."""

import csv
import fcntl
import json
import shlex
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cleanup.api.key import Key
from cleanup.simulator import DEMO_KEY, Simulator, World
from tests.as_shipped import crontab
from tests.runner import JOB, Runner
from tests.terminal import Terminal


@dataclass
class Cron:
    """Runs lines of the shipped crontab; only the paths and the values that users have to change are different."""

    folder: Path
    changed: dict[str, str]

    def __call__(self, number: int, **changed: str) -> str:
        """Run a line as cron does, and return what cron would mail."""
        variables, lines = crontab()
        bare = {"HOME": "/nonexistent", "LOGNAME": lines[number].user}
        environ = {name: self._here(value) for name, value in (bare | variables | self.changed | changed).items()}
        ended = subprocess.run(
            [variables["SHELL"], "-c", self._here(lines[number].command, shlex.quote)],
            cwd="/",
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
            check=False,
        )
        return ended.stdout

    def _here(self, text: str, quoted: Callable[[str], str] = str) -> str:
        for place, here in (
            ("/opt/draft-cleanup/.venv/bin/python", sys.executable),
            ("/opt/draft-cleanup/job.py", str(JOB)),
            ("/var/lib/prometheus/node-exporter", f"{self.folder}/metrics"),
            ("/var/lib/draft-cleanup", f"{self.folder}/lib"),
            ("/var/log/draft-cleanup", f"{self.folder}/log"),
            ("/etc/draft-cleanup.key", f"{self.folder}/key"),
        ):
            text = text.replace(place, quoted(here))
        return text

    def log(self, name: str) -> str:
        """A log that `tee` keeps."""
        return (self.folder / "log" / name).read_text()

    def summary(self, name: str) -> dict[str, Any]:
        """The summary of the last run that wrote one."""
        found: dict[str, Any] = json.loads((self.folder / "lib" / name).read_text())
        return found


@pytest.fixture
def cron(tmp_path: Path, sim: Simulator, world: World) -> Cron:
    """The folders that the crontab's comment says to make, the key, and the values to change."""
    for name in ("lib", "log", "metrics"):
        (tmp_path / name).mkdir()
    (tmp_path / "key").write_text(DEMO_KEY + "\n")
    (tmp_path / "key").chmod(0o600)
    changed = {"CLEANUP_API__ORGANIZATION": world.organization}
    return Cron(tmp_path, changed | {"CLEANUP_API__BASE_URL": sim.url, "CLEANUP_LIMITS__RATE": "off"})


def test_the_list_at_night(cron: Cron, sim: Simulator, drafts: Callable[..., list[Any]]) -> None:
    """Dry as shipped; then silent when all is well, loud and logged when not, kept out while another run is busy."""
    held = drafts(6)
    listed = cron.folder / "lib" / "drafts.csv"
    listed.write_text("agent,draft\n" + "".join(f"{draft.agent},{draft.id}\n" for draft in held))
    assert cron(0) == ""
    assert (cron.summary("list.json")["mode"], len(sim.left())) == ("dry-run", 6)

    sim.faults.script(held[0].id, ["400"])
    wet = {"CLEANUP_RUN__DRY_RUN": "false"}
    mail = cron(0, **wet)
    events = [json.loads(line) for line in mail.splitlines()]
    assert [event["draft"] for event in events if event.get("event") == "draft.failed"] == [held[0].id]
    assert (events[-1]["event"], events[-1]["exit_code"]) == ("run.finished", 3)
    assert sim.left() == {held[0].id}

    # The next night the failed one is tried again, the others are not.
    before = len(sim.requests("discard"))
    assert cron(0, **wet) == ""
    assert len(sim.requests("discard")) == before + 1
    assert cron.summary("list.json")["skipped"] == {"settled": 5}

    with (cron.folder / "lib" / "list.jsonl").open("a") as busy:
        fcntl.flock(busy, fcntl.LOCK_EX)
        kept_out = cron(0, **wet)
    assert "another run is using this ledger" in kept_out
    assert json.loads(kept_out.splitlines()[-1])["exit_code"] == 75
    assert cron.summary("list.json")["exit_code"] == 0, "the busy run's files are its own"
    assert cron.log("list.log") == mail + kept_out
    assert (cron.folder / "metrics" / "draft_cleanup_list.prom").exists()


def test_the_sweep_at_night(cron: Cron, sim: Simulator, drafts: Callable[..., list[Any]]) -> None:
    """Discards by rule with nobody to ask, and says nothing; a key of another organization is refused aloud."""
    drafts(9)
    old = drafts(2, updated_at=datetime.now(UTC) - timedelta(days=200))
    wet = {"CLEANUP_RUN__DRY_RUN": "false"}
    assert cron(1, **wet) == ""
    assert len(sim.left()) == 9
    with (cron.folder / "lib" / "sweep.found.csv").open() as stream:
        assert {row["draft"] for row in csv.DictReader(stream)} == {draft.id for draft in old}
    assert cron.log("sweep.log") == ""
    shipped, _ = crontab()
    refused = cron(1, CLEANUP_API__ORGANIZATION=shipped["CLEANUP_API__ORGANIZATION"])
    assert json.loads(refused.splitlines()[-1])["exit_code"] == 77
    assert cron.log("sweep.log") == refused


def test_by_hand_with_tee_nothing_is_asked(job: Runner, sim: Simulator, drafts: Callable[..., list[Any]]) -> None:
    """`2>&1 | tee` makes standard error a pipe: there is a terminal, but no question on it, as the page warns."""
    terminal = Terminal(job, job.list_of(drafts(3)), on=())
    assert (terminal.end().code, terminal.shown) == (0, "")
    assert sim.left() == set()


@pytest.mark.parametrize(("mode", "warned"), [(0o644, True), (0o604, True), (0o440, False), (0o600, False)])
def test_a_key_that_everybody_may_read_is_seen(tmp_path: Path, mode: int, warned: bool) -> None:
    """The owner may read it and, as of a Kubernetes Secret, the group."""
    (tmp_path / "key").write_text(DEMO_KEY)
    (tmp_path / "key").chmod(mode)
    assert Key(str(tmp_path / "key"), None).readable_by_others() == warned


@pytest.mark.parametrize(("mode", "warned"), [(0o604, True), (0o440, False)])
def test_a_key_that_everybody_may_read_is_warned_of(runner: Runner, mode: int, warned: bool) -> None:
    """The warning says what to do about it."""
    runner.write("key", DEMO_KEY)
    (runner.folder / "key").chmod(mode)
    ended = runner(runner.list_of([]), "--key-file", "key")
    assert ended.code == 0
    about = [warning for warning in ended.summary["warnings"] if "chmod 600" in warning]
    assert bool(about) == warned
    assert [event["message"] for event in ended.of("run.warning") if "chmod" in event["message"]] == about
