"""What happened when in a run, in little memory: requests, retries, 429s, outages, and how pairs ended."""

import time
from typing import Final

from cleanup.api.series import Series

REQUESTS: Final = "requests"
RETRIES: Final = "retries"
REFUSALS: Final = "429s"
DOWN: Final = "down"
"""Seconds of outages."""


class Timeline:
    """Counts by the wall clock, as it was at the beginning: a clock that is set meanwhile changes nothing."""

    def __init__(self) -> None:
        self.series = Series()
        self._began = time.time() - time.monotonic()

    def note(self, what: str) -> None:
        """Count something that happens now."""
        self.series.add(self._now(), what)

    def was_down(self, seconds: float) -> None:
        """Note an outage that ends now, and lasted so long."""
        now = self._now()
        self.series.cover(now - seconds, now, DOWN)

    def _now(self) -> float:
        return self._began + time.monotonic()
