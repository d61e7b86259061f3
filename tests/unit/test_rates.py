"""What is said at the end of a run that did not keep its rate, and by what an automatic rate begins."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest

from cleanup.api.session import make_pace, why_there
from cleanup.api.traffic import Traffic
from cleanup.model import KnownLimit
from cleanup.preflight import LIMIT_HOLDS, known_limit
from cleanup.records.past import Past
from cleanup.records.rates import rate_warnings
from cleanup.settings.definitions import Limits, Settings

NOW = datetime(2026, 11, 29, tzinfo=UTC)


def traffic(rate: float, achieved: float, seconds: float = 60.0, busy: float = 0.2, each: float = 0.05) -> Traffic:
    """What went over the wire of a run, as the warnings read it."""
    spent = SimpleNamespace(
        rate=rate,
        seconds=seconds,
        processor_seconds=busy * seconds,
        achieved=lambda: achieved,
        percentiles=lambda: {"p50": each, "p95": 2 * each, "max": 3 * each},
    )
    return cast("Traffic", spent)


def warned(limits: Limits, spent: Traffic) -> list[str]:
    return [kind for _, kind in rate_warnings(limits, spent)]


@pytest.mark.parametrize(
    ("spent", "kinds"),
    [
        (traffic(100, 99), []),
        (traffic(100, 91), []),
        (traffic(89, 85), ["rate_refused"]),
        (traffic(100, 50, busy=0.9), ["rate_not_kept"]),
        (traffic(100, 50, each=1.0), ["rate_not_kept"]),
        (traffic(100, 50), []),  # an outage, pauses: the log has them
        (traffic(100, 50, seconds=9.0, busy=0.9), []),
        (traffic(100, 0, busy=0.9), []),
    ],
)
def test_when_a_fixed_rate_was_not_kept(spent: Traffic, kinds: list[str]) -> None:
    """Refused, a busy processor, too few in flight; nothing of a run that is short or had other trouble."""
    assert warned(Limits(rate=100, concurrency=64), spent) == kinds


@pytest.mark.parametrize("rate", ["auto", "off"])
def test_other_rates_are_no_promise(rate: str) -> None:
    """What `auto` finds is what there is."""
    assert warned(Limits.model_validate({"rate": rate}), traffic(5, 5, busy=1.0)) == []


def test_the_warnings_say_what_would_help() -> None:
    """With a number of shares, or of requests in flight."""
    limits = Limits(rate=1000, concurrency=64)
    (busy, _), *_ = rate_warnings(limits, traffic(1000, 400, busy=0.9))
    assert "3 shares (run.shard) would keep it" in busy
    (slow, _), *_ = rate_warnings(limits, traffic(1000, 400, each=0.25))
    assert "64 requests in flight (limits.concurrency) of 0.25 s each are 256 a second" in slow
    assert "about 500 would keep it" in slow
    (refused, _), *_ = rate_warnings(limits, traffic(612.5, 600))
    assert "limits.rate 1000, so the rate went down to 612.5 a second" in refused


def past(found_at: object, base_urls: set[str] | None = None, rate: float = 80.0) -> Past:
    """A ledger that has a limit."""
    urls = {Settings().api.base_url} if base_urls is None else base_urls
    return cast("Past", SimpleNamespace(limit=KnownLimit(rate, cast("str", found_at)), base_urls=urls))


@pytest.mark.parametrize(
    ("age", "known"),
    [(timedelta(0), True), (LIMIT_HOLDS, True), (LIMIT_HOLDS + timedelta(1), False), (-timedelta(1), False)],
)
def test_a_limit_is_worth_a_month(age: timedelta, known: bool) -> None:
    """Older ones are found anew; one from the future is a clock that was wrong."""
    assert (known_limit(past((NOW - age).isoformat()), Settings(), NOW) is not None) is known


@pytest.mark.parametrize("nothing", [None, past("yesterday"), past("2026-11-28T00:00:00"), past("", {"https://other"})])
def test_where_no_limit_is_known(nothing: Past | None) -> None:
    """No ledger, a time that cannot be read or has no zone, another API."""
    assert known_limit(nothing, Settings(), NOW) is None


def test_where_the_automatic_rate_begins() -> None:
    """At nine tenths of what is known, else at five."""

    def log(_event: str, **_fields: Any) -> None:
        pass

    assert make_pace("auto", log, None).rate == 5
    assert make_pace("auto", log, KnownLimit(80.0, "2026-11-28")).rate == 72
    assert make_pace(95.0, log, KnownLimit(80.0, "2026-11-28")).rate == 95
    assert make_pace(None, log, None).rate is None
    assert why_there(KnownLimit(80.0, "2026-11-28")) == (
        "an earlier run found a limit of 80 requests a second (2026-11-28)"
    )
