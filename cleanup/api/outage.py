"""Is the API down, or are these pairs bad? Pure: it is told of every attempt, and keeps no clock.

An outage is declared when the latest attempts, of three different pairs, all failed without an answer or
with 5xx. Then nothing but probes is sent, until one is answered. A pair that failed while the API answered
others, or in two outages one after the other, fails by itself: it is no evidence from then on, unless its request
never reached the API. So three bad pairs at the end of a list are no outage. Once every pair was tried, a single
failure in an outage that ended is enough: nobody is left who could tell the API from them.
"""

from collections.abc import Callable, Hashable
from typing import Final

SEVERAL: Final = 3
MOMENT: Final = 0.01
"""Seconds before any probe, for a pair from elsewhere in the list to come forward for it."""


class Outage:
    """Told of each attempt by `failed` or `answered`, says whether the run should hold its breath."""

    def __init__(self, patience: float, backoff: Callable[[int], float]) -> None:
        """`patience`: seconds of silence after which the run gives up. `backoff`: seconds before probe n, from 1."""
        self._patience = patience
        self._backoff = backoff
        self._failing: dict[Hashable, None] = {}
        self._bad: set[Hashable] = set()
        self._once: set[Hashable] = set()
        self._all_tried = False
        self._failed_probes = 0
        self._held_off_since: float | None = None
        self.began: float | None = None
        self.next_probe = 0.0

    @property
    def holding(self) -> bool:
        """Whether only probes may be sent."""
        return self.began is not None

    @property
    def suspected(self) -> bool:
        """Whether other pairs should be heard before the same are tried again."""
        return bool(self._failing) and not self.holding

    def failed(self, subject: Hashable, now: float, *, probe: bool, reached: bool = True) -> bool:
        """An attempt brought no answer, or a 5xx. True when this is what begins an outage.

        `reached`: the request may have reached the API, so its pair may be the reason.
        """
        if subject not in self._bad or not reached:
            self._failing[subject] = None
        if self.holding:
            if probe:
                self._failed_probes += 1
                self.next_probe = now + max(MOMENT, self._backoff(self._failed_probes + 1))
            return False
        if len(self._failing) < SEVERAL:
            return False
        self.began = now
        self._failed_probes = 0
        self.next_probe = now + max(MOMENT, self._backoff(1))
        return True

    def answered(self) -> bool:
        """An attempt was answered, whatever the answer. True when this ends an outage."""
        ended = self.holding
        if ended and self._failed_probes and not self._all_tried:
            # The API was down, or so it seemed: only what failed the last time too fails by itself.
            self._bad.update(self._failing.keys() & self._once)
            self._once.update(self._failing)
        else:
            self._bad.update(self._failing)
        self._failing.clear()
        self._held_off_since = None
        self.began = None
        return ended

    def all_tried(self) -> bool:
        """No pair is left that was not tried yet. True when this ends an outage."""
        self._all_tried = True
        self._bad |= self._once
        unclear = {subject for subject in self._failing if subject not in self._once}
        if not self.holding or len(unclear) >= SEVERAL:
            return False
        self._failing.clear()
        self.began = None
        return True

    def held_off(self, now: float) -> None:
        """An attempt was answered with 429."""
        since = now if self._held_off_since is None else self._held_off_since
        self.answered()
        self._held_off_since = since

    def over_patience(self, now: float, wait: float = 0.0) -> bool:
        """Whether it has lasted, or would after `wait` seconds, longer than anybody wanted to wait."""
        starts = [start for start in (self.began, self._held_off_since) if start is not None]
        return wait > self._patience or any(now + wait - start > self._patience for start in starts)

    @property
    def gives_up_at(self) -> float:
        """When an outage has lasted too long."""
        return (self.began or 0.0) + self._patience
