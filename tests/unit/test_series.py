"""Counts over time: nothing is lost however often intervals are merged, and there are never too many."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleanup.api.series import DAY, Series

AT_TWO = 1_790_042_400.0
"""02:00 on some day, UTC."""


def told(series: Series, name: str) -> list[float]:
    """The amounts of one name, one for each interval."""
    return [moment.amounts[name] for moment in series.moments()]


def test_what_happens_at_one_time_is_added_up() -> None:
    """Intervals in which nothing happened are there too."""
    series = Series()
    for at, name in ((0.0, "a"), (0.05, "a"), (0.3, "b")):
        series.add(AT_TWO + at, name)
    assert (told(series, "a"), told(series, "b")) == ([2, 0, 0, 0], [0, 0, 0, 1])
    assert (series.width, series.moments()[0].start) == (0.1, AT_TWO)


def test_nothing_has_no_intervals() -> None:
    """A run that sent nothing."""
    assert Series().moments() == []


@pytest.mark.parametrize(
    ("seconds", "width"),
    [(19, 0.1), (21, 0.5), (150, 1), (600, 5), (3600, 30), (5 * 3600, 300), (24 * 3600, 600), (300 * DAY, 7 * DAY)],
)
def test_intervals_are_of_a_round_length_and_never_more_than_two_hundred(seconds: float, width: float) -> None:
    """Each begins at a round time, so that each of up to a day belongs to one day."""
    series = Series()
    for step in range(1000):
        series.add(AT_TWO + seconds * step / 1000, "a")
    assert series.width == width
    assert len(series.moments()) <= 200
    assert sum(told(series, "a")) == 1000
    assert all(moment.start * 10 % (width * 10) == 0 for moment in series.moments())


@given(st.lists(st.tuples(st.floats(0, 1e7), st.sampled_from("ab"), st.integers(1, 9)), max_size=60), st.integers(2, 9))
def test_nothing_is_lost(events: list[tuple[float, str, int]], most: int) -> None:
    """In whatever order it comes."""
    series = Series(most)
    for at, name, amount in events:
        series.add(at, name, amount)
    assert len(series.moments()) <= most
    for name in "ab":
        assert sum(told(series, name)) == sum(amount for _, each, amount in events if each == name)


def test_a_span_is_shared_among_the_intervals_that_it_touches() -> None:
    """To a tenth of a second; an hour of outage does not take an hour's worth of short intervals."""
    series = Series(4, width=1.0)
    series.cover(AT_TWO + 0.5, AT_TWO + 2.25, "down")
    assert told(series, "down") == pytest.approx([0.5, 1.0, 0.2])
    series.cover(AT_TWO + 3, AT_TWO + 3603, "down")
    assert sum(told(series, "down")) == pytest.approx(3601.7)
    assert series.width == 1800


def test_days_become_weeks() -> None:
    """Three years of nights."""
    series = Series(400, width=DAY)
    for day in range(1100):
        series.add(day * DAY, "discarded", 3)
    assert (series.width, sum(told(series, "discarded"))) == (7 * DAY, 3300)
