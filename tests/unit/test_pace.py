"""The pace: never more than the rate in any second, evenly, and little lost when something comes late."""

import heapq
from bisect import bisect_left
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleanup.api.pace import SLACK, WINDOW, EvenPace, Pace

RATES = st.one_of(st.integers(1, 300).map(float), st.floats(0.05, 300))
DELAYS = st.lists(st.one_of(st.just(0.0), st.floats(0, 0.3), st.floats(0, 3)), min_size=1, max_size=20)


def most_in_a_second(times: list[float]) -> int:
    return max((bisect_left(times, start + 1.0) - place for place, start in enumerate(times)), default=0)


def interval_of(rate: float) -> float:
    """The time from one request to the next while nothing comes late."""
    most = -(-rate // 1)
    return WINDOW / rate if rate < 1 else max(1 / rate, WINDOW / most)


def send(
    pace: EvenPace, gaps: Sequence[float], stalls: Sequence[float] = (0.0,), opening: Sequence[float] = (0.0,)
) -> list[float]:
    """When requests are written that come so long after one another.

    `stalls`: how late each is let go; `opening`: how long each waits for its connection.
    """
    now, times = 1000.0, []
    pending: list[float] = []

    def write_what_may_be() -> None:
        while pending and pending[0] <= now:
            times.append(heapq.heappop(pending))
            pace.wrote(times[-1])

    for place, gap in enumerate(gaps):
        now += gap
        write_what_may_be()
        while (ready := pace.ready_at(now, 1)) > now:
            now = min([ready, *pending])
            write_what_may_be()
        now += stalls[place % len(stalls)]
        write_what_may_be()
        pace.reserve(now, 1)
        heapq.heappush(pending, now + opening[place % len(opening)])
        write_what_may_be()
    now += 1000
    write_what_may_be()
    return times


@given(
    rate=RATES,
    gaps=st.lists(st.one_of(st.just(0.0), st.floats(0, 0.3), st.floats(0, 5)), min_size=1, max_size=300),
    stalls=st.lists(st.one_of(st.just(0.0), st.floats(0, 0.5)), min_size=1, max_size=10),
    opening=DELAYS,
)
def test_never_more_than_the_rate_in_any_sliding_second(
    rate: float, gaps: list[float], stalls: list[float], opening: list[float]
) -> None:
    """Whenever requests come, however late they are let go, and however long their connections take to open."""
    times = send(EvenPace(rate), gaps, stalls, opening)
    assert len(times) == len(gaps)
    assert most_in_a_second(times) <= max(1, -(-rate // 1))


@given(rate=st.floats(0.02, 0.999), gaps=st.lists(st.floats(0, 60), min_size=2, max_size=60), opening=DELAYS)
def test_below_one_a_second_the_gaps_are_never_shorter(rate: float, gaps: list[float], opening: list[float]) -> None:
    """Also when a connection is slow to open: the time counts from when the request is written."""
    times = send(EvenPace(rate), gaps, opening=opening)
    assert min(after - before for before, after in pairwise(times)) >= 1 / rate


@given(rate=RATES, count=st.integers(2, 300))
def test_even_spacing(rate: float, count: int) -> None:
    """A queue leaves evenly, without a burst at the start, and at the rate but for half a hundredth."""
    times = send(EvenPace(rate), [0.0] * count)
    gaps = [after - before for before, after in pairwise(times)]
    assert min(gaps) >= interval_of(rate) - SLACK - 1e-6
    assert max(gaps) <= interval_of(rate) + SLACK + 1e-6


@pytest.mark.parametrize(("rate", "count"), [(9.5, 95), (95, 945), (2.5, 25), (0.5, 5), (1, 10), (1.1, 11), (100, 995)])
def test_the_rate_is_kept(rate: float, count: int) -> None:
    """9.5 a second are 95 in ten seconds, not 90 and not 100; of a whole number it is all but half a hundredth."""
    times = send(EvenPace(rate), [0.0] * 2000)
    assert bisect_left(times, times[0] + 9.9999) == count


@pytest.mark.parametrize(("rate", "most"), [(9.5, 10), (0.5, 1), (1, 1), (1.1, 2), (100, 100)])
def test_the_most_in_one_second(rate: float, most: int) -> None:
    """A fraction is no more than the next whole number in any one second, also when the loop is a little late."""
    assert most_in_a_second(send(EvenPace(rate), [0.0] * 350)) <= most
    assert most_in_a_second(send(EvenPace(rate), [0.0] * 350, [0.0, 0.005, 0.012])) <= most


def test_a_little_lateness_is_caught_up() -> None:
    """A loop that wakes up some milliseconds late each time does not lower the rate."""
    times = send(EvenPace(50), [0.0] * 501, [0.005, 0.0, 0.012])
    assert 500 / (times[-1] - times[0]) > 49


def test_a_stall_is_caught_up_in_small_steps() -> None:
    """A loop that was held up for a moment lets no crowd go at once, and is back in time soon."""
    times = send(EvenPace(95), [0.0] * 90, [0.0] * 30 + [0.08] + [0.0] * 59)
    on_time = send(EvenPace(95), [0.0] * 90)
    assert times[-1] == pytest.approx(on_time[-1], abs=0.011)
    assert most_in_a_second([time * 20 for time in times]) <= 9  # in a twentieth of a second


def test_the_wait_for_whose_key_it_is_is_caught_up() -> None:
    """One request, its answer, then the rest: as if they had not waited."""
    waited = send(EvenPace(95), [0.0, 0.08] + [0.0] * 93)
    at_once = send(EvenPace(95), [0.0] * 95)
    assert waited[-1] == pytest.approx(at_once[-1], abs=0.011)


def test_a_long_silence_is_not_caught_up() -> None:
    """After a pause, requests leave as evenly as before it, not in a burst."""
    pace = EvenPace(10)
    times = send(pace, [0.0] * 5 + [60.0] + [0.0] * 9)
    assert times[5] - times[4] > 50
    assert min(late - early for early, late in pairwise(times[5:])) >= 0.1 - SLACK - 1e-9


@given(
    rate=st.integers(1, 60).map(float),
    requested=st.lists(st.tuples(st.integers(1, 2), st.floats(0, 0.4), st.booleans()), min_size=1, max_size=200),
)
def test_a_check_and_its_discard(rate: float, requested: list[tuple[int, float, bool]]) -> None:
    """The discard right after a check finds room within the rate, or gives its place back, however slow the check."""
    pace = EvenPace(rate)
    now = 1000.0
    times: list[float] = []
    for requests, seconds, goes_on in requested:
        while (ready := pace.ready_at(now, requests)) > now:
            now = ready
        pace.reserve(now, requests)
        pace.wrote(now)
        times.append(now)
        if requests == 2:
            now += seconds
            if goes_on:
                pace.wrote(now)
                times.append(now)
            else:
                pace.give_back()
    assert most_in_a_second(times) <= max(rate, 2)


def checks(pace: EvenPace, count: int, *, written: int, opening: float = 0.0) -> list[float]:
    """When so many checks may begin, each with a place for its discard; `written`: how many of the two are written."""
    now, times = 1000.0, []
    for _ in range(count):
        while (ready := pace.ready_at(now, 2)) > now:
            now = ready
        times.append(now)
        pace.reserve(now, 2)
        now += opening
        for _ in range(written):
            pace.wrote(now)
        for _ in range(2 - written):
            pace.give_back()
    return times


@pytest.mark.parametrize("rate", [0.5, 10, 20, 99.5])
@pytest.mark.parametrize("written", [1, 2])
def test_places_that_are_given_back_take_no_time(rate: float, written: int) -> None:
    """A check after which nothing is discarded costs the time of one request, not of two.

    But for the last place of a second, in which two find no room.
    """
    times = checks(EvenPace(rate), 40, written=written)
    alone = 39 * written * interval_of(rate)
    assert 0.99 * alone <= times[-1] - times[0] <= 1.12 * alone


def test_slots_of_which_nothing_is_used_take_no_time() -> None:
    """Whoever finds that another asks for the same gives everything back."""
    times = checks(EvenPace(5), 40, written=0)
    assert times[-1] == times[0]


def test_a_slow_check_below_one_a_second_counts_with_its_discard_from_when_it_is_written() -> None:
    """Two requests at one every two seconds are two in four seconds, however late they are."""
    times = checks(EvenPace(0.5), 10, written=2, opening=3.0)
    assert min(after - before for before, after in pairwise(times)) >= 3.0 + 2 / 0.5


def test_no_pace() -> None:
    """Without a rate everything may leave at once."""
    pace = Pace()
    assert [pace.ready_at(5.0, requests) for requests in (1, 2, 1)] == [5.0] * 3
    assert pace.limit is None
