"""The program as it is installed: `draft-cleanup` and `python -m cleanup`, from the wheel and nothing beside it."""

import os
import shlex
import shutil
import signal
import subprocess
import zipfile
from pathlib import Path

import pytest

from cleanup import __version__
from cleanup.simulator import DEMO_KEY, Simulator
from tests.conftest import Drafts, aged, wait_until
from tests.installation import Installed, install
from tests.runner import Runner
from tests.surroundings import clean_environment

EITHER = pytest.mark.parametrize("command", ["draft-cleanup", "python -m cleanup"], indirect=True)
"""By its command, and as a module."""
VERSION = f"atoms-draft-cleanup {__version__}\n"
NO_INDEX = ("Failed to fetch", "No solution found", "No matching distribution", "Could not fetch URL")
"""What pip and uv say where there is no index, or it does not have a package."""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """The program, installed once for all tests of this file."""
    return install(tmp_path_factory.mktemp("installed"))


@pytest.fixture
def command(request: pytest.FixtureRequest, installed: Installed, runner: Runner) -> str:
    """How what is installed is started, by its command unless a test says otherwise; `runner` and `job` start it so."""
    name: str = getattr(request, "param", "draft-cleanup")
    module = [str(installed.bin / "python"), "-m", "cleanup"]
    runner.program = [installed.command] if name == "draft-cleanup" else module
    return name


def test_it_says_its_version(runner: Runner, command: str) -> None:
    """The name of the distribution, however it was started, and the version."""
    assert runner("--version").stdout == VERSION


@EITHER
def test_it_says_its_name(runner: Runner, command: str) -> None:
    """Help and messages call it what it was started by."""
    assert runner("check", "--help").stdout.startswith(f"usage: {command} check [PAIRS] [flags]\n")
    refused = runner("--rte", "5")
    assert refused.code == 2
    assert refused.stderr.startswith(f"{command}: unrecognized arguments: --rte; did you mean --rate? ")
    assert refused.stderr.endswith(f"See `{command} --help`\n")


@EITHER
def test_it_discards_and_says_how_to_go_on(job: Runner, sim: Simulator, drafts: Drafts, command: str) -> None:
    """Against the simulator; the command of its last line, pasted into a shell elsewhere, does the rest."""
    held = drafts(4)
    sim.faults.script(held[0].id, ["500"])
    ended = job(job.list_of(held), "--ledger", "ledger.jsonl", "--attempts", "1")
    assert (ended.code, sim.left()) == (75, {held[0].id})
    sentence = ended.summary["next"]
    again = sentence[sentence.index("cd ") :]
    assert Path(shlex.split(again)[3]).is_absolute()
    environment = clean_environment(SMALLEST_API_KEY=DEMO_KEY)
    pasted = subprocess.run(["/bin/sh", "-c", again], env=environment, cwd="/", capture_output=True, timeout=60)
    assert (pasted.returncode, sim.left()) == (0, set())


def test_its_pages_come_with_it(job: Runner, drafts: Drafts, command: str) -> None:
    """What they are made from is in the wheel."""
    drafts(2, updated_at=aged(40))
    assert job("find", "--older-than", "30d", "--review", "page.html", "-o", "found.csv").code == 0
    assert "<html" in (job.folder / "page.html").read_text()


def test_settings_beside_its_packages_are_not_its_own(runner: Runner, installed: Installed, command: str) -> None:
    """Whoever left a config.yaml in site-packages: there is no job.py beside which it could be."""
    stray = installed.packages / "config.yaml"
    stray.write_text("limits: {rate: nonsense}\n")
    try:
        ended = runner("check", runner.list_of([]))
    finally:
        stray.unlink()
    assert ended.code == 0, ended.stderr


def test_a_signal_ends_it_with_everything_written(job: Runner, sim: Simulator, drafts: Drafts, command: str) -> None:
    """As it ends job.py."""
    sim.faults.script("*", ["hang*"], on="user")
    process = job.start(job.list_of(drafts(2)), "--timeout", "1s")
    wait_until(lambda: sim.requests("user"))
    process.send_signal(signal.SIGTERM)
    ended = job.wait(process)
    assert (ended.code, ended.summary["stopped_by"]) == (143, "signal")


def test_the_simulator_is_there_for_those_who_install_its_libraries(runner: Runner, command: str) -> None:
    """The extra `simulator`."""
    assert runner("simulate", "--help").stdout.startswith(f"usage: {command} simulate ")


@EITHER
def test_a_library_that_is_missing_is_named(runner: Runner, installed: Installed, command: str) -> None:
    """There is no requirements.txt to install it from."""
    python = [str(installed.bin / "python"), "-S"]  # without site-packages, so it has to be told where the program is
    runner.program = [*python, *(["-m", "cleanup"] if command.startswith("python") else [installed.command])]
    alone = runner.folder / "alone"
    alone.mkdir()
    (alone / "cleanup").symlink_to(installed.packages / "cleanup")
    ended = runner("--version", env={"PYTHONPATH": str(alone)})
    assert ended.code == 2
    assert ended.stderr.startswith(f"{command}: yaml is not installed for ")
    assert "requirements.txt" not in ended.stderr


def test_the_wheel_holds_the_program_and_nothing_else(installed: Installed) -> None:
    """No tests, no settings, nothing at the top of site-packages that another package could have too."""
    names = zipfile.ZipFile(installed.wheel).namelist()
    assert {name.partition("/")[0] for name in names} == {"cleanup", f"atoms_draft_cleanup-{__version__}.dist-info"}
    assert "cleanup/pages/templates/review.html" in names


@pytest.mark.parametrize("tool", ["pipx", "uvx"])
def test_it_runs_by_tools_that_install_programs(installed: Installed, tool: str, tmp_path: Path) -> None:
    """Where they are, and what the program depends on can be had."""
    if shutil.which(tool) is None:
        pytest.skip(f"there is no {tool} on this machine")
    places = {"HOME": tmp_path / "home", "PIPX_HOME": tmp_path / "pipx", "UV_CACHE_DIR": tmp_path / "uv"}
    environ = os.environ | {name: str(place) for name, place in places.items()}
    source = ["run", "--spec"] if tool == "pipx" else ["--from"]
    words = [tool, *source, str(installed.wheel), "draft-cleanup", "--version"]
    ended = subprocess.run(words, env=environ, cwd=tmp_path, capture_output=True, text=True, timeout=100)
    if ended.returncode and any(words in ended.stderr for words in NO_INDEX):
        pytest.skip(f"{tool} reaches no package index on this machine")
    assert (ended.returncode, ended.stdout) == (0, VERSION), ended.stderr
