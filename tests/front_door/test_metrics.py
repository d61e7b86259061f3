"""The metrics file: what Prometheus reads through node_exporter's textfile collector."""

import os
import shutil
import stat
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest
from prometheus_client.parser import text_string_to_metric_families

from cleanup.simulator import Simulator
from tests.conftest import script
from tests.runner import Runner

Figures = dict[tuple[str, ...], float]


def figures(folder: Path, name: str = "nightly.prom", mode: str = "discard") -> Figures:
    """Every sample of a mode by its name and the values of its labels, read as Prometheus reads them."""
    found: Figures = {}
    for family in text_string_to_metric_families((folder / name).read_text()):
        assert family.documentation
        assert family.type == "gauge"
        for sample in family.samples:
            labels = dict(sample.labels)
            assert labels.pop("task") == Path(name).stem
            if labels.pop("mode") == mode:
                found[(sample.name.removeprefix("draft_cleanup_"), *labels.values())] = sample.value
    return found


@pytest.mark.parametrize("place", ["/dev/stdout", "/dev/full"])
def test_a_pipe_or_a_device_is_not_asked_for_its_past(
    place: str, job: Runner, sim: Simulator, drafts: Callable[..., list[Any]]
) -> None:
    """A failed run reads the last success from a regular file only. Reading anything else might never end."""
    sim.faults.script((held := drafts(1))[0].id, ["400"])
    ended = job(job.list_of(held), "--metrics", place, "--log-format", "json", timeout=30)
    assert ended.code == (3 if place == "/dev/stdout" else 74)
    assert ("draft_cleanup_exit_code{" in ended.stdout) == (place == "/dev/stdout")


def test_the_figures_are_the_summarys(job: Runner, sim: Simulator, drafts: Callable[..., list[Any]]) -> None:
    """Each count, reason, status and time of the summary, and no other; readable by node_exporter's user."""
    held = drafts(8)
    for draft, faults in zip(held, (["404"], ["403"], ["400"], ["500*"], ["500", "ok"]), strict=False):
        script(sim, draft, faults)
    before = time.time()
    ended = job(job.list_of([*held, held[7]]), "--metrics", "nightly.prom", "--leftover", "left.csv", "--attempts", "2")
    assert ended.code == 75
    summary, found = ended.summary, figures(job.folder)
    pairs: dict[tuple[str, str], int] = {
        (outcome, reason): count
        for outcome in ("skipped", "failed", "not_attempted")
        for reason, count in (summary[outcome] or {"": 0}).items()
    }
    pairs["discarded", ""] = summary["counts"]["discarded"]
    assert {key[1:]: value for key, value in found.items() if key[0] == "pairs"} == pairs
    assert pairs["failed", "server_error"] == pairs["failed", "bad_request"] == pairs["skipped", "duplicate"] == 1
    by_status = {key[1]: value for key, value in found.items() if key[0] == "requests"}
    assert by_status == summary["requests"]["by_status"]
    assert sum(by_status.values()) == len(sim.requests()) == summary["requests"]["total"]
    assert found["listed",] == 9 == sum(pairs.values())
    assert found["retries",] == summary["requests"]["retries"] == 2
    assert found["exit_code",] == 75
    assert found["duration_seconds",] == pytest.approx(summary["seconds"], abs=1)
    assert before < found["last_run_timestamp_seconds",] < time.time()
    assert ("last_success_timestamp_seconds",) not in found
    modes = [stat.S_IMODE((job.folder / name).stat().st_mode) for name in ("nightly.prom", "summary.json", "left.csv")]
    assert modes == [0o644, 0o640, 0o640]


def test_the_last_success_survives_failed_and_refused_runs(
    job: Runner, sim: Simulator, drafts: Callable[..., list[Any]]
) -> None:
    """A failed run and a refused one are written, without taking away when a run last succeeded."""
    held = drafts(3)
    listed = job.list_of(held)
    metrics = ("--metrics", "nightly.prom")
    assert job(listed, *metrics, "--limit", "1").code == 0
    success = figures(job.folder)["last_success_timestamp_seconds",]
    sim.faults.script(held[1].id, ["400"])
    codes = []
    for flags in ((), ("--max-discards", "0"), ("missing.csv",)):
        codes.append(job(*(flags if flags == ("missing.csv",) else (listed, *flags)), *metrics).code)
        found = figures(job.folder)
        assert (found["exit_code",], found["last_success_timestamp_seconds",]) == (codes[-1], success)
        assert found["last_run_timestamp_seconds",] > success
    assert codes == [3, 78, 66]
    assert job(job.list_of([held[1]]), *metrics).code == 0
    assert figures(job.folder)["last_success_timestamp_seconds",] > success


