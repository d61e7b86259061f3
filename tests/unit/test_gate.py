"""The gate, and the caller that goes through it, on a clock that jumps to whatever comes next."""

import asyncio
import selectors
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from cleanup.api.gate import Gate, Subject, Turn
from cleanup.api.outage import Outage

from cleanup.api.key import Key
from cleanup.api.pace import NoPace, Pace, SteadyPace
from cleanup.api.retry import Caller, History
from cleanup.discard import Case
from cleanup.lists.pair_list import PairList
from cleanup.lists.rows import Row
from cleanup.model import Ending, Reply, Result, StopCause, Trouble
from cleanup.plan import Order, make_plan
from cleanup.settings.definitions import Limits, Retry, Settings
from cleanup.stop import Stop, Stopped
from cleanup.workers import MOST_BEGUN, Workers


class Clock(selectors.DefaultSelector):
    """Waits by moving the time on. A loop that spins at one moment is an error, as is one that sleeps for ever."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0
        self._turns = 0

    def select(self, timeout: float | None = None) -> list[Any]:
        assert timeout is not None, "everybody waits, and nothing will ever wake them"
        self._turns = 0 if timeout > 0 else self._turns + 1
        assert self._turns < 50_000, "the loop spins without time going by"
        self.now += timeout
        return super().select(0)


def on_clock(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run an async test on the clock."""

    def run(**arguments: Any) -> None:
        clock = Clock()
        loop = asyncio.SelectorEventLoop(clock)
        loop.time = lambda: clock.now  # type: ignore[method-assign]
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            runner.run(test(**arguments))

    run.__name__, run.__doc__ = test.__name__, test.__doc__
    if marks := getattr(test, "pytestmark", None):
        run.pytestmark = marks  # type: ignore[attr-defined]
    run.__signature__ = __import__("inspect").signature(test)  # type: ignore[attr-defined]
    return run


@dataclass
class Desk:
    """A gate with everything around it, and a record of what went through."""

    concurrency: int = 8
    pace: Pace = field(default_factory=NoPace)
    patience: float = 300.0
    retry: Retry = field(default_factory=lambda: Retry(attempts=5, wait=1.0, max_wait=8.0))

    def __post_init__(self) -> None:
        self.told: list[tuple[str, dict[str, Any]]] = []
        self.stop = Stop()
        self.gate = Gate(
            self.concurrency, self.pace, Outage(self.patience, lambda number: float(2**number)), self.stop, self.tell
        )
        self.settings = Settings(retry=self.retry, limits=Limits(max_outage=self.patience))
        self.caller = Caller(self.settings, self.gate, Key(None, "sk_x"), self.stop, self.tell)
        self.began = self.gate.now()
        self.left: list[tuple[float, Any]] = []
        self.in_flight = self.most_in_flight = 0

    def tell(self, event: str, **fields: Any) -> None:
        self.told.append((event, fields))

    def events(self) -> list[str]:
        return [event for event, _ in self.told if event != "draft.retrying"]

    @property
    def times(self) -> list[float]:
        return [round(time, 6) for time, _ in self.left]

    def answering(self, key: Any, *replies: Reply, seconds: float = 0.0) -> Callable[[Turn], Awaitable[Reply]]:
        """An attempt that brings these replies, the last again and again, each after so many seconds."""
        rest = list(replies)

        async def attempt(_turn: Turn) -> Reply:
            self.left.append((self.gate.now() - self.began, key))
            self.in_flight += 1
            self.most_in_flight = max(self.most_in_flight, self.in_flight)
            try:
                await asyncio.sleep(seconds)
            finally:
                self.in_flight -= 1
            return rest.pop(0) if len(rest) > 1 else rest[0]

        return attempt

    def operate(self, key: Any, *replies: Reply, seconds: float = 0.0) -> "asyncio.Task[History]":
        """Begin an operation on a pair."""
        subject = Subject(key, fresh=True)
        return asyncio.create_task(self.caller.operate(subject, self.answering(key, *replies, seconds=seconds)))


GOOD = Reply(200, {"status": True})
BAD = Reply(500)


