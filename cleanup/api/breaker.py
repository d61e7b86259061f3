"""A circuit breaker: it distinguishes an API that is down from drafts that are bad. Pure: it has no clock.

It opens when the latest attempts, of three different items, all failed without an answer or with 5xx. While it is
open, nothing is sent but probes. The probes' findings close it: either the API was down, and no item is to blame, or
those items are bad, and their failures are no evidence from then on.
"""

from collections.abc import Hashable, Iterable
from typing import Final

SEVERAL: Final = 3
"""How many items have to fail in a row before anything but the items themselves is suspected."""


class Breaker:
    """Closed while requests may be sent as usual. An item is a listed pair, or an agent whose drafts are read."""

    def __init__(self) -> None:
        self.is_open = False
        self._failing: dict[Hashable, None] = {}
        self._bad: set[Hashable] = set()

    def failed(self, items: Iterable[Hashable]) -> bool:
        """An attempt that these items wait for failed; True when this opens the breaker."""
        self._failing.update(dict.fromkeys(item for item in items if item not in self._bad))
        if self.is_open or len(self._failing) < SEVERAL:
            return False
        self.is_open = True
        return True

    def answered(self) -> None:
        """An attempt was answered. While the breaker is open, only probes decide."""
        if not self.is_open:
            self._failing.clear()

    def close(self, *, items_are_bad: bool) -> None:
        """Close. `items_are_bad`: the API works, or nothing is left to try, so they fail by themselves."""
        if items_are_bad:
            self._bad.update(self._failing)
        self._failing.clear()
        self.is_open = False
