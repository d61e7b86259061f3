"""The help of every command: short, complete where that is asked for, narrow, and quick."""

import os
import re
import shlex
import subprocess
import sys
from typing import Any

import pytest

from cleanup.cli import program
from cleanup.cli.options import COMMANDS, command_of, make_parser, parse
from cleanup.settings.table import all_settings
from tests.runner import JOB
from tests.surroundings import clean_environment

COMMANDS_OF_RUNS = ["", "check", "find", "sweep", "undo"]


def run(*words: str, columns: str = "80") -> Any:
    """`job.py` with these words, in a terminal of 80 columns."""
    return subprocess.run(
        [sys.executable, *words], capture_output=True, text=True, env=clean_environment(COLUMNS=columns), timeout=60
    )


@pytest.mark.parametrize("words", [("--help", "all"), ("--help=all",)])
def test_the_whole_help_names_every_setting(words: tuple[str, ...]) -> None:
    """Key and flag of each that a run takes, the variables, the commands."""
    ended = run(str(JOB), *words)
    assert (ended.returncode, ended.stderr) == (0, "")
    text = " ".join(ended.stdout.split())
    for setting in all_settings():
        taken = setting.section != "find" and setting.key != "output.list" and setting.flag.name is not None
        assert (setting.key in text) == (taken or setting.flag.name is None)
        assert (f"{setting.flag.name} " in text) == taken
    for name in ("PAIRS", "CLEANUP_LIMITS__RATE", "SMALLEST_API_KEY", "$CLEANUP_CONFIG", *filter(None, COMMANDS)):
        assert name in text


def test_help_comes_at_once() -> None:
    """Within half a second of processor time on a machine with nothing else to do; a busy one counts more for it."""
    before = os.times()
    assert run(str(JOB), "--help").returncode == 0
    after = os.times()
    assert after.children_user + after.children_system - before.children_user - before.children_system < 1


@pytest.mark.parametrize("command", COMMANDS_OF_RUNS)
def test_the_usual_help_is_short(command: str) -> None:
    """What most runs need, on a page or so; it says where the rest is."""
    text = make_parser(command).format_help()
    shown = set(re.findall(r"^  (?:-\w \w+, )?(--[a-z-]+)", text, re.MULTILINE))
    assert len(shown - {"--format", "--version"}) <= 16
    assert shown >= {"--organization", "--key-file", "--rate", "--summary"}
    assert ({"--ledger", "--resume"} <= shown) == (command in ("", "check", "sweep"))
    assert text.splitlines()[-1].endswith(f"{program.command()} {command}".rstrip() + " --help all")
    assert shown < set(re.findall(r"--[a-z-]+", make_parser(command, full=True).format_help()))


@pytest.mark.parametrize("command", COMMANDS_OF_RUNS)
def test_its_examples_are_commands(command: str) -> None:
    """Three of each; what they say is read without a complaint."""
    examples = re.findall(r"^  (.+?)  +# ", make_parser(command).format_help(), re.MULTILINE)
    assert len(examples) == 3
    for example in examples:
        words = shlex.split(example.removeprefix(program.command()))
        assert parse(*command_of(words))


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


@pytest.mark.parametrize("started", ["job.py", "/usr/bin/draft-cleanup", "cleanup/__main__.py"])
@pytest.mark.parametrize("command", COMMANDS_OF_RUNS)
def test_help_fits_eighty_columns(command: str, started: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of every command, however it was started, and it names only what means something to that command."""
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr("sys.argv", [started])
    for full in (False, True):
        text = make_parser(command, full=full).format_help()
        assert max(map(len, text.splitlines())) <= 80
        assert ("  --dry-run" in text) == (command != "find")
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
