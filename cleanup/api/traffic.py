"""Counts every request by status, with its duration."""

import time
from array import array
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from typing_extensions import TypedDict

from cleanup.api.reply import Reply
from cleanup.api.timeline import REFUSALS, REQUESTS, RETRIES, Timeline


class Requests(TypedDict):
    """All requests of a run, of every kind. In a report, totals are null: ledgers do not record them."""

    total: int | None
    retries: int | None
    """Attempts after the first one of an operation."""
    by_status: dict[str, int]
    """By the status of the answer, or by the kind of trouble if there was none."""


class Rates(TypedDict):
    """Requests a second. All of it is null in a report."""

    achieved: float | None
    limit: float | None
    """The limit, as set or as found; null: none."""
    began_at: float | None
    """The initial rate of `limits.rate: auto`."""
    because: str | None
    """Why it began there."""


class Times(TypedDict):
    """Seconds per request: the median, the 95th percentile and the maximum."""

    p50: float
    p95: float
    max: float


class TrafficSummary(TypedDict):
    """The summary's fields about requests."""

    requests: Requests
    rate: Rates
    seconds_per_request: Times | None
    """null if there were no requests."""


class Traffic:
    """Counts requests by status, or by the kind of trouble if there was no answer, and keeps their durations.

    `retries`: attempts after the first one of an operation. `limit`: requests a second, as set or as found. `found`:
    the limit only if it was found. `began_at`: the initial rate. `because`: the reason for it, if it was not set.
    `rate`: the final rate. `seconds` and `processor_seconds`: how long sending the pairs took. `timeline`: what
    happened when.
    """

    def __init__(self) -> None:
        self.by_status: Counter[str] = Counter()
        self.retries = 0
        self.timeline = Timeline()
        self.limit: float | None = None
        self.found: float | None = None
        self.began_at: float | None = None
        self.because: str | None = None
        self.rate: float | None = None
        self.seconds = self.processor_seconds = 0.0
        self._times = array("f")
        self._before: tuple[int, int] | None = None

    def add(self, reply: Reply) -> None:
        """Note one request."""
        self.by_status[str(reply.status if reply.status is not None else reply.trouble)] += 1
        self._times.append(reply.seconds)
        self.timeline.note(REQUESTS)
        if reply.status == 429:
            self.timeline.note(REFUSALS)

    def retried(self) -> None:
        """Note that an attempt was not the first one of its operation."""
        self.retries += 1
        self.timeline.note(RETRIES)

    @property
    def total(self) -> int:
        """Requests so far."""
        return len(self._times)

    @contextmanager
    def sending(self) -> Iterator[None]:
        """Pairs are sent within this block. Earlier requests searched the workspace or identified the key."""
        self._before = self.total, self._answers()
        since, processor = time.monotonic(), time.process_time()
        try:
            yield
        finally:
            self.seconds, self.processor_seconds = time.monotonic() - since, time.process_time() - processor

    @property
    def sent(self) -> bool:
        """Whether any request for a pair was sent."""
        return self._before is not None and self.total > self._before[0]

    @property
    def answered(self) -> bool:
        """Whether any request for a pair was answered, and not by a 401."""
        return self._before is not None and self._answers() > self._before[1]

    def achieved(self) -> float:
        """Requests a second while pairs were sent, capped at the limit."""
        if self._before is None or not self.seconds:
            return 0.0
        rate = (self.total - self._before[0]) / self.seconds
        return rate if self.limit is None else min(rate, self.limit)

    def _answers(self) -> int:
        return sum(count for status, count in self.by_status.items() if status.isdigit() and status != "401")

    def percentiles(self) -> Times | None:
        """Seconds per request: the median, the 95th percentile and the maximum; None if there were no requests."""
        if not self._times:
            return None
        ordered = sorted(self._times)
        last = len(ordered) - 1
        p50, p95, most = (round(ordered[round(last * share)], 4) for share in (0.5, 0.95, 1))
        return {"p50": p50, "p95": p95, "max": most}

    def summary(self) -> TrafficSummary:
        """The summary's fields about requests."""
        return {
            "requests": {
                "total": self.total,
                "retries": self.retries,
                "by_status": dict(sorted(self.by_status.items())),
            },
            "rate": {
                "achieved": round(self.achieved(), 2),
                "limit": self.limit if self.limit is None else round(self.limit, 2),
                "began_at": self.began_at if self.began_at is None else round(self.began_at, 2),
                "because": self.because,
            },
            "seconds_per_request": self.percentiles(),
        }
