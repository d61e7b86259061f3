"""Begins pairs as the gate has room, collects how they end, and drains when the run stops."""

import asyncio
from collections.abc import Awaitable, Callable

from cleanup.api.gate import MOST_BEGUN, Gate, Subject
from cleanup.discard import Case
from cleanup.lists.pair_list import PairList
from cleanup.model import Ending, Result
from cleanup.plan import Order
from cleanup.stop import Stopped

Process = Callable[[Case], Awaitable[Result | None]]


class Workers:
    """Runs `process` on each pair of an order and hands every result to `record`."""

    def __init__(self, gate: Gate, process: Process, record: Callable[[Result], None]) -> None:
        self._gate = gate
        self._process = process
        self._record = record
        self._tasks: set[asyncio.Task[None]] = set()
        self._places = asyncio.Semaphore(MOST_BEGUN)
        self._bug: BaseException | None = None

    async def run(self, pairs: PairList, order: Order) -> None:
        """Begin all pairs, or as many as may be begun before the run stops; return when all have ended."""
        try:
            while True:
                await self._places.acquire()
                spare = await self._gate.room()
                index = order.spare() if spare else order.next()
                if index is None or self._bug:
                    break
                case = Case(pairs[index], Subject(index, fresh=True, spare=spare))
                task = asyncio.create_task(self._one(case))
                self._tasks.add(task)
                task.add_done_callback(self._ended)
                await asyncio.sleep(0)  # it stands in line before the gate is asked for more room
        except Stopped:
            pass
        while self._tasks:
            await asyncio.wait(self._tasks)
        if self._bug:
            raise self._bug

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        self._places.release()

    def cancel(self) -> None:
        """End what is in flight now; its pairs are recorded as interrupted."""
        for task in self._tasks:
            task.cancel()

    async def _one(self, case: Case) -> None:
        try:
            result = await self._process(case)
        except asyncio.CancelledError:
            result = self._interrupted(case)
        except Exception as error:  # noqa: BLE001 - a bug: raised again when all tasks have ended
            self._bug = self._bug or error
            self.cancel()
            return
        if result is not None:
            self._record(result)

    @staticmethod
    def _interrupted(case: Case) -> Result | None:
        """A pair that was cut off: unknown when in flight, its last failure when it waited to be tried again."""
        if case.subject.cut_off:
            return case.result(Ending.INTERRUPTED, "cut off in flight")
        return case.unfinished()
