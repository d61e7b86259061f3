"""The help of every command: complete, narrow, and quick."""

import os
import subprocess
import sys
from typing import Any

import pytest

from cleanup.cli.options import COMMANDS, make_parser
from cleanup.settings.table import all_settings
from tests.conftest import JOB
from tests.surroundings import clean_environment


def run(*words: str, columns: str = "80") -> Any:
    """`job.py` with these words, in a terminal of 80 columns."""
    return subprocess.run(
        [sys.executable, *words], capture_output=True, text=True, env=clean_environment(COLUMNS=columns), timeout=60
    )


def test_help_names_every_setting_and_comes_at_once() -> None:
    """Key and flag of each that a run takes, the variables, the commands; within half a second of processor time."""
    before = os.times()
    ended = run(str(JOB), "--help")
    after = os.times()
    assert (ended.returncode, ended.stderr) == (0, "")
    text = " ".join(ended.stdout.split())
    for setting in all_settings():
        taken = setting.section != "find" and setting.key != "output.list" and setting.flag.name is not None
        assert (setting.key in text) == taken or setting.key in ("output.heartbeat_url", "output.push_url")
        assert (f"{setting.flag.name} " in text) == taken
    for name in ("PAIRS", "CLEANUP_LIMITS__RATE", "SMALLEST_API_KEY", "$CLEANUP_CONFIG", *filter(None, COMMANDS)):
        assert name in text
    # Half a second by the clock on a machine with nothing else to do; a busy one counts more for the same work.
    assert after.children_user + after.children_system - before.children_user - before.children_system < 1


def test_help_loads_nothing_that_a_run_needs() -> None:
    """No HTTP, no event loop, no log, no table: what makes a start slow."""
    program = (
        "import sys; sys.argv = ['job.py', '--help']\nfrom cleanup.cli.main import main\n"
        "try:\n    main(sys.argv[1:])\nexcept SystemExit:\n    pass\n"
        "print('LOADED', *({'httpx', 'asyncio', 'structlog', 'rich', 'tenacity', 'ssl'} & set(sys.modules)))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=clean_environment(), cwd=JOB.parent
    )
    assert ended.stdout.splitlines()[-1].strip() == "LOADED"


@pytest.mark.parametrize("command", ["", "check", "find", "sweep"])
def test_help_fits_eighty_columns(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of every command, and it names only what means something to that command."""
    monkeypatch.setenv("COLUMNS", "80")
    text = make_parser(command).format_help()
    assert max(map(len, text.splitlines())) <= 80
    assert ("--dry-run" in text) == (command != "find")
    assert "--rate N" in text


@pytest.mark.parametrize("command", ["report", "simulate"])
def test_the_other_commands_have_help_too(command: str) -> None:
    """And fit as well."""
    ended = run(str(JOB), command, "--help")
    assert ended.returncode == 0
    assert command in ended.stdout.splitlines()[0]
    assert max(map(len, ended.stdout.splitlines())) <= 80


def test_version() -> None:
    """`--version` says the package's version."""
    from cleanup import __version__

    ended = run(str(JOB), "--version")
    assert (ended.returncode, ended.stdout) == (0, f"atoms-draft-cleanup {__version__}\n")
