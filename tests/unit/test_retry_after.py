"""How long an answer asks to be left alone, and what is nonsense."""

import math
import time
from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleanup.api.retry_after import timestamp, wait_asked_for

NOW = 1_790_000_000.0
NONSENSE: tuple[object, ...] = (
    *("", " ", "soon", "-1", "nan", "inf", "1e999", "1e3", "0x10", "9" * 16, "1,5", "5, 5", "٣", "+5", "5s"),
    *(-1, -0.5, math.nan, math.inf, 1e300, 10**30, True, None, [], [5], {}, {"seconds": 5}),
)


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    ("header", "body", "seconds"),
    [
        ("60", None, 60.0),
        (" 60 ", None, 60.0),
        ("0.5", None, 0.5),
        (None, {"retry_after": 60}, 60.0),
        (None, {"retry_after": 2.5}, 2.5),
        (None, {"retry_after": "60"}, 60.0),
        (None, {"rateLimit": {"routeClass": "write", "limit": 100, "retryAfterSec": 60}}, 60.0),
        (None, {"rateLimit": {"retryAfterSec": "2.5"}}, 2.5),
        (None, {"retry_after": 7, "rateLimit": {"retryAfterSec": 60}}, 7.0),
        (None, {"retry_after": "soon", "rateLimit": {"retryAfterSec": 60}}, 60.0),
        ("7", {"rateLimit": {"retryAfterSec": 60}}, 7.0),
        ("7", {"retry_after": 60}, 7.0),
        ("soon", {"retry_after": 60}, 60.0),
        (formatdate(NOW + 30, usegmt=True), None, 30.0),
        (formatdate(NOW + 30), None, 30.0),
        (formatdate(NOW - 30, usegmt=True), None, None),
        ("0", None, None),
        (None, {"retry_after": 0}, None),
        (None, {"rateLimit": {"retryAfterSec": 0}}, None),
        (None, {"rateLimit": {"limit": 100}}, None),
        (None, {"rateLimit": {"retryAfterSec": None}}, None),
        (None, {"rateLimit": 60}, None),
        (None, {"retryAfterSec": 60}, None),
        (None, [60], None),
        (None, None, None),
    ],
)
def test_seconds_dates_and_bodies(status: int, header: str | None, body: object, seconds: float | None) -> None:
    """The header goes first, then the body; none, or no wait at all, leaves it to the back-off."""
    assert wait_asked_for(status, header, body, NOW) == seconds


def test_a_date_without_a_zone_is_no_local_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """`-0000` and no zone at all mean UTC wherever the job runs."""
    with monkeypatch.context() as elsewhere:
        elsewhere.setenv("TZ", "NZST-12")
        time.tzset()
        found = {timestamp(formatdate(NOW).removesuffix("-0000") + zone) for zone in ("-0000", "", "GMT")}
    time.tzset()
    assert found == {NOW}


@pytest.mark.parametrize("nonsense", NONSENSE)
def test_nonsense_is_ignored(nonsense: object) -> None:
    """Nothing that is no sensible number or date is waited for, in the header or in the body."""
    assert wait_asked_for(429, None, {"retry_after": nonsense}, NOW) is None
    assert wait_asked_for(429, None, {"rateLimit": {"retryAfterSec": nonsense}}, NOW) is None
    assert wait_asked_for(429, None, {"rateLimit": nonsense}, NOW) is None
    if isinstance(nonsense, str):
        assert wait_asked_for(429, nonsense, None, NOW) is None


@pytest.mark.parametrize("status", [200, 400, 404, 423, 500, 502, 504])
def test_no_other_status_is_waited_for(status: int) -> None:
    """Only a 429 and a 503 ask for time."""
    assert wait_asked_for(status, "60", {"retry_after": 60}, NOW) is None


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["retry_after", "rateLimit", "retryAfterSec"]), inner)
    ),
    max_leaves=5,
)
dates = st.builds(
    "{}, {} {} {} {}:{}:{} {}".format,
    st.sampled_from(["Mon", "Tue", "X", ""]),
    st.integers(-5, 400),
    st.sampled_from(["Jan", "Feb", "Dec", "Foo", "1"]),
    st.integers(-10, 100_000),
    *[st.integers(-5, 100)] * 3,
    st.sampled_from(["GMT", "+0000", "-0000", "+9999", "+99999999999", "Z", "EST", ""]),
)


@given(st.none() | st.text(max_size=40) | dates, anything)
def test_whatever_comes_is_a_finite_wait_or_none(header: str | None, body: object) -> None:
    """No header and no body raises, and what comes out can be slept on."""
    wait = wait_asked_for(429, header, body, NOW)
    assert wait is None or (0 < wait < math.inf)


@given(st.text(max_size=40) | dates)
def test_any_date_is_a_time_or_none(text: str) -> None:
    """A date of nonsense is none."""
    found = timestamp(text)
    assert found is None or math.isfinite(found)
