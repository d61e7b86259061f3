"""The endpoints of the Atoms API by name: paths out, and the few fields that matter in.

Shapes and statuses are those of the vendor's OpenAPI document and guides of August 2026. An id that comes
from the API is checked like one that comes from a list before it becomes part of a path.
"""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from cleanup.api.transport import LARGE, SMALL, Transport
from cleanup.lists.ids import is_agent, is_draft
from cleanup.model import Reply, Trouble

PAGE_SIZE = 100


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


class Atoms:
    """One request per call, told to `observe` with its reply. Nothing here waits, retries or decides."""

    def __init__(self, transport: Transport, observe: Callable[[Reply], None]) -> None:
        self._transport = transport
        self._observe = observe

    async def _send(self, method: str, path: str, most: int = LARGE) -> Reply:
        try:
            reply = await self._transport.send(method, path, most=most)
        except asyncio.CancelledError:  # it may have left all the same
            self._observe(Reply(None, trouble=Trouble.CONNECTION))
            raise
        self._observe(reply)
        return reply

    async def user(self) -> Reply:
        """Whose key this is."""
        return await self._send("GET", "/user", SMALL)

    async def agents(self, page: int) -> Reply:
        """A page of the workspace's agents, from 1; archived ones are not among them."""
        return await self._send("GET", f"/agent?page={page}&offset={PAGE_SIZE}")

    async def drafts(self, agent: str) -> Reply:
        """An agent's drafts; 409 on the branch model."""
        return await self._send("GET", f"/agent/{agent}/drafts")

    async def draft(self, agent: str, draft: str) -> Reply:
        """One draft with its last edit."""
        return await self._send("GET", f"/agent/{agent}/drafts/{draft}")

    async def discard_draft(self, agent: str, draft: str) -> Reply:
        """Discard a draft by its id; 409 on the branch model."""
        return await self._send("DELETE", f"/agent/{agent}/drafts/{draft}", SMALL)

    async def configuration(self, agent: str, draft: str) -> Reply:
        """The agent with the draft's whole configuration."""
        return await self._send("GET", f"/agent/{agent}?draftId={draft}")

    async def branches(self, agent: str) -> Reply:
        """An agent's branches."""
        return await self._send("GET", f"/agent/{agent}/branches")

    async def open_draft(self, agent: str, branch: str) -> Reply:
        """The draft that is open on a branch; 404: none."""
        return await self._send("GET", f"/agent/{agent}/branches/{branch}/draft")

    async def discard_open_draft(self, agent: str, branch: str) -> Reply:
        """Discard whatever draft is open on a branch at that moment."""
        return await self._send("DELETE", f"/agent/{agent}/branches/{branch}/draft", SMALL)


def organization_in(reply: Reply) -> tuple[str | None, str | None]:
    """The organization and the user's id in an answer of `user`, None where they are not told."""
    data = reply.data
    if not isinstance(data, dict):
        return None, None
    return _text(data.get("organizationId")) or None, _text(data.get("_id")) or None


def agents_in(reply: Reply) -> tuple[list[str], int | None]:
    """A page's agents, and how many there are in all, if it says so. Raises BadShape."""
    data = reply.data
    found = data.get("agents") if isinstance(data, dict) else None
    if not isinstance(found, list) or not isinstance(data, dict):
        raise BadShape("an answer without a list of agents")
    agents = [_text(item.get("_id")) if isinstance(item, dict) else "" for item in found]
    if not all(is_agent(agent) for agent in agents):
        raise BadShape("an agent without an id of 24 hexadecimal digits")
    total = data.get("total")
    return agents, total if isinstance(total, int) else None


def drafts_in(reply: Reply, agent: str) -> list[Draft]:
    """An agent's drafts. Raises BadShape."""
    if not isinstance(reply.data, list):
        raise BadShape("an answer without a list of drafts")
    return [_draft(agent, item) for item in reply.data]


def latest_in(reply: Reply, agent: str) -> Draft:
    """The draft in an answer of `draft` or `open_draft`. Raises BadShape."""
    latest = reply.data.get("latest") if isinstance(reply.data, dict) else None
    if not isinstance(latest, dict):
        raise BadShape("an answer without the latest state of the draft")
    draft = _draft(agent, latest)
    history = reply.data.get("editHistory") if isinstance(reply.data, dict) else None
    if draft.editor or not isinstance(history, list):
        return draft
    editors = [_text(edit.get("editorName")) for edit in history if isinstance(edit, dict)]
    return Draft(agent, draft.draft, draft.name, next((name for name in editors if name), ""), draft.updated_at)


def open_drafts_in(reply: Reply, agent: str) -> Iterator[Draft]:
    """The open draft of each of an agent's branches. Raises BadShape."""
    data = reply.data
    summaries = data.get("branches") if isinstance(data, dict) else None
    if not isinstance(summaries, list):
        raise BadShape("an answer without a list of branches")
    for summary in summaries:
        branch = summary.get("branch") if isinstance(summary, dict) else None
        if not isinstance(branch, dict):
            raise BadShape("a branch without its description")
        draft, branch_id = _text(branch.get("openDraftId")), _text(branch.get("_id"))
        if not draft:
            continue
        if not is_draft(draft) or not is_draft(branch_id):
            raise BadShape("a branch or its open draft with an id that cannot be part of a path")
        yield Draft(agent, draft, branch=branch_id, branch_name=_text(branch.get("name")))


def draft_configuration_in(reply: Reply) -> dict[str, Any] | None:
    """The answer of `configuration`, if it is the draft's and not the active one's, else None."""
    data = reply.data
    if isinstance(data, dict) and data.get("_configSource") == "draft" and "_resolvedConfig" in data:
        return data
    return None


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
    )


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
