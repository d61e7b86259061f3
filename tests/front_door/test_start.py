"""What the program says where it cannot run: one sentence, never a traceback."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cleanup.cli.start import NEEDED
from tests.runner import JOB
from tests.surroundings import clean_environment
from tests.unit.test_architecture import HOMES, PACKAGE, imports


def start(folder: Path, *patch: str, words: tuple[str, ...] = ("--help",)) -> tuple[int, list[str]]:
    """Start `job.py` in a Python that was changed first; its exit code and the lines it said."""
    (folder / "sitecustomize.py").write_text("import sys\n" + "".join(f"{line}\n" for line in patch))
    ended = subprocess.run(
        [sys.executable, JOB, *words],
        capture_output=True,
        text=True,
        timeout=60,
        env=clean_environment(PYTHONPATH=str(folder), PYTHONDONTWRITEBYTECODE="1"),
    )
    assert ended.stdout == ""
    return ended.returncode, ended.stderr.splitlines()


WITHOUT = """\
import os
for name in {!r}:
    child = os.fork()
    if child == 0:
        sys.modules[name] = None
        break
    os.write(2, b"exit %d\\n" % os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
else:
    os._exit(0)
"""


def start_without(folder: Path, modules: tuple[str, ...], words: tuple[str, ...] = ("--help",)) -> Iterator[str]:
    """Start `job.py` without each of these, in forks of one Python that has just begun: what it said each time."""
    _, said = start(folder, WITHOUT.format(modules), words=words)
    assert said[1::2] == ["exit 2"] * len(modules)
    yield from said[::2]


def test_an_old_python_gets_the_version_that_is_needed(tmp_path: Path) -> None:
    """With what to run instead."""
    code, (said,) = start(tmp_path, "sys.version_info = (3, 9, 18)", "sys.version = '3.9.18 (main)'")
    assert code == 2
    assert said == "job.py: this is Python 3.9.18, 3.11 or newer is required: try python3.11 job.py --help"


@pytest.mark.parametrize("path", [JOB, PACKAGE / "__init__.py", PACKAGE / "__main__.py"], ids=lambda path: path.name)
def test_any_python_can_read_what_comes_before_the_message(path: Path) -> None:
    """Also one without f-strings and annotations, that takes sources for ASCII, or it could not be determined."""
    text = path.read_text(encoding="ascii")
    ast.parse(text, feature_version=(3, 4))
    for node in ast.walk(ast.parse(text)):
        assert not isinstance(node, (ast.JoinedStr, ast.AnnAssign))
        assert getattr(node, "returns", None) is None
        assert getattr(node, "annotation", None) is None


def test_on_windows_it_says_what_is_needed(tmp_path: Path) -> None:
    """There is no fcntl there, and no SIGHUP."""
    code, (said,) = start(tmp_path, "import signal; del signal.SIGHUP", "sys.modules['fcntl'] = None")
    assert code == 2
    assert "a POSIX system is required" in said
    assert "WSL" in said


def test_a_library_that_is_missing_is_named(tmp_path: Path) -> None:
    """Also one that only a run loads; with the command that installs it."""
    for library, said in zip(NEEDED, start_without(tmp_path, NEEDED), strict=True):
        assert f"{library} is not installed for {sys.executable}" in said
        assert f"{sys.executable} -m pip install --require-hashes -r {JOB.parent / 'requirements.txt'}" in said


def test_a_library_that_cannot_be_loaded_is_named_too(tmp_path: Path) -> None:
    """As one that was installed for another Python."""
    (tmp_path / "pydantic.py").write_text("import pydantic_of_another_python\n")
    code, (said,) = start(tmp_path)
    assert code == 2
    assert "pydantic_of_another_python is not installed" in said


def test_the_simulator_says_what_it_lacks(tmp_path: Path) -> None:
    """Where it is not installed, as in the image: which library, and where the simulator can be had."""
    lacking = ("starlette", "uvicorn", "cleanup.simulator")
    for missing, said in zip(lacking, start_without(tmp_path, lacking, ("simulate",)), strict=True):
        assert f"{missing}, which is not installed (the container image leaves it out)" in said
        assert "pip install '.[simulator]'" in said


def test_every_library_is_checked_for() -> None:
    """What modules import is what is needed, but for what comes with another."""
    used = {name.partition(".")[0] for path in PACKAGE.rglob("*.py") for name in imports(path)} & set(HOMES)
    assert set(NEEDED) == used - {"pydantic_core", "typing_extensions"}