@on_clock
async def test_no_more_in_flight_than_allowed_and_first_come_first_served() -> None:
    """With more to send than slots, slots are always full, never overfull, and go round in order."""
    desk = Desk(concurrency=3)
    await asyncio.gather(*(desk.operate(number, GOOD, seconds=1.0) for number in range(9)))
    assert desk.most_in_flight == 3
    assert [key for _, key in desk.left] == list(range(9))
    assert desk.times == [0, 0, 0, 1, 1, 1, 2, 2, 2]


@on_clock
async def test_requests_leave_at_the_rate() -> None:
    """However many slots there are, requests leave evenly and never more than the rate in any second."""
    desk = Desk(concurrency=64, pace=SteadyPace(10))
    await asyncio.gather(*(desk.operate(number, GOOD, seconds=3.0) for number in range(100)))
    assert all(later - earlier >= 1.0 for earlier, later in zip(desk.times, desk.times[10:], strict=False))
    assert all(later - earlier >= 0.08 for earlier, later in zip(desk.times, desk.times[1:], strict=False))
    assert 9.8 < desk.times[-1] < 10.2


@pytest.mark.parametrize("concurrency", [1, 4])
@on_clock
async def test_a_429_holds_everybody_back(concurrency: int) -> None:
    """From the moment a 429 arrives nothing leaves until its wait is over, not even what had its turn next."""
    desk = Desk(concurrency=concurrency)
    first = desk.operate("first", Reply(429, retry_after=10.0), GOOD, seconds=0.5)
    others = [desk.operate(number, GOOD, seconds=1.0) for number in range(20)]
    await asyncio.gather(first, *others)
    late = [time for time in desk.times if time > 0]
    assert min(late) == 10.5
    assert desk.events() == ["rate.paused"]
    assert desk.most_in_flight == concurrency


@on_clock
async def test_an_outage_lets_one_probe_through_at_a_time_and_waits_longer_each_time() -> None:
    """Probes are of different pairs, and each comes so long after the failure before it as the back-off says."""
    desk = Desk(concurrency=4, retry=Retry(attempts=5, wait=0.0, max_wait=0.0))
    histories = await asyncio.gather(*(desk.operate(number, BAD, GOOD) for number in range(10)))
    assert all(history.reply is not None and history.reply.status == 200 for history in histories)
    assert desk.times[:6] == [0] * 6  # four, and two more before the third failure was heard
    assert desk.times[6:11] == [2, 2 + 4, 6 + 8, 14 + 16, 30 + 32]
    assert [key for _, key in desk.left[6:10]] == [6, 7, 8, 9]
    assert desk.times[11:] == [62] * 9
    assert desk.events() == ["outage.began", "outage.ended"]


@on_clock
async def test_waiting_out_an_outage_uses_no_attempts_up() -> None:
    """Probes do not count, so an operation that failed once before a long outage has its other attempts after it."""
    desk = Desk(concurrency=1, retry=Retry(attempts=2, wait=0.0, max_wait=0.0))
    histories = await asyncio.gather(*(desk.operate(number, BAD, BAD, GOOD) for number in range(4)))
    assert all(history.reply is not None and history.reply.status == 200 for history in histories)
    assert desk.events()[0] == "outage.began"


@pytest.mark.parametrize("concurrency", [1, 2])
@on_clock
async def test_a_hanging_probe_does_not_outlast_patience(concurrency: int) -> None:
    """When patience ends while a probe is under way, the run stops then, and does not spin until it is answered."""
    desk = Desk(concurrency=concurrency, patience=20.0, retry=Retry(attempts=3, wait=0.0, max_wait=0.0))
    lost = Reply(None, trouble=Trouble.TIMEOUT)
    operations = [desk.operate(number, lost, seconds=6.0) for number in range(3)]
    operations += [desk.operate(number, lost, seconds=60.0) for number in range(3, 6)]
    await desk.stop.event.wait()
    assert desk.stop.cause is StopCause.OUTAGE
    assert desk.events() == ["outage.began"]
    assert desk.gate.now() - desk.began < 18 + 20 + 1
    for operation in operations:
        operation.cancel()
    await asyncio.gather(*operations, return_exceptions=True)


@on_clock
async def test_an_outage_that_a_429_ends_is_told() -> None:
    """An API that answers 429 is there again: the log says so, and the pause is kept."""
    desk = Desk(concurrency=1, retry=Retry(attempts=5, wait=0.0, max_wait=0.0))
    operations = [desk.operate(number, BAD, GOOD) for number in range(3)]
    operations.append(desk.operate(3, Reply(429, retry_after=30.0), GOOD))
    await asyncio.gather(*operations)
    assert desk.events() == ["outage.began", "outage.ended", "rate.paused"]
    assert desk.times[3:5] == [2, 32]


