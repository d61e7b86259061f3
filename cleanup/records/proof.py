"""Decides which discards are read back, and what the results mean. Pure.

The API might report success and discard nothing. So the first three discards of a run are read back before any other
pair is sent, and a share of the others while the run goes on.
"""

from collections import Counter
from hashlib import blake2b
from typing import Final

from typing_extensions import TypedDict

from cleanup.lists.pair_list import pack
from cleanup.model import Pair

FIRST: Final = 3
"""How many discards are read back before anything else is sent."""
WAITS: Final = (0.0, 1.0, 2.0, 4.0, 8.0)
"""Seconds to wait before each read, while the draft is still there: 15 in all, because lists lag behind."""


def is_chosen(pair: Pair, share: float) -> bool:
    """Whether a discard belongs to the share that is read back. It depends only on the pair, so reruns choose alike."""
    number = int.from_bytes(blake2b(pack(pair.agent, pair.draft), digest_size=8, person=b"verify").digest(), "big")
    return number < share * 2**64


class Verified(TypedDict):
    """What was read back of the discards."""

    checked: int
    gone: int
    not_gone: int
    unknown: int | None
    """What could not be read back; null in a report, as ledgers do not record it."""


class Proof:
    """The results of reading discards back: gone (True), not gone (False), or unknown (None).

    `is_refuted`: one of the first discards is not gone, so that the API's answers cannot be trusted.
    """

    def __init__(self, share: float | None) -> None:
        """`share`: how many of the discards after the first three are read back; None: nothing is read back at all."""
        self._share = share
        self._counts: Counter[bool | None] = Counter()
        self._discarded = 0
        self._in_progress: set[int] = set()
        self.is_refuted = False

    def wants(self, pair: Pair) -> bool:
        """Note a discard. Returns whether it is to be read back."""
        self._discarded += 1
        return self._share is not None and (self._discarded <= FIRST or is_chosen(pair, self._share))

    @property
    def may_begin(self) -> bool:
        """Whether another pair may begin: the first three results are known, or it may be one of these three."""
        if self._share is None:
            return True
        return not self.is_refuted and (self.is_settled or len(self._in_progress) + self._counts.total() < FIRST)

    @property
    def is_settled(self) -> bool:
        """Whether the first three results are known."""
        return self._counts.total() >= FIRST

    def begin(self, place: int) -> None:
        """The pair at this place of the list begins."""
        self._in_progress.add(place)

    def end(self, place: int) -> None:
        """A pair is not about to be discarded any more: it failed, or it ended and was read back if it was selected."""
        self._in_progress.discard(place)

    def add(self, *, gone: bool | None, early: bool) -> None:
        """Note a result. `early`: the discard ended before the first three results were known."""
        self._counts[gone] += 1
        self.is_refuted = self.is_refuted or (early and gone is False)

    def summary(self) -> Verified:
        """The summary's `verified`."""
        counts = self._counts
        return {
            "checked": counts.total(),
            "gone": counts[True],
            "not_gone": counts[False],
            "unknown": counts[None],
        }
