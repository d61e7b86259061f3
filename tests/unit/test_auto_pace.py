"""The automatic pace against simulated limits: it finds them, stays under them, gives way and comes back."""

import heapq
import itertools
import random
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import pytest

from cleanup.api.auto_pace import AutoPace, plan_behind
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
                arrival = now + chance.uniform(0.0, 0.002)
                heapq.heappush(events, (arrival, next(order), "arrives"))
                continue
            now, _, what = heapq.heappop(events)
            if what == "other":
                self.others_sent += 1
                self.others_refused += not self.allows(now)
            elif what == "arrives":
                answer = "accepted" if self.allows(now) else "refused"
                if answer == "accepted" and self.fault(now):
                    answer = "failed"
                heapq.heappush(events, (now + chance.uniform(*self.latency), next(order), answer))
            else:
                flying -= 1
                if what != "failed":
                    pace.answered(now, refused=what == "refused")
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


LIMITS = [
    (Bucket(100, 20), 1, 4000, 1.15, 0.01),
    (Bucket(100, 5), 1, 4000, 1.15, 0.01),
    (Bucket(100, 100), 1, 4000, 1.15, 0.01),
    (Window(100), 1, 4000, 1.15, 0.01),
    (Bucket(10, 20), 5, 600, 1.2, 0.02),
    (Bucket(10, 5), 5, 600, 1.2, 0.02),
    (Bucket(10, 10), 5, 600, 1.2, 0.02),
    (Window(10), 5, 600, 1.2, 0.02),
    (Bucket(37, 20), 1, 2000, 1.4, 0.02),
    (Bucket(1000, 1000), 1, 15000, 1.6, 0.02),
]


@pytest.mark.parametrize(("limit", "retry_after", "count", "most", "refused"), LIMITS)
@pytest.mark.parametrize("latency", [(0.04, 0.12), (0.2, 0.4)], ids=["fast", "slow"])
def test_an_unknown_limit_is_found_and_kept(
    limit: Bucket | Window, retry_after: float, count: int, most: float, refused: float, latency: tuple[float, float]
) -> None:
    """Close to the floor that the limit sets, with next to no refusals, whatever kind of limit it is."""
    rate = limit.rate if isinstance(limit, Bucket) else limit.most
    fresh = Bucket(limit.rate, limit.burst) if isinstance(limit, Bucket) else Window(limit.most)
    world = World(fresh.allows, retry_after, latency, int(rate), faults(0.02))
    pace = AutoPace(quiet)
    seconds = world.run(pace, count)
    assert seconds <= most * count * 1.02 / rate
    assert len(world.refused) <= refused * (1 if latency[0] < 0.1 else 2) * len(world.left)
    if rate in (10, 100):
        assert pace.limit == rate


@pytest.mark.parametrize(("rate", "retry_after", "count"), [(100, 1, 4500), (10, 5, 500)])
@pytest.mark.parametrize("share", [0.25, 0.5, 0.8])
def test_others_get_what_they_need_and_it_comes_back_afterwards(
    rate: float, retry_after: float, count: int, share: float
) -> None:
    """The rate gives way with the first refusal; what others left is won back when they have stopped."""
    begins, ends = 20.0, 45.0
    world = World(Bucket(rate, 20).allows, retry_after, others=steadily(rate * share, begins, ends), fault=faults(0.02))
    pace = AutoPace(quiet)
    seconds = world.run(pace, count)
    assert world.others_refused <= 0.08 * world.others_sent
    assert len(world.refused) <= 0.02 * len(world.left)
    meanwhile = [time for time in world.left if begins + 5 <= time < ends]
    assert len(meanwhile) <= rate * (1 - share) * (ends - begins - 5) * 1.05 + 8  # a bucket's rest
    last = [time for time in world.left if time > seconds - 5]
    assert len(last) >= 0.9 * 5 * rate


def test_one_refusal_halves_the_rate_at_once() -> None:
    """Whoever else came, came with something more urgent."""
    told: list[dict[str, object]] = []
    world = World(Bucket(100, 20).allows)
    pace = AutoPace(lambda event, **fields: told.append({"event": event} | fields))
    end = world.run(pace, 1500)
    assert told == [{"event": "rate.changed", "rate": 97.0, "limit": 100.0}]
    pace.answered(end + 5, refused=True)
    pace.answered(end + 5.1, refused=True)  # left before the first was heard
    assert told[1:] == [{"event": "rate.changed", "rate": 48.5, "limit": 100.0}]


def test_answers_that_are_refused_at_any_rate_leave_a_trickle() -> None:
    """Refusals that have nothing to do with the rate end in no spiral: the run goes on at the least rate or above."""
    chance = random.Random(7)
    world = World(lambda _now: chance.random() > 0.05)
    pace = AutoPace(quiet)
    world.run(pace, 300)
    assert len(world.done) == 300
    assert len(world.refused) <= 0.08 * len(world.left)
    gaps = [after - before for before, after in itertools.pairwise(world.left)]
    assert max(gaps) <= 2.1  # a pause, and a turn at one request a second


def test_a_slow_api_is_no_limit() -> None:
    """What answers cannot keep up with is not asked for: the rate stays within reach of what is used."""
    world = World(lambda _now: True, latency=(0.4, 0.6), concurrency=8)
    pace = AutoPace(quiet)
    seconds = world.run(pace, 400)
    assert pace.limit is None
    assert seconds <= 1.1 * 400 / 16
    assert pace.ready_at(seconds, 1) - seconds >= 0.0
    # Should the API become fast, this is how much faster the run may be at once.
    assert 1 / 60 <= pace._interval <= 1 / 16


def test_an_api_that_only_fails_is_not_asked_faster() -> None:
    """Errors are no permission."""
    world = World(lambda _now: True, fault=lambda _now: True)
    world.run(AutoPace(quiet), 10, until=20.0)
    assert len(world.left) <= 5.1 * 20


@pytest.mark.parametrize(
    ("accepted", "plan"),
    [(4, None), (5, 10), (12, 10), (34, 10), (35, None), (49, None), (50, 100), (100, 100), (220, 100), (221, None)],
)
def test_which_plan_a_first_refusal_speaks_for(accepted: int, plan: float | None) -> None:
    """Half a plan when the rate was only just reached; a plan and a full bucket at most."""
    assert plan_behind(accepted) == plan
