"""What a draft changes, in both shapes of the API's comparison; nothing at all only where the API says so."""

from typing import Any

import pytest

from cleanup.api.changes import Change, changes_in
from cleanup.api.drafts import BadShape
from cleanup.api.reply import Reply


def answer(data: Any, status: int = 200) -> Reply:
    return Reply(status, {"status": True, "data": data})


@pytest.mark.parametrize(
    ("data", "changes"),
    [
        ({"diffs": []}, ()),
        ({"unchangedSections": ["llm"], "diffs": []}, ()),
        ({"sections": {}, "hasChanges": False}, ()),
        ({"sections": {"llm": {"before": 1, "after": 1, "changed": False}}, "hasChanges": False}, ()),
        (
            {"diffs": [{"section": "llm", "changes": [{"path": "modelName", "oldValue": "a", "newValue": None}]}]},
            (Change("llm", "modelName", "a", None),),
        ),
        (
            {"sections": {"llm": {"before": {"a": 1}, "after": None, "changed": True}}, "hasChanges": True},
            (Change("llm", "", {"a": 1}, None),),
        ),
        ({"diffs": [{"section": "llm", "changes": []}]}, (Change("llm", "", None, None),)),
        ({"diffs": [{"section": 7, "changes": [3]}]}, (Change("?", "", None, None),)),
    ],
)
def test_both_shapes(data: Any, changes: tuple[Change, ...]) -> None:
    """A section that is listed as different counts as changed, whatever is said of its parts."""
    assert changes_in(answer(data)) == changes


@pytest.mark.parametrize(
    "data",
    [
        None,
        [],
        {},
        {"hasChanges": False},
        {"diffs": None},
        {"diffs": ["llm"]},
        {"diffs": [{"section": "llm"}]},
        {"sections": {}},
        {"sections": {}, "hasChanges": None},
        {"sections": {}, "hasChanges": True},
        {"sections": {"llm": {"before": 1, "after": 2}}, "hasChanges": True},
        {"sections": {"llm": "changed"}, "hasChanges": True},
        {"sections": {"llm": {"before": 1, "after": 2, "changed": True}}, "hasChanges": False},
    ],
)
def test_what_does_not_say_whether_a_draft_changes_anything(data: Any) -> None:
    """It is no answer: such a draft is not taken for litter."""
    with pytest.raises(BadShape):
        changes_in(answer(data))
