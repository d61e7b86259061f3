"""How the process ends: the exit codes, and the errors that end a run, each a sentence for the user and a code.

    JobError
    ├── SettingsError      78  a setting is unknown, missing or out of range
    │   └── SameFile           one file for two things
    ├── ListMissing        66  the list cannot be opened
    ├── ListMalformed      65  the list can be opened, but not trusted
    ├── OutputError        74  something could not be written
    ├── LedgerLocked       75  another run holds the ledger
    ├── Incomplete         75  a part of the workspace could not be read
    ├── UnknownOwner       75  whose key it is could not be determined, and has to be
    ├── WrongOwner         77  the key belongs to another organization
    └── UsageError          2  the command line makes no sense, or a person said no

What happens to one pair is never an exception, it is an `Ending`.
"""

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
    """What a code means for a person in this mode: a run that only reads has discarded nothing."""
    return _IN_OTHER_WORDS.get(mode, {}).get(code, code.meaning)


class JobError(Exception):
    """An error that the user can understand and end; `str(error)` is the sentence."""

    code = ExitCode.BUG


class SettingsError(JobError):
    """Settings that cannot be used. `problems`: one sentence for each."""

    code = ExitCode.SETTINGS

    def __init__(self, *problems: str) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


class SameFile(SettingsError):
    """Two settings name one file, so that one would overwrite the other."""


class ListMissing(JobError):
    """The list is not there, or cannot be opened."""

    code = ExitCode.LIST_MISSING


class ListMalformed(JobError):
    """The list is there and refused as a whole; each bad row was named before."""

    code = ExitCode.LIST_MALFORMED


class OutputError(JobError):
    """A file, or the log, could not be written: going on would be going on unrecorded."""

    code = ExitCode.OUTPUT


class LedgerLocked(JobError):
    """Another run uses the same ledger now."""

    code = ExitCode.TRY_AGAIN


class UsageError(JobError):
    """The command line cannot be understood, or the question was answered with no."""

    code = ExitCode.USAGE


class Incomplete(JobError):
    """A part of the workspace could not be read."""

    code = ExitCode.TRY_AGAIN


class UnknownOwner(JobError):
    """It cannot be determined whose key it is, and it has to be."""

    code = ExitCode.TRY_AGAIN


class WrongOwner(JobError):
    """The key belongs to another organization than the one required."""

    code = ExitCode.KEY
