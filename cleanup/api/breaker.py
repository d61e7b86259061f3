"""A circuit breaker that distinguishes an API that is down from drafts that are bad. Pure: it has no clock.

It opens when the latest attempts, for three different items, all failed without an answer or with 5xx. While it is
open, only probes are sent, and they decide how it closes. Either the API was down and no item is to blame, or those
items are bad and their failures no longer count.
"""

from collections.abc import Hashable, Iterable
from typing import Final

SEVERAL: Final = 3
"""How many different items must fail in a row before the API is suspected."""


class Breaker:
    """Closed while requests may be sent as usual. An item is a listed pair, or an agent whose drafts are read."""

    def __init__(self) -> None:
        self.is_open = False
        self._failing: dict[Hashable, None] = {}
        self._bad: set[Hashable] = set()

    def failed(self, items: Iterable[Hashable]) -> bool:
        """Note the failure of an attempt that these items depend on. Returns True if this opens the breaker."""
        self._failing.update(dict.fromkeys(item for item in items if item not in self._bad))
        if self.is_open or len(self._failing) < SEVERAL:
            return False
        self.is_open = True
        return True

    def answered(self) -> None:
        """Note that an attempt was answered. This has no effect while the breaker is open, when only probes decide."""
        if not self.is_open:
            self._failing.clear()

    def close(self, *, items_are_bad: bool) -> None:
        """Close the breaker. `items_are_bad`: the API works, or nothing is left to try, so the items are to blame."""
        if items_are_bad:
            self._bad.update(self._failing)
        self._failing.clear()
        self.is_open = False
