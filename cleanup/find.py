"""The workspace → the drafts that a rule means, oldest first, as a list that the job reads."""

import asyncio
import hashlib
import io
import json
from collections.abc import Awaitable, Callable, Collection, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from functools import partial
from itertools import chain
from typing import Final

from cleanup import verdict
from cleanup.api.atoms import (
    PAGE_SIZE,
    BadShape,
    Draft,
    agents_in,
    drafts_in,
    latest_in,
    open_drafts_in,
)
from cleanup.api.gate import Subject
from cleanup.api.session import Session
from cleanup.branches import Workspace
from cleanup.lists.pair_list import PairList
from cleanup.lists.rows import Columns, Row, parse_time, time_text
from cleanup.lists.writing import write_rows
from cleanup.model import Reply
from cleanup.settings.definitions import Find
from cleanup.settings.values import duration_text
from cleanup.stop import Stopped

COLUMNS: Final = ("agent", "draft", "branch", "name", "editor", "updated_at")
_MOST_PAGES: Final = 100_000
_MOST_PASSES: Final = 3


class Unreadable(Exception):
    """A part of the workspace that could not be read; the text says which and why."""


@dataclass(frozen=True, slots=True)
class Rule:
    """Which drafts are meant; pure."""

    find: Find
    now: datetime

    def means(self, draft: Draft) -> bool:
        """Whether the rule means this draft. One whose last edit cannot be read is not old."""
        find = self.find
        if find.older_than is not None:
            edited = edited_at(draft)
            if edited is None or self.now - edited < timedelta(seconds=find.older_than):
                return False
        return _matches(draft.name, find.name) and _matches(draft.editor, find.editor)

    def in_words(self) -> str:
        """The rule as a sentence."""
        find = self.find
        parts = ["open drafts"]
        if find.older_than is not None:
            parts.append(f"last edited more than {duration_text(find.older_than)} ago")
        for what, globs in (("name", find.name), ("last editor", find.editor)):
            if globs:
                parts.append(f"whose {what} matches {' or '.join(globs)}")
        parts.append(f"of the agents {', '.join(find.agents)}" if find.agents else "of all agents")
        if find.exclude_agents:
            parts.append(f"except {', '.join(find.exclude_agents)}")
        return " ".join(parts)


def edited_at(draft: Draft) -> datetime | None:
    """A draft's last edit, None if it cannot be read."""
    try:
        return parse_time(draft.updated_at)
    except ValueError:
        return None


def _matches(text: str, globs: tuple[str, ...]) -> bool:
    return not globs or any(fnmatchcase(text, glob) for glob in globs)


@dataclass(slots=True)
class Findings:
    """What a look over the workspace brought. `unknown`: agents that were named and are not there."""

    found: list[Draft] = field(default_factory=list)
    agents: int = 0
    seen: int = 0
    ageless: int = 0
    unknown: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)

    def rows(self) -> Iterator[tuple[str, ...]]:
        """The list's rows, one cell for each of `COLUMNS`. A time that cannot be read would refuse the list."""
        for draft in self.found:
            edited = edited_at(draft)
            updated_at = time_text(edited) if edited else ""
            yield draft.agent, draft.draft, draft.branch_name, draft.name, draft.editor, updated_at

    def text(self, format_name: str) -> str:
        """The list in a format that the job reads: csv, tsv, yaml, json or jsonl."""
        if format_name in ("csv", "tsv"):
            text = io.StringIO(newline="")
            write_rows(text, COLUMNS, self.rows(), delimiter="\t" if format_name == "tsv" else ",")
            return text.getvalue()
        records = [dict(zip(COLUMNS, row, strict=True)) for row in self.rows()]
        if format_name == "jsonl":
            return "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)
        if format_name == "json":
            return json.dumps(records, ensure_ascii=False, indent=1) + "\n"
        from cleanup.documents import yaml_text

        return yaml_text(records)

    def pairs(self, name: str, text: str) -> PairList:
        """The list as the job has it after reading it; its hash is that of `text`, in which it was written."""
        columns = Columns()
        for column in COLUMNS[2:]:
            columns.add(column)
        pairs = PairList(name, columns)
        for line, row in enumerate(self.rows(), 2):
            pairs.add(Row(line, row[0], row[1], row[2:]))
        pairs.sha256 = hashlib.sha256(text.encode()).hexdigest()
        return pairs


