"""The records that make up a workspace: agents, branches, drafts and keys."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

Mode = Literal["drafts", "branches"]


@dataclass(frozen=True, slots=True)
class PendingPublish:
    """A publish that was started for a draft, and whether it is still under way."""

    state: Literal["active", "cancelled"]
    started_by: str
    started_at: datetime


@dataclass(slots=True)
class Draft:
    """An open draft; `id` is the API's `draftId`."""

    id: str
    agent: str
    branch: str
    name: str
    created_by: str
    created_at: datetime
    updated_at: datetime
    editor: str
    config: dict[str, Any]
    revision_id: str
    source: str  # the published version that it was made from
    revision: int = 1
    pending_publish: PendingPublish | None = None


@dataclass(slots=True)
class Branch:
    """A branch of an agent, with at most one open draft; `source` is the branch that it was made from."""

    id: str
    agent: str
    name: str
    updated_at: datetime
    is_default: bool = False
    open_draft: str | None = None
    source: str | None = None
    has_commit: bool = True
    is_scanning: bool = False


@dataclass(slots=True)
class Agent:
    """An agent with its live configuration, that of its published `version`; `former` versions have theirs."""

    id: str
    name: str
    created_at: datetime
    config: dict[str, Any]
    created_by: str
    version: str
    branches: dict[str, Branch] = field(default_factory=dict)
    former: dict[str, dict[str, Any]] = field(default_factory=dict)
    archived: bool = False
    workflow_type: str = "single_prompt"
    workflow_graph: bool = False  # is one, and answers 403 to a discard, as in an organization without such agents


@dataclass(frozen=True, slots=True)
class Key:
    """Whose key it is. Records contain `name`, never the key."""

    name: str
    user: str
    organization: str
    admin: bool


@dataclass(frozen=True, slots=True)
class Discarded:
    """A draft that a request discarded: when (monotonic clock), through which model, by whose key."""

    draft: str
    agent: str
    time: float
    how: Mode
    key: str
