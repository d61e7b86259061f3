"""Workers and probes: every item once, in order, and an API that is down is distinguished from items that are bad."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cleanup.api.pace import Pace
from cleanup.api.reply import Reply, Trouble
from cleanup.api.retry import Caller, Subject
from cleanup.api.session import Session
from cleanup.discard.workers import Queue, Workers
from cleanup.errors import OutputError
from cleanup.model import StopCause
from cleanup.stop import Stop, Stopped
from tests.engine import OK, SERVER_ERROR, TIMEOUT, Engine, run, steady

DOWN = Reply(None, trouble=Trouble.CONNECTION, message="no connection: refused")

Process = Callable[[int, Caller], Awaitable[None]]


def items_of(engine: Engine) -> list[int]:
    """The items for which requests were sent, in order."""
    return [int(name) for name in engine.paths() if name != "user"]


class Work:
    """Some items, each of one operation; `ended`: the items with the status of their last reply, as they ended."""

    def __init__(self, engine: Engine, count: int) -> None:
        self.engine = engine
        self.count = count
        self.ended: list[tuple[int, int | None]] = []
        self.begun: list[int] = []
        self.stop: Stop | None = None
        self.seconds = 0.0

    async def process(self, place: int, caller: Caller) -> None:
        """One item."""
        self.begun.append(place)
        reply = await caller.operate(lambda api: api.agent(str(place)))
        self.ended.append((place, reply.status))

    def run(
        self,
        process: Process | None = None,
        *,
        before: Callable[[Session], object] = lambda _: None,
        is_witness: Callable[[int], bool] = lambda _: True,
    ) -> "Work":
        """Process all items to the end."""

        async def main(session: Session) -> None:
            self.stop = session.stop
            began = session.throttle.now()
            before(session)
            queue = Queue(bytes(self.count), Random(1))
            workers = Workers(session, queue, Subject, process or self.process, is_witness=is_witness)
            try:
                await workers.run()
            finally:
                self.seconds = session.throttle.now() - began

        self.engine.run(main)
        return self

    def status(self) -> dict[int, int | None]:
        """How each item ended, each of them once."""
        assert len(dict(self.ended)) == len(self.ended)
        return dict(self.ended)


def clock() -> float:
    """The engine's clock, which begins at 1000."""
    return asyncio.get_running_loop().time() - 1000.0


def test_a_queue_gives_what_is_to_be_done_in_order() -> None:
    """Bytes other than 0 are none of its business."""
    queue = Queue(b"\0\1\0\0\2", Random(1))
    assert [queue.next() for _ in range(4)] == [0, 2, 3, None]


def test_a_queue_gives_an_item_from_anywhere_that_fits() -> None:
    """Each once."""
    queue = Queue(bytes(10), Random(1))
    found = [queue.any(lambda place: place % 2 == 1) for _ in range(6)]
    assert sorted(place for place in found if place is not None) == [1, 3, 5, 7, 9]
    assert found[5] is None
    assert [queue.next() for _ in range(6)] == [0, 2, 4, 6, 8, None]


@given(st.binary(max_size=40), st.lists(st.booleans(), max_size=60), st.integers(0, 9))
def test_a_queue_gives_everything_once(marks: bytes, turns: list[bool], seed: int) -> None:
    """In whatever way it is asked."""
    queue = Queue(marks, Random(seed))
    found = [queue.next() if turn else queue.any(lambda _: True) for turn in turns]
    while not queue.is_empty:
        found.append(queue.next())
    places = [place for place in found if place is not None]
    assert sorted(places) == [place for place, mark in enumerate(marks) if not mark]
    assert queue.next() is queue.any(lambda _: True) is None


@pytest.mark.parametrize("concurrency", [1, 4])
def test_items_are_begun_in_the_lists_order(concurrency: int) -> None:
    """However many at a time."""
    engine = Engine(concurrency=concurrency)
    Work(engine, 300).run()
    assert items_of(engine) == list(range(300))
    assert engine.most_in_flight == concurrency


def test_a_retry_does_not_wait_behind_all_other_items() -> None:
    """Half a second after its first attempt at the latest it is in turn, which is when two others are done."""
    engine = Engine(lambda path: SERVER_ERROR if path.endswith("/7") and not retried(path) else OK, concurrency=1)

    def retried(path: str) -> bool:
        return Counter(engine.paths())[path.rpartition("/")[2]] > 1

    Work(engine, 300).run()
    first, second = (place for place, item in enumerate(items_of(engine)) if item == 7)
    assert second - first <= 0.5 / engine.seconds + 3


