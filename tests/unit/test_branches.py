"""What a 404 of the old endpoint means, by everything that may be answered to the question."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from cleanup.api.gate import Subject
from cleanup.branches import Moved, Unanswered, Workspace

from cleanup.api.retry import History
from cleanup.model import NOT_JSON, Reply, StopCause, Trouble
from cleanup.stop import Stopped

GONE, KNOWN = "0" * 24, "1" * 24
NOT_THERE = Reply(404, {"status": False})
MIGRATED = Reply(409, {"status": False, "error_type": "versioning_v2_migration_required"})


def ok(data: object) -> Reply:
    return Reply(200, {"status": True, "data": data})


def drafts(*ids: str) -> Reply:
    return ok([{"draftId": draft} for draft in ids])


def branches(*ids: str) -> Reply:
    return ok({"branches": [{"branch": {"_id": "b" + draft, "openDraftId": draft}} for draft in ids]})


def agents(*ids: str) -> Reply:
    return ok({"agents": [{"_id": agent} for agent in ids]})


class Api:
    """Answers as told; an endpoint that is not mentioned is not there. None: the run stops."""

    def __init__(self, answers: dict[tuple[str, str], Reply | None]) -> None:
        self.answers = answers
        self.asked: list[tuple[str, str]] = []

    def _answer(self, *question: str) -> Reply | None:
        self.asked.append((question[0], question[1]))
        return self.answers.get((question[0], question[1]), NOT_THERE)

    async def drafts(self, agent: str) -> Reply | None:
        return self._answer("drafts", agent)

    async def branches(self, agent: str) -> Reply | None:
        return self._answer("branches", agent)

    async def agents(self, page: int) -> Reply | None:
        return self._answer("agents", str(page))


def workspace(api: Api, model: Any = "auto") -> tuple[Workspace, list[Any]]:
    """A workspace, and what it told of moves and of a stop."""
    told: list[Any] = []

    async def operate(_subject: Subject, attempt: Any) -> History:
        return History(reply=await attempt(None))

    caller, stop = SimpleNamespace(operate=operate), SimpleNamespace(request=lambda cause, _: told.append(cause))
    session = SimpleNamespace(atoms=api, caller=caller, stop=stop)
    return Workspace(session, model, told.append), told  # type: ignore[arg-type]


def ask(found: Workspace, agent: str = GONE, draft: str = "d1") -> str:
    try:
        asyncio.run(found.ensure_endpoint(Subject(1), agent, draft))
    except (Moved, Stopped, Unanswered) as end:
        return type(end).__name__
    return "there"


CASES: dict[str, tuple[dict[tuple[str, str], Reply | None], str, int]] = {
    "v1: the draft is gone, its agent is not": ({("drafts", GONE): drafts("d2")}, "there", 1),
    "v1: the agent has no drafts at all": ({("drafts", GONE): drafts()}, "there", 1),
    "v1: the agent is gone": ({("agents", "1"): agents(KNOWN), ("drafts", KNOWN): drafts()}, "there", 4),
    "v1: there is no agent any more": ({("agents", "1"): agents()}, "there", 3),
    "v1: only agents that cannot be named": ({("agents", "1"): agents("../x")}, "there", 3),
    "v1: the list is odd": ({("drafts", GONE): ok("odd")}, "there", 1),
    "v1: the list is forbidden": ({("drafts", GONE): Reply(403, {})}, "there", 1),
    "v1: listed all the same, and there are no branches": ({("drafts", GONE): drafts("d1")}, "there", 2),
    "v1: listed all the same, and on no branch": (
        {("drafts", GONE): drafts("d1"), ("branches", GONE): branches("d2")},
        "there",
        2,
    ),
    "v2: listed, and open on a branch": (
        {("drafts", GONE): drafts("d1"), ("branches", GONE): branches("d2", "d1")},
        "Moved",
        2,
    ),
    "v2: the list says so": ({("drafts", GONE): MIGRATED}, "Moved", 1),
    "v2: the agent has branches, the draft is open": ({("branches", GONE): branches("d1")}, "Moved", 2),
    "v2: the agent has branches, the draft is gone": ({("branches", GONE): branches()}, "Moved", 2),
    "v2: the agent is gone": ({("agents", "1"): agents(KNOWN), ("branches", KNOWN): branches()}, "Moved", 5),
    "v2: the agent is gone, the list says so": (
        {("agents", "1"): agents(KNOWN), ("drafts", KNOWN): MIGRATED},
        "Moved",
        4,
    ),
    "neither is there, the agent is": ({("agents", "1"): agents(GONE)}, "there", 3),
    "the list has no answer": ({("drafts", GONE): Reply(None, trouble=Trouble.TIMEOUT)}, "Unanswered", 1),
    "the branches have no answer": ({("branches", GONE): Reply(503)}, "Unanswered", 2),
    "the agents have no answer": ({("agents", "1"): Reply(429)}, "Unanswered", 3),
    "the key is refused": ({("drafts", GONE): Reply(401)}, "Unanswered", 1),
    "the run stops": ({("drafts", GONE): None}, "Stopped", 1),
    "the run stops a little later": ({("agents", "1"): None}, "Stopped", 3),
    "the branches are no JSON": ({("branches", GONE): Reply(200, NOT_JSON)}, "there", 3),
}


@pytest.mark.parametrize("case", CASES)
def test_what_a_404_means(case: str) -> None:
    """The endpoint is gone only if an agent that exists says so; what has no answer is asked again."""
    answers, expected, requests = CASES[case]
    api = Api(answers)
    found, told = workspace(api)
    assert ask(found) == expected
    assert len(api.asked) == requests
    assert len(told) == (expected == "Moved")
    assert found.model == ("branches" if expected == "Moved" else "drafts")
    again = ask(found, KNOWN, "d7")
    if expected in ("there", "Moved"):
        assert again == expected
        assert len(api.asked) == requests, "asked once"
    else:
        assert len(api.asked) > requests


def test_told_that_there_are_no_branches_nobody_asks() -> None:
    """`api.model: drafts` takes a 404 at its word, and stops at the first answer that says otherwise."""
    api = Api({("branches", GONE): branches("d1")})
    found, told = workspace(api, "drafts")
    assert ask(found) == "there"
    assert not api.asked
    assert not found.migrated(Reply(409, {"error_type": "other"}))
    assert found.migrated(MIGRATED)
    assert (found.model, told) == ("drafts", [StopCause.MIGRATION_REQUIRED])


def test_all_that_wait_for_the_question_go_by_their_branches() -> None:
    """One asks, the others wait for the answer."""
    api = Api({("branches", GONE): branches("d1")})
    found, told = workspace(api)

    async def many() -> list[Any]:
        asking = [found.ensure_endpoint(Subject(n), GONE, f"d{n}") for n in range(20)]
        return await asyncio.gather(*asking, found.settled(), return_exceptions=True)

    ends = asyncio.run(many())
    assert [type(end) for end in ends[:20]] == [Moved] * 20
    assert (len(api.asked), len(told)) == (2, 1)
