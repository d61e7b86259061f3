"""The rule, the list's round trip, and paging through whatever the API calls pages."""

import asyncio
import tempfile
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cleanup.api.atoms import PAGE_SIZE
from cleanup.api.drafts import Draft
from cleanup.api.reply import Reply
from cleanup.discard.workspace import Workspace
from cleanup.find.finder import Finder
from cleanup.find.findings import COLUMNS, Findings
from cleanup.find.rule import Rule
from cleanup.lists.reading import FORMATS, read_list
from cleanup.settings.definitions import Find
from tests.engine import session_of

AGENT = "0123456789abcdef01234567"
NOW = datetime(2026, 8, 1, 12, tzinfo=UTC)


def draft(**more: str) -> Draft:
    return replace(Draft(AGENT, "d1", "Draft 1", "Zoë", "2026-07-01T12:00:00.000Z"), **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("find", "found", "meant"),
    [
        ({}, {}, True),
        ({}, {"updated_at": ""}, True),
        ({"older_than": 31 * 86400}, {}, True),
        ({"older_than": 31 * 86400 + 1}, {}, False),
        ({"older_than": 0}, {"updated_at": "2026-08-01T12:00:01Z"}, False),
        ({"older_than": 0}, {"updated_at": ""}, False),
        ({"older_than": 0}, {"updated_at": "yesterday"}, False),
        ({"name": ["Draft *"]}, {}, True),
        ({"name": ["draft *"]}, {}, False),
        ({"name": ["x", "*1"]}, {}, True),
        ({"name": ["[A-C]*"]}, {}, False),
        ({"editor": ["Zo?"]}, {}, True),
        ({"editor": ["Zo?"]}, {"editor": ""}, False),
        ({"name": ["*"], "editor": ["Y*"]}, {}, False),
    ],
)
def test_a_rule_means_a_draft_by_age_name_and_editor(find: dict[str, Any], found: dict[str, str], meant: bool) -> None:
    """All that is given has to fit; a draft without an age is never old."""
    assert Rule(Find.model_validate(find), NOW).means(draft(**found)) is meant


def test_an_unknown_list_format_is_an_error() -> None:
    """It must not silently become YAML."""
    with pytest.raises(ValueError, match="unknown list format 'xml'"):
        Findings().text("xml")


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12) | st.sampled_from(
    ["=1+1", "@SUM(A1)", "+49", "-", "a,b", 'say "x"', "two\nlines", "a;b", "\t", "#", "~", "null", "on", "1e5", "- x"]
)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(TEXT, TEXT, TEXT), min_size=1, max_size=5), st.sampled_from(FORMATS))
def test_the_list_comes_back_as_it_was_written(rows: list[tuple[str, str, str]], format_name: str) -> None:
    """Whatever people call their drafts, in every format; but a table's cells are text, and lose blanks around them."""
    drafts = [
        Draft(AGENT, f"d{number}", name, editor, "2026-07-01T12:00:00.000Z", "b1", branch)
        for number, (name, editor, branch) in enumerate(rows)
    ]
    with tempfile.NamedTemporaryFile(suffix=f".{format_name}") as file:
        file.write(Findings(found=drafts).text(format_name).encode())
        file.flush()
        read = read_list(file.name, None, lambda *problem: pytest.fail(str(problem)))
    assert [(pair.agent, pair.draft) for pair in read] == [(found.agent, found.draft) for found in drafts]
    assert [pair.updated_at for pair in read] == [datetime(2026, 7, 1, 12, tzinfo=UTC)] * len(drafts)
    assert tuple(read.columns.names) == COLUMNS[2:]
    for index, (name, editor, branch) in enumerate(rows):
        cells = [branch, name, editor]
        if format_name in ("csv", "tsv"):
            cells = ["'" + cell if cell.startswith(FORMULA) else cell for cell in cells]
            cells = [cell.strip(" \t") for cell in cells]
        assert read.others(index)[:3] == cells


FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet takes for the beginning of a formula."""


@pytest.mark.parametrize(
    ("given_by_the_api", "listed"),
    [
        ("2026-07-01T12:00:00.000Z", "2026-07-01T12:00:00.000Z"),
        ("2026-07-01T12:00:00", "2026-07-01T12:00:00.000Z"),
        ("2026-07-01T14:00:00.123456+02:00", "2026-07-01T12:00:00.123456Z"),
        ("yesterday", ""),
        ("", ""),
    ],
)
def test_a_time_is_listed_in_utc_and_says_so(given_by_the_api: str, listed: str) -> None:
    """However the API writes it: a list's times have a zone, and lose nothing."""
    found = Findings(found=[draft(updated_at=given_by_the_api)])
    assert [row[-1] for row in found.rows()] == [listed]


def test_drafts_of_the_same_id_are_compared_apart() -> None:
    """One that changes nothing must not stand in for another agent's that does."""
    other = "f" * 24
    pair = [draft(source="v1"), draft(agent=other, source="v1")]

    class Api:
        async def draft_changes(self, agent: str, _draft: str, _version: str) -> Reply:
            changes = [{"section": "llm", "changes": []}] if agent == other else []
            return Reply(200, {"status": True, "data": {"diffs": changes}})

    async def run() -> Findings:
        session = session_of(Api(), attempts=1)
        findings = Findings(found=pair)
        workspace = Workspace(session.stop, "drafts", lambda _why: None, session.throttle.now)
        await Finder(session, workspace).compare(findings, lambda _done, _total: None)
        return findings

    findings = asyncio.run(run())
    assert [findings.sections(one) for one in findings.found] == ["none", "llm"]


