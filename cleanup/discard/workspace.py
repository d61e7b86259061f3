"""Determines which model the workspace is on, and which drafts of an agent are open.

A 404 proves nothing by itself: a gateway that is reloading its routes answers every request with one.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

from cleanup.api.atoms import Atoms, agents_in, says_no_such_agent
from cleanup.api.drafts import BadShape, Draft, Drafts, drafts_in, open_drafts_in
from cleanup.api.reply import Reply
from cleanup.api.retry import Attempt, Caller
from cleanup.model import StopCause
from cleanup.stop import Stop, Stopped

Model = Literal["drafts", "branches"]
"""`drafts`: an agent has drafts, each discarded by its id. `branches`: it has branches, each with one open draft."""

KEPT_SECONDS: Final = 60.0
"""How long an agent's list of drafts may be used."""
RECENT_SECONDS: Final = 10.0
"""How long after an answer from a gateway another 404 may come from that gateway too."""
_REMEMBERED: Final = 10_000


class Unanswered(Exception):
    """Something that must be known about the workspace could not be read; `reply` is the last answer."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.message)
        self.reply = reply


@dataclass(frozen=True, slots=True)
class Listing:
    """An agent's open drafts, None if there is no such agent. `asked_at`: when they were requested, by the run's clock.

    `after_trouble`: the API was down at first.
    """

    drafts: Drafts | None
    asked_at: float
    model: Model
    after_trouble: bool

    def get(self, draft: str) -> Draft | None:
        """The draft, None if it is not open. Raises BadShape if that cannot be determined."""
        if self.drafts is None:
            return None
        found = self.drafts.by_id.get(draft)
        if found is None and self.drafts.odd is not None:
            raise BadShape(self.drafts.odd)
        return found


class Workspace:
    """Which model the workspace is on, judging by its answers, and each agent's open drafts."""

    def __init__(
        self,
        stop: Stop,
        model: Literal["auto", "drafts", "branches"],
        moved: Callable[[str], None],
        now: Callable[[], float],
        *,
        only_reads: bool = True,
    ) -> None:
        """`moved` is called once, with the reason, if the workspace turns out to be on the branch model.

        `now`: a clock in seconds, with any origin. `only_reads`: the run discards nothing, so that a list that is
        answered shows that the API does what the run needs.
        """
        self._stop = stop
        self._moved = moved
        self.now = now
        self._only_reads = only_reads
        self._auto = model == "auto"
        self.model: Model = "branches" if model == "branches" else "drafts"
        self._one_at_a_time = asyncio.Lock()
        self._gateway_at: float | None = None
        self._lookups: OrderedDict[str, _Lookup] = OrderedDict()

    def follow(self) -> bool:
        """React to the API's 409 that requires the branch model. Returns whether the run goes on; if not, it stops."""
        if self._auto:
            self._move("the API says that the workspace has moved to branches")
        elif self.model == "drafts":
            sentence = "the workspace has moved to branches, and api.model is drafts"
            self._stop.request(StopCause.MIGRATION_REQUIRED, sentence)
        return self.model == "branches"

    def _move(self, why: str) -> None:
        if self.model == "drafts":
            self.model = "branches"
            self._lookups.clear()
            self._moved(why)

    async def find(self, caller: Caller, agent: str, draft: str) -> Draft | None:
        """The draft from its agent's list; None if it is not open. Raises Unanswered, BadShape, Stopped."""
        return (await self.listing(caller, agent)).get(draft)

    async def verify(self, caller: Caller, agent: str, draft: str) -> Listing:
        """The agent's drafts, to check a 404. If a cached list still has the draft, the list is requested again.

        Raises Unanswered, BadShape, Stopped.
        """
        now = self.now()
        listing = await self.listing(caller, agent)
        if listing.get(draft) is None or listing.asked_at >= now:
            return listing
        return await self.listing(caller, agent, since=now)

    def met_a_gateway(self) -> bool:
        """Whether a recent 404 turned out to come from a gateway."""
        return self._gateway_at is not None and self.now() - self._gateway_at < RECENT_SECONDS

    def _note_gateway(self) -> None:
        self._gateway_at = self.now()

    def is_waited_for(self, agent: str) -> bool:
        """Whether an item is waiting for this agent's list."""
        return agent in self._lookups and bool(self._lookups[agent].waiting)

    async def listing(self, caller: Caller, agent: str, *, since: float | None = None) -> Listing:
        """An agent's open drafts: one request for all items that need them, cached for a minute.

        Raises Unanswered, BadShape, Stopped.
        """
        lookup = self._lookups.setdefault(agent, _Lookup())
        self._lookups.move_to_end(agent)
        while len(self._lookups) > _REMEMBERED:
            self._lookups.popitem(last=False)
        came_at = self.now()
        since = came_at - KEPT_SECONDS if since is None else since
        lookup.waiting[caller.subject.item] = lookup.waiting.get(caller.subject.item, 0) + 1
        if sum(lookup.waiting.values()) > 1:
            caller.finish()  # the item that reads the list may need this slot, or the end of this probe
        try:
            async with lookup.one_at_a_time:
                known = lookup.listing
                if known is not None and known.asked_at >= since and known.model == self.model:
                    return known
                if lookup.failed_at is not None and lookup.failed_at >= came_at and lookup.failure is not None:
                    self._stop.check()
                    raise Unanswered(lookup.failure)  # the request failed for all items that waited for it
                try:
                    lookup.listing = await self._ask(caller, agent, lookup)
                except Unanswered as error:
                    lookup.failed_at, lookup.failure = self.now(), error.reply
                    raise
                return lookup.listing
        finally:
            lookup.waiting[caller.subject.item] -= 1
            if not lookup.waiting[caller.subject.item]:
                del lookup.waiting[caller.subject.item]

    async def _ask(self, caller: Caller, agent: str, lookup: "_Lookup") -> Listing:
        question, asked_at = _Question(agent, self._note_gateway), self.now()
        if self.model == "drafts":
            reply = await self._operate(caller, question.drafts, lookup)
            if question.is_unknown:
                return Listing(None, asked_at, "drafts", question.troubled)
            if reply.asks_for_migration:
                if not self.follow():
                    raise Unanswered(reply)
            elif reply.route_missing and not reply.foreign:
                branches = await self._move_if_gone(caller, agent)
                if branches is None:
                    raise Unanswered(reply.disown())
                if branches.data is not None:
                    return Listing(open_drafts_in(branches, agent), asked_at, "branches", question.troubled)
            else:
                return Listing(drafts_in(_answered(reply), agent), asked_at, "drafts", question.troubled)
        reply = await self._operate(caller, question.branches, lookup)
        if question.is_unknown:
            return Listing(None, asked_at, "branches", question.troubled)
        if reply.status == 404:
            raise Unanswered(reply.disown())
        return Listing(open_drafts_in(_answered(reply), agent), asked_at, "branches", question.troubled)

    async def _operate(self, caller: Caller, attempt: Attempt, lookup: "_Lookup") -> Reply:
        return await caller.operate(attempt, waiting=lookup.waiting.keys, decisive=self._only_reads)

    async def leave_missing_route(self, caller: Caller, agent: str, reply: Reply) -> None:
        """The older model's endpoint is gone, but the API is up: go on with the branch model, or stop the run.

        Raises Unanswered, Stopped.
        """
        if await self._move_if_gone(caller, agent) is None:
            raise Unanswered(reply.disown())

    async def _move_if_gone(self, caller: Caller, agent: str) -> Reply | None:
        """Switch to the branch model if its endpoints answer. None if they do not.

        Otherwise returns the answer for this agent, which is empty if another pair has caused the switch.
        """
        async with self._one_at_a_time:
            if self.model == "branches":
                return Reply(None)
            if not self._auto:
                raise self._stopped("the endpoint for drafts is gone, and api.model is drafts")
            answers = [await caller.operate(lambda api: api.branches(agent))]
            if answers[0].data is None and not answers[0].route_missing:  # maybe only this agent is gone
                listed, other = await self._another_agent(caller, agent)
                answers.append(listed if other is None else await caller.operate(lambda api: api.branches(other)))
            if any(isinstance(answer.data, dict) and "branches" in answer.data for answer in answers):
                self._move("the endpoint for discarding a draft by its id is gone, and agents have branches")
                return answers[0]
            if any(answer.deserves_retry for answer in answers):
                return None
            raise self._stopped("the endpoint for drafts is gone, and there are no branches: the API has changed")

    def _stopped(self, sentence: str) -> Stopped:
        self._stop.request(StopCause.MIGRATION_REQUIRED, sentence)
        return Stopped()

    async def _another_agent(self, caller: Caller, agent: str) -> tuple[Reply, str | None]:
        """The reply with the first page of agents, and one of them that is not this one."""
        reply = await caller.operate(lambda api: api.agents(1))
        try:
            agents, _ = agents_in(reply)
        except BadShape:
            return reply, None
        return reply, next((other for other in agents if other != agent), None)


