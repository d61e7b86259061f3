"""What the endpoints answer that make drafts and write into them, on either model."""

import re
from typing import Any

from cleanup.simulator import shapes, writing
from cleanup.simulator.endpoints import Answer, Call, as_json, cannot, error, first_model_obstacle, frozen, success
from cleanup.simulator.entities import Branch, Key
from cleanup.simulator.world import World

_LONGEST_NAME = 100
_VERSION_ID = re.compile(r"[a-f\d]{24}")


class _Refusal(Exception):
    """A reason to refuse a request."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


def create_draft(world: World, key: Key, call: Call) -> Answer:
    """`POST /agent/{id}/drafts`: a new draft with the configuration of a published version, or of an open draft."""
    if obstacle := first_model_obstacle(world, call):
        return obstacle
    try:
        body = _object(call)
        name = _name(body, "draftName") if "draftName" in body else None
        source, config = _source(world, call.agent, body)
    except _Refusal as refusal:
        return refusal.answer
    draft = world.open_draft(
        call.agent, name=name, created_by=key.user, editor=shapes.name_of(key), config=config, source=source
    )
    return _created(shapes.draft_document(draft, world))


def write_draft(world: World, key: Key, call: Call) -> Answer:
    """`PATCH /agent/{id}/drafts/{draftId}/config`: the answer has no configuration in it."""
    if obstacle := first_model_obstacle(world, call):
        return obstacle
    try:
        changes = writing.changes_in(call.body)
    except ValueError as problem:
        return error(400, str(problem))
    draft = world.find_draft(call.agent, call.draft or "")
    if draft is None:
        return error(404, "Draft not found")
    draft.config = writing.merged(draft.config, changes)
    world.edit(draft.id, editor=shapes.name_of(key))
    return success(shapes.draft_document(draft, world))


def rename_draft(world: World, key: Key, call: Call) -> Answer:  # noqa: ARG001 - all endpoints are called alike
    """`PATCH /agent/{id}/drafts/{draftId}`: only the name; no new revision."""
    if obstacle := first_model_obstacle(world, call):
        return obstacle
    try:
        name = _name(_object(call), "draftName")
    except _Refusal as refusal:
        return refusal.answer
    draft = world.find_draft(call.agent, call.draft or "")
    if draft is None:
        return error(404, "Draft not found")
    draft.name = name
    return success({"draftName": name})


def create_branch(world: World, key: Key, call: Call) -> Answer:  # noqa: ARG001
    """`POST /agent/{id}/branches`: a branch that begins where another one's published revisions end."""
    if obstacle := _branch_obstacle(world, call):
        return obstacle
    try:
        body = _object(call)
        name = _name(body, "name")
        source = _source_branch(world, call.agent, body)
    except _Refusal as refusal:
        return refusal.answer
    taken = [branch.name for branch in list(world.agents[call.agent].branches.values())]
    if name.lower() == "main" or name in taken:
        return error(409, f"A branch named {name} already exists", error_type="branch_name_exists")
    if not source.has_commit:
        return error(409, "The source branch has no published revision", error_type="source_has_no_commit")
    if source.is_scanning:
        return error(409, "The source branch is being scanned", error_type="source_scanning")
    branch = world.add_branch(call.agent, name, source=source.id)
    return _created(shapes.branch_document(branch, world))


def write_branch_draft(world: World, key: Key, call: Call) -> Answer:
    """`PUT /agent/{id}/branches/{branchId}/draft`: opens a draft, or writes into whatever draft is open there."""
    if obstacle := _branch_obstacle(world, call):
        return obstacle
    try:
        changes = writing.changes_in(call.body)
    except ValueError as problem:
        return error(400, str(problem))
    branch = world.find_branch(call.agent, call.branch)
    if branch is None:
        return error(404, "Branch not found")
    editor = shapes.name_of(key)
    if branch.open_draft is None:
        config = writing.merged(world.agents[call.agent].config, changes)
        draft = world.open_draft(call.agent, branch=branch.id, created_by=key.user, editor=editor, config=config)
    else:
        draft = world.drafts[branch.open_draft]
        draft.config = writing.merged(draft.config, changes)
        world.edit(draft.id, editor=editor)
    return success(shapes.draft_document(draft, world))


def _branch_obstacle(world: World, call: Call) -> Answer | None:
    """Return the error that writes to branches give, if any."""
    if world.mode == "drafts":
        return cannot(call.method, call.path)
    return frozen() if world.frozen else None


def _created(data: object) -> Answer:
    return Answer(201, as_json({"status": True, "data": data}))


def _object(call: Call) -> dict[str, Any]:
    if not isinstance(call.body, dict):
        raise _Refusal(error(400, "Request body must be a JSON object"))
    return call.body


def _text(body: dict[str, Any], field: str) -> str:
    value = body.get(field)
    if not isinstance(value, str):
        raise _Refusal(error(400, f"{field} must be a string"))
    return value


def _name(body: dict[str, Any], field: str) -> str:
    name = _text(body, field)
    if not 1 <= len(name.encode("utf-16-le", "surrogatepass")) // 2 <= _LONGEST_NAME:  # as JavaScript counts
        raise _Refusal(error(400, f"{field} must be 1 to {_LONGEST_NAME} characters long"))
    return name


def _source(world: World, agent_id: str, body: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return the version that a new draft comes from and the configuration that it begins with.

    Both sources may be given; the draft's is then the configuration.
    """
    version = _text(body, "sourceVersionId") if "sourceVersionId" in body else None
    draft_id = _text(body, "sourceDraftId") if "sourceDraftId" in body else None
    if version is not None and not _VERSION_ID.fullmatch(version):
        raise _Refusal(error(400, "sourceVersionId must be an id"))
    if agent_id not in world.agents:
        raise _Refusal(error(404, "Agent not found"))
    published = None if version is None else world.find_version(agent_id, version)
    if version is not None and published is None:
        raise _Refusal(error(404, "Source version not found"))
    if draft_id is not None:
        draft = world.find_draft(agent_id, draft_id)
        if draft is None:
            raise _Refusal(error(404, "Source draft not found"))
        return version or draft.source, draft.config
    if version is None or published is None:
        raise _Refusal(error(400, "At least one of sourceVersionId or sourceDraftId is required"))
    return version, published


def _source_branch(world: World, agent_id: str, body: dict[str, Any]) -> Branch:
    branch_id = _text(body, "sourceBranchId")
    if agent_id not in world.agents:
        raise _Refusal(error(404, "Agent not found"))
    branch = world.find_branch(agent_id, branch_id)
    if branch is None:
        raise _Refusal(error(404, "Source branch not found"))
    return branch
