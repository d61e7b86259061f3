"""A run on a terminal of the test's own."""

import os
import pty
import select
import time
from collections.abc import Collection
from typing import IO, Any

from tests.runner import Ended, Runner


class Terminal:
    """A run whose controlling terminal, and whose streams named in `on`, are one that the test types at and reads."""

    def __init__(
        self,
        job: Runner,
        *args: str,
        on: Collection[str] = ("stderr",),
        env: dict[str, str] | None = None,
        **streams: IO[Any],
    ) -> None:
        self._job = job
        self._shown = b""
        self._ours, theirs = pty.openpty()
        path = os.ttyname(theirs)
        with open(path, "r+b", buffering=0, opener=_not_to_be_controlled) as terminal:
            self.process = job.start(*args, env=env, terminal=path, **dict.fromkeys(on, terminal), **streams)
        os.close(theirs)

    @property
    def shown(self) -> str:
        """What it has shown, so far as it was read."""
        return self._shown.decode().replace("\r\n", "\n")

    def read_until(self, text: str) -> None:
        """Read until this has been shown; a run that ends without it, or takes a minute, fails the test."""
        until = time.monotonic() + 60
        while text.encode() not in self._shown:
            assert self._read(until), f"the run ended without {text!r}"

    def type(self, text: str) -> None:
        """Type this."""
        os.write(self._ours, text.encode())

    def end(self, seconds: float = 60) -> Ended:
        """Read to the end, which has to come in time; what was shown counts as standard error."""
        until = time.monotonic() + seconds
        while self._read(until):
            pass
        ended = self._job.wait(self.process)
        os.close(self._ours)
        ended.stderr = self.shown
        return ended

    def _read(self, until: float) -> bool:
        """Read what there is to read; false at the end."""
        assert select.select([self._ours], [], [], max(0, until - time.monotonic()))[0], "the terminal stays silent"
        try:
            data = os.read(self._ours, 65536)
        except OSError:  # how Linux says that nobody has the other end any more
            return False
        self._shown += data
        return bool(data)


def _not_to_be_controlled(path: str, flags: int) -> int:
    """Open a terminal that is to control others."""
    return os.open(path, flags | os.O_NOCTTY)