class _Lookup:
    """What is known about one agent's drafts, and which items are waiting for them."""

    def __init__(self) -> None:
        self.one_at_a_time = asyncio.Lock()
        self.waiting: dict[object, int] = {}
        self.listing: Listing | None = None
        self.failure: Reply | None = None
        self.failed_at: float | None = None


class _Question:
    """Reads an agent's drafts, and investigates a 404 before it counts."""

    def __init__(self, agent: str, note_gateway: Callable[[], None]) -> None:
        self.agent = agent
        self._note_gateway = note_gateway
        self.is_unknown = False
        self.troubled = False

    async def drafts(self, api: Atoms) -> Reply:
        """Read the older model's list of drafts. That its route is missing counts only if it is said twice."""
        reply = await self._explained(api, await api.drafts(self.agent))
        if reply.route_missing and not reply.disowned:
            reply = await self._explained(api, await api.drafts(self.agent))
        return self._noted(reply)

    async def branches(self, api: Atoms) -> Reply:
        """Read the agent's branches."""
        return self._noted(await self._explained(api, await api.branches(self.agent)))

    def _noted(self, reply: Reply) -> Reply:
        self.troubled = self.troubled or reply.down
        return reply

    async def _explained(self, api: Atoms, reply: Reply) -> Reply:
        """Find out whether a 404 means that the agent is unknown, the route is gone, or a gateway answered."""
        if reply.status != 404 or reply.foreign:
            return reply
        if not reply.route_missing:
            agent = await api.agent(self.agent)
            self.is_unknown = says_no_such_agent(agent)
            if self.is_unknown:
                return reply
            if agent.ok:  # the agent exists, so the 404 for its list is not the API's
                self._note_gateway()
                return reply.disown()
        user = await api.user()
        if user.is_alive and reply.route_missing:
            return reply
        if user.is_alive and agent.not_found:  # a gateway may have come back in between: it does not say so twice
            self.is_unknown = (await api.agent(self.agent)).not_found
            if self.is_unknown:
                return reply
        self._note_gateway()
        return reply.disown()


def _answered(reply: Reply) -> Reply:
    if reply.data is None:
        raise Unanswered(reply)
    return reply
