"""A rate that learns from refusals: it finds an unknown limit, stays just under it, and gives way to other clients.

While no limit is known, the rate doubles twice a second. At the first refusal, the limit is estimated from what was
accepted. From then on the rate rises in small steps, and each refusal lowers it to what was accepted since the last
one. A rate that was proven is remembered, and quickly restored when other clients leave room for it.
"""

import math
from collections import deque
from collections.abc import Callable
from typing import Any, Final

from cleanup.api.pace import EvenPace

START: Final = 5.0
"""Requests a second to begin with: half of the smallest limit that the vendor has published."""
LEAST: Final = 1.0
"""The lowest rate in requests a second, however many requests are refused."""
DOUBLING: Final = 0.5
"""Seconds in which the rate doubles while no limit is known. Slower would cost a short run more than a refusal does."""
AHEAD: Final = 2.5
"""While no limit is known, the rate is at most this many times the recently accepted rate: answers may be slow."""
LATELY: Final = 1.0
"""Seconds over which the recently accepted requests are counted."""
BUCKET: Final = 20.0
"""Requests that a limit may accept as a burst before it refuses any. They are not counted when it is estimated."""
TRUST: Final = 16.0
"""The number of requests in flight at which their accepted share weighs as much as the longer-term estimate."""
FEW: Final = 10
"""Fewer answers than this since the last refusal are too few to estimate a limit; see `STEP`."""
STEP: Final = 0.9
"""The least share of the rate that remains after a refusal with so few answers. With more, at least half remains."""
UNDER: Final = 0.99
"""The share of a limit that is used."""
BACK: Final = 0.08
"""The share of a proven rate that is regained each second."""
CLIMB: Final = 0.01
"""The share by which the rate rises each second above the proven one, to find out whether more is accepted."""
HOLD: Final = 5.0
"""Seconds of sending without a refusal before the rate rises above the proven one."""
PATIENCE: Final = 4.0
"""After each climb that was refused, the next one begins this many times later and is this many times slower."""
PROVEN: Final = 3.0
"""Seconds of sending without a refusal that prove a rate: by then most burst allowances are used up."""
KEPT: Final = 0.98
"""The share of a proven rate that remains after a refusal: other clients may have come that will leave again."""
REMEMBERED: Final = 0.9
"""The share of a limit from an earlier run at which a run begins: the limit may be lower now."""


class AdaptivePace(EvenPace):
    """The rate of `limits.rate: auto`, or, with `most`, a fixed rate that slows down when requests are refused."""

    def __init__(self, log: Callable[..., Any], *, most: float | None = None, known: float | None = None) -> None:
        """`log` is called with `rate.changed`. `most`: never send faster. `known`: the limit of an earlier run."""
        super().__init__(most or (max(LEAST, known * REMEMBERED) if known else START))
        self._log = log
        self._fixed = most
        self._under = 1.0 if most else UNDER
        self._proven = most or known
        self._is_proven = self._was_refused = False
        self._caution = PATIENCE**2 if known else 1.0
        self._accepted: deque[float] = deque()
        self._count = 0
        self._quiet = 0.0
        self._counted_from = self._sent_from = -math.inf
        self._refused: tuple[float, float] | None = None
        self._in_flight = self._let_through = 0

    @property
    def limit(self) -> float | None:
        """The fixed rate, or the limit that was found; None as long as nothing was refused."""
        return self._fixed or (self._proven if self._was_refused else None)

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
        # If the rate is not used up, it does not limit the run, and the answers say nothing about it.
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
            # The rate of two seconds ago is proven by now.
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
        # A refusal costs the pause that it asks for.
        self._caution = max(self._caution, (now - refused_at) / HOLD)
        # Of the requests in flight at a refusal, the accepted share shows how much of the rate the limit lets through.
        through = self._rate * self._let_through / self._in_flight
        estimate = (TRUST * estimate + self._in_flight * through) / (TRUST + self._in_flight)
        if self._proven is not None:  # a few answers are not enough for a large step down
            estimate = max(estimate, self._rate * (0.5 if self._count >= FEW else STEP))
        least = KEPT * self._proven if self._proven is not None and self._is_proven else LEAST
        self._proven = max(least, min(estimate, self._proven or math.inf))
        self._was_refused, self._catches_up = True, self._fixed is None
        self._set(max(LEAST, min(estimate, self._under * self._proven)))
        self._accepted.clear()
        self._count, self._quiet, self._refused = 0, 0.0, None
        self._counted_from, self._sent_from = refused_at, now
        self._log("rate.changed", rate=round(self._rate, 1), limit=round(self._proven, 2))
