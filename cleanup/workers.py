"""Begins pairs as the gate has room, collects how they end, and drains when the run stops."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from cleanup.api.gate import Gate, Subject
from cleanup.discard import Case
from cleanup.lists.pair_list import PairList
from cleanup.model import Ending, Result
from cleanup.plan import Order
from cleanup.stop import Stopped

MOST_BEGUN: Final = 1024
"""Pairs that may be begun and unfinished at once, most of them waiting between attempts or for a look-up."""

Process = Callable[[Case], Awaitable[Result | None]]


class Workers:
    """Runs `process` on each pair of an order and hands every result to `record`."""

    def __init__(self, gate: Gate, process: Process, record: Callable[[Result], None]) -> None:
        self._gate = gate
        self._process = process
        self._record = record
        self._places = asyncio.Semaphore(MOST_BEGUN)
        self._tasks: set[asyncio.Task[None]] = set()
        self._bug: Exception | None = None

    async def run(self, pairs: PairList, order: Order) -> None:
        """Begin all pairs, or as many as may be begun before the run stops; return when all have ended."""
        try:
            while True:
                await self._places.acquire()
                spare = await self._gate.room()
                index = order.spare() if spare else order.next()
                if index is None or self._bug:
                    self._gate.no_more()
                    break
                pair = pairs[index]
                case = Case(pair, Subject(index, pair.agent, pair.draft, fresh=True, spare=spare))
                task = asyncio.create_task(self._one(case))
                self._tasks.add(task)
                task.add_done_callback(self._ended)
                await asyncio.sleep(0)  # now it stands in the gate's queue, and the gate knows that it has no room
        except Stopped:
            pass
        while self._tasks:
            await asyncio.wait(self._tasks)
        if self._bug:
            raise self._bug

    def cancel(self) -> None:
        """End what is in flight now; its pairs are recorded as interrupted."""
        for task in self._tasks:
            task.cancel()

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._places.release()

    async def _one(self, case: Case) -> None:
        """Process a pair and record how it ended."""
        try:
            result = await self._process(case)
        except (asyncio.CancelledError, Stopped):
            result = self._interrupted(case)
        except Exception as error:  # noqa: BLE001 - raised again by `run`
            self._end_with(error)
            sent = case.reply is not None
            result = case.result(Ending.INTERRUPTED, "a bug in this program came between") if sent else None
        if result is not None:
            try:
                self._record(result)
            except Exception as error:  # noqa: BLE001 - raised again by `run`
                self._end_with(error)

    def _end_with(self, bug: Exception) -> None:
        """A bug ends the run, once all tasks have ended."""
        self._bug = self._bug or bug
        self.cancel()

    @staticmethod
    def _interrupted(case: Case) -> Result | None:
        """A pair that was cut off: unknown when in flight, its last failure when it waited to be tried again."""
        if case.subject.cut_off:
            return case.result(Ending.INTERRUPTED, "cut off in flight")
        left = case.left_off()
        if left is None and case.reply is not None:
            return case.result(Ending.INTERRUPTED, "cut off before it was settled")
        return left
