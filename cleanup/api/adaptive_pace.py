"""A rate that learns from refusals: it finds a limit that nobody knows, stays just under it, gives way, comes back.

While no limit is known the rate doubles twice a second. The first refusal ends that: the limit is estimated from what
was accepted. From then on the rate rises in small steps, and each refusal brings it down to what was accepted since
the last one. A rate that was proven to be accepted is remembered, and won back quickly once others leave room for it.
"""

import math
from collections import deque
from collections.abc import Callable
from typing import Any, Final

from cleanup.api.pace import EvenPace

START: Final = 5.0
"""Requests a second to begin with: half of the smallest limit that the vendor has published."""
LEAST: Final = 1.0
"""Requests a second that remain however often they are refused."""
DOUBLING: Final = 0.5
"""Seconds in which the rate doubles while no limit is known: slower costs a short run more than a refusal does."""
AHEAD: Final = 2.5
"""How many times what was lately accepted is sent while no limit is known: answers may be slow."""
LATELY: Final = 1.0
"""Seconds over which that is counted."""
BUCKET: Final = 20.0
"""Requests that a limit may let through at once before it refuses any; they do not count as part of the limit."""
TRUST: Final = 16.0
"""How many requests in flight weigh as much, by the share of them that was accepted, as the longer count does."""
FEW: Final = 10
"""Answers since the last refusal that are too few to estimate a limit by; then the rate goes down by a `STEP`."""
STEP: Final = 0.9
"""How much of the rate remains then. Otherwise at least half remains, however little was accepted."""
UNDER: Final = 0.99
"""How much of a limit is used."""
BACK: Final = 0.08
"""Share of a proven rate that is won back each second."""
CLIMB: Final = 0.01
"""Share by which the rate rises each second above what is proven, to find out whether there is more."""
HOLD: Final = 5.0
"""Seconds of sending without a refusal before the rate rises above what is proven."""
PATIENCE: Final = 4.0
"""After each climb that was refused the next one begins so many times later, and is so many times slower."""
PROVEN: Final = 3.0
"""Seconds of sending without a refusal that prove a rate: by then most buckets are empty."""
KEPT: Final = 0.98
"""How much of a proven rate a refusal leaves: others may have come, who will leave again."""
REMEMBERED: Final = 0.9
"""How much of a limit that an earlier run found is sent at first: it may have become smaller."""


class AdaptivePace(EvenPace):
    """The rate of `limits.rate: auto`, or with `most` a fixed rate, that slows down when it is refused."""

    def __init__(self, log: Callable[..., Any], *, most: float | None = None, known: float | None = None) -> None:
        """`log` is called with `rate.changed`. `most`: never send faster. `known`: the limit of an earlier run."""
        super().__init__(most or (max(LEAST, known * REMEMBERED) if known else START))
        self._log = log
        self._fixed = most
        self._under = 1.0 if most else UNDER
        self._proven = most or known
        self._is_proven = False
        self._caution = PATIENCE**2 if known else 1.0
        self._accepted: deque[float] = deque()
        self._count = 0
        self._quiet = 0.0
        self._counted_from = self._sent_from = -math.inf
        self._refused: tuple[float, float] | None = None
        self._in_flight = self._let_through = 0

    @property
    def limit(self) -> float | None:
        """The fixed rate, or the limit that was found: None as long as nothing was refused."""
        return self._fixed or self._proven

    @property
    def rate(self) -> float | None:
        """See Pace."""
        return self._rate

    def reserve(self, now: float, requests: int) -> None:
        """See Pace. The first request after a refusal is sent at the new rate."""
        if self._refused is not None:
            self._slow_down(now, self._refused[0])
        elif self._counted_from == -math.inf:
            self._counted_from = now
        super().reserve(now, requests)

    def answered(self, now: float, *, sent: float, refused: bool) -> None:
        """See Pace. A request that was written before the rate changed says nothing about the new rate."""
        if self._refused is not None:
            if sent >= self._refused[1]:
                self._in_flight += 1
                self._let_through += not refused
        elif sent >= self._sent_from:
            if refused:
                self._refused, self._in_flight, self._let_through = (now, sent), 1, 0
            else:
                self._accept(now)

    def _accept(self, now: float) -> None:
        elapsed = min(1.0, now - self._accepted[-1]) if self._accepted else 0.0
        self._count += 1
        self._accepted.append(now)
        while self._accepted[0] < now - LATELY:
            self._accepted.popleft()
        # A rate that is not used is not what limits the run, and says nothing.
        if len(self._times) < 0.5 * self._rate and self._rate > START:
            return
        if self._proven is None:
            most = max(2 * START, AHEAD * len(self._accepted) / LATELY)
            self._set(max(self._rate, min(most, self._rate * 2 ** (elapsed / DOUBLING))))
        else:
            self._quiet += elapsed
            self._rise(elapsed, self._proven)

    def _rise(self, elapsed: float, proven: float) -> None:
        if self._rate < self._under * proven:
            self._set(min(self._under * proven, self._rate + elapsed * BACK * proven))
            return
        self._is_proven = self._is_proven or self._quiet > PROVEN
        if self._quiet > HOLD * self._caution and self._rate != self._fixed:
            step = CLIMB / self._caution * proven
            # What the rate was two seconds ago is proven by now.
            self._proven = max(proven, self._rate - 2 * step)
            self._set(min(self._fixed or math.inf, self._rate + elapsed * step))

    def _slow_down(self, now: float, refused_at: float) -> None:
        if self._proven is None:
            lately = sum(time >= refused_at - LATELY for time in self._accepted) / LATELY
            estimate = max(lately - BUCKET / LATELY, lately / 3)
        else:
            estimate = self._count / max(refused_at - self._counted_from, 0.1)
            if self._rate > self._under * self._proven * 1.001:
                self._caution *= PATIENCE
            elif self._is_proven:
                self._caution = max(1.0, self._caution / PATIENCE)
        # What a refusal costs is the pause that it asks for.
        self._caution = max(self._caution, (now - refused_at) / HOLD)
        # Of the requests in flight at a refusal, the accepted share shows how much of the rate the limit lets through.
        through = self._rate * self._let_through / self._in_flight
        estimate = (TRUST * estimate + self._in_flight * through) / (TRUST + self._in_flight)
        if self._proven is not None:  # of a few answers little can be said
            estimate = max(estimate, self._rate * (0.5 if self._count >= FEW else STEP))
        least = KEPT * self._proven if self._proven is not None and self._is_proven else LEAST
        self._proven = max(least, min(estimate, self._proven or math.inf))
        self._catches_up = self._fixed is None
        self._set(max(LEAST, min(estimate, self._under * self._proven)))
        self._accepted.clear()
        self._count, self._quiet, self._refused = 0, 0.0, None
        self._counted_from, self._sent_from = refused_at, now
        self._log("rate.changed", rate=round(self._rate, 1), limit=round(self._proven, 2))
