"""The throttle: who may send when and in which order, and what refuses every request."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest

from cleanup.api.pace import Pace
from cleanup.api.reply import NOT_JSON, Reply, Trouble
from cleanup.api.throttle import Slot, Throttle
from cleanup.model import StopCause
from cleanup.stop import Stop, Stopped
from tests.engine import OK, TIMEOUT, Engine, run, steady

TLS = Reply(None, trouble=Trouble.TLS, message="the certificate of the server cannot be verified")


class Throttled:
    """A throttle in the running loop, its stop, and what it logged."""

    def __init__(self, concurrency: int = 2, pace: Pace | None = None, max_outage: float = 60.0) -> None:
        self.events: list[str] = []
        self.stop = Stop()
        self.throttle = Throttle(
            concurrency, pace or Pace(), self.stop, lambda event, **_: self.events.append(event), max_outage
        )
        self.began = self.throttle.now()
        self.order: list[int] = []

    @property
    def elapsed(self) -> float:
        """Seconds since it was made."""
        return self.throttle.now() - self.began

    def refuse(self, retry_after: float | None = None, backoff: float = 0.0) -> None:
        """Learn of a 429."""
        self.throttle.learn(Reply(429, retry_after=retry_after), ["item"], backoff)

    def open_breaker(self) -> None:
        """Learn of three items that fail."""
        for item in "abc":
            self.throttle.learn(TIMEOUT, [item], 0.0)

    async def use(self, number: int, seconds: float = 1.0, *, probe: bool = False) -> None:
        """Take a slot for so long, and note who had it."""
        slot = await self.throttle.acquire(1, probe=probe)
        self.order.append(number)
        try:
            await asyncio.sleep(seconds)
        finally:
            slot.release()

    def queue(self, count: int, seconds: float = 1.0) -> list[asyncio.Task[None]]:
        """So many who want a slot, one after the other."""
        return [asyncio.create_task(self.use(number, seconds)) for number in range(count)]


async def steps(count: int) -> None:
    """Let the loop go around so many times."""
    for _ in range(count):
        await asyncio.sleep(0)


@pytest.mark.parametrize("concurrency", [1, 3])
def test_slots_are_given_in_order(concurrency: int) -> None:
    """Who came first is first."""

    async def main() -> list[int]:
        throttled = Throttled(concurrency, steady(5))
        await asyncio.gather(*throttled.queue(12))
        return throttled.order

    assert run(main) == list(range(12))


def test_the_order_outlasts_an_outage() -> None:
    """Who waited when the breaker opened is served in the same order when it has closed."""

    async def main() -> list[int]:
        throttled = Throttled(2)
        tasks = throttled.queue(12)
        await asyncio.sleep(2.5)
        throttled.open_breaker()
        await asyncio.sleep(9)
        throttled.throttle.close_breaker(items_are_bad=False)
        await asyncio.gather(*tasks)
        return throttled.order

    assert run(main) == list(range(12))


def test_no_more_places_than_set() -> None:
    """With two places, six who need a second each take three seconds."""

    async def main() -> float:
        throttled = Throttled(2)
        await asyncio.gather(*throttled.queue(6))
        return throttled.elapsed

    assert run(main) == pytest.approx(3.0)


def test_a_slot_that_is_released_twice_is_one_place() -> None:
    """An attempt is over once."""

    async def main() -> float:
        throttled = Throttled(1)
        slot = await throttled.throttle.acquire(1)
        slot.release()
        slot.release()
        await asyncio.gather(*throttled.queue(2))
        return throttled.elapsed

    assert run(main) == pytest.approx(2.0)


@pytest.mark.parametrize("rate", [0.1, 5])
def test_a_slot_that_is_not_used_costs_no_time(rate: float) -> None:
    """Its place in the pace is given back."""

    async def main() -> float:
        throttled = Throttled(2, steady(rate))
        for _ in range(50):
            (await throttled.throttle.acquire(2)).release()
        return throttled.elapsed

    assert run(main) == pytest.approx(0.0, abs=1e-6)


def test_the_pace_counts_what_is_written() -> None:
    """However long each connection takes to open, no second has more than the rate."""
    engine = Engine(opening=3.0, pace=steady(2), concurrency=8)
    engine.run(lambda session: asyncio.gather(*[session.caller().operate(lambda api: api.user()) for _ in range(8)]))
    times = [time for time, _ in engine.sent]
    assert max(sum(start <= time < start + 1 for time in times) for start in times) == 2


def test_a_request_that_nobody_expected_counts_as_well() -> None:
    """A third request in a slot for one is made up for afterwards."""

    async def main() -> float:
        throttled = Throttled(2, steady(1))
        slot = await throttled.throttle.acquire(1)
        for _ in range(3):
            await slot.before_write()
        slot.release()
        await throttled.throttle.acquire(1)
        return throttled.elapsed

    assert run(main) >= 3.0


def test_a_429_holds_everybody_back() -> None:
    """Nobody is let through before the end of the pause, not even a probe."""

    async def main() -> list[float]:
        throttled = Throttled(4)
        throttled.refuse(7.0)
        times = []

        async def use(*, probe: bool) -> None:
            (await throttled.throttle.acquire(1, probe=probe)).release()
            times.append(throttled.elapsed)

        await asyncio.gather(use(probe=False), use(probe=False), use(probe=True))
        return times

    assert run(main) == [pytest.approx(7.0)] * 3


@pytest.mark.parametrize(("waits", "pause"), [([None], 3.0), ([9.0, 2.0], 9.0), ([2.0, 9.0], 9.0), ([4.0, 4.03], 4.03)])
def test_how_long_a_pause_is(waits: list[float | None], pause: float) -> None:
    """As long as any answer asks for, or as the back-off where none does."""

    async def main() -> float:
        throttled = Throttled()
        for wait in waits:
            throttled.refuse(wait, backoff=3.0)
        await throttled.throttle.acquire(1)
        return throttled.elapsed

    assert run(main) == pytest.approx(pause)


def test_one_pause_is_reported_once() -> None:
    """However many answers ask for it."""

    async def main() -> list[str]:
        throttled = Throttled()
        for wait in (2.0, 2.1, 3.0):
            throttled.refuse(wait)
        await asyncio.sleep(5)
        throttled.refuse(2.0)
        return throttled.events

    assert run(main) == ["rate.paused"] * 2


@pytest.mark.parametrize(
    ("wait", "deadline", "cause"),
    [
        (60.0, None, None),
        (60.1, None, StopCause.OUTAGE),
        (20.0, 30.0, None),
        (40.0, 30.0, StopCause.DEADLINE),
        (90.0, 30.0, StopCause.DEADLINE),
    ],
)
def test_a_pause_that_is_too_long_stops_the_run(wait: float, deadline: float | None, cause: StopCause | None) -> None:
    """Longer than anybody waits for an outage, or past the deadline."""

    async def main() -> StopCause | None:
        throttled = Throttled(max_outage=60.0)
        throttled.throttle.deadline = None if deadline is None else throttled.began + deadline
        throttled.refuse(wait)
        return throttled.stop.cause

    assert run(main) is cause


def test_429s_for_ever_end() -> None:
    """Pauses that are short, one after the other, count as one."""

    async def main() -> float:
        throttled = Throttled(max_outage=60.0)
        while not throttled.stop.cause:
            throttled.refuse(7.0)
            await asyncio.sleep(7.0)
        assert throttled.stop.causes == [StopCause.OUTAGE]
        return throttled.elapsed

    assert 60.0 <= run(main) <= 70.0


def test_an_answer_between_429s_begins_their_count_anew() -> None:
    """An API that lets something through is not out of order."""

    async def main() -> StopCause | None:
        throttled = Throttled(max_outage=60.0)
        for _ in range(30):
            throttled.refuse(7.0)
            await asyncio.sleep(7.0)
            throttled.throttle.learn(OK, ["item"], 0.0)
        return throttled.stop.cause

    assert run(main) is None


def test_what_no_attempt_can_mend_stops_the_run() -> None:
    """TLS that cannot be set up."""

    async def main() -> tuple[StopCause | None, str | None]:
        throttled = Throttled()
        throttled.throttle.learn(TLS, ["item"], 0.0)
        return throttled.stop.cause, throttled.stop.sentence

    assert run(main) == (StopCause.TLS, TLS.message)


def test_while_the_breaker_is_open_only_probes_pass() -> None:
    """Everybody else waits until it is closed, whatever the probes' answers."""

    async def main() -> list[int]:
        throttled = Throttled(2)
        throttled.open_breaker()
        tasks = throttled.queue(4)
        for number in (10, 11, 12):
            await throttled.use(number, probe=True)
            throttled.throttle.learn(OK, ["d"], 0.0)
        assert throttled.throttle.opened.is_set()
        throttled.throttle.close_breaker(items_are_bad=False)
        await asyncio.gather(*tasks)
        return throttled.order

    assert run(main) == [10, 11, 12, 0, 1, 2, 3]


