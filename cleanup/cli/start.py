"""How the process begins and ends: signals, closed streams, missing libraries."""

import os
import signal
import sys
from contextlib import suppress
from types import FrameType
from typing import Final, NoReturn

from cleanup.cli import program

NEEDED: Final = ("yaml", "pydantic", "httpx", "tenacity", "structlog", "rich", "prometheus_client", "jinja2")
"""The libraries that the job is built on; most are loaded only once there is something to do for them."""
_WRONG_USAGE: Final = 2


def start() -> NoReturn:
    """Run the command that the command line names, and end the process with its exit code."""
    signal.signal(signal.SIGTERM, _end)
    signal.signal(signal.SIGINT, _end)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # nohup ignores it
        signal.signal(signal.SIGHUP, _end)
    _open_closed_streams()
    from importlib.util import find_spec

    for library in NEEDED:
        if find_spec(library) is None:
            _refuse_without(library)
    try:
        from cleanup.cli.main import main

        code = main(sys.argv[1:])
    except ImportError as error:  # a library may have been built for another Python
        library = (error.name or "").partition(".")[0]
        if library in ("", "cleanup"):
            raise
        _refuse_without(library)
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    # Python would wait for every thread, and one that resolves a name can hang for a minute.
    os._exit(code)


def _end(number: int, _frame: FrameType | None) -> None:
    """Exit through every `finally`. Without a handler, Python would ignore SIGTERM as PID 1.

    Further signals are ignored: they would interrupt the clean-up.
    """
    for other in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(other, lambda _number, _frame: None)
    raise SystemExit(128 + number)


def _open_closed_streams() -> None:
    """Replace streams that the caller has closed (`2>&-`), or a file that is opened later would take their place."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: PTH123, SIM115 - stays open


def _refuse_without(library: str) -> NoReturn:
    folder = program.home()
    if folder is None:
        remedy = "install this program again, together with what it depends on"
    else:
        remedy = (
            "use the Python of a virtual environment (.venv/bin/python), or install the dependencies: "
            f"{sys.executable} -m pip install --require-hashes -r {folder / 'requirements.txt'}"
        )
    sys.stderr.write(f"{program.name()}: {library} is not installed for {sys.executable}: {remedy}\n")
    sys.exit(_WRONG_USAGE)
