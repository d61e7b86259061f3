"""Decides which replies are retried, and when. The only module that imports tenacity."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Hashable, Iterable
from dataclasses import dataclass, field

from tenacity import AsyncRetrying, RetryCallState, retry_if_result

from cleanup.api.atoms import Atoms
from cleanup.api.renewal import Renewal
from cleanup.api.reply import Reply
from cleanup.api.throttle import MEANWHILE, Log, Slot, Throttle
from cleanup.api.traffic import Traffic
from cleanup.model import StopCause
from cleanup.settings.definitions import Retry
from cleanup.stop import Stop, Stopped

Attempt = Callable[[Atoms], Awaitable[Reply]]
"""Sends the requests of one attempt through the given Atoms, and returns the reply that decides it."""

Witness = asyncio.Future[bool | None]
"""A probe's result, set once: whether the API does what this run needs; None if the item ended without showing it."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What an operation is about. The breaker counts by `item`; agent and draft are for the log."""

    item: Hashable = None
    agent: str | None = None
    draft: str | None = None


@dataclass(slots=True)
class Calling:
    """What all callers of a run share: access to the API, and the rules for retries.

    `max_wait`: the longest wait that a 503 may ask for.
    """

    attempts: int
    max_wait: float
    jitter: Callable[[int], float]
    atoms: Callable[[Slot], Atoms]
    throttle: Throttle
    renewal: Renewal
    stop: Stop
    log: Log
    traffic: Traffic = field(default_factory=Traffic)


class Caller:
    """Calls the API on behalf of one item. An operation takes one or more attempts."""

    def __init__(self, shared: Calling, subject: Subject, slot: Slot | None, witness: Witness | None) -> None:
        """`slot`: for the first attempt. `witness`: makes this a probe, and receives its result."""
        self.subject = subject
        self.in_flight = False
        self.on_retry: Callable[[], None] = lambda: None
        self._shared = shared
        self._slot = slot
        self._witness = witness

    @property
    def _is_probing(self) -> bool:
        return self._witness is not None and not self._witness.done()

    @property
    def attempts(self) -> int:
        """How many attempts an operation may take."""
        return self._shared.attempts

    async def operate(
        self,
        attempt: Attempt,
        *,
        requests: int = 1,
        waiting: Callable[[], Iterable[Hashable]] | None = None,
        decisive: bool = True,
        once: bool = False,
    ) -> Reply:
        """Attempt until there is an answer or the attempts are used up, and return the last reply.

        `requests`: how many an attempt usually sends. `waiting`: the items that depend on it, if not only this one.
        `decisive`: an answer shows that the API does what this run needs. `once`: do not retry.
        If the run stops, the last reply is returned. Raises Stopped if there is none.
        """
        attempts = _Attempts(self._shared, self.subject, once=once)

        async def next_attempt() -> Reply:
            try:
                return await self._attempt(attempts, attempt, requests, waiting or self._alone, decisive=decisive)
            except Stopped:
                self.in_flight = False
                return attempts.left_off()

        retrying = AsyncRetrying(
            retry=retry_if_result(lambda _: attempts.again),
            stop=attempts.are_over,
            wait=attempts.wait,
            sleep=self._shared.stop.sleep,
            before_sleep=attempts.log,
            retry_error_callback=lambda call: call.outcome.result() if call.outcome else None,
        )
        reply: Reply = await retrying(next_attempt)
        return reply

    async def _attempt(
        self,
        attempts: "_Attempts",
        attempt: Attempt,
        requests: int,
        waiting: Callable[[], Iterable[Hashable]],
        *,
        decisive: bool,
    ) -> Reply:
        shared = self._shared
        slot, self._slot = self._slot, None
        slot = slot or await shared.throttle.acquire(requests, probe=self._is_probing)
        try:
            self.in_flight = True
            reply = await attempt(shared.atoms(slot))
            self.in_flight = False
            # Before the slot is released, so that the next attempt already respects a pause that this answer asks for.
            attempts.add(reply)
            shared.throttle.learn(reply, waiting(), shared.jitter(attempts.made))
            if reply.unauthorized:
                attempts.again = await self._renew_key(reply, slot)
        finally:
            slot.release()
        if self._is_probing and self._witness is not None and (reply.down or decisive):
            self._witness.set_result(not reply.down)
        if reply.deserves_retry:
            self.on_retry()
            # While the breaker is open, it is unknown whether the API or the item is to blame.
            in_doubt = reply.down and shared.throttle.breaker.is_open and self.subject.item is not None
            if not in_doubt or await shared.throttle.blames():
                attempts.counted += 1
        return reply

    async def _renew_key(self, refused: Reply, slot: Slot) -> bool:
        shared = self._shared
        renewed = await shared.renewal.renew(shared.atoms(slot), refused)
        if not renewed and not shared.stop.cause:
            shared.stop.request(StopCause.UNAUTHORIZED, "the API refuses the key (401)")
        return renewed

    def _alone(self) -> Iterable[Hashable]:
        return () if self.subject.item is None else (self.subject.item,)

    async def pause(self, attempts: int) -> None:
        """Wait as long as between attempts, after this many of them. Raises Stopped."""
        await self._shared.stop.sleep(self._shared.jitter(attempts))
        self._shared.stop.check()

    def finish(self) -> None:
        """Release the slot, and end the probe if this is one: the item sends nothing more, at least for now."""
        slot, self._slot = self._slot, None
        if slot is not None:
            slot.release()
        if self._witness is not None and self._is_probing:
            self._witness.set_result(None)


