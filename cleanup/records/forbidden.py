"""When answers, taken together, end a run. Pure."""

from typing import Final

from cleanup.model import Ending, Outcome, Result

FIRST_ANSWERS: Final = 50
A_FEW: Final = 9
_NO_DISCARD: Final = frozenset(
    {Ending.CHANGED, Ending.RECENTLY_EDITED, Ending.PUBLISHING, Ending.KEPT, Ending.BACKUP_FAILED}
)
"""Endings that are decided before a discard is sent: their status answers a read, and says nothing about the key."""


class ForbiddenRule:
    """A key that may do nothing here: the first 50 answers are 403, or all of fewer than 50 but more than 9."""

    def __init__(self) -> None:
        self._forbidden = 0
        self._others = 0

    def add(self, result: Result) -> bool:
        """Note how a pair ended; True when the run should stop."""
        if result.status is None or result.ending in _NO_DISCARD or result.ending.outcome is Outcome.NOT_ATTEMPTED:
            return False
        if result.ending is Ending.FORBIDDEN:
            self._forbidden += 1
        else:
            self._others += 1
        return self._others == 0 and self._forbidden == FIRST_ANSWERS

    def all_of_a_few(self) -> bool:
        """At the end of a run: whether every answer was 403, of more than a few."""
        return self._others == 0 and A_FEW < self._forbidden < FIRST_ANSWERS
