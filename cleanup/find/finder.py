"""Searches the workspace for the drafts that match a rule, and finds out what they change."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from itertools import count
from random import Random
from typing import Final

from cleanup.api.atoms import PAGE_SIZE, Atoms, agents_in
from cleanup.api.changes import changes_in
from cleanup.api.drafts import BadShape, Draft, latest_in
from cleanup.api.reply import Reply
from cleanup.api.retry import Caller, Subject
from cleanup.api.session import Session
from cleanup.discard.guards import keeps
from cleanup.discard.open_draft import read_open_draft
from cleanup.discard.workers import Queue, Workers
from cleanup.discard.workspace import Unanswered, Workspace
from cleanup.find.findings import Findings
from cleanup.find.rule import NEVER, Rule, edited_at
from cleanup.stop import Stopped

_MOST_PAGES: Final = 100_000
_MOST_PASSES: Final = 3


Show = Callable[[int, int], None]
"""Called with how many were read, and how many there are."""


class Unreadable(Exception):
    """A part of the workspace could not be read; the text says which and why."""


class Finder:
    """Searches a workspace, many agents at a time."""

    def __init__(self, session: Session, workspace: Workspace) -> None:
        self._session = session
        self._stop = session.stop
        self._workspace = workspace

    async def search(self, rule: Rule, show: Show) -> Findings:
        """Find all drafts that match the rule, oldest first. `show` counts agents. Raises Stopped."""
        findings = Findings()
        named = rule.find.agents
        listed = dict.fromkeys(named) if named else await self._agents(findings)
        agents = [agent for agent in listed if agent not in rule.find.exclude_agents]
        findings.agents = len(agents)
        drafts: list[list[Draft] | None] = [[] for _ in agents]

        async def read(place: int, caller: Caller) -> None:
            try:
                drafts[place] = await self._drafts(caller, agents[place])
            except (Unreadable, BadShape) as error:
                findings.unreadable.append(f"agent {agents[place]} could not be read: {error}")

        await self._for_each(len(agents), lambda place: Subject(place, agents[place]), read, show)
        findings.unknown += [agent for agent, found in zip(agents, drafts, strict=True) if named and found is None]
        for found in drafts:
            chosen = rule.chosen(found or ())
            findings.seen += len(found or ())
            findings.kept += sum(keeps(draft, rule.keep) is not None for draft in found or ())
            findings.ageless += sum(edited_at(draft) is None for draft in found or ())
            findings.publishing += [draft for draft in chosen if draft.publishing]
            findings.found += [draft for draft in chosen if not draft.publishing]
        findings.found.sort(key=lambda draft: (edited_at(draft) or NEVER, draft.agent, draft.draft))
        return findings

    async def compare(self, findings: Findings, show: Show) -> None:
        """Find out what each draft changes, and drop drafts that are gone by now. Raises Stopped."""
        drafts = findings.found
        gone: set[tuple[str, str]] = set()

        async def read(place: int, caller: Caller) -> None:
            draft = drafts[place]
            try:
                reply = await caller.operate(partial(_compare, draft))
                if reply.not_found:
                    gone.add((draft.agent, draft.draft))
                else:
                    findings.changes[draft.agent, draft.draft] = changes_in(self._with_data(reply, "what it changes"))
            except (Unreadable, BadShape) as error:
                findings.unreadable.append(f"draft {draft.draft} of agent {draft.agent} could not be compared: {error}")

        def subject(place: int) -> Subject:
            return Subject(place, drafts[place].agent, drafts[place].draft)

        await self._for_each(len(drafts), subject, read, show)
        findings.found = [draft for draft in drafts if (draft.agent, draft.draft) not in gone]

    async def _for_each(
        self,
        number: int,
        subject: Callable[[int], Subject],
        read: Callable[[int, Caller], Awaitable[None]],
        show: Show,
    ) -> None:
        """Read `number` items, as many at a time as the throttle allows. Raises Stopped."""
        done = count(1)

        async def process(place: int, caller: Caller) -> None:
            with suppress(Stopped):
                await read(place, caller)
            show(next(done), number)

        chance = Random(number)  # noqa: S311 - chance, not secrecy
        await Workers(self._session, Queue(bytes(number), chance), subject, process).run()
        self._stop.check()

    async def _agents(self, findings: Findings) -> dict[str, None]:
        """The workspace's agents, or as many of them as could be read."""
        agents: dict[str, None] = {}
        totals: set[int | None] = set()
        try:
            for _ in range(_MOST_PASSES):
                # Agents that are added, removed or reordered while pages are read can slip from one page to another.
                totals = await self._all_pages(agents)
                if len(totals) == 1 and len(agents) >= max(total or 0 for total in totals):
                    return agents
        except Unreadable as error:
            findings.unreadable.append(str(error))
            return agents
        said = " or ".join(str(total) for total in totals)
        findings.unreadable.append(f"the API says that there are {said} agents, but returned {len(agents)}")
        return agents

    async def _all_pages(self, agents: dict[str, None]) -> set[int | None]:
        """Add the agents of all pages to `agents`. Returns the totals that the pages stated. Raises Unreadable."""
        totals: set[int | None] = set()
        seen: set[str] = set()
        caller = self._session.caller()
        for page in range(1, _MOST_PAGES):
            reply = self._with_data(await caller.operate(partial(_page, page)), "the agents")
            try:
                found, total = agents_in(reply)
            except BadShape as error:
                raise Unreadable(f"the agents could not be read: {error}") from None
            totals.add(total)
            agents.update(dict.fromkeys(found))
            nothing_new = seen.issuperset(found)
            seen.update(found)
            if nothing_new or (total is not None and len(seen) >= total and len(found) < PAGE_SIZE):
                break
        return totals

    async def _drafts(self, caller: Caller, agent: str) -> list[Draft] | None:
        """An agent's drafts, None if there is no such agent. Raises Unreadable, BadShape, Stopped."""
        try:
            listing = await self._workspace.listing(caller, agent)
        except Unanswered as error:
            self._stop.check()
            raise _unreadable("its drafts", error.reply) from None
        if listing.drafts is None:
            return None
        if listing.drafts.odd is not None:
            raise BadShape(listing.drafts.odd)
        places = list(listing.drafts.by_id.values())
        if listing.model == "drafts":
            return places
        drafts = []
        for place in places:
            opened = await self._read_open(caller, place)
            if not opened.not_found:
                found = latest_in(self._with_data(opened, "a draft"), agent)
                drafts.append(replace(found, branch=place.branch, branch_name=place.branch_name, source=place.source))
        return drafts

    async def _read_open(self, caller: Caller, place: Draft) -> Reply:
        try:
            return await read_open_draft(caller, self._workspace, place)
        except Unanswered as error:
            return error.reply

    def _with_data(self, reply: Reply, what: str) -> Reply:
        """Return the reply if it has data. Raises Unreadable, Stopped."""
        if reply.data is None:
            self._stop.check()
            raise _unreadable(what, reply)
        return reply


async def _page(page: int, api: Atoms) -> Reply:
    return await api.agents(page)


async def _compare(draft: Draft, api: Atoms) -> Reply:
    """Request what a draft changes. Raises BadShape if the draft does not name its source."""
    if not draft.source:
        raise BadShape("it does not say what it was made from")
    if draft.branch:
        return await api.open_draft_changes(draft.agent, draft.branch, draft.source)
    return await api.draft_changes(draft.agent, draft.draft, draft.source)


def _unreadable(what: str, reply: Reply) -> Unreadable:
    reason = reply.failure.reason
    return Unreadable(f"{what}: {reason} ({reply.status or 'no answer'}) {reply.message or ''}".strip())
