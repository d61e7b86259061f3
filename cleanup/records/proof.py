"""Whether what was discarded is gone: which discards are read back, and what the answers mean. Pure.

An API that says yes and does nothing must not be believed a thousand times. So the first three discards of a run are
read back before anything else is sent, and a share of the others beside the rest of the work.
"""

from collections import Counter
from hashlib import blake2b
from typing import Final

from cleanup.lists.pair_list import pack
from cleanup.model import Pair

FIRST: Final = 3
"""How many discards are read back before anything else is sent."""
WAITS: Final = (0.0, 1.0, 2.0, 4.0, 8.0)
"""Seconds before each reading of a draft that is still there: 15 in all, because lists lag behind."""


def is_chosen(pair: Pair, share: float) -> bool:
    """Whether a discard belongs to the share that is read back; by its pair, so that a rerun takes the same ones."""
    number = int.from_bytes(blake2b(pack(pair.agent, pair.draft), digest_size=8, person=b"verify").digest(), "big")
    return number < share * 2**64


class Proof:
    """What is known of the discards that were read back: gone (True), not gone (False), or unknown (None).

    `is_refuted`: one of the first discards is not gone, so that the API's word is worth nothing.
    """

    def __init__(self, share: float | None) -> None:
        """`share`: of the discards after the first three; None: nothing is read back."""
        self._share = share
        self._counts: Counter[bool | None] = Counter()
        self._discarded = 0
        self._in_progress = 0
        self.is_refuted = False

    def wants(self, pair: Pair) -> bool:
        """A pair was just discarded: whether it is to be read back."""
        self._discarded += 1
        return self._share is not None and (self._discarded <= FIRST or is_chosen(pair, self._share))

    @property
    def may_begin(self) -> bool:
        """Whether another pair may be begun: the first three are known, or it may be one of them."""
        if self._share is None:
            return True
        return not self.is_refuted and (self.is_settled or self._in_progress + self._counts.total() < FIRST)

    @property
    def is_settled(self) -> bool:
        """Whether the first three are known."""
        return self._counts.total() >= FIRST

    def begin(self) -> None:
        """A pair is begun."""
        self._in_progress += 1

    def end(self) -> None:
        """A pair has ended, and is known to be gone if it was one of the first three."""
        self._in_progress -= 1

    def add(self, *, gone: bool | None, early: bool) -> None:
        """Note what was read back. `early`: of a discard before the first three were known."""
        self._counts[gone] += 1
        self.is_refuted = self.is_refuted or (early and gone is False)

    def summary(self) -> dict[str, int]:
        """What the summary says of it."""
        counts = self._counts
        return {
            "checked": counts.total(),
            "gone": counts[True],
            "not_gone": counts[False],
            "unknown": counts[None],
        }
