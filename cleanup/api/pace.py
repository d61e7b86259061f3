"""How fast requests leave: evenly, and never more than the rate in any sliding second."""

import math
from collections import deque
from typing import Final, Protocol

WINDOW: Final = 1.006
"""Seconds in which no more than the rate leave: a second, and what may be between leaving and arriving."""
SLACK: Final = 0.02
"""Seconds that a request may be late without the ones after it being late too."""
LATE: Final = 0.15
"""Seconds that requests may be behind their times and make up for it, in small steps: an answer waited for, a stall."""
HURRY: Final = 0.8
"""How much of the time between two requests is kept meanwhile."""


class Pace(Protocol):
    """When the next requests may leave. Times are seconds of one monotonic clock."""

    @property
    def limit(self) -> float | None:
        """Requests a second, as set or as found; None when there is no limit, or none was found."""

    def ready_at(self, now: float, units: int) -> float:
        """The earliest time at which `units` requests may leave one right after the other."""

    def take(self, now: float, units: int) -> None:
        """`units` requests leave: the first now, the others when `leave` says so (or `give_back`, never)."""

    def leave(self, now: float) -> None:
        """One of the others leaves now."""

    def hold_up(self) -> None:
        """The one that left last has not left after all: `leave` says when."""

    def give_back(self) -> None:
        """One of the others never leaves."""

    def answered(self, now: float, *, refused: bool) -> None:
        """An answer arrived; `refused`: it was a 429."""


class NoPace:
    """Requests leave as they come."""

    limit: float | None = None

    def ready_at(self, now: float, units: int) -> float:  # noqa: ARG002
        """Always now."""
        return now

    def take(self, now: float, units: int) -> None:
        """Nothing to note."""

    def leave(self, now: float) -> None:
        """Nothing to note."""

    def hold_up(self) -> None:
        """Nothing to note."""

    def give_back(self) -> None:
        """Nothing to note."""

    def answered(self, now: float, *, refused: bool) -> None:
        """Nothing to note."""


class SteadyPace:
    """A fixed rate. Of a fraction above one the whole part is kept, as 9.5 in a second are 9."""

    def __init__(self, rate: float) -> None:
        self._times: deque[float] = deque()
        self._reserved = 0
        self._due = self._slot = -math.inf
        self._rate = rate
        self._most = max(1, math.floor(rate))
        self._interval = WINDOW / (self._most if rate >= 1 else rate)

    @property
    def limit(self) -> float | None:
        """Requests a second."""
        return self._rate

    def ready_at(self, now: float, units: int) -> float:
        """See Pace."""
        while self._times and self._times[0] + WINDOW <= now:
            self._times.popleft()
        ready = max(now, self._due, self._slot + HURRY * self._interval)
        # A look and its deed go together, so at one request a second there are two in that second.
        excess = len(self._times) + self._reserved + units - max(self._most, units)
        if excess <= 0:
            return ready
        if excess <= len(self._times):
            return max(ready, self._times[excess - 1] + WINDOW)
        return max(ready, now + SLACK)

    def take(self, now: float, units: int) -> None:
        """See Pace."""
        self._times.append(now)
        self._reserved += units - 1
        behind = now - self._due <= LATE and self._rate >= 1
        due = self._due if behind else now
        self._slot = max(due, self._slot + HURRY * self._interval, now - SLACK) + (units - 1) * self._interval
        self._due = due + units * self._interval

    def leave(self, now: float) -> None:
        """See Pace."""
        self._reserved -= 1
        self._times.append(now)

    def hold_up(self) -> None:
        """See Pace."""
        if self._times:
            self._times.pop()
        self._reserved += 1

    def give_back(self) -> None:
        """See Pace."""
        self._reserved -= 1

    def answered(self, now: float, *, refused: bool) -> None:
        """See Pace: a fixed rate does not learn."""
