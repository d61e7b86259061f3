"""The exit codes, and the errors that end a run: each has a sentence for the user and an exit code.

    JobError
    ├── SettingsError      78  a setting is unknown, missing or out of range
    │   └── SameFile           two settings name the same file
    ├── ListMissing        66  the list cannot be opened
    ├── ListMalformed      65  the list can be opened, but is malformed
    ├── OutputError        74  something could not be written
    ├── LedgerLocked       75  another run is using the ledger
    ├── Incomplete         75  a part of the workspace could not be read
    ├── UnknownOwner       75  the key's organization is required, but could not be determined
    ├── WrongOwner         77  the key belongs to another organization
    └── UsageError          2  the command line is invalid, or the question was answered with no

How one pair ends is never an exception but an `Ending`.
"""

from enum import IntEnum
from typing import Final


class ExitCode(IntEnum):
    """The exit codes, each with its meaning in words and whether a scheduler should try again."""

    meaning: str
    retry: bool

    def __new__(cls, value: int, meaning: str, retry: bool) -> "ExitCode":  # noqa: FBT001 - enum syntax
        """Attach the meaning and the retry advice to the number."""
        member = int.__new__(cls, value)
        member._value_ = value
        member.meaning = meaning
        member.retry = retry
        return member

    OK = (0, "every pair is discarded or skipped, or left for a later run", False)
    BUG = (1, "a bug in this program", True)
    USAGE = (2, "wrong usage, or the question was answered with no", False)
    FAILED = (3, "finished, but some pairs failed for good; or stopped, as what was discarded is not gone", False)
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
        ExitCode.FAILED: "finished, but some drafts failed for good; or stopped, as what was discarded is not gone",
    },
    "undo": {
        ExitCode.OK: "every draft is restored or skipped, or left for a later run",
        ExitCode.FAILED: "finished, but some drafts could not be restored as they were",
    },
    "would_restore": {
        ExitCode.OK: "every draft was checked, and nothing was restored",
        ExitCode.FAILED: "nothing was restored, and some drafts could never be checked",
        ExitCode.DEADLINE: "out of time, and nothing was restored",
        ExitCode.TRY_AGAIN: "nothing was restored; worth another run",
    },
    "would_discard": {
        ExitCode.OK: "every pair was checked, and nothing was discarded",
        ExitCode.FAILED: "nothing was discarded, and some pairs could never be checked",
        ExitCode.DEADLINE: "out of time, and nothing was discarded",
        ExitCode.TRY_AGAIN: "nothing was discarded; worth another run",
    },
    "find": {
        ExitCode.OK: "the workspace was searched, and nothing was discarded",
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
    """The meaning of a code in words. `mode`: the mode of the run, or what a dry run would do."""
    return _IN_OTHER_WORDS.get(mode, {}).get(code, code.meaning)


class JobError(Exception):
    """An error that the user can understand and fix; `str(error)` is the sentence to show."""

    code = ExitCode.BUG


class SettingsError(JobError):
    """Settings that cannot be used. `problems`: one sentence for each."""

    code = ExitCode.SETTINGS

    def __init__(self, *problems: str) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


class SameFile(SettingsError):
    """Two settings name the same file, so that one would overwrite the other."""


class ListMissing(JobError):
    """The list does not exist or cannot be opened."""

    code = ExitCode.LIST_MISSING


class ListMalformed(JobError):
    """The list is refused as a whole; each bad row was reported before."""

    code = ExitCode.LIST_MALFORMED


class OutputError(JobError):
    """A file or the log could not be written, so that further discards would be unrecorded."""

    code = ExitCode.OUTPUT


class LedgerLocked(JobError):
    """Another run is using the same ledger."""

    code = ExitCode.TRY_AGAIN


class UsageError(JobError):
    """The command line is invalid, or the question was answered with no."""

    code = ExitCode.USAGE


class Incomplete(JobError):
    """A part of the workspace could not be read."""

    code = ExitCode.TRY_AGAIN


class UnknownOwner(JobError):
    """The organization of the key is required, but could not be determined."""

    code = ExitCode.TRY_AGAIN


class WrongOwner(JobError):
    """The key belongs to another organization than the one required."""

    code = ExitCode.KEY
