"""The endpoints of the Atoms API by name: paths out, and the few fields that matter in.

Shapes and statuses are those of the vendor's OpenAPI document and guides of August 2026. An id that comes
from the API is checked like one that comes from a list before it becomes part of a path.
"""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from cleanup.api.reply import Reply, Trouble
from cleanup.api.transport import LARGE, SMALL, BeforeWrite, Transport
from cleanup.lists.ids import is_agent, is_draft

PAGE_SIZE = 50
"""As many as the vendor's own client ever asks for: beyond that the API may give fewer than it was asked for."""


class BadShape(Exception):
    """An answer that is not of the documented shape; the text says what is missing."""


@dataclass(frozen=True, slots=True)
class Draft:
    """An open draft, as far as anybody needs to know it. `branch` is the branch's id on the branch model."""

    agent: str
    draft: str
    name: str = ""
    editor: str = ""
    updated_at: str = ""
    branch: str = ""
    branch_name: str = ""
    publishing: bool = False


class Atoms:
    """One request per call, within one attempt. Nothing here waits, retries or decides.

    `before_write` is called when a request is about to be written, `observe` is told of its reply.
    """

    def __init__(self, transport: Transport, before_write: BeforeWrite, observe: Callable[[Reply], None]) -> None:
        self._transport = transport
        self._before_write = before_write
        self._observe = observe

    async def _send(
        self,
        method: str,
        path: str,
        most: int = LARGE,
        *,
        check: BeforeWrite | None = None,
        candidate: str | None = None,
    ) -> Reply:
        async def before_write() -> None:
            if check is not None:
                await check()
            await self._before_write()

        try:
            reply = await self._transport.send(method, path, most=most, before_write=before_write, candidate=candidate)
        except asyncio.CancelledError:  # it may have been sent all the same
            self._observe(Reply(None, trouble=Trouble.CONNECTION))
            raise
        self._observe(reply)
        return reply

    async def user(self, candidate: str | None = None) -> Reply:
        """Whose key this is: the one in use, or a candidate to take its place."""
        return await self._send("GET", "/user", SMALL, candidate=candidate)

    async def account(self) -> Reply:
        """The account of the key's user, with the names of its organizations; without the usual envelope."""
        return await self._send("GET", "/account/get-account-details", SMALL)

    async def agents(self, page: int) -> Reply:
        """A page of the workspace's agents, from 1; archived ones are not among them."""
        return await self._send("GET", f"/agent?page={page}&offset={PAGE_SIZE}")

    async def agent(self, agent: str) -> Reply:
        """One agent; an unknown one is a 400."""
        return await self._send("GET", f"/agent/{agent}")

    async def drafts(self, agent: str) -> Reply:
        """An agent's drafts; 409 on the branch model."""
        return await self._send("GET", f"/agent/{agent}/drafts")

    async def draft(self, agent: str, draft: str) -> Reply:
        """One draft with its last edit."""
        return await self._send("GET", f"/agent/{agent}/drafts/{draft}")

    async def discard_draft(self, agent: str, draft: str, check: BeforeWrite) -> Reply:
        """Discard a draft by its id; 409 on the branch model. `check` may raise to keep it from being sent."""
        return await self._send("DELETE", f"/agent/{agent}/drafts/{draft}", SMALL, check=check)

    async def configuration(self, agent: str, draft: str) -> Reply:
        """The agent with the draft's whole configuration."""
        return await self._send("GET", f"/agent/{agent}?draftId={draft}")

    async def branches(self, agent: str) -> Reply:
        """An agent's branches."""
        return await self._send("GET", f"/agent/{agent}/branches")

    async def open_draft(self, agent: str, branch: str) -> Reply:
        """The draft that is open on a branch; 404: none."""
        return await self._send("GET", f"/agent/{agent}/branches/{branch}/draft")

    async def discard_open_draft(self, agent: str, branch: str, check: BeforeWrite) -> Reply:
        """Discard whatever draft is open on a branch at that moment. `check` may raise to keep it from being sent."""
        return await self._send("DELETE", f"/agent/{agent}/branches/{branch}/draft", SMALL, check=check)


def owner_in(reply: Reply) -> tuple[str | None, str | None]:
    """The organization and the user's id in an answer of `user`, None where they are not told."""
    data = reply.data
    if not isinstance(data, dict):
        return None, None
    return _text(data.get("organizationId")) or None, _text(data.get("_id")) or None


def organization_name_in(reply: Reply, organization: str) -> str | None:
    """The name of an organization in an answer of `account`, None where it is not told."""
    found = reply.body.get("organizations") if reply.status == 200 and isinstance(reply.body, dict) else None
    for item in found if isinstance(found, list) else []:
        if isinstance(item, dict) and item.get("orgId") == organization:
            return _text(item.get("name")) or None
    return None


