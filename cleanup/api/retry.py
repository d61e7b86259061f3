"""Which reply deserves another attempt, and when. The only module that imports tenacity."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Hashable, Iterable
from dataclasses import dataclass
from typing import Final

from tenacity import AsyncRetrying, RetryCallState, retry_if_result

from cleanup.api.atoms import Atoms
from cleanup.api.owner import Renewal
from cleanup.api.reply import Reply
from cleanup.api.throttle import Log, Slot, Throttle
from cleanup.model import StopCause
from cleanup.settings.definitions import Retry
from cleanup.stop import Stop, Stopped

KEY_REFUSED: Final = "the API refuses the key (401)"

Attempt = Callable[[Atoms], Awaitable[Reply]]
"""Sends the requests of one attempt, each through the Atoms handed in; the last reply is what it came to."""

Witness = asyncio.Future[bool | None]
"""Told, once, whether the API does what this run needs of it; None: the item ended without showing that."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What operations are about: `item` is what the breaker counts, agent and draft are for the log."""

    item: Hashable = None
    agent: str | None = None
    draft: str | None = None


@dataclass(slots=True)
class Calling:
    """What all callers of a run share: the way to the API, and the rules for trying again.

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
    retries: int = 0


class Caller:
    """One item's way to the API: operations, each of one attempt or of several."""

    def __init__(self, shared: Calling, subject: Subject, slot: Slot | None, witness: Witness | None) -> None:
        """`slot`: for the first attempt. `witness`: to be told whether the API answers, while the breaker is open."""
        self.subject = subject
        self.in_flight = False
        self._shared = shared
        self._slot = slot
        self._witness = witness

    @property
    def attempts(self) -> int:
        """How many attempts an operation has."""
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
        """Attempt until an answer stands or the attempts are used up, and return the last reply.

        `requests`: how many an attempt usually sends. `waiting`: the items that wait for it, if not this one alone.
        `decisive`: an answer shows that the API does what this run needs of it. `once`: never try again.
        When the run stops the last reply stands; raises Stopped if there is none.
        """
        shared = self._shared
        last: Reply | None = None
        made = counted = 0
        again = False

        async def next_attempt() -> Reply:
            nonlocal again
            try:
                return await one_attempt()
            except Stopped:
                self.in_flight = again = False
                if last is None:
                    raise
                return last

        async def one_attempt() -> Reply:
            nonlocal last, made, counted, again
            slot = await self._take_slot(requests)
            try:
                self.in_flight = True
                reply = await attempt(shared.atoms(slot))
                self.in_flight = False
                # Before the slot is free: what this answer says holds for whoever is next.
                last, made = reply, made + 1
                shared.retries += made > 1
                again, counts = await self._learn(reply, slot, waiting, made)
                counted += counts
            finally:
                slot.release()
            self._tell_witness(reply, decisive=decisive)
            return reply

        def is_over(_: RetryCallState) -> bool:
            asked = last.retry_after if last is not None and last.status == 503 else None
            too_long = asked is not None and asked > shared.max_wait
            return once or counted >= shared.attempts or too_long or shared.stop.cause is not None

        def wait(_: RetryCallState) -> float:
            if last is None or last.status == 429 or last.unauthorized:
                return 0.0  # everybody waits for the end of the pause, or there is another key
            return shared.jitter(made) if last.retry_after is None else last.retry_after

        def before_sleep(call: RetryCallState) -> None:
            seconds = call.next_action.sleep if call.next_action else 0.0
            shared.log("draft.retrying", subject=self.subject, reply=last, attempts=made, wait=round(seconds, 4))

        retrying = AsyncRetrying(
            retry=retry_if_result(lambda _: again),
            stop=is_over,
            wait=wait,
            sleep=shared.stop.sleep,
            before_sleep=before_sleep,
            retry_error_callback=lambda call: call.outcome.result() if call.outcome else None,
        )
        reply: Reply = await retrying(next_attempt)
        if reply.unauthorized and not shared.stop.cause:  # no other key has come
            shared.stop.request(StopCause.UNAUTHORIZED, KEY_REFUSED)
        return reply

    async def pause(self, attempts: int) -> None:
        """Wait as between attempts, after so many of them. Raises Stopped."""
        await self._shared.stop.sleep(self._shared.jitter(attempts))
        self._shared.stop.check()

    def give_slot_back(self) -> None:
        """The slot for the first attempt is not needed now."""
        slot, self._slot = self._slot, None
        if slot is not None:
            slot.release()

    def finish(self) -> None:
        """Nothing more is asked for this item."""
        self.give_slot_back()
        if self._witness is not None and not self._witness.done():
            self._witness.set_result(None)

    async def _take_slot(self, requests: int) -> Slot:
        slot, self._slot = self._slot, None
        probing = self._witness is not None and not self._witness.done()
        return slot or await self._shared.throttle.acquire(requests, probe=probing)

    async def _learn(
        self, reply: Reply, slot: Slot, waiting: Callable[[], Iterable[Hashable]] | None, made: int
    ) -> tuple[bool, bool]:
        """Draw all conclusions from a reply: whether another attempt makes sense, and whether this one counts."""
        shared = self._shared
        items = waiting() if waiting is not None else () if self.subject.item is None else (self.subject.item,)
        backoff = shared.jitter(made)
        shared.throttle.learn(reply, items, backoff)
        if not reply.unauthorized:
            # While the breaker is open, nobody knows yet whose fault it is.
            return reply.deserves_retry, not (reply.down and shared.throttle.breaker.is_open)
        if await shared.renewal.renew(shared.atoms(slot), reply):
            return True, False
        if shared.renewal.is_expected:
            shared.throttle.hold_back(backoff)
            return True, True
        shared.stop.request(StopCause.UNAUTHORIZED, KEY_REFUSED)
        return False, True

    def _tell_witness(self, reply: Reply, *, decisive: bool) -> None:
        if self._witness is not None and not self._witness.done() and (reply.down or decisive):
            self._witness.set_result(not reply.down)


def make_jitter(settings: Retry) -> Callable[[int], float]:
    """Seconds to wait after attempt n, from 1: anything up to a bound that doubles each time (full jitter)."""

    def jitter(attempts: int) -> float:
        bound = min(settings.max_wait, settings.wait * 2.0 ** min(attempts - 1, 60))
        return random.uniform(0, bound)  # noqa: S311 - chance, not secrecy

    return jitter
