"""What is read out of the API's answers, and what is not taken for an answer."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cleanup.api.atoms import (
    BadShape,
    Draft,
    agents_in,
    branch_in,
    draft_configuration_in,
    draft_in,
    drafts_in,
    latest_in,
    open_drafts_in,
    owner_in,
)
from cleanup.lists.ids import is_draft
from cleanup.model import Reply

AGENT = "0123456789abcdef01234567"


def ok(data: object) -> Reply:
    return Reply(200, {"status": True, "data": data})


def branch(draft: object, branch_id: object = "b1", **more: object) -> dict[str, Any]:
    return {"branch": {"_id": branch_id, "name": "main", "openDraftId": draft}, **more}


def branches(*summaries: object) -> Reply:
    return ok({"branches": list(summaries)})


def test_the_draft_is_named_by_its_draft_id() -> None:
    """`_id` is the revision's."""
    (found,) = drafts_in(ok([{"_id": "r1", "draftId": "d1", "draftName": "n", "lastEditorName": "e"}]), AGENT)
    assert found == Draft(AGENT, "d1", "n", "e")
    with pytest.raises(BadShape):
        drafts_in(ok([{"_id": "d1"}]), AGENT)


@pytest.mark.parametrize("data", [None, {}, "x", 1, {"drafts": []}, [1], [{"draftId": None}], [{"draftId": "../x"}]])
def test_no_list_of_drafts_is_no_empty_list(data: object) -> None:
    """Nothing that is not documented is read as `nothing there`."""
    with pytest.raises(BadShape):
        drafts_in(ok(data), AGENT)
    with pytest.raises(BadShape):
        draft_in(ok(data), AGENT, "d1")


def test_a_draft_is_found_beside_odd_ones() -> None:
    """What is wrong with one draft is wrong with that one; whether an unnamed one is ours cannot be told."""
    reply = ok([{"draftId": "../x"}, {"draftId": "d1"}])
    assert draft_in(reply, AGENT, "d1") == Draft(AGENT, "d1")
    with pytest.raises(BadShape):
        draft_in(reply, AGENT, "d2")
    assert draft_in(ok([{"draftId": "d1"}]), AGENT, "d2") is None


@pytest.mark.parametrize(
    ("summaries", "problem"),
    [
        ([branch("d1", "../x")], "cannot be part of a path"),
        ([branch("d1", None)], "cannot be part of a path"),
        ([branch("d/1", "b1")], "cannot be part of a path"),
        ([branch({"_id": "d1"})], "not named"),
        ([branch(None, hasOpenDraft=True)], "not named"),
        ([{"_id": "b1"}], "without its description"),
        (["b1"], "without its description"),
    ],
)
def test_a_branch_whose_draft_cannot_be_told_is_no_branch_without_one(summaries: list[Any], problem: str) -> None:
    """Neither for a look over all branches nor for one draft that is on none of the others."""
    with pytest.raises(BadShape, match=problem):
        open_drafts_in(branches(*summaries), AGENT)
    with pytest.raises(BadShape):
        branch_in(branches(branch("d8", "b8"), *summaries), AGENT, "d9")
    assert branch_in(branches(branch("d8", "b8"), *summaries), AGENT, "d8") == Draft(
        AGENT, "d8", branch="b8", branch_name="main"
    )


def test_an_odd_branch_is_not_followed() -> None:
    """Not even for the draft that is asked for."""
    with pytest.raises(BadShape, match="cannot be part of a path"):
        branch_in(branches(branch("d1", "../../x")), AGENT, "d1")
    assert branch_in(branches(branch(None), branch("")), AGENT, "d1") is None


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
    for read in (
        lambda: drafts_in(reply, AGENT),
        lambda: [latest_in(reply, AGENT)],
        lambda: open_drafts_in(reply, AGENT),
        lambda: [branch_in(reply, AGENT, "d1")],
        lambda: [draft_in(reply, AGENT, "d1")],
        lambda: agents_in(reply) and [],
    ):
        try:
            found: list[Any] = read()
        except BadShape:
            continue
        for draft in filter(None, found):
            assert is_draft(draft.draft)
            assert not draft.branch or is_draft(draft.branch)
            assert "".join((draft.name, draft.editor, draft.updated_at, draft.branch_name)).encode() is not None
