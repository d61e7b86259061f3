"""What the steps of one restoration share: the draft's copy, the requests for it, and how it may end early."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cleanup.api.drafts import draft_configuration_in, text_of
from cleanup.api.reply import Reply
from cleanup.api.retry import Attempt, Caller
from cleanup.discard import verdict
from cleanup.discard.evidence import Evidence
from cleanup.discard.workspace import Workspace
from cleanup.model import Ending, Pair
from cleanup.records.backup import Copy
from cleanup.stop import Stop
from cleanup.undo.fields import is_too_deep
from cleanup.undo.originals import Original, Originals


class Ended(Exception):
    """The restoration ends here, in this way; the text says why."""

    def __init__(self, ending: Ending, why: str | None = None) -> None:
        super().__init__(why)
        self.ending = ending
        self.why = why


@dataclass(frozen=True, slots=True)
class Restoring:
    """What all restorations of a run share. `only_reads`: it is a dry run. `warn`: warns once, of a kind."""

    workspace: Workspace
    originals: Originals
    stop: Stop
    warn: Callable[..., None]
    only_reads: bool


@dataclass(frozen=True, slots=True)
class Fork:
    """A draft that an undo makes or has made; `draft` is empty as long as only its branch is there.

    `name`: the draft's, or its branch's. `is_certain`: this or the ledger says that it was made for this restoration.
    """

    draft: str
    name: str
    branch: str = ""
    is_certain: bool = True


class Steps:
    """Sends the requests of one restoration, and remembers whether any of them may have changed something."""

    def __init__(self, pair: Pair, copy: Copy, caller: Caller, evidence: Evidence, shared: Restoring) -> None:
        self.agent, self.draft = pair.agent, pair.draft
        self.copy = copy
        self.caller = caller
        self.evidence = evidence
        self.workspace, self.originals, self.warn = shared.workspace, shared.originals, shared.warn
        self.original: Original = shared.originals.of(pair)
        self.wrote = False

    @property
    def configuration(self) -> dict[str, Any]:
        """The draft's configuration, as it was read."""
        found: dict[str, Any] = self.copy.configuration["_resolvedConfig"]
        return found

    @property
    def name(self) -> str:
        """The draft's name, as it would be read from a list; empty if it is unknown."""
        name = self.copy.latest.get("draftName")
        return text_of(name if isinstance(name, str) else self.original.name)

    async def read(self, attempt: Attempt) -> Reply:
        """Send a request that changes nothing. Raises Stopped."""
        return self.evidence.heard(await self.caller.operate(attempt, decisive=False))

    async def write(self, attempt: Attempt, *, requests: int = 1) -> Reply:
        """Send a request that changes something. Raises Stopped."""

        async def counted(api: Any) -> Reply:
            self.evidence.attempts += 1
            reply = await attempt(api)
            self.wrote = self.wrote or reply.written is not None or reply.lost
            return reply

        return self.evidence.heard(await self.caller.operate(counted, requests=requests))

    async def change(self, attempt: Attempt, *, requests: int = 1) -> Reply:
        """Send a request that changes something that is there. Raises Ended unless the API did it, Stopped."""
        reply = await self.write(attempt, requests=requests)
        if reply.asks_for_migration and self.workspace.follow():
            left = self.evidence.details.get("new_draft")
            sentence = f"the workspace moved to branches meanwhile, and draft {left} stays unfinished: discard it, and"
            raise Ended(Ending.INTERRUPTED, f"{sentence} run the undo again")
        if reply.written is None:
            raise Ended(self.failure(reply))
        return reply

    def failure(self, reply: Reply) -> Ending:
        """How a change failed. A 404 to what was just made proves nothing: it is worth another run.

        A 403 is a failure, not a skip: what was made so far stays unfinished.
        """
        if reply.status == 404:
            return Ending.DISOWNED
        ending = verdict.of_read(reply)
        return Ending.UNEXPECTED_RESPONSE if ending is Ending.FORBIDDEN and self.wrote else ending

    async def configuration_of(self, draft: str) -> dict[str, Any]:
        """Read the configuration of a draft that was made. Raises Ended, Stopped."""
        reply = await self.read(lambda api: api.configuration(self.agent, draft))
        found = draft_configuration_in(reply)
        if found is not None and not is_too_deep(found["_resolvedConfig"]):
            return dict(found["_resolvedConfig"])
        if reply.deserves_retry or reply.status in (401, 403):
            raise Ended(verdict.of_read(reply))
        raise Ended(Ending.DISOWNED, f"the new draft {draft} was made, but the API returned no configuration of it")
