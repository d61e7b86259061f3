"""How the workspace keeps drafts, and which branch of an agent a draft is open on; asked once, remembered."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Final, Literal

from cleanup import verdict
from cleanup.api.atoms import Atoms, BadShape, Draft, drafts_in, open_drafts_in
from cleanup.api.gate import Subject
from cleanup.api.retry import Caller
from cleanup.model import NOT_JSON, Reply

Model = Literal["drafts", "branches"]
_REMEMBERED: Final = 10_000


class Shared:
    """Look-ups by agent: one request for all that ask at the same time and later; failures are not kept."""

    def __init__(self, caller: Caller, ask: Callable[[str], Awaitable[Reply]]) -> None:
        self._caller = caller
        self._ask = ask
        self._replies: OrderedDict[str, Reply] = OrderedDict()
        self._locks: dict[str, asyncio.Lock] = {}

    async def of(self, subject: Subject, agent: str) -> Reply | None:
        """The answer for an agent; None when the run stopped before there was one."""
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
        return reply

    def forget(self, agent: str) -> None:
        """Ask again the next time."""
        self._replies.pop(agent, None)


class Workspace:
    """Which model the workspace is on, noticed by what it answers."""

    def __init__(
        self,
        atoms: Atoms,
        caller: Caller,
        model: Literal["auto", "drafts", "branches"],
        moved: Callable[[str], None],
    ) -> None:
        """`moved` is told, once, why the workspace is taken to be on the branch model now."""
        self._atoms = atoms
        self._caller = caller
        self._moved = moved
        self._asking: asyncio.Lock = asyncio.Lock()
        self._asked = False
        self.auto = model == "auto"
        self.model: Model = "branches" if model == "branches" else "drafts"
        self.branches = Shared(caller, atoms.branches)
        self.drafts = Shared(caller, atoms.drafts)

    def move(self, why: str) -> None:
        """From now on, drafts are discarded through their branches."""
        if self.model == "drafts":
            self.model = "branches"
            self._moved(why)

    async def branch_of(self, subject: Subject, agent: str, draft: str) -> Draft | Reply | None:
        """The branch on which the draft is open. A Reply: the API would not say, or (200) it is open on none.

        None: the run stopped. Raises BadShape.
        """
        reply = await self.branches.of(subject, agent)
        if reply is None or reply.data is None:
            return reply
        return next((found for found in open_drafts_in(reply, agent) if found.draft == draft), reply)

    async def endpoint_is_gone(self, subject: Subject, agent: str, draft: str) -> bool:
        """Whether a 404 of the old endpoint means that it was removed. Asked once in a run, all wait for it."""
        if not self.auto:
            return False
        async with self._asking:
            if self.model == "branches":
                return True
            if not self._asked:
                self._asked = True
                await self._ask(subject, agent, draft)
            return self.model == "branches"  # type: ignore[comparison-overlap]

    async def _ask(self, subject: Subject, agent: str, draft: str) -> None:
        old = await self._caller.operate(subject, lambda _turn: self._atoms.drafts(agent))
        if old.reply is None:
            return
        if verdict.asks_for_migration(old.reply):
            self.move("the API says that the workspace has moved to branches")
        elif old.reply.status == 404 or self._lists(old.reply, agent, draft):
            reply = await self.branches.of(subject, agent)
            if reply is not None and self._knows_branches(reply, agent, draft, listed=old.reply.status == 200):
                self.move("the endpoint for discarding a draft by its id is gone, and the agent has branches")

    @staticmethod
    def _lists(reply: Reply, agent: str, draft: str) -> bool:
        try:
            return reply.status == 200 and any(found.draft == draft for found in drafts_in(reply, agent))
        except BadShape:
            return False

    @staticmethod
    def _knows_branches(reply: Reply, agent: str, draft: str, *, listed: bool) -> bool:
        if reply.data is None or reply.body is NOT_JSON:
            return False
        try:
            open_drafts = list(open_drafts_in(reply, agent))
        except BadShape:
            return False
        return not listed or any(found.draft == draft for found in open_drafts)