@pytest.mark.parametrize("bug", [ZeroDivisionError("a bug"), OutputError("the ledger cannot be written")])
def test_what_one_item_raises_ends_the_run_and_cancels_the_others(bug: Exception) -> None:
    """The exception is passed on unchanged, so that it is reported as what it is."""
    cancelled: list[int] = []

    async def process(place: int, caller: Caller) -> None:
        if place == 3:
            raise bug
        try:
            await caller.operate(lambda api: api.agent(str(place)))
        except asyncio.CancelledError:
            cancelled.append(place)
            raise

    work = Work(Engine(concurrency=4), 300)
    with pytest.raises(type(bug)) as raised:
        work.run(process)
    assert raised.value is bug
    assert {0, 1, 2} <= set(cancelled) <= {0, 1, 2, 4}


def test_an_item_that_gives_up_because_the_run_stops_is_no_bug() -> None:
    """Also one that a probe began."""

    async def process(_place: int, _caller: Caller) -> None:
        raise Stopped

    Work(Engine(), 5).run(process)


def test_items_of_which_nothing_is_asked_free_their_slots() -> None:
    """A protected one, say."""
    begun: list[int] = []

    async def process(place: int, _caller: Caller) -> None:
        begun.append(place)

    Work(Engine(concurrency=1, pace=steady(5)), 300).run(process)
    assert begun == list(range(300))


def down_between(begins: float, ends: float, *, user: bool = True) -> Callable[[str], Reply]:
    """An API that is down for a while, with or without `GET /user`."""

    def answer(path: str) -> Reply:
        is_down = begins <= clock() < ends and (user or not path.endswith("/user"))
        return DOWN if is_down else OK

    return answer


@pytest.mark.parametrize("concurrency", [1, 4])
@pytest.mark.parametrize("user", [True, False], ids=["all of it", "all but GET /user"])
@pytest.mark.parametrize("begins", [0.0, 1.0])
def test_an_outage_costs_no_item(begins: float, user: bool, concurrency: int) -> None:
    """It is waited for, and then all are done."""
    engine = Engine(down_between(begins, 40.0, user=user), concurrency=concurrency)
    work = Work(engine, 400).run()
    assert work.status() == dict.fromkeys(range(400), 200)
    assert [event for event, _ in engine.events if event.startswith("outage")] == ["outage.began", "outage.ended"]


def test_while_the_api_is_down_one_probe_at_a_time_is_sent() -> None:
    """`GET /user` alone, as long as that is not answered."""
    engine = Engine(down_between(0.0, 50.0), concurrency=8)
    Work(engine, 100).run()
    while_down = [(time, path) for time, path in engine.sent if 1001.0 < time < 1050.0]
    assert {path for _, path in while_down} == {"/user"}
    assert all(after - before >= engine.seconds for (before, _), (after, _) in pairwise(while_down))


def test_each_probe_tries_another_item() -> None:
    """While `GET /user` is answered and nothing else is, it may be the items that were asked for."""
    engine = Engine(down_between(0.0, 50.0, user=False), concurrency=4)
    Work(engine, 100).run()
    probed = [path for time, path in engine.sent if 1001.0 < time < 1050.0 and path != "/user"]
    assert len(set(probed)) == len(probed) > 3


def test_the_waits_between_probes_grow() -> None:
    """As `retry.wait` and `retry.max_wait` say."""
    engine = Engine(down_between(0.0, 1e9), max_outage=500.0, retry_wait=0.5, retry_max_wait=8.0)
    Work(engine, 20).run()
    times = [time for time, path in engine.sent if path == "/user"]
    waits = [after - before - engine.seconds for before, after in pairwise(times)]
    assert all(wait <= min(8.0, 0.5 * 2**number) + 1e-6 for number, wait in enumerate(waits))
    assert max(waits) > 4.0


def test_an_outage_that_lasts_stops_the_run() -> None:
    """After `limits.max_outage`, and the sentence says what was the last that was heard."""
    engine = Engine(down_between(0.0, 1e9), max_outage=60.0)
    work = Work(engine, 100).run()
    assert work.stop is not None
    assert work.stop.causes == [StopCause.OUTAGE]
    assert work.stop.sentence == "the API was down for longer than limits.max_outage: no connection: refused"
    assert 60.0 <= work.seconds <= 61.0


def test_items_that_were_under_way_in_an_outage_that_lasts_end_with_their_last_reply() -> None:
    """And none is begun after that."""
    work = Work(Engine(down_between(0.0, 1e9), concurrency=4), 100).run()
    assert set(work.status().values()) == {None}
    assert len(work.ended) == len(work.begun) < 10


def bad(*places: int) -> Callable[[str], Reply]:
    """An API at which these items always fail."""
    failing = {str(place) for place in places}
    return lambda path: SERVER_ERROR if path.rpartition("/")[2] in failing else OK


@pytest.mark.parametrize("concurrency", [1, 4])
@pytest.mark.parametrize("places", [range(3), range(10), range(98, 100)])
def test_items_that_always_fail_are_no_outage(places: range, concurrency: int) -> None:
    """They fail by themselves, with all their attempts, and all others are done; nothing waits for an outage."""
    engine = Engine(bad(*places), concurrency=concurrency)
    work = Work(engine, 100).run()
    assert work.status() == {place: 500 if place in places else 200 for place in range(100)}
    assert engine.logged("outage.began") == []
    assert work.stop is not None
    assert work.stop.cause is None
    attempts = Counter(items_of(engine))
    assert all(engine.attempts <= attempts[place] <= engine.attempts + 3 for place in places)


