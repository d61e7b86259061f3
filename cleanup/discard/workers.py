"""Workers that process the items of a list in order, and the probes that find out whether the API is down."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from functools import partial
from random import Random
from typing import Any, Final

from cleanup.api.retry import Caller, Subject, Witness
from cleanup.api.session import Session
from cleanup.api.throttle import Slot
from cleanup.model import StopCause
from cleanup.stop import Stopped

MOST_WAITING: Final = 64
"""How many items may be waiting between two attempts while others are processed."""

_TO_DO: Final = 0
_TAKEN: Final = 255


class Queue:
    """The places of the items to process, taken in order, or from anywhere for a probe."""

    def __init__(self, marks: bytes | bytearray, chance: Random) -> None:
        """`marks`: a byte for each item, 0 if it is to be processed."""
        self._marks = bytearray(marks)
        self._chance = chance
        self._front = 0

    @property
    def is_empty(self) -> bool:
        """Whether no item is left."""
        return self._marks.find(_TO_DO, self._front) < 0

    def next(self) -> int | None:
        """Take the first item that is left; None if there is none."""
        place = self._marks.find(_TO_DO, self._front)
        if place < 0:
            self._front = len(self._marks)
            return None
        self._front = place + 1
        self._marks[place] = _TAKEN
        return place

    def any(self, fits: Callable[[int], bool]) -> int | None:
        """Take a random one of the remaining items that fit; None if none does."""
        count = len(self._marks)
        start = self._chance.randrange(self._front, count) if self._front < count else count
        for first, last in ((start, count), (self._front, start)):
            place = self._marks.find(_TO_DO, first, last)
            while place >= 0:
                if fits(place):
                    self._marks[place] = _TAKEN
                    return place
                place = self._marks.find(_TO_DO, place + 1, last)
        return None


class Workers:
    """Processes every item of a queue, as many at a time as the throttle allows."""

    def __init__(
        self,
        session: Session,
        queue: Queue,
        subject: Callable[[int], Subject],
        process: Callable[[int, Caller], Awaitable[None]],
        *,
        requests: Callable[[], int] = lambda: 1,
        admit: Callable[[], Awaitable[None]] | None = None,
        is_witness: Callable[[int], bool] = lambda _: True,
    ) -> None:
        """`requests`: how many an item's first attempt usually sends. `admit` is awaited before an item begins.

        `is_witness`: whether an item that was not tried yet may be used as a probe while the breaker is open.
        """
        self._session = session
        self._throttle = session.throttle
        self._stop = session.stop
        self._queue = queue
        self._subject = subject
        self._process = process
        self._requests = requests
        self._admit = admit
        self._is_witness = is_witness
        self._next = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Process all items, or those that begin before the run stops. Returns when all of these have ended."""
        try:
            async with asyncio.TaskGroup() as group:
                probes = group.create_task(self._probe_outages(group))
                for _ in range(self._session.concurrency + MOST_WAITING):
                    self._begin(group, self._work())
                while self._tasks:  # includes those that a probe began
                    await asyncio.wait(self._tasks)
                probes.cancel()
        except ExceptionGroup as errors:  # reporting the first bug is enough
            raise errors.exceptions[0] from None

    def _begin(self, group: asyncio.TaskGroup, work: Coroutine[Any, Any, None]) -> None:
        task = group.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _work(self) -> None:
        with suppress(Stopped):
            while True:
                # Only one worker at a time waits for a slot to begin an item, so that retries do not queue behind all.
                async with self._next:
                    if self._queue.is_empty:
                        return
                    if self._admit is not None:
                        await self._admit()
                    slot = await self._throttle.acquire(self._requests())
                    place = self._queue.next()
                if place is None:  # a probe has taken the last item meanwhile
                    slot.release()
                    return
                await self._one(place, slot)

    async def _one(self, place: int, slot: Slot | None, witness: Witness | None = None) -> None:
        caller = self._session.caller(self._subject(place), slot, witness)
        try:
            with suppress(Stopped):
                await self._process(place, caller)
        finally:
            caller.finish()

    async def _probe_outages(self, group: asyncio.TaskGroup) -> None:
        """Each time the breaker opens, send probes until it may close, or until `limits.max_outage` has passed."""
        while True:
            await self._throttle.opened.wait()
            began, last = self._throttle.now(), self._throttle.last_failure
            give_up = asyncio.get_running_loop().call_later(self._session.max_outage, self._give_up)
            failed, was_down = 0, False
            try:
                while not self._stop.cause:
                    await self._stop.sleep(self._session.calling.jitter(failed) if failed else 0.0)
                    is_there = await self._user_answers()
                    was_down = was_down or not is_there
                    if is_there and await self._another_item_works(group):
                        break
                    failed += 1
                    if failed == 1:  # not before the first probe failed: the items may be to blame
                        self._session.log("outage.began", message=last.message, status=last.status)
            except Stopped:
                return
            finally:
                give_up.cancel()
                if failed:
                    self._session.calling.traffic.timeline.was_down(self._throttle.now() - began)
            if self._stop.cause:
                return
            self._throttle.close_breaker(items_are_bad=not was_down)
            if failed:
                self._session.log("outage.ended", seconds=round(self._throttle.now() - began, 3))

    async def _user_answers(self) -> bool:
        """Whether `GET /user` shows that the API is up."""
        probe: Witness = asyncio.get_running_loop().create_future()
        user = await self._session.caller(witness=probe).operate(lambda api: api.user(), once=True, decisive=False)
        return user.is_alive

    async def _another_item_works(self, group: asyncio.TaskGroup) -> bool:
        """Whether an item that was not tried yet gets an answer. True if none is left to try. Raises Stopped."""
        while (place := self._queue.any(self._is_witness)) is not None:
            witness: Witness = asyncio.get_running_loop().create_future()
            self._begin(group, self._one(place, None, witness))
            self._stop.listen(partial(_give_up_on, witness))
            answered = await witness
            self._stop.check()
            if answered is not None:
                return answered
        return True

    def _give_up(self) -> None:
        said = self._throttle.last_failure.message
        why = f": {said}" if said else ""
        self._stop.request(StopCause.OUTAGE, f"the API was down for longer than limits.max_outage{why}")


def _give_up_on(witness: Witness) -> None:
    if not witness.done():
        witness.set_result(False)
