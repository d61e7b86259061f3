"""Makes the copy of one draft before it is discarded."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

from cleanup.api.drafts import Draft, draft_configuration_in
from cleanup.api.reply import Reply
from cleanup.api.retry import Caller
from cleanup.model import Pair
from cleanup.records.backup import Backup, Copy


class Edited(Exception):
    """The draft was edited after its copy was made."""


@dataclass(slots=True)
class Copying:
    """A draft's configuration, and the copy that was made of it. `path`: where that is, once it is saved."""

    backup: Backup
    pair: Pair
    path: str | None = None
    _configuration: dict[str, Any] = field(default_factory=dict)
    _saved: tuple[str, str] | None = None

    async def read_configuration(self, caller: Caller) -> tuple[Reply, bool]:
        """Read the draft's configuration. Returns the reply, and whether it has the configuration. Raises Stopped."""
        pair = self.pair
        reply = await caller.operate(lambda api: api.configuration(pair.agent, pair.draft), decisive=False)
        configuration = draft_configuration_in(reply)
        self._configuration = configuration or {}
        return reply, configuration is not None

    async def save(self, branch: dict[str, Any] | None, draft: Draft, latest: dict[str, Any]) -> None:
        """Save a copy of this state, unless that was done. Raises Edited, and OutputError if it cannot be saved.

        `branch`: the branch by which the draft was found; None on the older model.
        """
        model = "drafts" if branch is None else "branches"
        if self._saved == (model, draft.updated_at):
            return
        if self._saved is not None and self._saved[1] != draft.updated_at:
            raise Edited(f"edited {draft.updated_at}, after its copy was made")
        copy = Copy(model, self.pair.agent, self.pair.draft, branch, latest, self._configuration)
        self.path = await asyncio.to_thread(self.backup.save, copy)
        self._saved = model, draft.updated_at