class Finder:
    """Looks a workspace over; many agents at a time."""

    def __init__(self, session: Session, workspace: Workspace, most_at_once: int) -> None:
        self._atoms = session.atoms
        self._caller = session.caller
        self._stop = session.stop
        self._workspace = workspace
        self._places = asyncio.Semaphore(2 * most_at_once)

    async def look(self, rule: Rule) -> Findings:
        """Find all drafts that the rule means, oldest first. Raises Stopped when the run is to stop."""
        findings = Findings()
        named = rule.find.agents
        listed = dict.fromkeys(named) if named else await self._agents(findings)
        agents = [agent for agent in listed if agent not in rule.find.exclude_agents]
        findings.agents = len(agents)
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._agent(agent, findings)) for agent in agents]
        self._stop.check()
        results = [task.result() for task in tasks]
        gone = [agent for agent, drafts in zip(agents, results, strict=True) if drafts is None]
        if named:
            findings.unknown += gone
        elif gone and len(gone) == len(agents):
            findings.unreadable.append(
                f"there are {len(agents)} agents, but to ask for their drafts answers 404 for all"
            )
        for draft in chain.from_iterable(drafts or () for drafts in results):
            findings.seen += 1
            findings.ageless += edited_at(draft) is None
            if rule.means(draft):
                findings.found.append(draft)
        oldest = datetime.min.replace(tzinfo=UTC)
        findings.found.sort(key=lambda draft: (edited_at(draft) or oldest, draft.agent, draft.draft))
        return findings

    async def _agents(self, findings: Findings) -> dict[str, None]:
        """The workspace's agents; as many as could be read, if not all."""
        agents: dict[str, None] = {}
        totals: set[int | None] = set()
        try:
            for _ in range(_MOST_PASSES):
                # Agents that come, go or change places while pages are read can slip from one to another.
                totals = await self._all_pages(agents)
                if len(totals) == 1 and len(agents) >= max(total or 0 for total in totals):
                    return agents
        except Unreadable as error:
            findings.unreadable.append(str(error))
            return agents
        said = " or ".join(str(total) for total in totals)
        findings.unreadable.append(f"the API says that there are {said} agents, and gave {len(agents)}")
        return agents

    async def _all_pages(self, agents: dict[str, None]) -> set[int | None]:
        """Add the agents of all pages to `agents`; how many there are in all, as each page said. Raises Unreadable."""
        totals: set[int | None] = set()
        seen: set[str] = set()
        for page in range(1, _MOST_PAGES):
            reply = await self._read(Subject(f"page {page}"), partial(self._atoms.agents, page), "the agents")
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

    async def _agent(self, agent: str, findings: Findings) -> list[Draft] | None:
        """An agent's drafts; None if there is no such agent."""
        async with self._places:
            try:
                return await self._drafts(agent)
            except (Unreadable, BadShape) as error:
                findings.unreadable.append(f"agent {agent} could not be read: {error}")
            except Stopped:
                pass
            return []

    async def _drafts(self, agent: str) -> list[Draft] | None:
        subject = Subject(agent, agent=agent)
        workspace = self._workspace
        if workspace.model == "drafts":
            reply = await self._read(subject, lambda: self._atoms.drafts(agent), "its drafts", fine=(404, 409))
            if reply.status == 200:
                return drafts_in(reply, agent)
            if reply.status == 409 and not workspace.migrated(reply):
                raise Unreadable(reply.message or "409")
            if not workspace.auto:
                self._stop.check()
                return None
        reply = await self._read(subject, lambda: self._atoms.branches(agent), "its branches", fine=(404,))
        if reply.status == 404:
            return None
        workspace.move("the endpoint that lists drafts is gone, and the agent has branches")
        drafts = []
        for place in open_drafts_in(reply, agent):
            opened = await self._read(
                Subject(place.draft, agent=agent, draft=place.draft),
                partial(self._atoms.open_draft, agent, place.branch),
                "a draft",
                fine=(404,),
            )
            if opened.status == 200:
                drafts.append(replace(latest_in(opened, agent), branch=place.branch, branch_name=place.branch_name))
        return drafts

    async def _read(
        self, subject: Subject, ask: Callable[[], Awaitable[Reply]], what: str, fine: Collection[int | None] = ()
    ) -> Reply:
        """An answer with data, or with a status that is `fine`. Raises Unreadable, Stopped."""
        history = await self._caller.operate(subject, lambda _turn: ask())
        reply = history.reply
        if reply is None or (self._stop.cause and reply.data is None):
            raise Stopped
        if reply.data is None and reply.status not in fine:
            reason = verdict.of_failure(reply).reason
            raise Unreadable(f"{what}: {reason} ({reply.status or 'no answer'}) {reply.message or ''}".strip())
        return reply
