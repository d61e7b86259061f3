"""The state as the API's JSON: one function for each kind of document."""

from datetime import UTC, datetime
from typing import Any

from cleanup.simulator.world import Agent, Branch, Draft, Key, World

Document = dict[str, Any]


def timestamp(moment: datetime) -> str:
    """Write a time as the API writes it: `2026-08-01T09:30:00.000Z`."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def draft_document(draft: Draft) -> Document:
    """Show the latest revision of a draft. Its `_id` is the revision's own and not the draft's id."""
    return {
        "_id": draft.revision_id,
        "agent": draft.agent,
        "branch": draft.branch,
        "status": "draft",
        "draftId": draft.id,
        "draftName": draft.name,
        "draftRevision": draft.revision,
        "createdBy": draft.created_by,
        "createdAt": timestamp(draft.created_at),
        "updatedAt": timestamp(draft.updated_at),
        "lastEditorName": draft.editor,
    }


def draft_detail(draft: Draft) -> Document:
    """Show a draft as the first model's endpoint details it."""
    entry = {
        "revision": draft.revision,
        "changedSections": ["prompt"],
        "editorName": draft.editor,
        "editorId": draft.created_by,
        "timestamp": timestamp(draft.updated_at),
    }
    return {"latest": draft_document(draft), "editHistory": [entry], "editCount": draft.revision}


def branch_draft_detail(draft: Draft) -> Document:
    """Show a draft as the branch model's endpoint details it: the history holds whole revisions."""
    entry = {"revision": draft_document(draft), "changedSections": ["prompt"], "editorName": draft.editor}
    return {"latest": draft_document(draft), "editCount": draft.revision, "editHistory": [entry]}


def branch_summary(branch: Branch) -> Document:
    """Show a branch with what the API derives for it."""
    return {
        "branch": {
            "_id": branch.id,
            "agent": branch.agent,
            "name": branch.name,
            "isDefault": branch.is_default,
            "openDraftId": branch.open_draft,
            "status": "active",
            "createdAt": timestamp(branch.updated_at),
            "updatedAt": timestamp(branch.updated_at),
        },
        "isLive": branch.is_default,
        "hasOpenDraft": branch.open_draft is not None,
        "revisionsCount": 1,
        "headRevisionNumber": 1,
    }


def agent_document(agent: Agent, world: World) -> Document:
    """Show an agent as it is listed."""
    return {
        "_id": agent.id,
        "name": agent.name,
        "organization": world.organization,
        "workflowType": "workflow_graph" if agent.workflow_graph else "single_prompt",
        "archived": agent.archived,
        "createdAt": timestamp(agent.created_at),
        "updatedAt": timestamp(agent.created_at),
    }


def user_document(key: Key) -> Document:
    """Show the user whose key it is."""
    return {
        "_id": key.user,
        "firstName": "User",
        "lastName": key.user[-4:],
        "userEmail": f"user-{key.user[-4:]}@example.com",
        "authProvider": "email",
        "isEmailVerified": True,
        "organizationId": key.organization,
    }
