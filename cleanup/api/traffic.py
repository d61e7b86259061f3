"""What went over the wire: every request, by status, with its time."""

from array import array
from collections import Counter
from typing import Any

from cleanup.api.reply import Reply


class Traffic:
    """Counts requests, by status or by the trouble that came instead, and keeps their times."""

    def __init__(self) -> None:
        self.by_status: Counter[str] = Counter()
        self._seconds = array("f")

    def add(self, reply: Reply) -> None:
        """Note one request."""
        self.by_status[str(reply.status if reply.status is not None else reply.trouble)] += 1
        self._seconds.append(reply.seconds)

    @property
    def total(self) -> int:
        """Requests so far."""
        return len(self._seconds)

    def answers(self) -> int:
        """Answers so far that were no 401."""
        return sum(count for status, count in self.by_status.items() if status.isdigit() and status != "401")

    def percentiles(self) -> dict[str, float] | None:
        """Seconds per request: the median, the 95th percentile, the longest; None without any."""
        if not self._seconds:
            return None
        ordered = sorted(self._seconds)
        last = len(ordered) - 1
        return {
            name: round(ordered[round(last * share)], 4) for name, share in (("p50", 0.5), ("p95", 0.95), ("max", 1))
        }

    def account(self, retries: int) -> dict[str, Any]:
        """The `requests` of the summary."""
        return {"total": self.total, "retries": retries, "by_status": dict(sorted(self.by_status.items()))}
