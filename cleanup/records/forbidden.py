"""Decides when so many answers are 403 that the run should stop. Pure."""

from typing import Final

from cleanup.model import Ending, Outcome, Result

FIRST_ANSWERS: Final = 50
A_FEW: Final = 9
_BY_READING: Final = frozenset(
    {
        *(Ending.CHANGED, Ending.RECENTLY_EDITED, Ending.PUBLISHING, Ending.KEPT, Ending.BACKUP_FAILED),
        *(Ending.RESTORED_BEFORE, Ending.STILL_OPEN, Ending.NO_COPY, Ending.NOT_RESTORABLE),
    }
)
"""Endings decided by reading alone: their status is that of a read, and says nothing about the permission to write."""


class ForbiddenRule:
    """Detects a key without permission: the first 50 answers are 403, or all of them if there are 10 to 49."""

    def __init__(self) -> None:
        self._forbidden = 0
        self._others = 0

    def add(self, result: Result) -> bool:
        """Note how a pair ended. Returns True if the run should stop."""
        if result.status is None or result.ending in _BY_READING or result.ending.outcome is Outcome.NOT_ATTEMPTED:
            return False
        if result.ending is Ending.FORBIDDEN:
            self._forbidden += 1
        else:
            self._others += 1
        return self._others == 0 and self._forbidden == FIRST_ANSWERS

    def all_of_a_few(self) -> bool:
        """Whether, at the end of a run, there were 10 to 49 answers and all were 403."""
        return self._others == 0 and A_FEW < self._forbidden < FIRST_ANSWERS
