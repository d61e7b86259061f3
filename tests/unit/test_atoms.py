"""What is read out of the API's answers, and what is not taken for an answer."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cleanup.api.atoms import agents_in, owner_in, says_no_such_agent
from cleanup.api.drafts import BadShape, Draft, draft_configuration_in, drafts_in, latest_in, open_drafts_in
from cleanup.api.reply import NOT_JSON, Reply
from cleanup.lists.ids import is_draft

AGENT = "0123456789abcdef01234567"


def ok(data: object) -> Reply:
    return Reply(200, {"status": True, "data": data})


def branch(draft: object, branch_id: object = "b1", **more: object) -> dict[str, Any]:
    return {"branch": {"_id": branch_id, "name": "main", "openDraftId": draft}, **more}


def branches(*summaries: object) -> Reply:
    return ok({"branches": list(summaries)})


def test_the_draft_is_named_by_its_draft_id() -> None:
    """`_id` is the revision's."""
    found = drafts_in(ok([{"_id": "r1", "draftId": "d1", "draftName": "n", "lastEditorName": "e"}]), AGENT)
    assert (found.by_id, found.odd) == ({"d1": Draft(AGENT, "d1", "n", "e")}, None)


@pytest.mark.parametrize("data", [None, {}, "x", 1, {"drafts": []}])
def test_no_list_of_drafts_is_no_empty_list(data: object) -> None:
    """Nothing that is not documented is read as `nothing there`."""
    with pytest.raises(BadShape):
        drafts_in(ok(data), AGENT)


@pytest.mark.parametrize("item", [1, {}, {"_id": "d1"}, {"draftId": None}, {"draftId": "../x"}])
def test_a_draft_is_found_beside_odd_ones(item: object) -> None:
    """A malformed draft does not affect the others. That there is one is reported."""
    found = drafts_in(ok([item, {"draftId": "d1"}]), AGENT)
    assert found.by_id == {"d1": Draft(AGENT, "d1")}
    assert found.odd is not None


@pytest.mark.parametrize(
    ("pending", "publishing"),
    [
        ({"state": "active", "startedBy": "u"}, True),
        ({"state": "cancelled"}, False),
        ({}, False),
        (None, False),
        ("active", False),
    ],
)
def test_a_publish_is_under_way_while_it_is_active(pending: object, publishing: bool) -> None:
    """In a list and in a draft's own answer; one that was taken back stays on record."""
    item = {"draftId": "d1", "pendingPublish": pending}
    assert drafts_in(ok([item]), AGENT).by_id["d1"].publishing is publishing
    assert latest_in(ok({"latest": item}), AGENT).publishing is publishing


@pytest.mark.parametrize(
    ("summary", "problem"),
    [
        (branch("d1", "../x"), "cannot be part of a path"),
        (branch("d1", None), "cannot be part of a path"),
        (branch("d/1", "b1"), "cannot be part of a path"),
        (branch({"_id": "d1"}), "without that draft's id"),
        (branch(None, hasOpenDraft=True), "without that draft's id"),
        ({"_id": "b1"}, "without its description"),
        ("b1", "without its description"),
    ],
)
def test_a_branch_whose_draft_cannot_be_determined_is_no_branch_without_one(summary: object, problem: str) -> None:
    """Other branches are no worse for it, and an id that cannot be part of a path is never handed on."""
    found = open_drafts_in(branches(branch("d8", "b8"), summary), AGENT)
    assert found.by_id == {"d8": Draft(AGENT, "d8", branch="b8", branch_name="main")}
    assert problem in (found.odd or "")


def test_branches_without_an_open_draft_are_nothing_odd() -> None:
    """`null`, or nothing at all."""
    found = open_drafts_in(branches(branch(None), branch("")), AGENT)
    assert (found.by_id, found.odd) == ({}, None)


@pytest.mark.parametrize(
    ("reply", "unknown"),
    [
        (Reply(400, {"status": False, "errors": ["No agent found"]}), True),
        (Reply(400, {"status": False, "errors": "no agent found."}), True),
        (Reply(400, {"status": False, "errors": ["invalid id"]}), False),
        (Reply(400, NOT_JSON), False),
        (Reply(404, {"status": False, "errors": ["No agent found"]}), False),
        (Reply(200, {"status": True, "data": {}}), False),
    ],
)
def test_how_the_api_says_that_there_is_no_such_agent(reply: Reply, unknown: bool) -> None:
    """A 400 with these words, as recorded; any other 400 says nothing of the kind."""
    assert says_no_such_agent(reply) is unknown