def test_a_probe_does_not_wait_in_the_queue() -> None:
    """Those who were next in the queue when the breaker opened let the probe go first."""

    async def main() -> list[int]:
        throttled = Throttled(2, steady(0.1))
        tasks = throttled.queue(4)
        await asyncio.sleep(2)
        throttled.open_breaker()
        await throttled.use(10, probe=True)
        throttled.throttle.close_breaker(items_are_bad=False)
        await asyncio.gather(*tasks)
        return throttled.order

    assert run(main) == [0, 10, 1, 2, 3]


def busy(throttled: Throttled) -> None:
    """Both places are taken for good."""
    throttled.queue(2, seconds=1e6)


def paused(throttled: Throttled) -> None:
    """There is a pause."""
    throttled.refuse(50.0)


def broken(throttled: Throttled) -> None:
    """The breaker is open."""
    throttled.open_breaker()


@pytest.mark.parametrize("arrange", [busy, paused, broken])
def test_a_stop_ends_every_wait_at_once(arrange: Callable[[Throttled], None]) -> None:
    """Whatever they wait for."""

    async def main() -> tuple[list[BaseException | None], float]:
        throttled = Throttled(2)
        arrange(throttled)
        await steps(10)
        tasks = throttled.queue(5)
        await steps(10)
        throttled.stop.request(StopCause.SIGNAL, "SIGTERM was received")
        return await asyncio.gather(*tasks, return_exceptions=True), throttled.elapsed

    ends, seconds = run(main)
    assert [type(end) for end in ends] == [Stopped] * 5
    assert seconds == 0.0


