"""Files that cannot be written: exit 74 and a sentence, nothing sent unrecorded, what was in flight reported."""

import os
import resource
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cleanup.simulator import Simulator
from tests.accounts import FLAGS, keys, leftover
from tests.conftest import Drafts, wait_until
from tests.runner import Ended, Runner
from tests.watched import Watched


def check(ended: Ended, sim: Simulator, held: list[Any], *named: str) -> None:
    """The promises that hold whichever file it was; `named`: what the last words have to name."""
    assert ended.code == 74
    assert "Traceback" not in ended.stdout + ended.stderr
    last = ended.events[-1]
    assert (last["event"], last["exit_code"]) == ("run.finished", 74)
    counts = last["counts"]
    if counts["listed"]:
        assert counts["listed"] == len(held) == sum(counts.values()) - counts["listed"]
        assert counts["discarded"] == len(held) - len(sim.left())
    assert any(name in ended.stderr for name in named)


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 kB."""
    place = tmp_path / "disk"
    place.mkdir()
    mount, umount = shutil.which("mount"), shutil.which("umount")
    mounted = mount and subprocess.run([mount, "-t", "tmpfs", "-o", "size=64k", "tmpfs", place], capture_output=True)
    if not mounted or mounted.returncode or not umount:
        pytest.skip("this user may not mount a tiny file system; the tests with a limit on file sizes do the same")
    yield place
    subprocess.run([umount, "-l", place], check=True)


def fill(place: Path, leave: int) -> Path:
    """Leave so many bytes free, in whole pages."""
    hog = place / "hog"
    free = os.statvfs(place).f_bavail * os.statvfs(place).f_frsize
    hog.write_bytes(b"x" * (free - leave))
    return hog


def test_the_ledgers_disk_is_full(tiny_disk: Path, job: Runner, sim: Simulator, drafts: Drafts) -> None:
    """In the middle of a run: no request begins after that, and leftover, summary and log report those in flight."""
    held = drafts(120)
    fill(tiny_disk, 4096)
    ended = job(job.list_of(held), "--ledger", tiny_disk / "ledger.jsonl", "--leftover", "leftover.csv")
    check(ended, sim, held, "No space left on device")
    assert (ended.summary["status"], ended.summary["stopped_by"]) == ("stopped", "output")
    on_record = sum(line.get("outcome") == "discarded" for line in ended.ledger(tiny_disk / "ledger.jsonl"))
    assert 0 < on_record < 120
    assert ended.counts["discarded"] - on_record <= 9  # what was in flight, and the one whose line did not fit
    assert len(sim.requests("discard")) == ended.counts["discarded"]
    assert [row["reason"] for row in leftover(job.folder)] == ["stopped"] * ended.counts["not_attempted"]
    (tiny_disk / "hog").unlink()
    again = job(job.list_of(held), "--ledger", tiny_disk / "ledger.jsonl", "--resume")
    assert (again.code, sim.left()) == (0, set())


def test_a_disk_that_has_room_again(tiny_disk: Path, job: Runner, sim: Simulator, drafts: Drafts) -> None:
    """The run stops all the same, but what was in flight, and the end, are on record."""
    held = drafts(120)
    hog = fill(tiny_disk, 4096)
    sim.faults.script("*", "slow:150ms*")
    files = "--ledger", str(tiny_disk / "ledger.jsonl"), "--leftover", "leftover.csv"
    run = Watched(job, (job.list_of(held), *files))
    wait_until(lambda: run.has_logged("run.stopping"))
    hog.unlink()
    ended = run.end()
    check(ended, sim, held, "No space left on device")
    lines = ended.ledger(tiny_disk / "ledger.jsonl")
    assert sum(line.get("outcome") == "discarded" for line in lines) == ended.counts["discarded"]
    assert (lines[-1]["type"], lines[-1]["exit_code"]) == ("end", 74)


@pytest.mark.parametrize("what", ["leftover", "summary"])
def test_the_disk_of_a_file_at_the_end_is_full(
    what: str, tiny_disk: Path, job: Runner, sim: Simulator, drafts: Drafts
) -> None:
    """The old file stays as it was, the others are written, and what they say of the exit code is right."""
    held = drafts(60)
    for draft in held[:50]:
        sim.faults.script(draft.id, "400")
    old = tiny_disk / f"{what}.txt"
    old.write_text("of an earlier run\n")
    fill(tiny_disk, 0)
    ended = job(job.list_of(held), *FLAGS, f"--{what}", old)
    check(ended, sim, held, "No space left on device")
    assert len(sim.requests("discard")) == 60
    assert old.read_text() == "of an earlier run\n"
    assert sorted(path.name for path in tiny_disk.iterdir()) == sorted(["hog", old.name])
    end = ended.ledger()[-1]
    assert (end["type"], end["exit_code"]) == ("end", 74)
    if what != "summary":
        assert (ended.summary["exit_code"], ended.summary["stopped_by"]) == (74, "output")
    if what != "leftover":
        assert len(leftover(job.folder)) == 50


def small_files(size: int) -> dict[str, Any]:
    """How to start a run whose files may have no more bytes; Python would cut the modules that it compiles, too."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    return {"preexec_fn": limit, "env": {"PYTHONDONTWRITEBYTECODE": "1"}}


