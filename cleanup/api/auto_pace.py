"""Finding the workspace's limit without knowing it, staying just under it, giving way to others."""

import math
from collections import deque
from collections.abc import Callable
from typing import Any, Final

from cleanup.api.pace import SteadyPace

START: Final = 5.0
"""Requests a second to begin with: half of the smallest plan."""
PLANS: Final = (10.0, 100.0)
"""Requests a second of the published plans; contracts have more."""
UNDER: Final = 0.97
"""How much of a limit is used."""
DOUBLING: Final = 0.7
"""Seconds in which the rate doubles while no limit is known."""
RECOVERY: Final = 0.02
"""Share of the limit that is won back a second after others used up part of it."""
SETTLED: Final = 120.0
"""Seconds without a refusal after which it is tried whether the limit is higher than was thought."""
ECHO: Final = 0.5
"""Seconds after a refusal in which further ones tell nothing new: they were in flight already."""


def limit_behind(accepted: int) -> float:
    """The limit that probably stands behind a first refusal, after so many accepted in the last second.

    A bucket lets more through than the limit until it is empty, so a known plan a good way below is taken.
    """
    fitting = [plan for plan in PLANS if 0.3 * accepted <= plan <= accepted]
    return fitting[-1] if fitting else max(1.0, 0.7 * accepted)


class AutoPace(SteadyPace):
    """A rate that doubles until it is refused, then stays under what it found."""

    def __init__(self, tell: Callable[..., Any]) -> None:
        """`tell` is told `rate.changed` when a limit is found or others are given way."""
        super().__init__(START)
        self._tell = tell
        self._found: float | None = None
        self._accepted: deque[float] = deque()
        self._last_step: float | None = None
        self._last_refusal = -math.inf
        self._settled_after = SETTLED
        self._go(START)

    @property
    def limit(self) -> float | None:
        """The limit that was found, None as long as nothing was refused."""
        return self._found

    def take(self, now: float, units: int) -> None:
        """See Pace. The rate grows only while it is used: otherwise something else is the limit."""
        super().take(now, units)
        elapsed = 0.0 if self._last_step is None else min(1.0, now - self._last_step)
        self._last_step = now
        if len(self._times) < 0.5 * self._rate and self._rate > START:
            return
        if self._found is None:
            self._go(self._rate * 2 ** (elapsed / DOUBLING))
        elif self._rate < UNDER * self._found:
            self._go(min(UNDER * self._found, self._rate + elapsed * RECOVERY * self._found))
        elif now - self._last_refusal > self._settled_after:
            self._go(self._rate + elapsed * RECOVERY * self._found / 2)

    def answered(self, now: float, *, refused: bool) -> None:
        """See Pace."""
        if not refused:
            self._accepted.append(now)
            while self._accepted[0] < now - 1.0:
                self._accepted.popleft()
            return
        echo, self._last_refusal = now - self._last_refusal < ECHO, now
        if echo:
            return
        accepted = sum(time >= now - 1.0 for time in self._accepted)
        if self._found is None:
            self._found = limit_behind(accepted)
            self._go(UNDER * self._found)
        elif self._rate > UNDER * self._found:
            self._found = max(self._found, UNDER * self._rate)
            self._settled_after *= 2
            self._go(UNDER * self._found)
        else:
            self._go(max(1.0, self._rate / 2))
        self._tell("rate.changed", rate=round(self._rate, 1), limit=round(self._found, 1))

    def _go(self, rate: float) -> None:
        self._rate = rate
        self._interval = 1.0 / rate
        self._most = max(1, math.ceil(rate / UNDER - 0.01))
