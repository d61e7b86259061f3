"""What the process says when it ends: sysexits.h where it has a code, and what a scheduler should do."""

from enum import IntEnum
from typing import Final


class ExitCode(IntEnum):
    """The exit codes, each with its meaning for a person and whether a scheduler should try again."""

    meaning: str
    retry: bool

    def __new__(cls, value: int, meaning: str, retry: bool) -> "ExitCode":  # noqa: FBT001 - enum syntax
        """Attach the meaning and the advice to the number."""
        member = int.__new__(cls, value)
        member._value_ = value
        member.meaning = meaning
        member.retry = retry
        return member

    OK = (0, "every pair is discarded or skipped, or left for a later run", False)
    BUG = (1, "a bug in this program", True)
    USAGE = (2, "wrong usage, or the question was answered with no", False)
    FAILED = (3, "finished, but some pairs failed for good", False)
    DEADLINE = (4, "out of time", False)
    LIST_MALFORMED = (65, "the list is malformed", False)
    LIST_MISSING = (66, "the list is missing", False)
    OUTPUT = (
        74,
        "a ledger, leftover, summary, backup, other output file or the log could not be written",
        True,
    )
    TRY_AGAIN = (75, "worth another run", True)
    KEY = (77, "the key was refused, belongs to another organization, or may do nothing here", False)
    SETTINGS = (78, "a setting is wrong", False)
    SIGINT = (130, "interrupted", True)
    SIGTERM = (143, "terminated", True)


_IN_OTHER_WORDS: Final = {
    "sweep": {
        ExitCode.OK: "every draft that was found is discarded or skipped, or left for a later run",
        ExitCode.FAILED: "finished, but some drafts failed for good",
    },
    "dry-run": {
        ExitCode.OK: "every pair was looked at, and nothing was discarded",
        ExitCode.FAILED: "nothing was discarded, and some pairs could not be looked at, for good",
        ExitCode.DEADLINE: "out of time, and nothing was discarded",
        ExitCode.TRY_AGAIN: "nothing was discarded; worth another run",
    },
    "find": {
        ExitCode.OK: "the workspace was looked over, and nothing was discarded",
        ExitCode.USAGE: "wrong usage",
        ExitCode.DEADLINE: "out of time, and nothing was discarded",
        ExitCode.TRY_AGAIN: "nothing was discarded; worth another run",
        ExitCode.KEY: "the key was refused, belongs to another organization, or may read nothing here",
    },
    "check": {
        ExitCode.OK: "the settings and the list are good, and nothing was sent",
        ExitCode.USAGE: "wrong usage",
    },
}


def meaning(code: ExitCode, mode: str) -> str:
    """What a code means for a person in this mode: a run that only reads has discarded nothing."""
    return _IN_OTHER_WORDS.get(mode, {}).get(code, code.meaning)
