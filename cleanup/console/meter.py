"""One line on a terminal that shows the progress of a long read."""

import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final, TextIO

PATIENCE: Final = 2.0
_EVERY: Final = 0.2


class Meter:
    """Shows progress, on a terminal only, once something takes longer than two seconds."""

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream, self._clock = stream, clock
        self._next = clock() + PATIENCE if stream.isatty() else float("inf")
        self._shown = False

    def show(self, words: str) -> None:
        """Show this, unless the line was changed a moment ago."""
        now = self._clock()
        if now >= self._next:
            self._next = now + _EVERY
            self._write(words)
            self._shown = True

    def clear(self) -> None:
        """Remove the line from the terminal."""
        if self._shown:
            self._write("")
            self._shown = False

    def _write(self, words: str) -> None:
        width = shutil.get_terminal_size().columns - 1
        with suppress(OSError):
            self._stream.write(f"\r{words[-width:]:<{width}}\r")
            self._stream.flush()
