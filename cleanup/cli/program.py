"""How this program was started: `python job.py`, `python -m cleanup`, or `draft-cleanup` where it is installed."""

import sys
from pathlib import Path


def name() -> str:
    """The program's name as it begins a message: `job.py`, `draft-cleanup`."""
    started = Path(sys.argv[0]).name
    return "python -m cleanup" if started == "__main__.py" else started


def command() -> str:
    """The words that start the program, for help texts: `python job.py`, `draft-cleanup`."""
    started = name()
    return "python " + started if started.endswith(".py") else started


def absolute_command() -> list[str]:
    """The words that start the program from any folder: absolute paths, or `-m` if it is installed as a module."""
    folder, spec = home(), sys.modules["__main__"].__spec__
    if spec is None:
        return [sys.executable, str(Path(sys.argv[0]).absolute())]
    if folder is not None:  # elsewhere, `-m` would not find a clone
        return [sys.executable, str(folder / "job.py")]
    return [sys.executable, "-m", spec.parent or spec.name]


def home() -> Path | None:
    """The folder of job.py, whose config.yaml is read if no other is named; None for an installed program."""
    folder = Path(__file__).parents[2]
    return folder if (folder / "job.py").is_file() else None
