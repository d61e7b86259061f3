"""How fast requests are sent: evenly, and never more than the rate in any sliding second. Pure."""

import math
from collections import deque
from typing import Final

WINDOW: Final = 1.006
"""Seconds in which no more than the rate are sent: a second, and what may lie between sending and arriving."""
SLACK: Final = 0.02
"""Seconds that a request may be late without delaying the ones after it."""
LATE: Final = 0.15
"""Seconds that requests may fall behind and still catch up, in small steps: after a wait for an answer, or a stall."""
CATCH_UP: Final = 10
"""Requests that may be caught up, as a small bucket of a limit would refuse more."""
HURRY: Final = 0.8
"""The share of the usual interval that is kept while catching up."""


class Pace:
    """When the next requests may be sent: this one lets them pass as they come. Times are seconds of one clock."""

    @property
    def limit(self) -> float | None:
        """Requests a second, as set or as found; None when there is no limit, or none was found."""
        return None

    @property
    def rate(self) -> float | None:
        """Requests a second that are sent now; None when nothing limits them."""
        return None

    def ready_at(self, now: float, requests: int) -> float:  # noqa: ARG002
        """The earliest time at which so many requests may be sent one right after the other."""
        return now

    def reserve(self, now: float, requests: int) -> None:
        """So many requests are about to be sent. For each, `wrote` or `give_back` is called next."""

    def wrote(self, now: float) -> None:
        """The first byte of a reserved request is written now."""

    def give_back(self) -> None:
        """A reserved request is not sent after all."""

    def answered(self, now: float, *, sent: float, refused: bool) -> None:
        """An answer arrived to a request written at `sent`; `refused`: the rate limit refused it."""


class EvenPace(Pace):
    """Requests at even intervals: 9.5 a second are 95 in ten seconds, and never more than 10 in one."""

    def __init__(self, rate: float) -> None:
        self._times: deque[float] = deque()
        self._reserved = 0
        self._due = self._last = -math.inf
        self._catches_up = True
        self._set(rate)

    def _set(self, rate: float) -> None:
        self._rate = rate
        self._most = max(1, math.ceil(rate))
        # Of a whole number the window allows no more, so that catching up never runs into it.
        self._interval = max(1.0 / rate, WINDOW / self._most)
        if rate < 1:
            self._interval = WINDOW / rate

    def ready_at(self, now: float, requests: int) -> float:
        """See Pace."""
        while self._times and self._times[0] + WINDOW <= now:
            self._times.popleft()
        ready = max(now, self._due, self._last + self._least_interval())
        # A check and its discard go together, so at one request a second there are two in that second.
        excess = len(self._times) + self._reserved + requests - max(self._most, requests)
        if excess <= 0:
            return ready
        if excess <= len(self._times):
            return max(ready, self._times[excess - 1] + WINDOW)
        return max(ready, now + SLACK)

    def reserve(self, now: float, requests: int) -> None:
        """See Pace."""
        self._reserved += requests
        behind = self._catches_up and self._rate >= 1 and now - self._due <= min(LATE, CATCH_UP / self._rate)
        due = self._due if behind else now
        self._last = max(due, self._last + self._least_interval(), now - SLACK) + (requests - 1) * self._interval
        self._due = due + requests * self._interval

    def wrote(self, now: float) -> None:
        """See Pace."""
        self._reserved -= 1
        self._times.append(now)
        if self._rate < 1:  # one that had to connect first counts from now, and so does what goes with it
            self._due = max(self._due, now + (self._reserved + 1) * self._interval)

    def give_back(self) -> None:
        """See Pace."""
        self._reserved -= 1
        self._due -= self._interval
        self._last = max(self._last - self._interval, self._times[-1] if self._times else -math.inf)

    def _least_interval(self) -> float:
        return self._interval * (HURRY if self._catches_up and self._rate >= 1 else 1.0)
