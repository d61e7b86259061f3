"""Stopping a run early. Anything may request it; the first cause is the one that is reported."""

import asyncio
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Final

from cleanup.errors import JobError
from cleanup.model import StopCause

_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Stopped(Exception):
    """The run is to stop: no further request may be sent."""


class Stop:
    """Whether and why the run is to stop. Later causes are kept too, because the exit code may depend on them."""

    def __init__(self) -> None:
        self.causes: list[StopCause] = []
        self.sentence: str | None = None
        self.error: JobError | None = None
        self.signal: int | None = None
        self._event = asyncio.Event()
        self._listeners: list[Callable[[], None]] = []

    @property
    def cause(self) -> StopCause | None:
        """The first cause, None while the run goes on."""
        return self.causes[0] if self.causes else None

    def request(self, cause: StopCause, sentence: str, error: JobError | None = None) -> None:
        """Ask the run to stop: nothing new is sent from now on. `error`: the error that the run ends with, if any."""
        self._note(cause, sentence, error)
        self.announce()

    def signalled(self, number: int) -> bool:
        """Note a signal, from its handler: nothing is sent from now on. Returns False if it is not the first signal.

        A handler may interrupt any code, so waking tasks and listeners is left to `announce`.
        """
        if self.signal is not None:
            return False
        self.signal = number
        self._note(StopCause.SIGNAL, f"{signal.Signals(number).name} was received")
        return True

    def announce(self) -> None:
        """Wake all waiting tasks and call the listeners, once."""
        if not self._event.is_set():
            self._event.set()
            for listener in self._listeners:
                listener()

    def _note(self, cause: StopCause, sentence: str, error: JobError | None = None) -> None:
        self.sentence = self.sentence or sentence
        self.error = self.error or error
        self.causes.append(cause)

    def check(self) -> None:
        """Raise Stopped if the run is to stop."""
        if self.causes:
            raise Stopped

    def listen(self, listener: Callable[[], None]) -> None:
        """Have `listener` called once when the run is asked to stop; at once if that has already happened."""
        if self._event.is_set():
            listener()
        else:
            self._listeners.append(listener)

    async def sleep(self, seconds: float) -> None:
        """Sleep for this many seconds, or until the run is to stop."""
        if seconds > 0 and not self.causes:
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._event.wait()


def _heeded() -> list[signal.Signals]:
    """The signals that stop a run: those that the parent process did not set to be ignored, as nohup does."""
    return [number for number in _SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]


@contextmanager
def heed_signals(stop: Stop, on_signal: Callable[[bool], None]) -> Iterator[None]:
    """Have signals stop the run; `on_signal` is called in the running loop for each (True: the first one).

    Afterwards signals are ignored. The loop's own signal handlers are not used: while they are being removed, a signal
    would kill the process.
    """
    loop = asyncio.get_running_loop()

    def handle(number: int, _frame: FrameType | None) -> None:
        first = stop.signalled(number)
        with suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(on_signal, first)

    with _woken_by_signals(loop):
        for number in _heeded():
            signal.signal(number, handle)
        try:
            yield
        finally:
            ignore_signals()


@contextmanager
def _woken_by_signals(loop: asyncio.AbstractEventLoop) -> Iterator[None]:
    """Have every signal wake the loop.

    A handler runs only when the main thread executes Python code. Otherwise a signal that arrives right before the loop
    begins to wait, or in another thread, would have no effect until something else wakes the loop.
    """
    ours, wakes = socket.socketpair()
    with ours, wakes:
        for end in (ours, wakes):
            end.settimeout(0)
        loop.add_reader(ours, ours.recv, 4096)
        before = signal.set_wakeup_fd(wakes.fileno(), warn_on_full_buffer=False)
        try:
            yield
        finally:
            signal.set_wakeup_fd(before)
            loop.remove_reader(ours)


def ignore_signals() -> None:
    """Ignore signals from now on: only the output is left to be written, which takes seconds and matters most.

    This uses a handler that does nothing: with SIG_IGN, Python would complain about a signal that is already pending.
    """
    for number in _SIGNALS:
        signal.signal(number, lambda _number, _frame: None)