def test_nothing_is_written_after_a_stop() -> None:
    """Not even with a slot that was taken before."""

    async def main() -> None:
        throttled = Throttled()
        slot = await throttled.throttle.acquire(1)
        throttled.stop.signalled(15)
        await slot.before_write()

    with pytest.raises(Stopped):
        run(main)


@pytest.mark.parametrize("victim", range(6))
@pytest.mark.parametrize("pace", [Pace, lambda: steady(3)], ids=["no pace", "a pace"])
def test_a_waiter_that_is_cancelled_loses_no_place(victim: int, pace: Callable[[], Pace]) -> None:
    """At whatever step of the loop it happens, all others are served in their order, and all places are free again."""

    async def main(point: int, with_outage: bool) -> None:
        throttled = Throttled(2, pace())
        tasks = throttled.queue(6, seconds=0.0)
        if with_outage:
            await steps(2)
            throttled.open_breaker()
        await steps(point)
        tasks[victim].cancel()
        await steps(3)
        throttled.throttle.close_breaker(items_are_bad=False)
        await asyncio.gather(*tasks, return_exceptions=True)
        assert [number for number in throttled.order if number != victim] == [n for n in range(6) if n != victim]
        slots: list[Slot] = [await throttled.throttle.acquire(1) for _ in range(2)]
        assert len(slots) == 2

    for point in range(40):
        for with_outage in (False, True):
            run(lambda point=point, with_outage=with_outage: main(point, with_outage))  # type: ignore[misc]


PAGE = Reply(503, body=NOT_JSON, seconds=1.0)
"""What nginx answers beyond its `limit_req`, and to everything when its backends are gone."""


class Refusals(Pace):
    """Counts the refusals that the pace learns of."""

    def __init__(self) -> None:
        self.count = 0

    def answered(self, now: float, *, sent: float, refused: bool) -> None:
        """Count."""
        self.count += refused


@pytest.mark.parametrize(
    ("reply", "since_an_answer", "is_limit"),
    [
        (PAGE, 0.0, True),
        (PAGE, 0.4, True),
        (PAGE, 0.6, False),
        (PAGE, None, False),  # nothing was ever answered
        (replace(PAGE, body=None), 0.4, True),
        (replace(PAGE, body={"status": False}), 0.4, False),  # the API's own words
        (replace(PAGE, status=502), 0.4, False),
        (replace(PAGE, status=None, trouble=Trouble.TIMEOUT), 0.4, False),
    ],
)
def test_a_page_of_503_is_a_limit_while_others_are_answered(
    reply: Reply, since_an_answer: float | None, is_limit: bool
) -> None:
    """Then it slows the pace down. Otherwise three of them open the breaker, as any 5xx does."""

    async def main() -> tuple[bool, int]:
        pace = Refusals()
        throttled = Throttled(pace=pace)
        if since_an_answer is not None:
            throttled.throttle.learn(OK, ["good"], 0.0)
            await asyncio.sleep(since_an_answer)
        for item in "abc":
            throttled.throttle.learn(reply, [item], 0.0)
        return throttled.throttle.breaker.is_open, pace.count

    assert run(main) == ((False, 3) if is_limit else (True, 0))