@pytest.mark.parametrize("concurrency", [1, 4])
@pytest.mark.parametrize("places", [range(40, 60), range(90, 100)])
def test_many_items_that_always_fail_cost_some_waiting(places: range, concurrency: int) -> None:
    """If a probe happens to try one of them, it seems to be an outage for a while."""
    work = Work(Engine(bad(*places), concurrency=concurrency), 100).run()
    assert work.status() == {place: 500 if place in places else 200 for place in range(100)}
    assert work.seconds < 60.0


def test_a_list_of_which_nothing_works_ends_by_itself() -> None:
    """`GET /user` is answered, and no item is left to probe with, so the items themselves are at fault."""
    work = Work(Engine(bad(*range(12))), 12).run()
    assert work.status() == dict.fromkeys(range(12), 500)
    assert work.stop is not None
    assert work.stop.cause is None


def test_whoever_is_no_witness_is_not_tried() -> None:
    """As items that wait for what is being asked already."""
    engine = Engine(bad(*range(10)), concurrency=4)
    Work(engine, 100).run(is_witness=lambda place: place >= 90)
    probed = engine.paths()[engine.paths().index("user") + 1]
    assert int(probed) >= 90


def test_a_witness_that_shows_nothing_is_followed_by_another() -> None:
    """Items that need no request say nothing about the API."""
    engine = Engine(bad(0, 1, 2), concurrency=1)
    work = Work(engine, 60)

    async def process(place: int, caller: Caller) -> None:
        if place in (0, 1, 2, 50):
            await work.process(place, caller)
        else:
            work.ended.append((place, None))

    work.run(process)
    assert work.status() == {place: {50: 200, 0: 500, 1: 500, 2: 500}.get(place) for place in range(60)}
    assert engine.logged("outage.began") == []


def test_a_bug_in_a_probed_item_ends_the_run() -> None:
    """It does not leave anybody waiting."""

    async def process(place: int, caller: Caller) -> None:
        if place > 20:
            raise ZeroDivisionError
        await caller.operate(lambda api: api.agent(str(place)))

    with pytest.raises(ZeroDivisionError):
        Work(Engine(bad(*range(21)), concurrency=1), 100).run(process, is_witness=lambda place: place > 20)


scripts = st.dictionaries(
    st.integers(0, 30),
    st.lists(
        st.sampled_from([SERVER_ERROR, TIMEOUT, OK, Reply(429, retry_after=1.0), Reply(404, {}), Reply(503)]),
        min_size=1,
        max_size=5,
    ),
    max_size=30,
)


@settings(max_examples=150, deadline=None)
@given(
    script=scripts,
    user=st.lists(st.booleans(), max_size=4),
    concurrency=st.integers(1, 9),
    rate=st.sampled_from([None, 9.5, 50.0]),
    stops_at=st.one_of(st.none(), st.floats(0, 5)),
)
def test_every_item_is_processed_exactly_once(
    script: dict[int, list[Reply]], user: list[bool], concurrency: int, rate: float | None, stops_at: float | None
) -> None:
    """Whatever fails and whenever the run stops, it comes to its end; nothing is begun after the stop."""
    left = {str(place): list(answers) for place, answers in script.items()}
    left["user"] = [OK if well else SERVER_ERROR for well in user]

    def answer(path: str) -> Reply:
        answers = left.get(path.rpartition("/")[2])
        return answers.pop(0) if answers else OK

    engine = Engine(answer, concurrency=concurrency, pace=Pace() if rate is None else steady(rate))
    work = Work(engine, 31)

    async def process(place: int, caller: Caller) -> None:
        work.begun.append(place)
        try:
            reply = await caller.operate(lambda api: api.agent(str(place)))
        except Stopped:
            return
        work.ended.append((place, reply.status))

    def stop_later(session: Session) -> None:
        if stops_at is not None:
            asyncio.get_running_loop().call_later(
                stops_at, session.stop.request, StopCause.SIGNAL, "SIGTERM was received"
            )

    work.run(process, before=stop_later)
    assert len(work.begun) == len(set(work.begun))
    assert work.stop is not None
    if work.stop.cause is None:
        assert sorted(work.status()) == list(range(31))
    else:
        assert all(time <= 1000.0 + (stops_at or 0.0) for time, _ in engine.sent)
    assert engine.most_in_flight <= concurrency


def test_a_loop_that_jumps_notices_when_everybody_waits_for_nothing() -> None:
    """Otherwise a deadlock would be mistaken for a slow test."""

    async def main() -> None:
        await asyncio.Event().wait()

    with pytest.raises(AssertionError, match="everybody waits"):
        run(main)
