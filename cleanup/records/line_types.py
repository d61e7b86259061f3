"""What the lines of a ledger hold: `docs/schemas/ledger.json` is written from these types."""

from typing import Any, Literal, NotRequired

from typing_extensions import TypedDict

from cleanup.model import Counts, Outcome
from cleanup.records.summary import Mode


class RunLine(TypedDict):
    """A run begins: who, when, with which list and settings."""

    type: Literal["run"]
    run_id: str
    time: str
    """ISO 8601, UTC, with milliseconds."""
    version: str
    """The program's version."""
    mode: Mode
    host: str
    os_user: str
    """Who the process belonged to."""
    base_url: str
    organization: str | None
    """The id of the key's organization; null if it could not be determined."""
    organization_name: str | None
    """Its name, where a person was there to read it."""
    user: str | None
    """The id of the key's user."""
    list: str | None
    """The list's name: a path, `-`, or `sweep`."""
    list_sha256: str | None
    """The hash of the list's bytes."""
    settings: dict[str, Any]
    """The settings by section, without secrets."""
    note: str | None
    """run.note."""


class PairLine(TypedDict):
    """How a pair ended. The latest line of a pair counts, but a discarded draft stays discarded."""

    type: Literal["pair"]
    time: str
    """ISO 8601, UTC, with milliseconds."""
    run_id: str
    agent: str
    draft: str
    outcome: Outcome
    reason: str | None
    """Why; null if it was discarded."""
    status: int | None
    """The status of the deciding answer; null if there was none."""
    attempts: int
    """How many attempts were made; 0 if nothing was sent."""
    seconds: float
    """How long the attempts took."""
    request_id: str | None
    """The API's id of the deciding request."""
    source: str
    """Where the pair is listed: file and line."""
    name: NotRequired[str]
    """The draft's name, where it was read."""
    branch: NotRequired[str]
    """The name of the branch on which it was open."""
    updated_at: NotRequired[str]
    """When the draft was last edited."""
    copy: NotRequired[str]
    """The file with its copy."""
    new_draft: NotRequired[str]
    """The draft that was made anew from its copy."""


class ProofLine(TypedDict):
    """What was read back after a discard."""

    type: Literal["proof"]
    time: str
    """ISO 8601, UTC, with milliseconds."""
    run_id: str
    agent: str
    draft: str
    gone: bool
    """False: the draft is still open, and a line of the pair as failed follows."""


class EndLine(TypedDict):
    """A run ends. Without this line it was killed, or still goes on."""

    type: Literal["end"]
    run_id: str
    time: str
    """ISO 8601, UTC, with milliseconds."""
    exit_code: int
    counts: Counts
    limit: NotRequired[float]
    """The rate limit that was found, in requests a second."""


LedgerLine = RunLine | PairLine | ProofLine | EndLine
