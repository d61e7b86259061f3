"""Finding the workspace's limit without knowing it, staying just under it, giving way to others.

Three states. *Searching*: the rate doubles twice a second as long as everything is accepted. The first 429 ends
that for good: a limit is found, and from then on the rate is *under it*. A 429 there means that others use
part of the limit: the rate halves at once, and is won back slowly (*recovering*), slower after every further
429 until it is won back whole. After a long time without a 429 it is tried whether there is more.
"""

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
LEAST: Final = 1.0
"""Requests a second that remain however much others take."""
DOUBLING: Final = 0.5
"""Seconds in which the rate doubles while no limit is known."""
AHEAD: Final = 2.5
"""How many times what was accepted in the last second is sent while no limit is known; answers may be slow."""
RECOVERY: Final = 0.04
"""Share of the limit that is won back a second after others used up part of it, at first."""
CALM: Final = 10.0
"""Seconds without a refusal after which others seem to have stopped."""
SETTLED: Final = 120.0
"""Seconds without a refusal after which it is tried whether there is more than a plan that was found."""
TRYING: Final = 0.05
"""Share by which the rate grows a second while that is tried."""
ECHO: Final = 0.5
"""Seconds after a refusal in which further ones tell nothing new: they were in flight already."""
BUCKET: Final = 20.0
"""Requests that even the smallest plan may let through at once, before it refuses."""


def plan_behind(accepted: int) -> float | None:
    """The published plan that fits a first refusal after so many accepted in the last second, if one does.

    Twice the rate was half of it in the second's first half; or a bucket had to be emptied first.
    """
    fitting = [plan for plan in PLANS if plan / 2 <= accepted <= plan + 1.2 * max(plan, BUCKET)]
    return fitting[-1] if fitting else None


class AutoPace(SteadyPace):
    """A rate that doubles until it is refused, then stays under what it found. It grows with what is accepted."""

    def __init__(self, log: Callable[..., Any]) -> None:
        """`log` is called with `rate.changed` when a limit is found or others are given way."""
        super().__init__(START)
        self._log = log
        self._found: float | None = None
        self._accepted: deque[float] = deque()
        self._last_refusal = -math.inf
        self._recovery = RECOVERY
        self._settled_after = SETTLED

    @property
    def limit(self) -> float | None:
        """The limit that was found, None as long as nothing was refused."""
        return self._found

    def answered(self, now: float, *, refused: bool) -> None:
        """See Pace."""
        if refused:
            echo, self._last_refusal = now - self._last_refusal < ECHO, now
            if not echo:
                self._give_way(now)
            return
        elapsed = min(1.0, now - self._accepted[-1]) if self._accepted else 0.0
        self._accepted.append(now)
        while self._accepted[0] < now - 1.0:
            self._accepted.popleft()
        # A rate that is not used is not what limits the run, and says nothing.
        if len(self._times) >= 0.5 * self._rate or self._rate <= START:
            self._grow(now, elapsed)

    def _grow(self, now: float, elapsed: float) -> None:
        if self._found is None:
            most = max(2 * START, AHEAD * len(self._accepted))
            self._go(max(self._rate, min(most, self._rate * 2 ** (elapsed / DOUBLING))))
            return
        whole, quiet = UNDER * self._found, now - self._last_refusal
        if self._rate < whole:
            if quiet > CALM:
                self._recovery = RECOVERY
            self._go(min(whole, self._rate + elapsed * self._recovery * self._found))
        elif quiet > self._settled_after:
            self._go(self._rate * (1 + elapsed * TRYING))

    def _give_way(self, now: float) -> None:
        if self._found is None:
            accepted = sum(time >= now - 1.0 for time in self._accepted)
            plan = plan_behind(accepted)
            self._found = plan or max(LEAST, accepted * 2 / 3)
            self._settled_after = SETTLED if plan else CALM
            self._go(UNDER * self._found)
        elif self._rate > UNDER * self._found:
            # It was tried whether there is more: there is, but not as much as was tried.
            self._found = math.sqrt(self._found * self._rate)
            self._settled_after *= 2
            self._go(UNDER * self._found)
        else:
            self._go(max(LEAST, self._rate / 2))
            self._recovery /= 2
        self._log("rate.changed", rate=round(self._rate, 1), limit=round(self._found, 1))

    def _go(self, rate: float) -> None:
        self._rate = rate
        self._interval = 1.0 / rate
        self._most = max(1, math.ceil(rate / UNDER - 0.01))