@on_clock
async def test_a_stop_turns_everybody_away() -> None:
    """Those who wait for a slot, a pause or room, and those who come later, are turned away at once."""
    desk = Desk(concurrency=1)
    turn = await desk.gate.turn(Subject("in flight"))
    waiting = [asyncio.create_task(desk.gate.turn(Subject(number, fresh=number < 2))) for number in range(5)]
    sleeping = asyncio.create_task(desk.gate.sleep(3600))
    await asyncio.sleep(0)
    room = asyncio.create_task(desk.gate.room())
    await asyncio.sleep(1)
    desk.stop.request(StopCause.DEADLINE, "enough")
    desk.stop.request(StopCause.SIGNAL, "and again")
    results = await asyncio.gather(*waiting, room, return_exceptions=True)
    assert all(isinstance(result, Stopped) for result in results)
    with pytest.raises(Stopped):
        await desk.gate.turn(Subject("late"))
    with pytest.raises(Stopped):
        await desk.gate.room()
    await sleeping
    desk.gate.release(turn)
    assert desk.gate.now() - desk.began == 1
    assert desk.stop.causes == [StopCause.DEADLINE, StopCause.SIGNAL]


@on_clock
async def test_a_stop_between_an_attempt_and_its_retry_keeps_the_last_answer() -> None:
    """An operation that waits to be tried again ends with the answer it has; one that was never sent has none."""
    desk = Desk(concurrency=1, retry=Retry(attempts=5, wait=100.0, max_wait=100.0))
    failing = desk.operate("failing", BAD)
    held_up = desk.operate("held up", Reply(429, retry_after=50.0))
    unsent = desk.operate("unsent", GOOD)
    await asyncio.sleep(0.001)
    desk.stop.request(StopCause.SIGNAL, "SIGTERM was received")
    assert [history.reply and history.reply.status for history in await asyncio.gather(failing, held_up, unsent)] == [
        500,
        429,
        None,
    ]


@on_clock
async def test_cancelled_waiters_take_no_place() -> None:
    """One that is cancelled in the queue, or with its turn just granted, leaves slot and order to the others."""
    desk = Desk(concurrency=1)
    turn = await desk.gate.turn(Subject("first"))
    waiters = [asyncio.create_task(desk.gate.turn(Subject(number, fresh=True))) for number in range(4)]
    await asyncio.sleep(0)
    waiters[0].cancel()
    waiters[2].cancel()
    desk.gate.release(turn)  # grants to 1, in the same breath as …
    waiters[1].cancel()
    results = await asyncio.gather(*waiters, return_exceptions=True)
    assert [type(result).__name__ for result in results[:3]] == ["CancelledError"] * 3
    last = results[3]
    assert isinstance(last, Turn)
    desk.gate.release(last)
    desk.gate.release(await desk.gate.turn(Subject("next")))


@on_clock
async def test_a_cancelled_waiter_makes_room() -> None:
    """Whoever waits to begin another pair is woken when the one in front is cancelled."""
    desk = Desk(concurrency=1)
    await desk.gate.turn(Subject("in flight"))
    waiter = asyncio.create_task(desk.gate.turn(Subject("waits", fresh=True)))
    await asyncio.sleep(0)
    room = asyncio.create_task(desk.gate.room())
    await asyncio.sleep(1)
    assert not room.done()
    waiter.cancel()
    async with asyncio.timeout(1):
        assert await room is False


def listed(count: int) -> PairList:
    pairs = PairList("drafts.csv")
    for number in range(count):
        pairs.add(Row(number + 2, "0" * 24, f"d{number}"))
    return pairs


async def work(
    desk: Desk, process: Callable[[Case], Awaitable[Result | None]], count: int, record: Callable[[Result], None]
) -> "asyncio.Task[None]":
    """Begin a list of so many pairs; returns after a second, with the run as a task."""
    pairs = listed(count)
    running = asyncio.create_task(Workers(desk.gate, process, record).run(pairs, Order(make_plan(pairs))))
    await asyncio.sleep(1)
    return running


