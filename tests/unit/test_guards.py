"""When a draft's last edit, or a publish under way, speaks against its discard."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleanup.api.drafts import Draft
from cleanup.discard.guards import Guards
from cleanup.model import Ending, Pair
from cleanup.settings.definitions import Guard

AGENT = "0123456789abcdef01234567"
NOW = datetime(2026, 8, 1, 12, tzinfo=UTC)


def objection(edited: str, *, listed: datetime | None = None, min_idle: float | None = None) -> Ending | None:
    guards = Guards(Guard(min_idle=min_idle), now=lambda: NOW)
    found = guards.objection(Pair(0, AGENT, "d1", "list.csv:2", listed), Draft(AGENT, "d1", updated_at=edited))
    return None if found is None else found[0]


@pytest.mark.parametrize(
    ("edited", "listed", "min_idle", "ending"),
    [
        ("nonsense", None, None, None),
        ("", None, None, None),
        ("", NOW, None, Ending.UNEXPECTED_RESPONSE),
        ("yesterday", None, 0, Ending.UNEXPECTED_RESPONSE),
        ("1785585600", NOW, None, Ending.UNEXPECTED_RESPONSE),
        ("2026-08-01T12:00:00Z", NOW, None, None),
        ("2026-08-01T12:00:00.000001Z", NOW, None, Ending.CHANGED),
        ("2026-08-01T14:00:00+02:00", NOW, None, None),
        ("2026-08-01T11:00:00-01:00", NOW, None, None),
        ("2026-08-01T11:59:00", NOW, None, None),
        ("2026-08-01T12:00:01", NOW, None, Ending.CHANGED),
        ("2026-08-01T11:00:00Z", None, 3600, None),
        ("2026-08-01T11:00:01Z", None, 3600, Ending.RECENTLY_EDITED),
        ("2026-08-02T00:00:00Z", None, 0, Ending.RECENTLY_EDITED),
        ("2026-08-01T12:00:00Z", None, 0, None),
        ("2026-08-01T11:59:59Z", NOW - timedelta(1), 3600, Ending.CHANGED),
        ("9999-12-31T23:59:59-23:59", NOW, None, Ending.UNEXPECTED_RESPONSE),
    ],
)
def test_the_last_edit_decides(
    edited: str, listed: datetime | None, min_idle: float | None, ending: Ending | None
) -> None:
    """By the list first, then by the clock; unreadable where nobody asks does not matter."""
    assert objection(edited, listed=listed, min_idle=min_idle) is ending


@given(
    st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.timezones()),
    st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.timezones()),
)
def test_zones_do_not_matter(edited: datetime, listed: datetime) -> None:
    """Two times compare as moments, in whatever zone each is written."""
    found = objection(edited.isoformat(), listed=listed.astimezone(UTC))
    expected = edited.astimezone(UTC) > listed.astimezone(UTC)
    # A zone with seconds in its offset is written without loss, too.
    assert (found is Ending.CHANGED) is expected


@pytest.mark.parametrize("listed", [None, NOW - timedelta(1)], ids=["no guard", "edited since"])
def test_a_publish_under_way_goes_before_everything_else(listed: datetime | None) -> None:
    """It needs no guard, and what else speaks against the discard does not matter."""
    draft = Draft(AGENT, "d1", updated_at="2026-08-01T12:00:00Z", publishing=True)
    found = Guards(Guard(), now=lambda: NOW).objection(Pair(0, AGENT, "d1", "list.csv:2", listed), draft)
    assert found is not None
    assert found[0] is Ending.PUBLISHING


@pytest.mark.parametrize(
    ("guard", "dated", "needed"),
    [
        (Guard(), False, False),
        (Guard(), True, True),
        (Guard(min_idle=3600), False, True),
        (Guard(backup="copies"), False, True),
    ],
)
def test_when_the_draft_has_to_be_seen(guard: Guard, dated: bool, needed: bool) -> None:
    """It is read when there is a time to compare with. If it is read for a copy anyway, a publish is noticed."""
    assert Guards(guard).need_check(dated=dated) is needed