def ids(first: int, last: int) -> list[str]:
    return [f"{number:024x}" for number in range(first, last)]


class Pages:
    """An API that gives agents by pages, as scripted: each call takes the next answer for its page."""

    def __init__(self, *passes: list[Any]) -> None:
        self.passes = list(passes)
        self.calls: list[int] = []

    async def agents(self, page: int) -> Reply:
        number = self.calls.count(page)
        self.calls.append(page)
        pages = self.passes[min(number, len(self.passes) - 1)]
        if page > len(pages):
            return reply([], pages[-1][1] if isinstance(pages[-1], tuple) else None)
        answer = pages[page - 1]
        return Reply(answer, message="no") if isinstance(answer, int) else reply(*answer)

    async def drafts(self, agent: str) -> Reply:
        return Reply(200, {"status": True, "data": [{"draftId": "d" + agent, "updatedAt": "2026-01-01T00:00:00Z"}]})


def reply(agents: list[str], total: int | None) -> Reply:
    data: dict[str, Any] = {"agents": [{"_id": agent} for agent in agents]}
    return Reply(200, {"status": True, "data": data | ({} if total is None else {"total": total})})


def findings(pages: Pages) -> Findings:
    """What a search finds in a workspace with these pages, on the older model."""

    async def run() -> Findings:
        session = session_of(pages, attempts=1)
        workspace = Workspace(session.stop, "drafts", lambda _why: None, session.throttle.now)
        return await Finder(session, workspace).search(Rule(Find(), NOW), lambda _done, _total: None)

    return asyncio.run(run())


FULL, BOTH = PAGE_SIZE, 2 * PAGE_SIZE


@pytest.mark.parametrize(
    ("pages", "agents", "calls"),
    [
        ([([], 0)], 0, 1),
        ([([], None)], 0, 1),
        ([(ids(0, 3), 3)], 3, 1),
        ([(ids(0, 3), None)], 3, 2),
        ([(ids(0, FULL), BOTH + 9), (ids(FULL, BOTH), BOTH + 9), (ids(BOTH, BOTH + 9), BOTH + 9)], BOTH + 9, 3),
        ([(ids(0, FULL), None), (ids(FULL, BOTH - 1), None)], BOTH - 1, 3),
        # A server that gives smaller pages than it was asked for.
        ([(ids(0, 40), 100), (ids(40, 80), 100), (ids(80, 100), 100)], 100, 3),
        # A total that is too small is not believed while pages are full.
        ([(ids(0, FULL), 7), (ids(FULL, FULL + 30), 7)], FULL + 30, 2),
        # An agent is on two pages; the same page is given again for ever.
        ([(ids(0, FULL), FULL + 1), ([*ids(FULL - 1, FULL + 1)], FULL + 1)], FULL + 1, 2),
        ([(ids(0, FULL), None), (ids(0, FULL), None)], FULL, 2),
    ],
)
def test_all_pages_are_read(pages: list[Any], agents: int, calls: int) -> None:
    """Whatever the total says or does not say: every agent once, and no page more than is needed."""
    api = Pages(pages)
    found = findings(api)
    assert (found.agents, found.seen, found.unreadable) == (agents, agents, [])
    assert len(api.calls) == calls


def test_agents_that_change_places_while_pages_are_read_are_found() -> None:
    """One slips from page 2 to page 1 after that was read, another is deleted: the pages are read again."""
    slipped = [(ids(0, FULL), 101), (ids(99, 100), 101)], [([*ids(100, 101), *ids(0, 99)], 101), (ids(99, 100), 101)]
    assert findings(Pages(*slipped)).agents == 101
    deleted = [(ids(0, FULL), 101), ([], 100)], [(ids(1, 101), 100), ([], 100)]
    found = findings(Pages(*deleted))
    assert (found.agents, found.unreadable) == (101, [])


@pytest.mark.parametrize(
    ("pages", "agents", "sentence"),
    [
        ([(ids(0, 3), 5)], 3, "there are 5 agents, but returned 3"),
        ([(ids(0, FULL), 150), 403], FULL, "403"),
        ([(ids(0, FULL), 150), 404], FULL, "404"),
        ([([*ids(0, 3), "../x"], 4)], 0, "without an id"),
    ],
)
def test_pages_that_cannot_be_read_are_reported(pages: list[Any], agents: int, sentence: str) -> None:
    """What could be read is there, and what could not is said."""
    found = findings(Pages(pages))
    assert (found.agents, found.seen) == (agents, agents)
    (told,) = found.unreadable
    assert sentence in told


def test_the_oldest_come_first() -> None:
    """By time, not by text; those without an age before all."""
    times = ["2026-01-01T00:00:00Z", "2026-01-01T00:30:00+01:00", "", "2025-12-31T23:00:00.000Z"]

    class Api(Pages):
        async def drafts(self, agent: str) -> Reply:
            drafts = [{"draftId": f"d{n}", "updatedAt": time} for n, time in enumerate(times)]
            return Reply(200, {"status": True, "data": drafts})

    found = findings(Api([(ids(0, 1), 1)]))
    assert [draft.draft for draft in found.found] == ["d2", "d3", "d1", "d0"]
    assert found.ageless == 1


def test_a_rule_in_words() -> None:
    """As `check` shows it."""
    find = Find.model_validate({"older_than": "30d", "name": ["wip*", "test*"], "exclude_agents": AGENT})
    assert Rule(find, NOW + timedelta(0)).in_words() == (
        f"open drafts last edited more than 30d ago whose name matches wip* or test* of all agents except {AGENT}"
    )
