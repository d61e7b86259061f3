"""The throttle: the only place where requests wait before they are sent.

They wait for the end of an outage (the breaker), for one of the places in flight, for the pace, and for the end of a
pause that a 429 asked for. Whoever waits, waits in turn; a probe comes before them all.
"""

import asyncio
import math
from collections.abc import Callable, Hashable, Iterable
from contextlib import nullcontext
from typing import Final

from cleanup.api.breaker import Breaker
from cleanup.api.pace import Pace
from cleanup.api.reply import Reply
from cleanup.model import StopCause
from cleanup.stop import Stop

MEANWHILE: Final = 0.5
"""Seconds since another request was answered in which a page of 503 may be a limit's refusal."""

Log = Callable[..., None]
"""Logs an event: its name, then its fields."""


class Throttle:
    """Gives out slots, each of them leave to send the requests of one attempt."""

    def __init__(self, concurrency: int, pace: Pace, stop: Stop, log: Log, max_outage: float) -> None:
        """`concurrency`: attempts in flight at once. `max_outage`: seconds of 429s or of pause that are put up with."""
        self.breaker = Breaker()
        self.last_failure = Reply(None)
        self.deadline: float | None = None
        self.opened, self._closed = asyncio.Event(), asyncio.Event()
        self._closed.set()
        self._pace = pace
        self._stop = stop
        self._log = log
        self._max_outage = max_outage
        self._turn = asyncio.Lock()
        self._places = asyncio.Semaphore(concurrency)
        self._blamed = False
        self._paused_until = 0.0
        self._refused_since: float | None = None
        self._last_answer = -math.inf
        self._loop = asyncio.get_running_loop()
        # A stop wakes those who wait for the breaker, and the one who waits for a place.
        stop.listen(self._closed.set)
        stop.listen(self._places.release)

    def now(self) -> float:
        """Seconds of the clock that everything here goes by."""
        return self._loop.time()

    async def acquire(self, requests: int, *, probe: bool = False) -> "Slot":
        """Wait until an attempt of so many requests may be made. A probe may be made while the breaker is open.

        Raises Stopped when the run is to stop.
        """
        async with nullcontext() if probe else self._turn:
            while True:
                if not probe:
                    await self._closed.wait()
                slot = await self._enter(requests, probe=probe)
                if slot is not None:
                    return slot

    async def _enter(self, requests: int, *, probe: bool) -> "Slot | None":
        """Wait for a place and for the pace. None: the breaker has opened meanwhile."""
        self._stop.check()
        await self._places.acquire()
        try:
            await self._wait_for_pace(requests)
            self._stop.check()
            if probe or not self.breaker.is_open:
                self._pace.reserve(self.now(), requests)
                return Slot(self, requests)
        except BaseException:
            self._places.release()
            raise
        self._places.release()
        return None

    async def _wait_for_pace(self, requests: int) -> None:
        while (wait := max(self._pace.ready_at(self.now(), requests), self._paused_until) - self.now()) > 0:
            await self._stop.sleep(wait)
            self._stop.check()

    def wrote(self, *, reserved: bool) -> None:
        """Tells the throttle when a request is actually written; one that must connect first counts from then.

        Raises Stopped when nothing may be sent any more.
        """
        self._stop.check()
        if not reserved:
            self._pace.reserve(self.now(), 1)
        self._pace.wrote(self.now())

    def release(self, unsent: int) -> None:
        """An attempt is over, and so many of its requests were never sent."""
        for _ in range(unsent):
            self._pace.give_back()
        self._places.release()

    def learn(self, reply: Reply, items: Iterable[Hashable], backoff: float) -> None:
        """Learn from an answer, or from none, that these items waited for.

        `backoff`: the seconds to pause on a 429 that names none.
        """
        if reply.hopeless:
            self._stop.request(StopCause.TLS, reply.message or "no connection to the API is possible")
        elif reply.down:
            self.last_failure = reply
            if reply.is_page_of_503 and self._last_answer > self.now() - MEANWHILE:
                # A limit, if others go on being answered; else it is soon too long ago that one was.
                self._pace.answered(self.now(), sent=self.now() - reply.seconds, refused=True)
            elif self.breaker.failed(items) and not self._stop.cause:
                self._closed.clear()
                self.opened.set()
        else:
            self._last_answer = self.now()
            self._pace.answered(self.now(), sent=self.now() - reply.seconds, refused=reply.status == 429)
            self.breaker.answered()
            if reply.status == 429:
                self._pause(backoff if reply.retry_after is None else reply.retry_after, reply)
            else:
                self._refused_since = None

    def close_breaker(self, *, items_are_bad: bool) -> None:
        """Send as usual again."""
        self.breaker.close(items_are_bad=items_are_bad)
        self._blamed = items_are_bad
        self.opened.clear()
        self._closed.set()

    async def blames(self) -> bool:
        """Wait until the breaker is closed; whether the items that failed are to blame. Raises Stopped."""
        await self._closed.wait()
        self._stop.check()
        return self._blamed

    def _pause(self, seconds: float, reply: Reply) -> None:
        now = self.now()
        until = now + seconds
        since = self._refused_since = now if self._refused_since is None else self._refused_since
        asked = f"the API asks to be left alone for {seconds:.0f} s"
        if self.deadline is not None and until > self.deadline:
            self._stop.request(StopCause.DEADLINE, f"{asked}, past limits.deadline")
        elif seconds > self._max_outage or until - since > self._max_outage:
            said = f" ({reply.message})" if reply.message else ""
            self._stop.request(StopCause.OUTAGE, f"{asked}, longer than limits.max_outage{said}")
        elif until > self._paused_until:
            if now >= self._paused_until:
                self._log("rate.paused", seconds=round(seconds, 3))
            self._paused_until = until


class Slot:
    """Leave to send the requests of one attempt. What of it is not used is given back with `release`."""

    def __init__(self, throttle: Throttle, requests: int) -> None:
        self._throttle = throttle
        self._reserved = requests
        self._released = False

    async def before_write(self) -> None:
        """A request of this attempt is written now. Raises Stopped when it must not be."""
        self._throttle.wrote(reserved=self._reserved > 0)
        self._reserved = max(0, self._reserved - 1)

    def release(self) -> None:
        """The attempt is over."""
        if not self._released:
            self._released = True
            self._throttle.release(self._reserved)