@pytest.mark.parametrize(
    ("history", "editor"),
    [
        ([{"editorName": "A", "timestamp": "2026-01-01"}, {"editorName": "B", "timestamp": "2026-02-01"}], "B"),
        ([{"editorName": "B", "timestamp": "2026-02-01"}, {"editorName": "A", "timestamp": "2026-01-01"}], "B"),
        (
            [
                {"editorName": "A", "revision": {"updatedAt": "2026-01-01"}},
                {"editorName": "B", "revision": {"updatedAt": "2026-02-01"}},
            ],
            "B",
        ),
        ([{"editorName": "A"}, {"editorName": "B"}], "A"),
        ([{"editorName": None}, {"editorName": "B"}, 7], "B"),
        ([], ""),
        (None, ""),
        ("x", ""),
    ],
)
def test_the_last_editor_is_the_newest_edits(history: object, editor: str) -> None:
    """In whatever order the history comes; the revision's own word goes first."""
    assert latest_in(ok({"latest": {"draftId": "d1"}, "editHistory": history}), AGENT).editor == editor
    own = {"draftId": "d1", "lastEditorName": "own"}
    assert latest_in(ok({"latest": own, "editHistory": history}), AGENT).editor == "own"


@pytest.mark.parametrize("data", [None, [], {}, {"latest": None}, {"latest": {}}, {"latest": {"draftId": "a/b"}}])
def test_a_draft_without_its_latest_state_is_none(data: object) -> None:
    """Nothing is guessed."""
    with pytest.raises(BadShape):
        latest_in(ok(data), AGENT)


@pytest.mark.parametrize(
    "data",
    [None, {}, {"agents": None}, {"agents": {}}, {"agents": [AGENT]}, {"agents": [{"_id": AGENT[:-1]}]}, [AGENT]],
)
def test_a_page_of_agents_is_one_or_is_refused(data: object) -> None:
    """An id that is none would become part of a path."""
    with pytest.raises(BadShape):
        agents_in(ok(data))


@pytest.mark.parametrize("more", [{"total": 3}, {"totalCount": 3}, {"total": "3", "totalCount": 3}])
def test_a_total_has_its_documented_or_its_live_name(more: dict[str, object]) -> None:
    """The document says `total`, the live API `totalCount`."""
    assert agents_in(ok({"agents": [{"_id": AGENT}], **more})) == ([AGENT], 3)


def test_a_total_may_be_missing_or_nonsense() -> None:
    """Then there is none."""
    nonsense: list[object] = [None, "3", 3.5, [], True, -1]
    for total in nonsense:
        for name in ("total", "totalCount"):
            assert agents_in(ok({"agents": [{"_id": AGENT}], name: total})) == ([AGENT], None)
    assert agents_in(ok({"agents": [], "total": 0})) == ([], 0)


@pytest.mark.parametrize(
    ("data", "is_copy"),
    [
        ({"_configSource": "draft", "_resolvedConfig": {}}, True),
        ({"_configSource": "draft", "_resolvedConfig": None}, False),
        ({"_configSource": "draft", "_resolvedConfig": []}, False),
        ({"_configSource": "draft"}, False),
        ({"_configSource": "active", "_resolvedConfig": {}}, False),
        ({"_resolvedConfig": {}}, False),
        (None, False),
        ([], False),
    ],
)
def test_only_the_drafts_own_configuration_is_a_copy(data: object, is_copy: bool) -> None:
    """And only an answer that says that it is."""
    assert (draft_configuration_in(ok(data)) is not None) is is_copy
    assert draft_configuration_in(Reply(200, {"status": False, "data": data})) is None
    assert draft_configuration_in(Reply(500, {"status": True, "data": data})) is None


def test_whose_key_it_is() -> None:
    """As far as the answer says."""
    assert owner_in(ok({"_id": "u", "organizationId": "o"})) == ("o", "u")
    assert owner_in(ok({"organizationId": 7})) == (None, None)
    assert owner_in(ok(None)) == (None, None)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.sampled_from(["d1", AGENT, "../x"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                [
                    "agents",
                    "_id",
                    "branches",
                    "branch",
                    "openDraftId",
                    "hasOpenDraft",
                    "latest",
                    "draftId",
                    "editHistory",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@settings(max_examples=150, deadline=None)
@given(JSON)
def test_no_answer_whatever_it_holds_is_more_than_badly_shaped(data: object) -> None:
    """No other exception, no id that cannot be part of a path, no text that no file can hold."""
    reply = ok(data)
    readings: list[Callable[[], list[Draft]]] = [
        lambda: [*drafts_in(reply, AGENT).by_id.values()],
        lambda: [latest_in(reply, AGENT)],
        lambda: [*open_drafts_in(reply, AGENT).by_id.values()],
        lambda: agents_in(reply) and [],
    ]
    for read in readings:
        try:
            found = read()
        except BadShape:
            continue
        for draft in found:
            assert is_draft(draft.draft)
            assert not draft.branch or is_draft(draft.branch)
            assert "".join((draft.name, draft.editor, draft.updated_at, draft.branch_name)).encode() is not None
