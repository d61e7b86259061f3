"""The program as a wheel, installed into an environment of its own, without a package index."""

import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Final, NamedTuple

ROOT: Final = Path(__file__).parents[1]
SOURCES: Final = ("cleanup", "pyproject.toml", "README.md", "LICENSE")
"""What the wheel is made of."""


class Installed(NamedTuple):
    """An environment with the program: its folders of commands and of packages, and the wheel that it came from."""

    bin: Path
    packages: Path
    wheel: Path

    @property
    def command(self) -> str:
        """What an installer makes of the entry point."""
        return str(self.bin / "draft-cleanup")


def make_wheel(folder: Path) -> Path:
    """Build the wheel from a copy of the sources: a build leaves files beside them, and the next one takes these in."""
    source = folder / "source"
    source.mkdir()
    for name in SOURCES:
        origin = ROOT / name
        if origin.is_dir():
            shutil.copytree(origin, source / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(origin, source / name)
    _run("-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder / "dist"), str(source))
    (wheel,) = (folder / "dist").glob("*.whl")
    return wheel


def install(folder: Path) -> Installed:
    """Build and install the program. What it depends on is taken from the environment of the tests."""
    wheel = make_wheel(folder)
    _run("-m", "venv", "--without-pip", str(folder / "venv"))
    python = folder / "venv" / "bin" / "python"
    _run("-m", "pip", "--python", str(python), "install", "--quiet", "--no-index", "--no-deps", str(wheel))
    (packages,) = (folder / "venv" / "lib").glob("python*/site-packages")
    (packages / "of_the_tests.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return Installed(python.parent, packages, wheel)


def _run(*words: str) -> None:
    ended = subprocess.run([sys.executable, *words], capture_output=True, text=True, timeout=120)
    assert ended.returncode == 0, ended.stdout + ended.stderr
