"""What each endpoint answers, depending on the state and the key."""

import html
import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from uvicorn.protocols.http.h11_impl import STATUS_PHRASES

from cleanup.simulator import diffs, shapes
from cleanup.simulator.entities import Key
from cleanup.simulator.world import World


@dataclass(frozen=True, slots=True)
class Call:
    """One request: its method and path, the parameters in the path and in the query, and its body if that is JSON."""

    method: str = "GET"
    path: str = ""
    agent: str = ""
    draft: str | None = None
    branch: str = ""
    query: Mapping[str, str] = field(default_factory=dict)
    body: object = None


@dataclass(frozen=True, slots=True)
class Answer:
    """A response to be sent, and the draft that the request discarded."""

    status: int
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()
    content_type: str = "application/json; charset=utf-8"
    discarded: str | None = None


def as_json(document: object) -> bytes:
    """Return the document as compact JSON; lone surrogates are escaped, as in JavaScript."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "backslashreplace")


def success(data: object, *, discarded: str | None = None) -> Answer:
    """Make a 200 in the API's form."""
    return Answer(200, as_json({"status": True, "data": data}), discarded=discarded)


def error(status: int, text: str | None = None, **more: object) -> Answer:
    """Make an error in the API's form; the default text is the status's phrase."""
    phrase = STATUS_PHRASES[status].decode() if text is None else text
    return Answer(status, as_json({"status": False, **more, "errors": [phrase]}))


def migration_required() -> Answer:
    """Make the 409 of the first model's endpoints for a workspace with branches."""
    text = "This workspace uses agent branches. Use the /agent/{id}/branches endpoints."
    answer = error(409, text, error_type="versioning_v2_migration_required")
    return Answer(409, answer.body, (("Deprecation", "true"),))


def frozen() -> Answer:
    """Make the 423 of a maintenance window."""
    return error(423, "Changes are paused for maintenance", error_type="config_freeze_active")


def cannot(method: str, path: str) -> Answer:
    """Make the 404 for a route that does not exist, or no longer: an HTML page, as from the live API."""
    page = (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>Error</title>\n</head>\n'
        f"<body>\n<pre>Cannot {html.escape(method)} {html.escape(path)}</pre>\n</body>\n</html>\n"
    )
    return Answer(404, page.encode(), content_type="text/html; charset=utf-8")


def first_model_obstacle(world: World, call: Call) -> Answer | None:
    """Return the error that the first model's list and writes give, if any."""
    if world.removed:
        return cannot(call.method, call.path)
    return migration_required() if world.mode == "branches" else None


def _discard(world: World, key: Key, agent_id: str, draft_id: str, data: object) -> Answer:
    draft = world.drafts[draft_id]
    if world.agents[agent_id].workflow_graph:
        return error(403, "Conversational agents are not enabled for this organization")
    if not key.admin and draft.created_by != key.user:
        return error(403, "Only the draft's creator or an admin can discard it")
    world.discard(draft_id, key=key, how=world.mode)
    return success(data, discarded=draft_id)


def discard_draft(world: World, key: Key, call: Call) -> Answer:
    """`DELETE /agent/{id}/drafts/{draftId}`."""
    if obstacle := first_model_obstacle(world, call):
        return obstacle
    draft = world.find_draft(call.agent, call.draft or "")
    if draft is None:
        return error(404, "Draft not found")
    return _discard(world, key, call.agent, draft.id, None)


def list_drafts(world: World, key: Key, call: Call) -> Answer:  # noqa: ARG001 - all endpoints are called alike
    """`GET /agent/{id}/drafts`."""
    if obstacle := first_model_obstacle(world, call):
        return obstacle
    if call.agent not in world.agents:
        return error(404, "Agent not found")
    return success([shapes.draft_document(draft, world) for draft in world.drafts_of(call.agent)])


def get_draft(world: World, key: Key, call: Call) -> Answer:  # noqa: ARG001
    """`GET /agent/{id}/drafts/{draftId}`, under either model."""
    if world.reads_removed:
        return cannot(call.method, call.path)
    draft = world.find_draft(call.agent, call.draft or "")
    return error(404, "Draft not found") if draft is None else success(shapes.draft_detail(draft, world))


def diff_draft(world: World, key: Key, call: Call) -> Answer:  # noqa: ARG001
    """`GET /agent/{id}/drafts/{draftId}/diff?compareTo=`, by default with the version that the draft came from."""
    if world.reads_removed:
        return cannot(call.method, call.path)
    draft = world.find_draft(call.agent, call.draft or "")
    if draft is None:
        return error(404, "Draft not found")
    base = world.find_configuration(call.agent, call.query.get("compareTo") or draft.source)
    if base is None:
        return error(404, "Version not found")
    # The live API was seen to use the branch model's shape here, where the document has another.
    shape = diffs.by_changes if world.shapes == "live" else diffs.by_sections
    return success(shape(base, draft.config))