@on_clock
async def test_no_more_pairs_are_begun_than_can_be_kept() -> None:
    """Pairs that wait for something other than their turn are begun pairs too: further ones wait for room."""
    desk = Desk(concurrency=2)
    begun: list[Case] = []
    looked_up = asyncio.Event()

    async def process(case: Case) -> Result | None:
        begun.append(case)
        await looked_up.wait()
        return case.result(Ending.DISCARDED)

    ended: list[Result] = []
    running = await work(desk, process, 3000, ended.append)
    assert len(begun) == MOST_BEGUN
    looked_up.set()
    await running
    assert sorted(result.pair.index for result in ended) == list(range(3000))


@pytest.mark.parametrize("concurrency", [1, 2, 8, 64])
@pytest.mark.parametrize("bad", [range(100), range(450, 550), range(900, 1000)], ids=str)
@on_clock
async def test_a_block_of_bad_pairs_is_probed_with_pairs_from_elsewhere(bad: range, concurrency: int) -> None:
    """Wherever it stands it costs its own attempts and hardly more: nearly every probe is answered."""
    desk = Desk(concurrency=concurrency, retry=Retry(attempts=5, wait=1.0, max_wait=4.0))
    probes: list[bool] = []
    begun: list[Case] = []

    async def process(case: Case) -> Result | None:
        good = case.pair.index not in bad
        begun.append(case)

        async def attempt(turn: Turn) -> Reply:
            desk.left.append((desk.gate.now(), case.pair.index))
            await asyncio.sleep(0.1)
            if turn.probe:
                probes.append(good)
            return GOOD if good else BAD

        history = await desk.caller.operate(case.subject, attempt)
        assert history.reply is not None
        return case.result(Ending.DISCARDED if history.reply.status == 200 else Ending.SERVER_ERROR)

    ended: list[Result] = []
    running = await work(desk, process, 1000, ended.append)
    assert len(begun) - len(ended) <= 3 * concurrency + 10, "a list is begun as there is room, not all at once"
    await running
    assert desk.stop.cause is None
    assert {result.pair.index for result in ended if result.ending is Ending.SERVER_ERROR} == set(bad)
    assert probes.count(False) <= 10
    assert len(desk.left) <= 900 + 100 * 5 + probes.count(False)


@pytest.mark.parametrize("where", ["process", "record"])
@on_clock
async def test_a_bug_ends_the_run(where: str) -> None:
    """An exception that nobody expects is raised when all other pairs have ended, and nothing waits for ever."""
    desk = Desk(concurrency=2)
    ended: list[Result] = []

    async def process(case: Case) -> Result | None:
        history = await desk.caller.operate(case.subject, desk.answering(case.pair.index, GOOD, seconds=1.0))
        if where == "process" and case.pair.index == 5:
            raise ZeroDivisionError
        return case.result(Ending.DISCARDED) if history.reply else None

    def record(result: Result) -> None:
        if where == "record" and result.pair.index == 5:
            raise ZeroDivisionError
        ended.append(result)

    running = await work(desk, process, 100, record)
    with pytest.raises(ZeroDivisionError):
        await running
    assert len(ended) < 10
    assert len(desk.left) < 10


@on_clock
async def test_a_deed_does_not_follow_its_look_when_the_run_has_stopped() -> None:
    """A turn may be for two requests: a stop between them keeps the second, and the pair has no answer to it."""
    desk = Desk(concurrency=1, pace=SteadyPace(10))

    async def attempt(turn: Turn) -> Reply:
        desk.stop.request(StopCause.SIGNAL, "SIGTERM was received")
        turn.next_leaves()
        raise AssertionError("the deed left")

    history = await desk.caller.operate(Subject("pair", fresh=True), attempt, units=2)
    assert history.reply is None


@on_clock
async def test_what_was_begun_goes_before_what_is_new() -> None:
    """A retry does not stand behind the rest of the list."""
    desk = Desk(concurrency=1)
    turn = await desk.gate.turn(Subject("in flight"))
    order: list[str] = []

    async def go(name: str, *, fresh: bool) -> None:
        granted = await desk.gate.turn(Subject(name, fresh=fresh))
        order.append(name)
        desk.gate.release(granted)

    tasks = [asyncio.create_task(go("new", fresh=True)), asyncio.create_task(go("begun", fresh=False))]
    await asyncio.sleep(0)
    desk.gate.release(turn)
    await asyncio.gather(*tasks)
    assert order == ["begun", "new"]


