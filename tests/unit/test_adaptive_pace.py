"""The automatic pace against simulated limits: it finds them, stays under them, gives way and comes back."""

import heapq
import itertools
import random
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import pytest

from cleanup.api.adaptive_pace import AdaptivePace
from cleanup.api.pace import Pace


class Bucket:
    """A limit of `rate` a second; so many at once."""

    def __init__(self, rate: float, burst: float) -> None:
        self.rate, self.burst = rate, burst
        self._tokens, self._filled = burst, 0.0

    def allows(self, now: float) -> bool:
        """Take a token, if there is one."""
        self._tokens = min(self.burst, self._tokens + (now - self._filled) * self.rate)
        self._filled = now
        allowed = self._tokens >= 1
        self._tokens -= allowed
        return allowed


class Window:
    """A limit of `most` in any second."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._times: deque[float] = deque()

    def allows(self, now: float) -> bool:
        """Count it, if there is room."""
        while self._times and self._times[0] <= now - 1.0:
            self._times.popleft()
        if len(self._times) >= self.most:
            return False
        self._times.append(now)
        return True


@dataclass
class World:
    """A workspace on a clock of its own: one run of so many requests, and other traffic beside it."""

    allows: Callable[[float], bool]
    retry_after: float = 1.0
    latency: tuple[float, float] = (0.04, 0.12)
    concurrency: int = 16
    fault: Callable[[float], bool] = lambda _now: False
    others: Iterable[float] = ()
    seed: int = 1
    left: list[float] = field(default_factory=list)
    refused: list[float] = field(default_factory=list)
    done: list[float] = field(default_factory=list)
    others_refused: int = 0
    others_sent: int = 0

    def run(self, pace: Pace, count: int, until: float = 1000.0) -> float:
        """Send until so many are done, as the throttle does it; returns the seconds that it took."""
        chance = random.Random(self.seed)
        order = itertools.count()
        events: list[tuple[float, int, str]] = [(time, next(order), "other") for time in self.others]
        heapq.heapify(events)
        now = paused = 0.0
        flying = 0
        while len(self.done) < count and now < until:
            ready = max(pace.ready_at(now, 1), paused)
            if flying < self.concurrency and flying + len(self.done) < count and (not events or ready <= events[0][0]):
                now = max(now, ready)
                pace.reserve(now, 1)
                pace.wrote(now)
                self.left.append(now)
                flying += 1
                arrival = now + chance.uniform(*self.latency) / 2
                heapq.heappush(events, (arrival, next(order), f"arrives {now}"))
                continue
            now, _, what = heapq.heappop(events)
            if what == "other":
                self.others_sent += 1
                self.others_refused += not self.allows(now)
            elif what.startswith("arrives"):
                answer = "accepted" if self.allows(now) else "refused"
                if answer == "accepted" and self.fault(now):
                    answer = "failed"
                sent = float(what.split()[1])
                heapq.heappush(events, (now + chance.uniform(*self.latency) / 2, next(order), f"{answer} {sent}"))
            else:
                flying -= 1
                what, sent = what.split()[0], float(what.split()[1])
                if what != "failed":
                    pace.answered(now, sent=sent, refused=what == "refused")
                if what == "refused":
                    self.refused.append(now)
                    paused = max(paused, now + self.retry_after)
                elif what == "accepted":
                    self.done.append(now)
        return now


def quiet(_event: str, **_fields: object) -> None:
    """Nobody wants to know."""


def steadily(rate: float, begins: float, ends: float) -> list[float]:
    """When others send, a little unevenly."""
    chance = random.Random(3)
    return [begins + (number + chance.random() / 2) / rate for number in range(int((ends - begins) * rate))]


def faults(share: float) -> Callable[[float], bool]:
    """Some requests fail for other reasons."""
    chance = random.Random(5)
    return lambda _now: chance.random() < share


FAR_BEYOND = pytest.mark.slow
"""What the API allows is 10 to 100 a second."""
FLOORS = [
    # limit, bucket, Retry-After, the most times the floor, the most refused (%)
    (10, 20, 5, 1.35, 1.5), (25, 20, 1, 1.06, 0.8), (50, 20, 1, 1.12, 0.5), (100, 20, 1, 1.12, 0.4),
    (250, 20, 1, 1.16, 0.2), pytest.param(1000, 20, 1, 1.25, 0.1, marks=FAR_BEYOND),
    (10, 10, 5, 1.6, 1.5), (25, 25, 1, 1.05, 1.2), (50, 50, 1, 1.06, 1.0), (100, 100, 1, 1.07, 0.8),
    (250, 250, 1, 1.08, 0.7), pytest.param(1000, 1000, 1, 1.1, 0.6, marks=FAR_BEYOND),
]  # fmt: skip


@pytest.mark.parametrize(("rate", "bucket", "retry_after", "most", "refused"), FLOORS)
def test_an_unknown_limit_is_found_and_kept(
    rate: float, bucket: float, retry_after: float, most: float, refused: float
) -> None:
    """40 seconds of work end close to the floor that the limit sets: the median of five runs."""
    worlds = [World(Bucket(rate, bucket).allows, retry_after, concurrency=256, seed=seed) for seed in range(5)]
    count = int(40 * rate)
    seconds = sorted(world.run(AdaptivePace(quiet), count) for world in worlds)
    assert seconds[2] <= most * (count / rate + 0.08)
    assert sorted(len(world.refused) for world in worlds)[2] <= refused / 100 * count


@pytest.mark.parametrize("rate", [10, 25, 100, 250, pytest.param(1000, marks=FAR_BEYOND)])
@pytest.mark.parametrize("found", [0.97, 0.99])
def test_the_limit_of_an_earlier_run_is_kept_at_once(rate: float, found: float) -> None:
    """No refusal, and hardly longer than the floor."""
    world = World(Bucket(rate, 20).allows, concurrency=256)
    count = int(40 * rate)
    assert world.run(AdaptivePace(quiet, known=found * rate), count) <= 1.055 * (count / rate + 0.08)
    assert not world.refused


def test_a_limit_is_found_only_by_a_refusal() -> None:
    """What an earlier run found is not found again by a run that was never refused: it would never grow old."""
    pace = AdaptivePace(quiet, known=50)
    World(Bucket(1000, 20).allows).run(pace, 200)
    assert (pace.limit, pace.rate) == (None, 49.5)
    World(Bucket(25, 20).allows).run(pace, 500)
    assert pace.limit is not None


def test_a_limit_that_has_become_smaller_costs_a_handful_of_refusals() -> None:
    """What an earlier run found is where this one begins, not what it believes."""
    world = World(Bucket(25, 20).allows, concurrency=16)
    assert world.run(AdaptivePace(quiet, known=100), 1000) <= 1.3 * 40
    assert len(world.refused) <= 15


@pytest.mark.parametrize("bucket", [20, 100])
def test_a_longer_run_comes_closer_to_the_limit(bucket: float) -> None:
    """A climb that was refused is made later and more slowly: 300 seconds of work."""
    world = World(Bucket(100, bucket).allows, concurrency=64)
    assert world.run(AdaptivePace(quiet), 30_000) <= 1.05 * 300
    assert len(world.refused) <= 0.003 * len(world.left)


@pytest.mark.parametrize("latency", [(0.04, 0.12), (0.2, 0.4), (1.0, 2.0)], ids=["fast", "slow", "very slow"])
@pytest.mark.parametrize("kind", [lambda: Bucket(100, 20), lambda: Window(100)], ids=["a bucket", "a window"])
def test_at_any_latency(kind: Callable[[], Bucket | Window], latency: tuple[float, float]) -> None:
    """Answers that come late make the limit harder to see, not the run go astray."""
    world = World(kind().allows, latency=latency, concurrency=256)
    assert world.run(AdaptivePace(quiet), 4000) <= 1.55 * 40
    assert len(world.refused) <= 0.05 * len(world.left)


def test_a_limit_without_any_bucket() -> None:
    """It refuses whatever comes a moment too early, so the rate stays where that is rare."""
    world = World(Bucket(100, 1).allows, concurrency=64)
    world.run(AdaptivePace(quiet), 2000)
    assert len(world.refused) <= 0.01 * len(world.left)


@pytest.mark.parametrize(("rate", "retry_after", "count"), [(25, 1, 2000), (100, 1, 8000), (250, 1, 20_000)])
@pytest.mark.parametrize("share", [0.25, 0.5, 0.8])
def test_others_get_what_they_need_and_it_comes_back_afterwards(
    rate: float, retry_after: float, count: int, share: float
) -> None:
    """The rate gives way within two seconds of sending, and is won back within thirty after the others stop."""
    begins, ends = 20.0, 40.0
    world = World(Bucket(rate, 20).allows, retry_after, others=steadily(rate * share, begins, ends), concurrency=64)
    pace = AdaptivePace(quiet)
    seconds = world.run(pace, count)
    assert world.others_refused <= 0.08 * world.others_sent
    assert len(world.refused) <= 0.02 * len(world.left)
    assert seconds >= ends + 30, "the run is too short to show that the rate was won back"
    won = [time for time in world.left if ends + 25 <= time < ends + 30]
    assert len(won) >= 0.75 * 5 * rate


def test_refusals_of_requests_in_flight_count_once() -> None:
    """What was written before the rate went down says nothing about the lower rate."""
    changes: list[dict[str, object]] = []
    pace = AdaptivePace(lambda _event, **fields: changes.append(fields), most=100)
    for number in range(400):
        now = number / 100
        pace.reserve(now, 1)
        pace.wrote(now)
        pace.answered(now + 0.005, sent=now, refused=False)
    for late in (0.0, 0.01, 0.02):
        pace.answered(4.1 + late, sent=3.9 + late, refused=True)
    pace.reserve(5.0, 1)
    pace.wrote(5.0)
    pace.answered(5.1, sent=3.95, refused=True)
    pace.reserve(5.2, 1)
    assert len(changes) == 1


def test_a_fixed_rate_that_is_never_refused_stays() -> None:
    """It is what was asked for, from the first request on."""
    world = World(Bucket(100, 20).allows, concurrency=64)
    pace = AdaptivePace(quiet, most=95)
    assert world.run(pace, 4000) == pytest.approx(4000 / 95, rel=0.01)
    assert (pace.rate, pace.limit, world.refused) == (95, 95, [])


@pytest.mark.parametrize("rate", [60, 95, 200])
def test_a_fixed_rate_that_is_refused_again_and_again_slows_down(rate: float) -> None:
    """A number is the most that may be sent, not a wish to be refused."""
    world = World(Bucket(50, 20).allows, concurrency=64)
    pace = AdaptivePace(quiet, most=rate)
    assert world.run(pace, 2000) <= 1.3 * 2000 / 50
    assert len(world.refused) <= 0.02 * len(world.left)
    assert pace.limit == rate


def test_a_fixed_rate_comes_back_and_never_exceeds_what_was_set() -> None:
    """Others took part of the limit for a while."""
    world = World(Bucket(100, 20).allows, others=steadily(50, 5, 15), concurrency=64)
    pace = AdaptivePace(quiet, most=95)
    seconds = world.run(pace, 6000)
    last = [time for time in world.left if time > seconds - 5]
    assert 0.9 * 475 <= len(last) <= 475 + 1


def test_the_change_is_logged() -> None:
    """With the new rate and what is taken for the limit."""
    events: list[str] = []
    world = World(Bucket(100, 20).allows, concurrency=64)
    world.run(AdaptivePace(lambda event, **fields: events.append(f"{event} {sorted(fields)}")), 1500)
    assert set(events) == {"rate.changed ['limit', 'rate']"}


def test_answers_that_are_refused_at_any_rate_leave_a_trickle() -> None:
    """Refusals that have nothing to do with the rate end in no spiral: the run goes on at the least rate or above."""
    chance = random.Random(7)
    world = World(lambda _now: chance.random() > 0.05)
    pace = AdaptivePace(quiet)
    world.run(pace, 300)
    assert len(world.done) == 300
    assert len(world.refused) <= 0.08 * len(world.left)
    gaps = [after - before for before, after in itertools.pairwise(world.left)]
    assert max(gaps) <= 2.1  # a pause, and a turn at one request a second


def test_a_slow_api_is_no_limit() -> None:
    """What answers cannot keep up with is not asked for: the rate stays within reach of what is used."""
    world = World(lambda _now: True, latency=(0.4, 0.6), concurrency=8)
    pace = AdaptivePace(quiet)
    seconds = world.run(pace, 400)
    assert pace.limit is None
    assert seconds <= 1.1 * 400 / 16
    assert pace.ready_at(seconds, 1) - seconds >= 0.0
    # Should the API become fast, this is how much faster the run may be at once.
    assert 1 / 60 <= pace._interval <= 1 / 16


def test_an_api_that_only_fails_is_not_asked_faster() -> None:
    """Errors are no permission."""
    world = World(lambda _now: True, fault=lambda _now: True)
    world.run(AdaptivePace(quiet), 10, until=20.0)
    assert len(world.left) <= 5.1 * 20
