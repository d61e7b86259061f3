"""The endpoints of the Atoms API by name, and the few fields of their answers that matter.

Shapes and statuses are those of the vendor's OpenAPI document and guides of August 2026. An id from the API is
validated like an id from a list before it becomes part of a path.
"""

import asyncio
from collections.abc import Callable

from cleanup.api.drafts import BadShape, text_of
from cleanup.api.reply import Reply, Trouble
from cleanup.api.transport import LARGE, SMALL, BeforeWrite, Transport
from cleanup.lists.ids import is_agent, is_draft

PAGE_SIZE = 50
"""The largest page that the vendor's own client requests: the API may return fewer items than a larger one asks for."""


class Atoms:
    """Sends one request per call, as part of one attempt. Nothing here waits, retries or decides.

    `before_write` is called right before a request is written, and `observe` with its reply.
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
        document: object = None,
    ) -> Reply:
        async def before_write() -> None:
            if check is not None:
                await check()
            await self._before_write()

        try:
            reply = await self._transport.send(
                method, path, most=most, before_write=before_write, candidate=candidate, document=document
            )
        except asyncio.CancelledError:  # the request may have been sent anyway
            self._observe(Reply(None, trouble=Trouble.CONNECTION))
            raise
        self._observe(reply)
        return reply

    async def user(self, candidate: str | None = None) -> Reply:
        """The user and organization of the key in use, or of a candidate to replace it."""
        return await self._send("GET", "/user", SMALL, candidate=candidate)

    async def account(self) -> Reply:
        """The account of the key's user, with the names of its organizations. The answer lacks the usual envelope."""
        return await self._send("GET", "/account/get-account-details", SMALL)

    async def agents(self, page: int) -> Reply:
        """A page of the workspace's agents, counted from 1, without archived agents."""
        return await self._send("GET", f"/agent?page={page}&offset={PAGE_SIZE}")

    async def agent(self, agent: str) -> Reply:
        """One agent; 400 if it is unknown."""
        return await self._send("GET", f"/agent/{agent}")

    async def drafts(self, agent: str) -> Reply:
        """An agent's drafts; 409 on the branch model."""
        return await self._send("GET", f"/agent/{agent}/drafts")

    async def draft(self, agent: str, draft: str) -> Reply:
        """One draft with its last edit."""
        return await self._send("GET", f"/agent/{agent}/drafts/{draft}")

    async def discard_draft(self, agent: str, draft: str, check: BeforeWrite) -> Reply:
        """Discard a draft by its id; 409 on the branch model. `check` may raise to prevent the request."""
        return await self._send("DELETE", f"/agent/{agent}/drafts/{draft}", SMALL, check=check)

    async def configuration(self, agent: str, draft: str) -> Reply:
        """The agent with the draft's whole configuration."""
        return await self._send("GET", f"/agent/{agent}?draftId={draft}")

    async def branches(self, agent: str) -> Reply:
        """An agent's branches."""
        return await self._send("GET", f"/agent/{agent}/branches")

    async def open_draft(self, agent: str, branch: str) -> Reply:
        """The draft that is open on a branch; 404 if there is none."""
        return await self._send("GET", f"/agent/{agent}/branches/{branch}/draft")

    async def draft_changes(self, agent: str, draft: str, version: str) -> Reply:
        """How a draft differs from the published version that it was made from."""
        return await self._send("GET", f"/agent/{agent}/drafts/{draft}/diff?compareTo={version}")

    async def open_draft_changes(self, agent: str, branch: str, revision: str) -> Reply:
        """How the draft that is open on a branch differs from the branch's head revision."""
        return await self._send("GET", f"/agent/{agent}/diff?a={revision}&b={branch}:draft")

    async def discard_open_draft(self, agent: str, branch: str, check: BeforeWrite) -> Reply:
        """Discard whatever draft is open on a branch at that moment. `check` may raise to prevent the request."""
        return await self._send("DELETE", f"/agent/{agent}/branches/{branch}/draft", SMALL, check=check)

    async def create_draft(self, agent: str, version: str, name: str) -> Reply:
        """Make a draft from a published version: 201 with its `draftId`; 409 on the branch model."""
        document = {"sourceVersionId": version, "draftName": name}
        return await self._send("POST", f"/agent/{agent}/drafts", document=document)

    async def configure_draft(self, agent: str, draft: str, configuration: object) -> Reply:
        """Merge into a draft's configuration; 409 on the branch model."""
        return await self._send("PATCH", f"/agent/{agent}/drafts/{draft}/config", document=configuration)

    async def rename_draft(self, agent: str, draft: str, name: str) -> Reply:
        """Give a draft another name; 409 on the branch model."""
        return await self._send("PATCH", f"/agent/{agent}/drafts/{draft}", document={"draftName": name})

    async def create_branch(self, agent: str, source: str, name: str) -> Reply:
        """Make a branch from another one's current head: 201; 409 for a name that is taken, or a source without one."""
        return await self._send("POST", f"/agent/{agent}/branches", document={"sourceBranchId": source, "name": name})

    async def configure_open_draft(self, agent: str, branch: str, configuration: object) -> Reply:
        """Open a draft on a branch with this configuration, or merge into whatever draft is open there."""
        return await self._send("PUT", f"/agent/{agent}/branches/{branch}/draft", document=configuration)


def owner_in(reply: Reply) -> tuple[str | None, str | None]:
    """The organization and the user's id from an answer of `user`; None for what is missing."""
    data = reply.data
    if not isinstance(data, dict):
        return None, None
    return text_of(data.get("organizationId")) or None, text_of(data.get("_id")) or None


def organization_name_in(reply: Reply, organization: str) -> str | None:
    """The name of an organization from an answer of `account`; None if it is missing."""
    found = reply.body.get("organizations") if reply.status == 200 and isinstance(reply.body, dict) else None
    for item in found if isinstance(found, list) else []:
        if isinstance(item, dict) and item.get("orgId") == organization:
            return text_of(item.get("name")) or None
    return None


def active_version_in(reply: Reply) -> str:
    """The published version that an agent uses, from an answer of `agent`; empty if there is none."""
    found = text_of(reply.data.get("activeVersionId")) if isinstance(reply.data, dict) else ""
    return found if is_draft(found) else ""


def says_no_such_agent(reply: Reply) -> bool:
    """Whether an answer of `agent` says that there is no such agent: a 400, recorded as `["No agent found"]`."""
    errors = reply.body.get("errors") if isinstance(reply.body, dict) else None
    text = " ".join(map(str, errors)) if isinstance(errors, list) else str(errors or "")
    return reply.status == 400 and "no agent found" in text.lower()


def agents_in(reply: Reply) -> tuple[list[str], int | None]:
    """The agents on a page, and the total number of agents if the page has it. Raises BadShape."""
    data = reply.data
    found = data.get("agents") if isinstance(data, dict) else None
    if not isinstance(found, list) or not isinstance(data, dict):
        raise BadShape("an answer without a list of agents")
    agents = [text_of(item.get("_id")) if isinstance(item, dict) else "" for item in found]
    if not all(is_agent(agent) for agent in agents):
        raise BadShape("an agent without an id of 24 hexadecimal digits")
    # The document says `total`, the live API `totalCount`.
    totals = (data.get("total"), data.get("totalCount"))
    return agents, next((total for total in totals if type(total) is int and total >= 0), None)
