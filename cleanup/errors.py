"""The errors that end a run: each is a sentence for the user and an exit code.

    JobError
    ├── SettingsError      78  a setting is unknown, missing or out of range
    │   └── SameFile           one file for two things
    ├── ListMissing        66  the list cannot be opened
    ├── ListMalformed      65  the list can be opened, but not trusted
    ├── OutputError        74  something could not be written
    ├── LedgerLocked       75  another run holds the ledger
    ├── Incomplete         75  a part of the workspace could not be read
    ├── UnknownOwner       75  whose key it is could not be told, and has to be
    ├── WrongOwner         77  the key belongs to another organization
    └── UsageError          2  the command line makes no sense, or a person said no

What happens to one pair is never an exception, it is an `Ending`.
"""

from cleanup.exit_codes import ExitCode


class JobError(Exception):
    """An error that the user can understand and end; `str(error)` is the sentence."""

    code = ExitCode.BUG


class SettingsError(JobError):
    """Settings that cannot be used; `problems` holds one sentence for each."""

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
    """It cannot be told whose key it is, and it has to be."""

    code = ExitCode.TRY_AGAIN


class WrongOwner(JobError):
    """The key belongs to another organization than the one required."""

    code = ExitCode.KEY