@pytest.mark.parametrize(
    ("wait", "deadline", "cause"),
    [(29.0, None, None), (31.0, None, StopCause.OUTAGE), (20.0, 10.0, StopCause.DEADLINE), (5.0, 10.0, None)],
    ids=["shorter than max_outage", "longer than max_outage", "past the deadline", "within the deadline"],
)
@on_clock
async def test_a_429_that_asks_for_too_much(wait: float, deadline: float | None, cause: StopCause | None) -> None:
    """It stops the run at once instead of being waited for."""
    desk = Desk(concurrency=1, patience=30.0)
    if deadline is not None:
        desk.gate.deadline = desk.gate.now() + deadline
    history = await desk.operate("pair", Reply(429, retry_after=wait), GOOD)
    assert desk.stop.cause is cause
    assert history.reply is not None
    assert (history.reply.status, desk.gate.now() - desk.began) == ((200, wait) if cause is None else (429, 0))


@on_clock
async def test_429s_without_end_are_an_outage() -> None:
    """An API that wants to be left alone again and again is given up after max_outage, however short each wait."""
    desk = Desk(concurrency=2, patience=60.0, retry=Retry(attempts=100, wait=1.0, max_wait=1.0))
    await asyncio.gather(*(desk.operate(number, Reply(429, retry_after=7.0)) for number in range(5)))
    assert desk.stop.cause is StopCause.OUTAGE
    assert 49 <= desk.gate.now() - desk.began <= 63


@on_clock
async def test_a_503_that_asks_for_too_much_fails_alone() -> None:
    """Its Retry-After holds back its own pair; one longer than max_outage is not waited for."""
    desk = Desk(concurrency=2, patience=30.0)
    waits = desk.operate("waits", Reply(503, retry_after=20.0), GOOD)
    gives_up = desk.operate("gives up", Reply(503, retry_after=40.0), GOOD)
    await asyncio.sleep(1)
    other = desk.operate("other", GOOD)
    assert [(await task).attempts for task in (gives_up, other, waits)] == [1, 1, 2]
    assert desk.gate.now() - desk.began == 20
    assert desk.stop.cause is None


@on_clock
async def test_a_second_request_of_a_turn_counts_for_the_pace() -> None:
    """A look and its deed leave together and count as two; a deed that is not sent gives its place back."""
    desk = Desk(concurrency=8, pace=SteadyPace(4))

    async def pair(number: int) -> None:
        turn = await desk.gate.turn(Subject(number, fresh=True), units=2)
        desk.left.append((desk.gate.now() - desk.began, "look"))
        await asyncio.sleep(0.05)
        if number % 4:
            turn.next_leaves()
            desk.left.append((desk.gate.now() - desk.began, "deed"))
        desk.gate.release(turn)

    await asyncio.gather(*(pair(number) for number in range(40)))
    times = sorted(desk.times)
    assert all(later - earlier >= 1.0 for earlier, later in zip(times, times[4:], strict=False))
    assert times[-1] < 25


@on_clock
async def test_a_new_key_is_taken_and_a_refused_one_stops(tmp_path: Path) -> None:
    """A 401 is tried again with another key as long as there is one, beyond the number of attempts if need be."""
    file = tmp_path / "key"
    file.write_text("sk_1")
    desk = Desk(retry=Retry(attempts=1, wait=1.0, max_wait=1.0))
    key = Key(str(file), None)
    caller = Caller(desk.settings, desk.gate, key, desk.stop, desk.tell)
    seen: list[str] = []

    async def attempt(_turn: Turn) -> Reply:
        used = key.number
        seen.append(key.authorization)
        if len(seen) < 4:
            file.write_text(f"sk_{'1' * (len(seen) + 1)}")
        return Reply(401, key_number=used)

    history = await caller.operate(Subject("pair"), attempt)
    assert seen == ["Bearer sk_1", "Bearer sk_11", "Bearer sk_111", "Bearer sk_1111"]
    assert history.reply is not None
    assert history.reply.status == 401
    assert desk.stop.cause is StopCause.UNAUTHORIZED
