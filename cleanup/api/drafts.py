"""Drafts, parsed from the API's answers on either model. Pure.

An id from the API is validated like an id from a list before it becomes part of a path.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from cleanup.api.reply import Reply
from cleanup.lists.ids import is_draft


class BadShape(Exception):
    """An answer does not have the documented shape; the text says what is missing."""


@dataclass(frozen=True, slots=True)
class Draft:
    """An open draft, with the fields that are needed. `branch` is the branch's id on the branch model.

    `source`: the published version that it was made from, or on the branch model the branch's head revision. `edits`:
    the number of edits, None if unknown. `branch_document`: the branch as the API returned it.
    """

    agent: str
    draft: str
    name: str = ""
    editor: str = ""
    updated_at: str = ""
    branch: str = ""
    branch_name: str = ""
    created_at: str = ""
    publishing: bool = False
    source: str = ""
    edits: int | None = None
    branch_document: dict[str, Any] | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Branch:
    """A branch of an agent. `draft`: the id of the draft that is open on it, if any."""

    branch: str
    name: str
    is_default: bool
    draft: str


@dataclass(frozen=True, slots=True)
class Drafts:
    """An agent's open drafts by id. `odd`: what is wrong with the drafts that could not be parsed, if any.

    `branches`: all branches, also those without an open draft; empty on the older model.
    """

    by_id: dict[str, Draft]
    odd: str | None = None
    branches: tuple[Branch, ...] = ()


def drafts_in(reply: Reply, agent: str) -> Drafts:
    """An agent's drafts. Raises BadShape."""
    if not isinstance(reply.data, list):
        raise BadShape("an answer without a list of drafts")
    return _collected(partial(_draft, agent, item) for item in reply.data)


def _collected(readings: Iterable[Callable[[], Draft | None]]) -> Drafts:
    found: dict[str, Draft] = {}
    odd = None
    for read in readings:
        try:
            draft = read()
        except BadShape as error:
            odd = str(error)
        else:
            if draft is not None:
                found[draft.draft] = draft
    return Drafts(found, odd)


def latest_in(reply: Reply, agent: str) -> Draft:
    """The draft in an answer of `draft` or `open_draft`. Raises BadShape."""
    latest = reply.data.get("latest") if isinstance(reply.data, dict) else None
    if not isinstance(latest, dict):
        raise BadShape("an answer without the latest state of the draft")
    draft = _draft(agent, latest)
    edits = _count(reply.data.get("editCount")) if isinstance(reply.data, dict) else None
    editor = draft.editor or _last_editor(reply.data)
    return replace(draft, editor=editor, edits=draft.edits if edits is None else edits)


def latest_document(reply: Reply) -> dict[str, Any]:
    """The last revision in an answer of `draft` or `open_draft`, as the API returned it; empty if there is none."""
    latest = reply.data.get("latest") if isinstance(reply.data, dict) else None
    return latest if isinstance(latest, dict) else {}


def _last_editor(data: object) -> str:
    """The editor of the newest edit that names one, by time: the order of the history is not documented."""
    history = data.get("editHistory") if isinstance(data, dict) else None
    edits = [edit for edit in history if isinstance(edit, dict)] if isinstance(history, list) else []
    named = [(_edited_at(edit), text_of(edit.get("editorName"))) for edit in edits if edit.get("editorName")]
    return max(named, key=lambda edit: edit[0], default=("", ""))[1]


def _edited_at(edit: dict[str, Any]) -> str:
    revision = edit.get("revision")
    return text_of(edit.get("timestamp")) or (text_of(revision.get("updatedAt")) if isinstance(revision, dict) else "")


def open_drafts_in(reply: Reply, agent: str) -> Drafts:
    """The open draft of each of an agent's branches. Raises BadShape."""
    summaries = reply.data.get("branches") if isinstance(reply.data, dict) else None
    if not isinstance(summaries, list):
        raise BadShape("an answer without a list of branches")
    found = _collected(partial(_open_draft, agent, summary) for summary in summaries)
    return replace(found, branches=tuple(_branches(summaries)))


def _branches(summaries: list[Any]) -> Iterator[Branch]:
    """Every branch whose id can be part of a path."""
    for summary in summaries:
        branch = summary.get("branch") if isinstance(summary, dict) else None
        if isinstance(branch, dict) and (branch_id := _id(branch.get("_id"))):
            name, is_default = text_of(branch.get("name")), branch.get("isDefault") is True
            yield Branch(branch_id, name, is_default, text_of(branch.get("openDraftId")))


def _open_draft(agent: str, summary: object) -> Draft | None:
    branch = summary.get("branch") if isinstance(summary, dict) else None
    if not isinstance(summary, dict) or not isinstance(branch, dict):
        raise BadShape("a branch without its description")
    opened = branch.get("openDraftId")
    draft, branch_id = text_of(opened), text_of(branch.get("_id"))
    if not draft and (opened or summary.get("hasOpenDraft") is True):
        raise BadShape("a branch with an open draft but without that draft's id")
    if draft and not (is_draft(draft) and is_draft(branch_id)):
        raise BadShape("a branch or its open draft with an id that cannot be part of a path")
    if not draft:
        return None
    source = _id(branch.get("headRevisionId"))
    name = text_of(branch.get("name"))
    return Draft(agent, draft, branch=branch_id, branch_name=name, source=source, branch_document=branch)


def draft_configuration_in(reply: Reply) -> dict[str, Any] | None:
    """The answer of `configuration` if it is the draft's configuration and not the active one, else None."""
    data = reply.data
    if not isinstance(data, dict) or data.get("_configSource") != "draft":
        return None
    return data if isinstance(data.get("_resolvedConfig"), dict) else None


def new_draft_in(reply: Reply) -> str:
    """The id of the draft in an answer of `create_draft` or `configure_open_draft`; empty if there is none."""
    return _id((reply.written or {}).get("draftId"))


def new_branch_in(reply: Reply) -> str:
    """The id of the branch in an answer of `create_branch`; empty if there is none."""
    data = reply.written or {}
    # The document calls it a branch; a summary, as the other answers have it, contains one.
    inner = data.get("branch")
    return _id(inner.get("_id") if isinstance(inner, dict) else data.get("_id"))


def _draft(agent: str, item: object) -> Draft:
    if not isinstance(item, dict):
        raise BadShape("a draft that is not an object")
    # `_id` is the id of the revision; only `draftId` is the id of the draft.
    draft = text_of(item.get("draftId"))
    if not is_draft(draft):
        raise BadShape("a draft without an id that can be part of a path")
    return Draft(
        agent,
        draft,
        text_of(item.get("draftName")),
        text_of(item.get("lastEditorName")),
        text_of(item.get("updatedAt")),
        created_at=text_of(item.get("createdAt")),
        publishing=_is_publishing(item),
        source=_id(item.get("sourceVersionId")),
        edits=_count(item.get("draftRevision")),
    )


def _id(value: object) -> str:
    """An id that can be part of a path; empty for anything else."""
    text = text_of(value)
    return text if is_draft(text) else ""


def _count(value: object) -> int | None:
    return value if type(value) is int and value >= 0 else None


def _is_publishing(item: dict[str, Any]) -> bool:
    """Whether a publish is under way for this revision: a discard would remove the draft in the middle of a release."""
    pending = item.get("pendingPublish")
    return isinstance(pending, dict) and pending.get("state") == "active"


def text_of(value: object) -> str:
    """The value if it is text, else empty. Lone surrogates, which JSON allows and files do not, are replaced."""
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else ""
