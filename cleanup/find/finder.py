"""The workspace → the drafts that a rule means, oldest first, as a list that the job reads."""

import hashlib
import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from functools import partial
from itertools import chain, count
from random import Random
from typing import Final

from cleanup.api.atoms import PAGE_SIZE, Atoms, BadShape, Draft, agents_in, latest_in
from cleanup.api.reply import Reply
from cleanup.api.retry import Caller, Subject
from cleanup.api.session import Session
from cleanup.discard.open_draft import read_open_draft
from cleanup.discard.workers import Queue, Workers
from cleanup.discard.workspace import Unanswered, Workspace
from cleanup.lists.pair_list import PairList
from cleanup.lists.rows import Columns, Row, parse_time, time_text
from cleanup.lists.writing import write_rows
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
    """What a search of the workspace brought. `unknown`: agents that were named and are not there."""

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
    """Searches a workspace; many agents at a time."""

    def __init__(self, session: Session, workspace: Workspace) -> None:
        self._session = session
        self._stop = session.stop
        self._workspace = workspace

    async def search(self, rule: Rule, show: Callable[[int, int], None]) -> Findings:
        """Find all drafts that the rule means, oldest first. Raises Stopped when the run is to stop.

        `show`: called with how many agents were read, and how many there are.
        """
        findings = Findings()
        named = rule.find.agents
        listed = dict.fromkeys(named) if named else await self._agents(findings)
        agents = [agent for agent in listed if agent not in rule.find.exclude_agents]
        findings.agents = len(agents)
        drafts: list[list[Draft] | None] = [[] for _ in agents]
        done = count(1)

        async def read(place: int, caller: Caller) -> None:
            try:
                drafts[place] = await self._drafts(caller, agents[place])
            except (Unreadable, BadShape) as error:
                findings.unreadable.append(f"agent {agents[place]} could not be read: {error}")
            except Stopped:
                pass
            show(next(done), len(agents))

        await Workers(
            self._session,
            Queue(bytes(len(agents)), Random(len(agents))),  # noqa: S311 - chance, not secrecy
            lambda place: Subject(place, agents[place]),
            read,
        ).run()
        self._stop.check()
        findings.unknown += [agent for agent, found in zip(agents, drafts, strict=True) if named and found is None]
        for draft in chain.from_iterable(found or () for found in drafts):
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
                drafts.append(replace(found, branch=place.branch, branch_name=place.branch_name))
        return drafts

    async def _read_open(self, caller: Caller, place: Draft) -> Reply:
        try:
            return await read_open_draft(caller, self._workspace, place)
        except Unanswered as error:
            return error.reply

    def _with_data(self, reply: Reply, what: str) -> Reply:
        """An answer with data. Raises Unreadable, Stopped."""
        if reply.data is None:
            self._stop.check()
            raise _unreadable(what, reply)
        return reply


async def _page(page: int, api: Atoms) -> Reply:
    return await api.agents(page)


def _unreadable(what: str, reply: Reply) -> Unreadable:
    reason = reply.failure.reason
    return Unreadable(f"{what}: {reason} ({reply.status or 'no answer'}) {reply.message or ''}".strip())
