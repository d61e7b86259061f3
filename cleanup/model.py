"""The values that flow through a run: pairs, endings and results."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum, StrEnum
from typing import Final, NotRequired

from typing_extensions import TypedDict


@dataclass(frozen=True, slots=True)
class Pair:
    """One listed draft. `index` is its place among the listed pairs, `source` its file and line."""

    index: int
    agent: str
    draft: str
    source: str
    updated_at: datetime | None = None


class Outcome(StrEnum):
    """The possible outcomes of a listed pair.

    The first four are what a run is for: to discard, to restore, and in a dry run to say what would be done.
    """

    DISCARDED = "discarded"
    WOULD_DISCARD = "would_discard"
    RESTORED = "restored"
    WOULD_RESTORE = "would_restore"
    SKIPPED = "skipped"
    FAILED = "failed"
    NOT_ATTEMPTED = "not_attempted"


class Ending(Enum):
    """Every way in which a listed pair can end: outcome, reason, and whether the failure may pass by another run."""

    DISCARDED = (Outcome.DISCARDED, None)
    WOULD_DISCARD = (Outcome.WOULD_DISCARD, None)
    RESTORED = (Outcome.RESTORED, None)
    WOULD_RESTORE = (Outcome.WOULD_RESTORE, None)

    NOT_FOUND = (Outcome.SKIPPED, "not_found")
    FORBIDDEN = (Outcome.SKIPPED, "forbidden")
    GONE_AFTER_RETRY = (Outcome.SKIPPED, "gone_after_retry")
    CHANGED = (Outcome.SKIPPED, "changed")
    RECENTLY_EDITED = (Outcome.SKIPPED, "recently_edited")
    PROTECTED = (Outcome.SKIPPED, "protected")
    DUPLICATE = (Outcome.SKIPPED, "duplicate")
    SETTLED = (Outcome.SKIPPED, "settled")
    PUBLISHING = (Outcome.SKIPPED, "publishing")
    KEPT = (Outcome.SKIPPED, "kept")
    RESTORED_BEFORE = (Outcome.SKIPPED, "restored_before")
    STILL_OPEN = (Outcome.SKIPPED, "still_open")
    NO_COPY = (Outcome.SKIPPED, "no_copy")
    NOT_RESTORABLE = (Outcome.SKIPPED, "not_restorable")

    SERVER_ERROR = (Outcome.FAILED, "server_error", True)
    RATE_LIMITED = (Outcome.FAILED, "rate_limited", True)
    TIMEOUT = (Outcome.FAILED, "timeout", True)
    CONNECTION = (Outcome.FAILED, "connection", True)
    FROZEN = (Outcome.FAILED, "frozen", True)
    INTERRUPTED = (Outcome.FAILED, "interrupted", True)
    DISOWNED = (Outcome.FAILED, "unexpected_response", True)
    BUSY = (Outcome.FAILED, "conflict", True)

    BAD_REQUEST = (Outcome.FAILED, "bad_request")
    CONFLICT = (Outcome.FAILED, "conflict")
    MIGRATION_REQUIRED = (Outcome.FAILED, "migration_required")
    BACKUP_FAILED = (Outcome.FAILED, "backup_failed")
    NOT_GONE = (Outcome.FAILED, "not_gone")
    DIFFERS = (Outcome.FAILED, "differs")
    UNEXPECTED_RESPONSE = (Outcome.FAILED, "unexpected_response")
    UNAUTHORIZED = (Outcome.FAILED, "unauthorized")

    LEFT_STOPPED = (Outcome.NOT_ATTEMPTED, "stopped")
    LEFT_DEADLINE = (Outcome.NOT_ATTEMPTED, "deadline")
    LEFT_INTERRUPTED = (Outcome.NOT_ATTEMPTED, "interrupted")
    LEFT_LIMIT = (Outcome.NOT_ATTEMPTED, "limit")

    outcome: Outcome
    reason: str | None
    passing: bool

    def __init__(self, outcome: Outcome, reason: str | None, passing: bool = False) -> None:  # noqa: FBT001, FBT002 - enum syntax
        self.outcome = outcome
        self.reason = reason
        self.passing = passing


SETTLING: Final = frozenset({"discarded", "not_found", "gone_after_retry"})
"""The reasons (or outcomes, if there is no reason) with which a pair in the ledger is skipped by `--resume`."""


@dataclass(frozen=True, slots=True)
class Result:
    """How one pair ended, with the details for an audit: the deciding answer, the attempts and the time."""

    pair: Pair
    ending: Ending
    status: int | None = None
    attempts: int = 0
    seconds: float = 0.0
    request_id: str | None = None
    message: str | None = None
    details: dict[str, str] = field(default_factory=dict)


class Done(TypedDict):
    """How many drafts a run did what it was for, by what that was."""

    discarded: NotRequired[int]
    would_discard: NotRequired[int]
    """In a dry run."""
    restored: NotRequired[int]
    """Made anew, by `undo`."""
    would_restore: NotRequired[int]


class Counts(Done):
    """How many pairs ended in each outcome; these add up to those listed."""

    listed: int
    skipped: int
    failed: int
    not_attempted: int


@dataclass(frozen=True, slots=True)
class KnownLimit:
    """A rate limit that an earlier run found, in requests a second, and when it ended (ISO 8601)."""

    rate: float
    found_at: str


@dataclass(frozen=True, slots=True)
class Owner:
    """The organization and user of the key, if known. `name`: the organization's. `trouble`: why they are unknown."""

    organization: str | None = None
    user: str | None = None
    trouble: str | None = None
    name: str | None = None

    def in_words(self) -> str:
        """The organization, as shown to a person."""
        if self.organization is None:
            return "an organization that could not be determined"
        return f"organization {self.organization if self.name is None else f'{self.name} ({self.organization})'}"


class StopCause(StrEnum):
    """Why a run stops before the end of its list."""

    SIGNAL = "signal"
    DEADLINE = "deadline"
    OUTAGE = "outage"
    UNAUTHORIZED = "unauthorized"
    FORBIDDEN = "forbidden"
    MIGRATION_REQUIRED = "migration_required"
    OUTPUT = "output"
    TLS = "tls"
    PROOF = "proof"

    @property
    def leaves(self) -> Ending:
        """The ending of the pairs that are not sent because of this."""
        match self:
            case StopCause.SIGNAL:
                return Ending.LEFT_INTERRUPTED
            case StopCause.DEADLINE:
                return Ending.LEFT_DEADLINE
            case _:
                return Ending.LEFT_STOPPED
