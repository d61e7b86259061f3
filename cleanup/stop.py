"""Whether the run goes on. Anything may ask it to stop; the first cause is the one that is told."""

import asyncio
import signal
from collections.abc import Callable
from typing import Final

from cleanup.model import StopCause

_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def heeded_signals() -> list[signal.Signals]:
    """The signals that end a run: all that the entry point has not left to be ignored."""
    return [number for number in _SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]


def ignore_signals() -> None:
    """From now on: what is left to do takes seconds, and is what matters most."""
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)


class Stopped(Exception):
    """No request may begin any more."""


class Stop:
    """Set once, by the first cause; later causes are kept, because an exit code may depend on them."""

    def __init__(self) -> None:
        self.causes: list[StopCause] = []
        self.sentence: str | None = None
        self.signal: int | None = None
        self.event = asyncio.Event()
        self._listeners: list[Callable[[], None]] = []

    @property
    def cause(self) -> StopCause | None:
        """The first cause, None while the run goes on."""
        return self.causes[0] if self.causes else None

    def request(self, cause: StopCause, sentence: str) -> None:
        """Ask the run to stop: nothing new is sent from now on."""
        self.causes.append(cause)
        if len(self.causes) > 1:
            return
        self.sentence = sentence
        self.event.set()
        for listener in self._listeners:
            listener()

    def check(self) -> None:
        """Raise Stopped when the run is to stop."""
        if self.causes:
            raise Stopped

    def listen(self, listener: Callable[[], None]) -> None:
        """Call this once when the run is to stop; at once if it is already."""
        if self.cause:
            listener()
        else:
            self._listeners.append(listener)