def test_a_dry_run_leaves_what_is_known_of_real_runs(
    job: Runner, sim: Simulator, drafts: Callable[..., list[Any]]
) -> None:
    """Its metrics come beside theirs, so an alert on the last success of real runs sees them grow old."""
    held = drafts(3)
    listed = job.list_of(held)
    metrics = ("--metrics", "nightly.prom")
    assert job(listed, *metrics, "--limit", "1").code == 0
    real = figures(job.folder)
    assert job(listed, *metrics, "--dry-run").code == 0
    dry = figures(job.folder, mode="dry-run")
    assert figures(job.folder) == real
    assert (dry["pairs", "would_discard", ""], dry["exit_code",]) == (2, 0)
    assert dry["last_success_timestamp_seconds",] > real["last_success_timestamp_seconds",]
    # One that fails keeps its own last success; a real run replaces it all, because the looking is over.
    assert job(listed, *metrics, "--dry-run", "--max-discards", "0").code == 78
    failed = figures(job.folder, mode="dry-run")
    success = ("last_success_timestamp_seconds",)
    assert (failed["exit_code",], failed[success]) == (78, dry[success])
    assert figures(job.folder) == real
    sim.faults.script(held[1].id, ["400"])
    assert job(listed, *metrics).code == 3
    assert figures(job.folder, mode="dry-run") == {}
    assert figures(job.folder)[success] == real[success]


def test_the_last_success_of_version_1_0_is_kept(job: Runner, drafts: Callable[..., list[Any]]) -> None:
    """Its metrics had no modes, and it had none of dry runs: also a dry run right after an upgrade keeps it."""
    listed = job.list_of(drafts(1))
    job.write("nightly.prom", 'draft_cleanup_last_success_timestamp_seconds{task="nightly"} 17.0\n')
    for flags in (("--dry-run",), ("--max-discards", "0")):
        job(listed, "--metrics", "nightly.prom", *flags)
        assert figures(job.folder)["last_success_timestamp_seconds",] == 17


PROMTOOL: Final = shutil.which("promtool")


@pytest.mark.skipif(PROMTOOL is None, reason="no promtool on this machine (Debian: apt install prometheus)")
def test_promtool_has_nothing_to_say_of_the_metrics(
    job: Runner, sim: Simulator, drafts: Callable[..., list[Any]]
) -> None:
    """Names, units, help texts: as Prometheus asks for, of real and dry runs in one file, good ones and failed ones."""
    held = drafts(3)
    sim.faults.script(held[0].id, ["400"])
    for flags, code in (((), 3), (("--dry-run",), 0)):
        assert job(job.list_of(held), "--metrics", "nightly.prom", *flags).code == code
        with (job.folder / "nightly.prom").open() as metrics:
            words = [str(PROMTOOL), "check", "metrics"]
            said = subprocess.run(words, stdin=metrics, capture_output=True, text=True, check=False)
        assert (said.returncode, said.stdout + said.stderr) == (0, "")


@pytest.mark.parametrize(
    "earlier",
    [
        b"\xff\xfe",
        b"draft_cleanup_last_success_timestamp_seconds soon\n",
        b"# TYPE draft_cleanup_last_success_timestamp_seconds gauge\n",
    ],
    ids=["no text", "no number", "no sample"],
)
def test_a_spoilt_earlier_file_is_replaced(job: Runner, drafts: Callable[..., list[Any]], earlier: bytes) -> None:
    """What cannot be read has no last success, and is no reason to fail."""
    job.write("nightly.prom", earlier)
    assert job(job.list_of(drafts(1)), "--metrics", "nightly.prom", "--max-discards", "0").code == 78
    assert ("last_success_timestamp_seconds",) not in figures(job.folder)


def test_the_file_is_whole_at_every_moment(job: Runner, drafts: Callable[..., list[Any]]) -> None:
    """A reader that reads all the time sees the old file or the new one, and nothing is left beside it."""
    listed = job.list_of(drafts(1))
    assert job(listed, "--metrics", "nightly.prom").code == 0
    seen: set[str] = set()
    over = threading.Event()

    def look() -> None:
        while not over.is_set():
            seen.add((job.folder / "nightly.prom").read_text())

    reader = threading.Thread(target=look)
    reader.start()
    try:
        assert job(listed, "--metrics", "nightly.prom").code == 0
    finally:
        over.set()
        reader.join()
    seen.add((job.folder / "nightly.prom").read_text())
    assert len(seen) == 2
    assert sorted(path.name for path in job.folder.iterdir()) == ["drafts.csv", "nightly.prom", "summary.json"]


def test_two_files_in_one_folder_have_no_series_in_common(job: Runner, drafts: Callable[..., list[Any]]) -> None:
    """A list and a sweep may share node_exporter's folder, which refuses doubled series."""
    listed = job.list_of(drafts(1))
    series = []
    for name in ("list.prom", "sweep.prom"):
        assert job(listed, "--metrics", name).code == 0
        families = text_string_to_metric_families((job.folder / name).read_text())
        series.append({(s.name, *sorted(s.labels.items())) for family in families for s in family.samples})
    assert series[0]
    assert not series[0] & series[1]


def test_the_file_can_be_read_whatever_the_umask(job: Runner, drafts: Callable[..., list[Any]]) -> None:
    """node_exporter is another user; the files beside it are not for others."""
    process = job.start(
        job.list_of(drafts(1)),
        "--metrics",
        "nightly.prom",
        "--leftover",
        "left.csv",
        preexec_fn=lambda: os.umask(0o077),
    )
    assert job.wait(process).code == 0
    modes = [stat.S_IMODE((job.folder / name).stat().st_mode) for name in ("nightly.prom", "summary.json", "left.csv")]
    assert modes == [0o644, 0o600, 0o600]
