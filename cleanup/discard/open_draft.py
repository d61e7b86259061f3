"""Reads the draft that is open on a branch, for commands that discard nothing."""

from cleanup.api.atoms import Atoms
from cleanup.api.drafts import Draft
from cleanup.api.reply import Reply
from cleanup.api.retry import Caller
from cleanup.discard.workspace import Workspace


async def read_open_draft(caller: Caller, workspace: Workspace, place: Draft) -> Reply:
    """Read a branch's open draft. A 404 counts only if the agent's list confirms it, and is retried otherwise.

    A confirmed 404 means that the draft is gone. Raises Unanswered, BadShape, Stopped.
    """

    async def ask(api: Atoms) -> Reply:
        return (await api.open_draft(place.agent, place.branch)).disown_missing_route()

    made = 0
    while True:
        reply = await caller.operate(ask)
        made += 1
        if not reply.not_found:
            return reply
        if (await workspace.verify(caller, place.agent, place.draft)).get(place.draft) is None:
            return reply
        if made >= caller.attempts:
            return reply.disown()
        await caller.pause(made)
