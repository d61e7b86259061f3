"""Everything that talks to the API, put together for one run, and taken apart again."""

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final, Protocol, TypeVar

from cleanup.api.atoms import Atoms
from cleanup.api.gate import Gate, Tell
from cleanup.api.key import Key
from cleanup.api.outage import Outage
from cleanup.api.pace import NoPace, Pace, SteadyPace
from cleanup.api.retry import Caller, jitter
from cleanup.api.traffic import Traffic
from cleanup.api.transport import Transport
from cleanup.model import Reply, StopCause
from cleanup.settings.definitions import Settings
from cleanup.stop import Stop, Stopped, heeded_signals, ignore_signals

T = TypeVar("T")

DRAIN_SECONDS: Final = 20.0
"""How long what is in flight may take to finish after a signal."""


class Cuttable(Protocol):
    """Work that can be cut short."""

    def cancel(self) -> object:
        """End it now."""


@dataclass(eq=False, slots=True)
class Session:
    """The parts of a run that talk to the API."""

    key: Key
    atoms: Atoms
    caller: Caller
    gate: Gate
    stop: Stop
    pace: Pace
    cuttable: "set[Cuttable]"

    async def cuttable_work(self, work: Awaitable[T]) -> T:
        """Await work that may be cut short. Raises Stopped when it was."""
        task = asyncio.ensure_future(work)
        self.cuttable.add(task)
        try:
            return await task
        except asyncio.CancelledError:
            if self.stop.cause:
                raise Stopped from None
            raise
        finally:
            self.cuttable.discard(task)

    def cut_short(self) -> None:
        """End whatever is in flight now."""
        for work in list(self.cuttable):
            work.cancel()


@asynccontextmanager
async def open_session(
    settings: Settings, key: Key, traffic: Traffic, tell: Tell, notice: Callable[[str, str], None]
) -> AsyncIterator[Session]:
    """Open a session; signals and the deadline stop it. `notice` is told of each Deprecation or Sunset header."""
    loop = asyncio.get_running_loop()
    stop = Stop()
    limits = settings.limits
    pace = make_pace(limits.rate, tell)
    gate = Gate(limits.concurrency, pace, Outage(limits.max_outage, jitter(settings.retry)), stop, tell)
    transport = Transport(settings.api.base_url, key, settings.api.timeout, gate)

    def observe(reply: Reply) -> None:
        traffic.add(reply)
        for name, value in reply.notices:
            notice(name, value)

    caller = Caller(settings, gate, key, stop, tell)
    session = Session(key, Atoms(transport, observe), caller, gate, stop, pace, set())

    def on_signal(number: int) -> None:
        if stop.signal is None:
            stop.signal = number
            stop.request(StopCause.SIGNAL, f"{signal.Signals(number).name} was received")
            loop.call_later(DRAIN_SECONDS, session.cut_short)
        else:
            session.cut_short()

    for number in heeded_signals():
        loop.add_signal_handler(number, on_signal, number)
    timer = None
    if limits.deadline is not None:
        gate.deadline = loop.time() + limits.deadline
        timer = loop.call_at(gate.deadline, stop.request, StopCause.DEADLINE, "limits.deadline has passed")
    try:
        yield session
    finally:
        # Not left to the loop: it would leave them deadly until the files are written.
        for number in heeded_signals():
            loop.remove_signal_handler(number)
        ignore_signals()
        if timer is not None:
            timer.cancel()
        await transport.aclose()


def make_pace(rate: "float | str | None", tell: Tell) -> Pace:
    """The pace that `limits.rate` asks for."""
    if rate is None:
        return NoPace()
    if isinstance(rate, str):
        from cleanup.api.auto_pace import AutoPace

        return AutoPace(tell)
    return SteadyPace(rate)
