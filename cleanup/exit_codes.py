"""What the process says when it ends: sysexits.h where it has a code, and what a scheduler should do."""

from enum import IntEnum


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
