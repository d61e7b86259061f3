"""The log's events and their fields: `docs/schemas/log.json` is written from these types."""

from typing import Literal, NotRequired

from typing_extensions import TypedDict

from cleanup.model import Counts

DraftName = Literal[
    "draft.discarded",
    "draft.would_discard",
    "draft.restored",
    "draft.would_restore",
    "draft.skipped",
    "draft.failed",
    "draft.retrying",
]
Name = Literal[
    "run.started",
    "run.progress",
    "run.info",
    "run.warning",
    "run.stopping",
    "run.bug",
    "run.finished",
    "rate.paused",
    "rate.changed",
    "outage.began",
    "outage.ended",
    "list.invalid",
    "settings.invalid",
    "check.refused",
]
Level = Literal["debug", "info", "warning", "error"]


class Head(TypedDict):
    """What every line of the log has."""

    timestamp: str
    """ISO 8601, UTC."""
    level: Level
    run_id: str
    """The run's id, as in the ledger and the summary; of `check`, its name."""


class DraftFields(TypedDict):
    """What is said of a draft: how it ended, or that it will be tried again."""

    agent: str
    draft: str
    reason: str | None
    """Why; null if it was discarded."""
    status: int | None
    """The status of the deciding answer; null if there was none."""
    attempts: int
    seconds: float
    """How long the attempts took, or the last one if there will be another."""
    request_id: str | None
    """The API's id of the deciding request."""
    message: NotRequired[str | None]
    """What the API said, or what is wrong."""
    wait: NotRequired[float]
    """Seconds until the next attempt."""
    name: NotRequired[str]
    """The draft's name, where it was read."""
    branch: NotRequired[str]
    """The name of the branch on which it was open."""
    editor: NotRequired[str]
    """Who edited it last."""
    updated_at: NotRequired[str]
    """When it was last edited."""
    copy: NotRequired[str]
    """The file with its copy."""
    new_draft: NotRequired[str]
    """The draft that was made anew from its copy."""


class Fields(TypedDict, total=False):
    """What is said of a run; each event has some of these."""

    message: str | None
    """A sentence."""
    mode: str
    list: str | None
    """The list's name."""
    listed: int
    to_send: int
    """How many pairs the run is about to send."""
    base_url: str
    organization: str | None
    organization_name: str | None
    counts: Counts | dict[str, int]
    """How many pairs ended in each outcome so far; empty if the settings were refused."""
    of: int
    """How many pairs there are."""
    requests: int
    """How many requests were sent so far."""
    source: str
    """Where a bad row is: file and line."""
    reason: str | None
    """What is wrong with that row; why the run was refused or stopped."""
    cause: str
    """What stops the run."""
    stopped_by: str | None
    """What stopped the run, as in the summary."""
    status: int | None
    """The status of the latest answer, in an outage."""
    seconds: float
    """How long a pause will be, or an outage was."""
    rate: float
    """The new rate, in requests a second."""
    limit: float
    """The highest rate that is known to be accepted."""
    exit_code: int
    meaning: str
    """What the exit code means."""
    next: str | None
    """What to do next, with the command if there is one."""
    traceback: str


class DraftEvent(Head, DraftFields):
    """An event about one draft."""

    event: DraftName


class Event(Head, Fields):
    """An event of the run."""

    event: Name


LogLine = DraftEvent | Event