def says_no_such_agent(reply: Reply) -> bool:
    """Whether an answer of `agent` says that there is no such agent: a 400, recorded as `["No agent found"]`."""
    errors = reply.body.get("errors") if isinstance(reply.body, dict) else None
    text = " ".join(map(str, errors)) if isinstance(errors, list) else str(errors or "")
    return reply.status == 400 and "no agent found" in text.lower()


def agents_in(reply: Reply) -> tuple[list[str], int | None]:
    """A page's agents, and how many there are in all, if it says so. Raises BadShape."""
    data = reply.data
    found = data.get("agents") if isinstance(data, dict) else None
    if not isinstance(found, list) or not isinstance(data, dict):
        raise BadShape("an answer without a list of agents")
    agents = [_text(item.get("_id")) if isinstance(item, dict) else "" for item in found]
    if not all(is_agent(agent) for agent in agents):
        raise BadShape("an agent without an id of 24 hexadecimal digits")
    # The document says `total`, the live API `totalCount`.
    totals = (data.get("total"), data.get("totalCount"))
    return agents, next((total for total in totals if type(total) is int and total >= 0), None)


@dataclass(frozen=True, slots=True)
class Drafts:
    """An agent's open drafts by id. `odd`: what is wrong with those that cannot be named, if there are any."""

    by_id: dict[str, Draft]
    odd: str | None = None


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
    return draft if draft.editor else replace(draft, editor=_last_editor(reply.data))


def _last_editor(data: object) -> str:
    """The editor of the newest edit that names one. The history's order is not documented, its times are used."""
    history = data.get("editHistory") if isinstance(data, dict) else None
    edits = [edit for edit in history if isinstance(edit, dict)] if isinstance(history, list) else []
    named = [(_edited_at(edit), _text(edit.get("editorName"))) for edit in edits if edit.get("editorName")]
    return max(named, key=lambda edit: edit[0], default=("", ""))[1]


def _edited_at(edit: dict[str, Any]) -> str:
    revision = edit.get("revision")
    return _text(edit.get("timestamp")) or (_text(revision.get("updatedAt")) if isinstance(revision, dict) else "")


def open_drafts_in(reply: Reply, agent: str) -> Drafts:
    """The open draft of each of an agent's branches. Raises BadShape."""
    summaries = reply.data.get("branches") if isinstance(reply.data, dict) else None
    if not isinstance(summaries, list):
        raise BadShape("an answer without a list of branches")
    return _collected(partial(_open_draft, agent, summary) for summary in summaries)


def _open_draft(agent: str, summary: object) -> Draft | None:
    branch = summary.get("branch") if isinstance(summary, dict) else None
    if not isinstance(summary, dict) or not isinstance(branch, dict):
        raise BadShape("a branch without its description")
    opened = branch.get("openDraftId")
    draft, branch_id = _text(opened), _text(branch.get("_id"))
    if not draft and (opened or summary.get("hasOpenDraft") is True):
        raise BadShape("a branch with an open draft that is not named")
    if draft and not (is_draft(draft) and is_draft(branch_id)):
        raise BadShape("a branch or its open draft with an id that cannot be part of a path")
    return Draft(agent, draft, branch=branch_id, branch_name=_text(branch.get("name"))) if draft else None


def draft_configuration_in(reply: Reply) -> dict[str, Any] | None:
    """The answer of `configuration`, if it is the draft's and not the active one's, else None."""
    data = reply.data
    if not isinstance(data, dict) or data.get("_configSource") != "draft":
        return None
    return data if isinstance(data.get("_resolvedConfig"), dict) else None


def _draft(agent: str, item: object) -> Draft:
    if not isinstance(item, dict):
        raise BadShape("a draft that is no object")
    # `_id` is the revision's own id: only `draftId` names the draft.
    draft = _text(item.get("draftId"))
    if not is_draft(draft):
        raise BadShape("a draft without an id that can be part of a path")
    return Draft(
        agent,
        draft,
        _text(item.get("draftName")),
        _text(item.get("lastEditorName")),
        _text(item.get("updatedAt")),
        publishing=_is_publishing(item),
    )


def _is_publishing(item: dict[str, Any]) -> bool:
    """Whether a publish is under way for this revision; discarding would take it out from under a release."""
    pending = item.get("pendingPublish")
    return isinstance(pending, dict) and pending.get("state") == "active"


def _text(value: object) -> str:
    """A text that can be written anywhere: JSON allows half characters, files do not."""
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else ""