class _Attempts:
    """The attempts of one operation so far."""

    def __init__(self, shared: Calling, subject: Subject, *, once: bool) -> None:
        self.made = 0
        self.counted = 0
        self.again = False
        self._last: Reply | None = None
        self._shared = shared
        self._subject = subject
        self._once = once

    def add(self, reply: Reply) -> None:
        """Note the reply of an attempt."""
        self._last = reply
        self.again = reply.deserves_retry
        self.made += 1
        if self.made > 1:
            self._shared.traffic.retried()

    def left_off(self) -> Reply:
        """End the operation without another attempt, and return its last reply. Raises Stopped if there is none."""
        self.again = False
        if self._last is None:
            raise Stopped
        return self._last

    def are_over(self, _: RetryCallState) -> bool:
        """Whether no further attempt may be made."""
        last = self._last
        asked = last.retry_after if last is not None and last.status == 503 else None
        too_long = asked is not None and asked > self._shared.max_wait
        used_up = self._once or self.counted >= self._shared.attempts
        return used_up or too_long or self._shared.stop.cause is not None

    def wait(self, _: RetryCallState) -> float:
        """Seconds to wait before the next attempt."""
        last = self._last
        if last is None or last.status == 429 or last.unauthorized:
            return 0.0  # the throttle waits for the end of the pause, or there is a new key
        if last.retry_after is not None:
            return last.retry_after
        # By then it is known whether others are answered: at the beginning of an outage, a page costs one attempt.
        return max(self._shared.jitter(self.made), MEANWHILE if last.is_page_of_503 else 0.0)

    def log(self, call: RetryCallState) -> None:
        """Log that there will be another attempt."""
        seconds = round(call.next_action.sleep, 4) if call.next_action else 0.0
        self._shared.log("draft.retrying", subject=self._subject, reply=self._last, attempts=self.made, wait=seconds)


def make_jitter(settings: Retry) -> Callable[[int], float]:
    """Make a function from attempt n, counted from 1, to the seconds to wait: random up to a bound that doubles."""

    def jitter(attempts: int) -> float:
        bound = min(settings.max_wait, settings.wait * 2.0 ** min(attempts - 1, 60))
        return random.uniform(0, bound)  # noqa: S311 - chance, not secrecy

    return jitter
