"""The state as JSON in the API's shapes: one function for each kind of document."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from cleanup.simulator.entities import Agent, Branch, Draft, Key, PendingPublish
from cleanup.simulator.world import World

Document = dict[str, Any]


def timestamp(moment: datetime) -> str:
    """Write a time as the API writes it: `2026-08-01T09:30:00.000Z`."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def draft_document(draft: Draft, world: World) -> Document:
    """Return the latest revision of a draft. Its `_id` is the revision's id, not the draft's."""
    agent = world.agents[draft.agent]
    return {
        "_id": draft.revision_id,
        "agent": draft.agent,
        "branch": draft.branch,
        "status": "draft",
        "draftId": draft.id,
        "draftName": draft.name,
        "draftRevision": draft.revision,
        "sourceVersionId": draft.source,
        "workflowType": _workflow_type(agent),
        "createdBy": draft.created_by,
        "createdAt": timestamp(draft.created_at),
        "updatedAt": timestamp(draft.updated_at),
        "lastEditorName": draft.editor,
        **({} if draft.pending_publish is None else {"pendingPublish": _pending_publish(draft.pending_publish)}),
    }


def _pending_publish(pending: PendingPublish) -> Document:
    return {"state": pending.state, "startedBy": pending.started_by, "startedAt": timestamp(pending.started_at)}


def draft_detail(draft: Draft, world: World) -> Document:
    """Return a draft as the first model's endpoint for a single draft does."""
    entry = {
        "revision": draft.revision,
        "changedSections": ["prompt"],
        "editorName": draft.editor,
        "editorId": draft.created_by,
        "timestamp": timestamp(draft.updated_at),
    }
    return {"latest": draft_document(draft, world), "editHistory": [entry], "editCount": draft.revision}


def branch_draft_detail(draft: Draft, world: World) -> Document:
    """Return a draft as the branch model's endpoint does: with whole revisions in the history."""
    latest = draft_document(draft, world)
    entry = {"revision": latest, "changedSections": ["prompt"], "editorName": draft.editor}
    return {"latest": latest, "editCount": draft.revision, "editHistory": [entry]}


def branch_document(branch: Branch, world: World) -> Document:
    """Return a branch by itself."""
    return {
        "_id": branch.id,
        "agent": branch.agent,
        "name": branch.name,
        "isDefault": branch.is_default,
        "openDraftId": branch.open_draft,
        "headRevisionId": world.agents[branch.agent].version if branch.has_commit else None,
        "sourceBranchId": branch.source,
        "status": "active",
        "createdAt": timestamp(branch.updated_at),
        "updatedAt": timestamp(branch.updated_at),
    }


def branch_summary(branch: Branch, world: World) -> Document:
    """Return a branch with the fields that the API derives."""
    draft = world.drafts.get(branch.open_draft or "")
    names = {"createdByName": "Editor 1", "updatedByName": draft.editor if draft else "Editor 1"}
    return {
        "branch": branch_document(branch, world),
        "isLive": branch.is_default,
        "hasOpenDraft": branch.open_draft is not None,
        "revisionsCount": 1 if branch.has_commit else 0,
        "headRevisionNumber": 1 if branch.has_commit else None,
        **(names if world.shapes == "live" else {}),
    }


def agent_document(agent: Agent, world: World) -> Document:
    """Return an agent as the list of agents has it."""
    return {
        "_id": agent.id,
        "name": agent.name,
        "organization": world.organization,
        "workflowType": _workflow_type(agent),
        "activeVersionId": agent.version,
        "createdBy": agent.created_by,
        "archived": agent.archived,
        "createdAt": timestamp(agent.created_at),
        "updatedAt": timestamp(agent.created_at),
    }


def _workflow_type(agent: Agent) -> str:
    return "workflow_graph" if agent.workflow_graph else agent.workflow_type


def agents_document(found: Sequence[Agent], page: int, size: int, world: World, *, searched: bool) -> Document:
    """Return a page of the agents found, in the shape of the live API or in the documented one."""
    shown = [agent_document(agent, world) for agent in found[(page - 1) * size : page * size]]
    if world.shapes == "documented":
        return {"agents": shown, "total": len(found)}
    return {
        "agents": shown,
        "totalCount": len(found),
        "totalPages": -(-len(found) // size),
        "hasMore": page * size < len(found),
        "isSearchResults": searched,
    }


def name_of(key: Key) -> str:
    """Return the name of the user to whom the key belongs, as it stands beside an edit."""
    return f"User {key.user[-4:]}"


def user_document(key: Key) -> Document:
    """Return the user to whom the key belongs."""
    return {
        "_id": key.user,
        "firstName": "User",
        "lastName": key.user[-4:],
        "userEmail": f"user-{key.user[-4:]}@example.com",
        "authProvider": "email",
        "isEmailVerified": True,
        "organizationId": key.organization,
    }


def account_document(key: Key, world: World) -> Document:
    """Return the user's account: the organization's name, and the user's role there (0 owner, 1 member)."""
    name = world.organization_name if key.organization == world.organization else "Another Organization"
    return {
        "userId": key.user,
        "email": f"user-{key.user[-4:]}@example.com",
        "firstName": "User",
        "lastName": key.user[-4:],
        "organizations": [
            {
                "orgId": key.organization,
                "name": name,
                "ownerEmail": "owner@example.com",
                "roleId": 0 if key.admin else 1,
            }
        ],
    }