def test_a_ledger_that_may_not_grow(job: Runner, sim: Simulator, drafts: Drafts) -> None:
    """A write that fails for any reason stops the run; the ledger is not left torn."""
    held = drafts(200)
    process = job.start(job.list_of(held), "--ledger", "ledger.jsonl", **small_files(6000))
    ended = job.wait(process)
    check(ended, sim, held, "File too large")
    assert 0 < ended.counts["discarded"] < 200
    lines = ended.ledger()
    on_record = sum(line.get("outcome") == "discarded" for line in lines)
    assert ended.counts["discarded"] - on_record <= 9
    assert ended.summary["stopped_by"] == "output"


def test_a_leftover_that_is_too_large(job: Runner, sim: Simulator, drafts: Drafts) -> None:
    """The last file fails, everything before it was done: nothing is called a success."""
    held = drafts(200)
    sim.faults.script("*", "400*")
    process = job.start(job.list_of(held), "--leftover", "leftover.csv", "--summary", "off", **small_files(6000))
    check(job.wait(process), sim, held, "File too large")
    assert not [path for path in job.folder.iterdir() if path.name.endswith(".tmp")]


@pytest.mark.parametrize(
    ("what", "place"),
    [
        ("--ledger", "/dev/full"),
        ("--ledger", "pipe"),
        ("--ledger", "x" * 300),
        ("--leftover", "/dev/full"),
        ("--leftover", "pipe"),
        ("--leftover", "/proc/file"),
        ("--summary", "/dev/full"),
        ("--summary", "folder"),
    ],
    ids=lambda value: value[:12],
)
def test_a_place_where_nothing_can_be_written(
    what: str, place: str, job: Runner, sim: Simulator, drafts: Drafts
) -> None:
    """Noticed before anything is sent if it can be, and never waited for."""
    held = drafts(3)
    os.mkfifo(job.folder / "pipe")
    (job.folder / "folder").mkdir()
    ended = job(job.list_of(held), what, place, timeout=20)
    check(ended, sim, held, place)
    late = what != "--ledger" and place in ("/dev/full", "pipe")  # only noticed when written to
    assert len(sim.left()) == (0 if late else 3)
    assert not [path for path in job.folder.iterdir() if path.name.endswith(".tmp")]


@pytest.mark.parametrize("what", ["ledger", "summary"])
def test_a_folder_that_is_removed_in_the_middle(what: str, job: Runner, sim: Simulator, drafts: Drafts) -> None:
    """A ledger without a name records nothing for anybody: that is noticed while the run goes on."""
    held = drafts(400 if what == "ledger" else 40)
    place = job.folder / "place"
    place.mkdir()
    sim.faults.script("*", "slow:20ms*")
    sim.after(lambda _world: shutil.rmtree(place), endpoint="discard", nth=20)
    ended = job(job.list_of(held), f"--{what}", place / "file")
    check(ended, sim, held, "place/file")
    if what == "ledger":
        assert ended.counts["not_attempted"] > 0
        assert len(sim.requests("discard")) == ended.counts["discarded"]


def test_a_file_system_that_is_read_only(tiny_disk: Path, job: Runner, sim: Simulator, drafts: Drafts) -> None:
    """Refused at the start, though root may do anything."""
    subprocess.run(["mount", "-o", "remount,ro", tiny_disk], check=True)
    held = drafts(3)
    for what in ("--ledger", "--summary"):
        check(job(job.list_of(held), what, tiny_disk / "file"), sim, held, "Read-only file system")
    assert sim.requests() == []


@pytest.mark.parametrize(("style", "doubles", "sent"), [("json", 0, ["user"]), ("json", 1, []), ("console", 1, [])])
def test_a_log_that_cannot_be_written(
    style: str, doubles: int, sent: list[str], job: Runner, sim: Simulator, drafts: Drafts
) -> None:
    """Nobody would see what happens, so nothing does, from the first line that was lost."""
    rows = keys(drafts(30))
    with open("/dev/full", "w") as full:  # noqa: PTH123
        process = job.start(job.list_of([*rows[:doubles], *rows]), *FLAGS, "--log-format", style, stderr=full)
        told = job.wait(process)
    assert (told.code, "Traceback" in told.stdout) == (74, False)
    ended = Ended(74, "", "", job.folder)
    assert [request.endpoint for request in sim.requests()] == sent
    assert (ended.summary["exit_code"], ended.summary["stopped_by"]) == (74, "output")
    assert len(leftover(job.folder)) == 30
    assert {line["type"] for line in ended.ledger()} <= {"run", "pair", "end"}
