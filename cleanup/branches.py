"""How the workspace keeps drafts, and which branch of an agent a draft is open on; asked once, remembered."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Final, Literal

from cleanup import verdict
from cleanup.api.atoms import BadShape, Draft, agents_in, branch_in, draft_in
from cleanup.api.gate import Subject
from cleanup.api.retry import Caller
from cleanup.api.session import Session
from cleanup.model import NOT_JSON, Reply, StopCause
from cleanup.stop import Stopped

Model = Literal["drafts", "branches"]
_REMEMBERED: Final = 10_000


class Moved(Exception):
    """Drafts are discarded through their branches from now on; what was about to be sent is not."""


class Unanswered(Exception):
    """What has to be known about the workspace could not be read; `reply` is the last answer."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.message)
        self.reply = reply


class Shared:
    """Look-ups by agent: one request for all that ask at the same time and later; failures are not kept."""

    def __init__(self, caller: Caller, ask: Callable[[str], Awaitable[Reply]]) -> None:
        self._caller = caller
        self._ask = ask
        self._replies: OrderedDict[str, Reply] = OrderedDict()
        self._locks: dict[str, asyncio.Lock] = {}

    async def of(self, subject: Subject, agent: str) -> Reply:
        """The answer for an agent. Raises Stopped when the run stopped before there was one."""
        if agent in self._replies:
            return self._replies[agent]
        lock = self._locks.setdefault(agent, asyncio.Lock())
        async with lock:
            if agent in self._replies:
                return self._replies[agent]
            history = await self._caller.operate(subject, lambda _turn: self._ask(agent))
            reply = history.reply
            if reply is not None and not verdict.deserves_retry(reply):
                self._replies[agent] = reply
                if len(self._replies) > _REMEMBERED:
                    self._replies.popitem(last=False)
        if not lock.locked():
            self._locks.pop(agent, None)
        if reply is None:
            raise Stopped
        return reply


class Workspace:
    """Which model the workspace is on, noticed by what it answers."""

    def __init__(
        self,
        session: Session,
        model: Literal["auto", "drafts", "branches"],
        moved: Callable[[str], None],
    ) -> None:
        """`moved` is told, once, why the workspace is taken to be on the branch model now."""
        self._atoms = session.atoms
        self._caller = session.caller
        self._stop = session.stop
        self._moved = moved
        self._asking: asyncio.Lock = asyncio.Lock()
        self._asked = False
        self.auto = model == "auto"
        self.model: Model = "branches" if model == "branches" else "drafts"
        self.branches = Shared(session.caller, session.atoms.branches)
        self.drafts = Shared(session.caller, session.atoms.drafts)

    def move(self, why: str) -> None:
        """From now on, drafts are discarded through their branches."""
        if self.model == "drafts":
            self.model = "branches"
            self._moved(why)

    def migrated(self, reply: Reply) -> bool:
        """Whether this answer says that the workspace has moved to branches; the run follows it, or stops."""
        if not verdict.asks_for_migration(reply):
            return False
        if self.auto:
            self.move("the API says that the workspace has moved to branches")
        else:
            self._stop.request(
                StopCause.MIGRATION_REQUIRED, "the workspace has moved to branches, and api.model is drafts"
            )
        return True

    async def settled(self) -> None:
        """Wait while it is being asked whether the old endpoint is still there."""
        if self._asking.locked():
            async with self._asking:
                pass

    async def branch_of(self, subject: Subject, agent: str, draft: str) -> Draft | Reply:
        """The branch on which the draft is open. A Reply: the API would not say, or (200) it is open on none.

        Raises Stopped, BadShape.
        """
        reply = await self.branches.of(subject, agent)
        return reply if reply.data is None else branch_in(reply, agent, draft) or reply

    async def ensure_endpoint(self, subject: Subject, agent: str, draft: str) -> None:
        """Make sure that a 404 of the old endpoint is about the draft, and that the endpoint is still there.

        Asked once in a run, all that were answered 404 wait for it. Raises Moved, Stopped, Unanswered.
        """
        if not self.auto:
            return
        async with self._asking:
            if self.model == "drafts" and not self._asked:
                if not await self._tells(subject, agent, draft):
                    known = await self._some_agent(subject)
                    if known not in (None, agent):
                        await self._tells(subject, str(known), None)
                self._asked = True
            if self.model == "branches":
                raise Moved

    async def _tells(self, subject: Subject, agent: str, draft: str | None) -> bool:
        """Ask about one agent; False if it tells nothing, because nothing is known of it."""
        old = _answered(await self.drafts.of(subject, agent))
        if self.migrated(old):
            return True
        if old.status != 404 and not (draft and _mentions(draft_in, old, agent, draft)):
            return True
        new = _answered(await self.branches.of(subject, agent))
        if new.data is not None and (old.status == 404 or (draft and _mentions(branch_in, new, agent, draft))):
            self.move("the endpoint for discarding a draft by its id is gone, and the agent has branches")
            return True
        return old.status != 404

    async def _some_agent(self, subject: Subject) -> str | None:
        """An agent that exists."""
        history = await self._caller.operate(subject, lambda _turn: self._atoms.agents(1))
        if history.reply is None:
            raise Stopped
        try:
            agents, _ = agents_in(_answered(history.reply))
        except BadShape:
            return None
        return agents[0] if agents else None


def _answered(reply: Reply) -> Reply:
    if verdict.deserves_retry(reply) or reply.status == 401 or reply.trouble:
        raise Unanswered(reply)
    return reply


def _mentions(search: Callable[[Reply, str, str], Draft | None], reply: Reply, agent: str, draft: str) -> bool:
    try:
        return reply.body is not NOT_JSON and search(reply, agent, draft) is not None
    except BadShape:
        return False
