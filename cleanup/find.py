"""The workspace → the drafts that a rule means, oldest first, as a list that the job reads."""

import asyncio
import hashlib
import io
from collections.abc import Awaitable, Callable, Collection, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from functools import partial
from typing import Final

from cleanup import verdict
from cleanup.api.atoms import Atoms, BadShape, Draft, agents_in, drafts_in, latest_in, open_drafts_in
from cleanup.api.gate import Subject
from cleanup.api.retry import Caller
from cleanup.branches import Workspace
from cleanup.lists.pair_list import PairList
from cleanup.lists.rows import Columns, Row, parse_time
from cleanup.model import Reply
from cleanup.settings.definitions import Find
from cleanup.settings.values import duration_text
from cleanup.stop import Stop, Stopped

COLUMNS: Final = ("agent", "draft", "branch", "name", "editor", "updated_at")
_MOST_PAGES: Final = 100_000


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
    """What a look over the workspace brought."""

    found: list[Draft] = field(default_factory=list)
    agents: int = 0
    seen: int = 0
    ageless: int = 0
    unreadable: list[str] = field(default_factory=list)

    def csv(self) -> str:
        """The list as CSV."""
        import csv

        text = io.StringIO(newline="")
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(self.rows())
        return text.getvalue()

    def rows(self) -> Iterator[tuple[str, ...]]:
        """The list's rows, one cell for each of `COLUMNS`."""
        for draft in self.found:
            yield draft.agent, draft.draft, draft.branch_name, draft.name, draft.editor, draft.updated_at

    def text(self, format_name: str) -> str:
        """The list in a format that the job reads: csv, yaml or json."""
        if format_name == "csv":
            return self.csv()
        records = [dict(zip(COLUMNS, row, strict=True)) for row in self.rows()]
        if format_name == "json":
            import json

            return json.dumps(records, ensure_ascii=False, indent=1) + "\n"
        from cleanup.documents import yaml_text

        return yaml_text(records)

    def pairs(self, name: str) -> PairList:
        """The list as the job has it after reading the CSV."""
        columns = Columns()
        for column in COLUMNS[2:]:
            columns.add(column)
        pairs = PairList(name, columns)
        for line, row in enumerate(self.rows(), 2):
            pairs.add(Row(line, row[0], row[1], row[2:]))
        pairs.sha256 = hashlib.sha256(self.csv().encode("utf-8", "surrogateescape")).hexdigest()
        return pairs


class Finder:
    """Looks a workspace over; many agents at a time."""

    def __init__(self, atoms: Atoms, caller: Caller, workspace: Workspace, stop: Stop, most_at_once: int) -> None:
        self._atoms = atoms
        self._caller = caller
        self._workspace = workspace
        self._stop = stop
        self._places = asyncio.Semaphore(2 * most_at_once)

    async def look(self, rule: Rule) -> Findings:
        """Find all drafts that the rule means, oldest first. Raises Stopped when the run is to stop."""
        findings = Findings()
        try:
            agents = list(rule.find.agents) or await self._agents()
        except Unreadable as error:
            findings.unreadable.append(str(error))
            return findings
        agents = [agent for agent in agents if agent not in rule.find.exclude_agents]
        findings.agents = len(agents)
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._agent(agent, findings)) for agent in agents]
        for task in tasks:
            for draft in task.result():
                findings.seen += 1
                findings.ageless += edited_at(draft) is None
                if rule.means(draft):
                    findings.found.append(draft)
        oldest = datetime.min.replace(tzinfo=UTC)
        findings.found.sort(key=lambda draft: (edited_at(draft) or oldest, draft.agent, draft.draft))
        if self._stop.cause:
            raise Stopped
        return findings

    async def _agents(self) -> list[str]:
        agents: dict[str, None] = {}
        for page in range(1, _MOST_PAGES):
            reply = await self._read(Subject(f"page {page}"), partial(self._atoms.agents, page), "the agents")
            try:
                found, total = agents_in(reply)
            except BadShape as error:
                raise Unreadable(f"the agents could not be read: {error}") from None
            before = len(agents)
            agents.update(dict.fromkeys(found))
            if total is not None and len(agents) >= total:
                break
            if len(agents) == before:
                if total is not None:
                    raise Unreadable(f"the API says that there are {total} agents, and gave {len(agents)}")
                break
        return list(agents)

    async def _agent(self, agent: str, findings: Findings) -> list[Draft]:
        async with self._places:
            try:
                return await self._drafts(agent)
            except (Unreadable, BadShape) as error:
                findings.unreadable.append(f"agent {agent} could not be read: {error}")
            except Stopped:
                pass
            return []

    async def _drafts(self, agent: str) -> list[Draft]:
        subject = Subject(agent)
        if self._workspace.model == "drafts":
            reply = await self._read(subject, lambda: self._atoms.drafts(agent), "its drafts", fine=(404, 409))
            if reply.status == 200:
                return drafts_in(reply, agent)
            if reply.status == 409:
                if not (verdict.asks_for_migration(reply) and self._workspace.auto):
                    raise Unreadable(reply.message or "409")
                self._workspace.move("the API says that the workspace has moved to branches")
            elif not self._workspace.auto:
                return []
        reply = await self._read(subject, lambda: self._atoms.branches(agent), "its branches", fine=(404,))
        if reply.status == 404:
            return []  # the agent itself is gone
        self._workspace.move("the endpoint that lists drafts is gone, and the agent has branches")
        drafts = []
        for place in open_drafts_in(reply, agent):
            opened = await self._read(
                Subject(place.draft),
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
