"""Sets up everything that talks to the API for one run, and closes it at the end."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from cleanup.api.adaptive_pace import AdaptivePace
from cleanup.api.atoms import Atoms
from cleanup.api.key import Key
from cleanup.api.pace import Pace
from cleanup.api.renewal import Renewal
from cleanup.api.reply import Reply
from cleanup.api.retry import Caller, Calling, Subject, Witness, make_jitter
from cleanup.api.throttle import Log, Slot, Throttle
from cleanup.api.traffic import Traffic
from cleanup.api.transport import Transport
from cleanup.model import KnownLimit, StopCause
from cleanup.settings.definitions import Settings
from cleanup.stop import Stop, Stopped, heed_signals

T = TypeVar("T")

DRAIN_SECONDS: Final = 20.0
"""How long requests in flight may take to finish after a signal."""


@dataclass(eq=False, slots=True)
class Session:
    """The parts of a run that talk to the API."""

    base_url: str
    concurrency: int
    max_outage: float
    key: Key
    calling: Calling
    throttle: Throttle
    pace: Pace
    stop: Stop
    log: Log
    _tasks: "set[asyncio.Future[Any]]" = field(default_factory=set)

    def caller(
        self, subject: Subject | None = None, slot: Slot | None = None, witness: Witness | None = None
    ) -> Caller:
        """Make a caller for one item; see Caller."""
        return Caller(self.calling, subject or Subject(), slot, witness)

    async def cuttable(self, work: Awaitable[T]) -> T:
        """Await work that `cut_short` can cancel. Raises Stopped if it did."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        try:
            return await task
        except asyncio.CancelledError:
            if self.stop.cause:
                raise Stopped from None
            raise
        finally:
            self._tasks.discard(task)

    def cut_short(self) -> None:
        """Cancel whatever is in flight now."""
        for task in list(self._tasks):
            task.cancel()


@asynccontextmanager
async def open_session(
    settings: Settings,
    key: Key,
    stop: Stop,
    traffic: Traffic,
    log: Log,
    notice: Callable[[str, str], None],
    known_limit: KnownLimit | None = None,
) -> AsyncIterator[Session]:
    """Open a session; signals and the deadline stop it. `notice` is called for each Deprecation or Sunset header."""
    loop = asyncio.get_running_loop()
    limits, retry = settings.limits, settings.retry
    pace = make_pace(limits.rate, log, known_limit)
    is_auto = isinstance(limits.rate, str)
    traffic.began_at = pace.rate
    if is_auto:
        traffic.because = why_there(known_limit)
    throttle = Throttle(limits.concurrency, pace, stop, log, limits.max_outage)
    transport = Transport(settings.api.base_url, key, settings.api.timeout)

    def observe(reply: Reply) -> None:
        traffic.add(reply)
        for name, value in reply.notices:
            notice(name, value)

    def atoms(slot: Slot) -> Atoms:
        return Atoms(transport, slot.before_write, observe)

    jitter = make_jitter(retry)
    renewal = Renewal(key, settings.api.organization, stop, retry.attempts, jitter)
    calling = Calling(retry.attempts, limits.max_outage, jitter, atoms, throttle, renewal, stop, log, traffic)
    session = Session(
        settings.api.base_url, limits.concurrency, limits.max_outage, key, calling, throttle, pace, stop, log
    )

    def on_signal(first: bool) -> None:  # noqa: FBT001
        stop.announce()
        if first:
            loop.call_later(DRAIN_SECONDS, session.cut_short)
        else:
            session.cut_short()

    timer = None
    if limits.deadline is not None:
        throttle.deadline = loop.time() + limits.deadline
        timer = loop.call_at(throttle.deadline, stop.request, StopCause.DEADLINE, "limits.deadline has passed")
    with heed_signals(stop, on_signal):
        try:
            yield session
        finally:
            traffic.limit, traffic.rate = pace.limit, pace.rate
            traffic.found = pace.limit if is_auto else None
            if timer is not None:
                timer.cancel()
            await transport.aclose()


def make_pace(rate: float | str | None, log: Log, known_limit: KnownLimit | None) -> Pace:
    """The pace that `limits.rate` asks for."""
    if rate is None:
        return Pace()
    if isinstance(rate, str):
        return AdaptivePace(log, known=None if known_limit is None else known_limit.rate)
    return AdaptivePace(log, most=rate)


def why_there(known: KnownLimit | None) -> str:
    """Explain where the automatic rate begins."""
    if known is None:
        return "no earlier run of this ledger has found the workspace's limit"
    return f"an earlier run found a limit of {known.rate:g} requests a second ({known.found_at})"
