"""The pace: never more than the rate in any second, evenly, and little lost when something comes late."""

from bisect import bisect_left
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleanup.api.pace import SLACK, WINDOW, NoPace, SteadyPace

RATES = st.one_of(st.integers(1, 300).map(float), st.floats(0.05, 300))


def most_in_a_second(times: list[float]) -> int:
    return max((bisect_left(times, start + 1.0) - place for place, start in enumerate(times)), default=0)


def leave(pace: SteadyPace, arrivals: list[float], lateness: list[float]) -> list[float]:
    """When requests that come so long after one another leave, each so much later than it might."""
    times: list[float] = []
    now = 1000.0
    for place, gap in enumerate(arrivals):
        now += gap
        while (ready := pace.ready_at(now, 1)) > now:
            now = ready
        now += lateness[place % len(lateness)]
        pace.take(now, 1)
        times.append(now)
    return times


@given(
    rate=RATES,
    arrivals=st.lists(st.one_of(st.just(0.0), st.floats(0, 0.3), st.floats(0, 5)), min_size=1, max_size=400),
    lateness=st.lists(st.one_of(st.just(0.0), st.floats(0, 0.5)), min_size=1, max_size=10),
)
def test_never_more_than_the_rate_in_any_sliding_second(
    rate: float, arrivals: list[float], lateness: list[float]
) -> None:
    """Whenever requests come, and however late they are let go."""
    times = leave(SteadyPace(rate), arrivals, lateness)
    assert most_in_a_second(times) <= max(1, int(rate))
    if rate < 1:
        assert all(after - before >= 1 / rate for before, after in pairwise(times))


@given(
    rate=st.floats(1, 300),
    late=st.lists(st.one_of(st.just(0.0), st.floats(0, 0.3), st.floats(0, 3)), min_size=20, max_size=120),
)
def test_a_request_counts_when_it_leaves_not_when_it_was_let_through(rate: float, late: list[float]) -> None:
    """Whatever time each spends on opening its connection first, no sliding second has more than the rate."""
    pace, now, times = SteadyPace(rate), 1000.0, []
    opening: list[float] = []
    for wait in late:
        while (ready := pace.ready_at(now, 1)) > now:
            now = min([ready, *opening])
            for _ in [time for time in opening if time <= now]:
                pace.leave(now)
                times.append(now)
            opening = [time for time in opening if time > now]
        pace.take(now, 1)
        if wait:
            pace.hold_up()
            opening.append(now + wait)
        else:
            times.append(now)
    assert most_in_a_second(times) <= int(rate)


@given(rate=RATES, count=st.integers(2, 400))
def test_even_spacing(rate: float, count: int) -> None:
    """A queue leaves evenly, without a burst at the start, and at the rate but for half a hundredth."""
    times = leave(SteadyPace(rate), [0.0] * count, [0.0])
    interval = WINDOW / (int(rate) if rate >= 1 else rate)
    gaps = [after - before for before, after in pairwise(times)]
    assert min(gaps) >= interval - SLACK - 1e-6
    assert max(gaps) <= interval + SLACK + 1e-6


def test_a_little_lateness_is_caught_up() -> None:
    """A loop that wakes up some milliseconds late each time does not lower the rate."""
    times = leave(SteadyPace(50), [0.0] * 501, [0.005, 0.0, 0.012])
    assert 500 / (times[-1] - times[0]) > 49


def test_a_stall_is_caught_up_in_small_steps() -> None:
    """A loop that was held up for a moment lets no crowd go at once, and is back in time soon."""
    times = leave(SteadyPace(95), [0.0] * 90, [0.0] * 30 + [0.08] + [0.0] * 59)
    on_time = leave(SteadyPace(95), [0.0] * 90, [0.0])
    assert times[-1] == pytest.approx(on_time[-1], abs=0.011)
    assert most_in_a_second([time * 20 for time in times]) <= 9  # in a twentieth of a second


def test_the_wait_for_whose_key_it_is_is_caught_up() -> None:
    """One request, its answer, then the rest: as if they had not waited."""
    waited = leave(SteadyPace(95), [0.0, 0.08] + [0.0] * 93, [0.0])
    at_once = leave(SteadyPace(95), [0.0] * 95, [0.0])
    assert waited[-1] == pytest.approx(at_once[-1], abs=0.011)


def test_a_long_silence_is_not_caught_up() -> None:
    """After a pause, requests leave as evenly as before it, not in a burst."""
    pace = SteadyPace(10)
    before = leave(pace, [0.0] * 5, [0.0])
    after = leave(pace, [60.0, *[0.0] * 9], [0.0])
    assert after[0] - before[-1] > 50
    assert min(late - early for early, late in pairwise(after)) >= 0.1 - SLACK - 1e-9


@given(
    rate=st.integers(1, 60).map(float),
    turns=st.lists(st.tuples(st.integers(1, 2), st.floats(0, 0.4), st.booleans()), min_size=1, max_size=200),
)
def test_a_look_and_its_deed(rate: float, turns: list[tuple[int, float, bool]]) -> None:
    """The deed right after a look finds room within the rate, or gives its place back; slow looks change nothing."""
    pace = SteadyPace(rate)
    now = 1000.0
    times: list[float] = []
    for units, seconds, goes_on in turns:
        while (ready := pace.ready_at(now, units)) > now:
            now = ready
        pace.take(now, units)
        times.append(now)
        if units == 2:
            now += seconds
            if goes_on:
                pace.leave(now)
                times.append(now)
            else:
                pace.give_back()
    assert most_in_a_second(times) <= max(rate, 2)


@pytest.mark.parametrize(("rate", "most"), [(9.5, 9), (0.5, 1), (1, 1), (100, 100)])
def test_a_fraction_is_rounded_down(rate: float, most: int) -> None:
    """9.5 a second are 9, and half a request a second is one every two seconds."""
    times = leave(SteadyPace(rate), [0.0] * 350, [0.0])
    assert most_in_a_second(times) == most
    assert most_in_a_second([time + 0.005 * (place % most == 0) for place, time in enumerate(times)]) == most
    assert SteadyPace(rate).limit == rate


def test_no_pace() -> None:
    """Without a rate everything may leave at once."""
    pace = NoPace()
    assert [pace.ready_at(5.0, units) for units in (1, 2, 1)] == [5.0] * 3
    assert pace.limit is None
