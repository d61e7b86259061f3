"""The figures of a page: sizes that add up, nothing too small to see, never too many."""

import re
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleanup.api.series import DAY, Moment
from cleanup.pages.figures import Bar, bars, duration, groups, interval, marks, moment, strip, times
from cleanup.pages.settings import changed
from cleanup.settings.definitions import Settings

NAMES = {"discarded": "done", "failed": "failed"}
MOMENTS = [
    Moment(0.0, Counter({"discarded": 1000, "failed": 1})),
    Moment(1.0, Counter({"down": 1})),
    Moment(2.0, Counter({"discarded": 500})),
]


def test_a_bar_has_its_parts_one_behind_the_other() -> None:
    """In proportion; one draft of a thousand can still be seen."""
    done, failed = bars({"listed": 1000, "discarded": 500, "skipped": 0, "failed": 1}, 1000)
    assert done == Bar("done", 0, 50)
    assert (failed.start, failed.size) == (50, 1)


def test_columns_stand_on_each_other() -> None:
    """The highest fills the height, and a single failure in a good night is not overlooked."""
    found = strip("Drafts", NAMES, MOMENTS)
    assert (found.most, found.total) == (1001, 1501)
    (done, path), (failed, mark) = found.paths
    assert (done, failed) == ("done", "failed")
    assert [float(height) for height in re.findall(r"h0\.76v([\d.]+)", path)] == pytest.approx([95.9, 47.95], abs=0.01)
    assert re.findall(r"M0.12 ([\d.]+)h0\.76v([\d.]+)", mark) == [("0.0959", "4")]
    assert marks("down", MOMENTS) == "M1 0h1v100h-1z"


@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 10**6)), max_size=20))
def test_no_column_leaves_its_drawing(amounts: list[tuple[int, int]]) -> None:
    """Whatever the proportions."""
    moments = [Moment(float(place), Counter(dict(zip(NAMES, each, strict=True)))) for place, each in enumerate(amounts)]
    for _, path in strip("Drafts", NAMES, moments).paths:
        for top, height in re.findall(r"M[\d.]+ ([-\d.e]+)h0\.76v([\d.]+)", path):
            assert -0.1 <= float(top) <= float(top) + float(height) <= 100.1


def test_groups_are_cut_and_the_others_added_up() -> None:
    """Those with failures first; the columns that say nothing are left out."""
    counts = {f"a{number}": {"listed": 2, "discarded": 1, "failed": 1, "not_attempted": 0} for number in range(5)}
    counts["bad"] = {"listed": 9, "discarded": 0, "failed": 9, "not_attempted": 0}
    found = groups(counts, 3)
    assert [row.name for row in found.rows] == ["bad", "a0", "a1"]
    assert list(found.columns) == ["discarded", "failed"]
    assert found.rest is not None
    assert (found.rest.name, found.rest.listed, found.rest.counts) == ("and 3 more", 6, {"discarded": 3, "failed": 3})
    assert groups({}, 3).rows == []


def test_of_days_the_latest_are_shown_first() -> None:
    """And the earlier ones added up."""
    found = groups({f"2026-11-0{day}": {"discarded": day} for day in range(1, 5)}, 2, latest=True)
    assert [row.name for row in found.rows] == ["2026-11-04", "2026-11-03"]
    assert found.rest is not None
    assert found.rest.counts == {"discarded": 3}


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.1, "0.1 seconds"), (1, "a second"), (30, "30 seconds"), (60, "a minute"), (1800, "30 minutes"),
     (3600, "an hour"), (21_600, "6 hours"), (DAY, "a day"), (7 * DAY, "7 days")],
)  # fmt: skip
def test_intervals_in_words(seconds: float, words: str) -> None:
    """As they are said."""
    assert interval(seconds) == words


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.0824, "0.0824 s"), (59.96, "60 s"), (62, "1 min 02 s"), (7262, "2 h 01 min")]
)
def test_durations_in_words(seconds: float, words: str) -> None:
    """To three digits, then to the second, then to the minute."""
    assert duration(seconds) == words


def test_times_are_as_short_as_they_can_be() -> None:
    """Days, clock times, or both; and a time that is none stays what it is."""
    assert times([0.0, DAY], DAY) == ["1970-01-01", "1970-01-02"]
    assert times([60.3], 0.1) == ["00:01:00.3"]
    assert times([DAY - 1.0, DAY + 0.0], 1) == ["1970-01-01 23:59:59", "1970-01-02 00:00:00"]
    assert moment("2026-11-29T02:00:00.123Z") == "2026-11-29 02:00:00"
    assert moment("some day") == "some day"


def test_only_settings_that_are_not_the_defaults() -> None:
    """In words; those of another version too, and nothing that is no setting."""
    record = Settings().model_dump(mode="json")
    assert changed(record) == {}
    record["guard"] |= {"protect": ["a", "b"], "verify": None}
    record["run"] |= {"yes": True}
    record["limits"] |= {"rate": 50.0, "of_another_version": 3}
    assert changed(record | {"note": "x"}) == {
        "limits.rate": "50", "limits.of_another_version": "3", "guard.protect": "a, b", "guard.verify": "off",
        "run.yes": "yes",
    }  # fmt: skip