def diff(world: World, key: Key, call: Call) -> Answer:  # noqa: ARG001
    """`GET /agent/{id}/diff?a=&b=`, each a revision's id or `<branchId>:draft`; `a` is the base."""
    if world.mode == "drafts":
        return cannot(call.method, call.path)
    before, after = (world.find_configuration(call.agent, call.query.get(side, "")) for side in ("a", "b"))
    if before is None or after is None:
        return error(404, "Revision not found")
    return success(diffs.by_changes(before, after))


def list_branches(world: World, key: Key, call: Call) -> Answer:  # noqa: ARG001
    """`GET /agent/{id}/branches`."""
    if world.mode == "drafts":
        return cannot(call.method, call.path)
    agent = world.agents.get(call.agent)
    if agent is None:
        return error(404, "Agent not found")
    branches = list(agent.branches.values())
    return success({"branches": [shapes.branch_summary(branch, world) for branch in branches]})


def get_branch(world: World, key: Key, call: Call) -> Answer:  # noqa: ARG001
    """`GET /agent/{id}/branches/{branchId}`."""
    if world.mode == "drafts":
        return cannot(call.method, call.path)
    branch = world.find_branch(call.agent, call.branch)
    return error(404, "Branch not found") if branch is None else success(shapes.branch_summary(branch, world))


def get_branch_draft(world: World, key: Key, call: Call) -> Answer:  # noqa: ARG001
    """`GET /agent/{id}/branches/{branchId}/draft`."""
    if world.mode == "drafts":
        return cannot(call.method, call.path)
    branch = world.find_branch(call.agent, call.branch)
    if branch is None or branch.open_draft is None:
        return error(404, "No open draft on this branch")
    return success(shapes.branch_draft_detail(world.drafts[branch.open_draft], world))


def discard_branch_draft(world: World, key: Key, call: Call) -> Answer:
    """`DELETE /agent/{id}/branches/{branchId}/draft`: whatever draft is open there at this moment."""
    if world.mode == "drafts":
        return cannot(call.method, call.path)
    if world.frozen:
        return frozen()
    branch = world.find_branch(call.agent, call.branch)
    if branch is None or branch.open_draft is None:
        return error(404, "No open draft on this branch")
    return _discard(world, key, call.agent, branch.open_draft, {"discarded": True})


def get_agent(world: World, key: Key, call: Call) -> Answer:  # noqa: ARG001
    """`GET /agent/{id}`, with `?draftId=` the draft's configuration in place of the live one."""
    agent = world.agents.get(call.agent)
    if agent is None:
        return error(400, "No agent found")
    draft = world.find_draft(call.agent, call.draft or "")
    resolved = {
        "_resolvedConfig": agent.config if draft is None else draft.config,
        "_configSource": "active" if draft is None else "draft",
    }
    return success({**shapes.agent_document(agent, world), **resolved})


def list_agents(world: World, key: Key, call: Call) -> Answer:  # noqa: ARG001
    """`GET /agent?page=1&offset=10`, where `offset` is the size of a page."""
    try:
        page, size = int(call.query.get("page", "1")), int(call.query.get("offset", "10"))
    except ValueError:
        return error(400, "page and offset must be integers")
    # The document sets no bounds: values below 1 count as not given.
    page, size = max(page, 1), min(size if size > 0 else 10, world.page_limit)
    archived, search = call.query.get("archived") == "true", call.query.get("search", "").lower()
    found = [
        agent for agent in list(world.agents.values()) if agent.archived == archived and search in agent.name.lower()
    ]
    return success(shapes.agents_document(found, page, size, world, searched=bool(search)))


def get_user(world: World, key: Key, call: Call) -> Answer:  # noqa: ARG001
    """`GET /user`: whose key this is."""
    return success(shapes.user_document(key))


def get_account(world: World, key: Key, call: Call) -> Answer:  # noqa: ARG001
    """`GET /account/get-account-details`, which comes without an envelope."""
    return Answer(200, as_json(shapes.account_document(key, world)))


def unauthorized(world: World, key: str) -> Answer:
    """Make the 401 for a key that is unknown, revoked or missing."""
    return error(401, f"Invalid API key: {key}" if world.echo_key else "Invalid or expired API key")
