"""Runs of `job.py` in forks of a process that has loaded its libraries: loading takes most of a short run.

Each is a process of its own, with its own arguments, environment, folder, streams and signals. What depends on a start
from nothing, and everything with `--cold`, is started as cron does it.
"""

import itertools
import multiprocessing
import os
import pkgutil
import runpy
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Mapping, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

import cleanup
from cleanup.cli.start import NEEDED
from tests.surroundings import clean_environment

LOADED_LATE = ("httpcore", "anyio._backends._asyncio", "certifi", "encodings.utf_8_sig", "encodings.idna")
"""What libraries load when they are first used."""
AT_THE_START = ("PYTHON", "LD_", "LC_", "LANG", "OPENSSL", "COVERAGE")
"""How the names of variables begin that are read when Python starts, or loads a library."""
STREAMS = ("stdin", "stdout", "stderr")


class Forked:
    """A run in a fork, with what tests use of `subprocess.Popen`. Its streams are files, none of them a pipe to it."""

    stdin = stdout = stderr = None

    def __init__(self, process: ForkServerProcess, args: Sequence[str], written: Mapping[str, Path]) -> None:
        self.args = args
        self._process = process
        self._written = written
        assert process.pid is not None
        self.pid: int = process.pid

    @property
    def returncode(self) -> int | None:
        """The exit code, or less than 0 for a signal; none as long as it goes on."""
        return self._process.exitcode

    def poll(self) -> int | None:
        """Return the exit code, if it has ended."""
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end."""
        self._process.join(timeout)
        if self.returncode is None:
            raise subprocess.TimeoutExpired(list(self.args), timeout or 0)
        return self.returncode

    def communicate(self, input: None = None, timeout: float | None = None) -> tuple[str, str]:  # noqa: A002
        """Wait for its end, and return what it has written to the streams that were not given to it."""
        self.wait(timeout)
        stdout, stderr = (self._written[name].read_text() if name in self._written else "" for name in STREAMS[1:])
        return stdout, stderr

    def send_signal(self, number: int) -> None:
        """Send it a signal, if it goes on."""
        if self.poll() is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self) -> None:
        """End it at once."""
        self.send_signal(signal.SIGKILL)


class Preloaded:
    """Starts `program` in forks, which write to files in `folder`."""

    def __init__(self, program: Path, folder: Path) -> None:
        self._program = program
        self._files = (folder / str(number) for number in itertools.count())
        self._context = multiprocessing.get_context("forkserver")
        modules = pkgutil.walk_packages(cleanup.__path__, "cleanup.")
        names = [module.name for module in modules if not module.name.startswith("cleanup.simulator")]
        self._context.set_forkserver_preload([*NEEDED, *LOADED_LATE, *names, __name__])

    def suits(self, environ: Mapping[str, str], streams: Mapping[str, Any]) -> bool:
        """Whether a fork is what a start from nothing would be, with these variables and these files as streams."""
        usual = clean_environment()
        read = {name for name in {*environ, *usual} if name.startswith(AT_THE_START)}
        return all(environ.get(name) == usual.get(name) for name in read) and all(
            name in STREAMS and isinstance(getattr(file, "name", None), str) for name, file in streams.items()
        )

    def start(
        self,
        words: Sequence[str],
        folder: Path,
        environ: Mapping[str, str],
        terminal: str | None,
        streams: Mapping[str, Any],
    ) -> Forked:
        """Start it. Streams that are not given are /dev/null, and two files to read from afterwards."""
        written = {name: next(self._files) for name in STREAMS[1:] if name not in streams}
        files = {"stdin": Path(os.devnull)} | written | {name: Path(file.name) for name, file in streams.items()}
        paths = [files[name] for name in STREAMS]
        opened, ready = self._context.Pipe(duplex=False)
        with opened:
            with ready:
                given = ready, self._program, list(words), folder, dict(environ), terminal, paths
                process = self._context.Process(target=_run, args=given)
                process.start()
            with suppress(EOFError):  # once it has its streams, which may be closed here then
                opened.recv()
        return Forked(process, words, written)


def take_terminal(path: str) -> None:
    """Have the process, which leads a session, be controlled by this terminal."""
    os.close(os.open(path, os.O_RDWR))


def _run(
    ready: Connection,
    program: Path,
    words: list[str],
    folder: Path,
    environ: dict[str, str],
    terminal: str | None,
    streams: list[Path],
) -> None:
    """Become a process as `python job.py` is one."""
    os.setsid()
    if terminal is not None:
        take_terminal(terminal)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environ)
    time.tzset()
    warnings.simplefilter("error")
    _open(streams)
    ready.close()
    sys.argv = [str(program), *words]
    runpy.run_path(sys.argv[0], run_name="__main__")


def _open(streams: list[Path]) -> None:
    """Have these as standard input, output and error, as Python opens them."""
    for number, (name, file) in enumerate(zip(STREAMS, streams, strict=True)):
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT if number else os.O_RDONLY)
        os.dup2(descriptor, number)
        os.close(descriptor)
        stream = os.fdopen(
            number,
            "w" if number else "r",
            buffering=1 if number == 2 or os.isatty(number) else -1,
            encoding="utf-8",
            errors="backslashreplace" if number == 2 else "surrogateescape",
            closefd=False,
        )
        setattr(sys, name, stream)
