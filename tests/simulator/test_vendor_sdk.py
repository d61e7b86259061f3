"""The vendor's own SDK gets along with the simulator, and reads in its answers what they are meant to say."""

import socket
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from cleanup.simulator import DEMO_KEY, Agent, Draft, Simulator, World


@pytest.fixture(autouse=True)
def _loopback_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Switch the SDK's telemetry off, and let no connection go anywhere else."""
    monkeypatch.setenv("SMALLESTAI_TELEMETRY", "0")
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        assert address[0] == "127.0.0.1", f"a connection to {address}"
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)


@pytest.fixture
def http() -> Iterator[httpx.Client]:
    with httpx.Client(timeout=5, trust_env=False) as client:
        yield client


def _atoms(simulator: Simulator, http: httpx.Client, key: str = DEMO_KEY) -> Any:
    from smallestai import SmallestAI
    from smallestai.environment import SmallestAIEnvironment

    nowhere = "http://127.0.0.1:9"
    environment = SmallestAIEnvironment(atoms=simulator.url, waves=nowhere, waves_ws=nowhere, payment=nowhere)
    return SmallestAI(api_key=key, environment=environment, httpx_client=http, max_retries=0).atoms


@pytest.fixture
def atoms(simulator: Simulator, http: httpx.Client) -> Any:
    return _atoms(simulator, http)


def test_drafts_are_listed_read_and_discarded(
    atoms: Any, world: World, simulator: Simulator, agent: Agent, draft: Draft
) -> None:
    drafts = atoms.agent_versioning_drafts
    (listed,) = drafts.list_active_drafts(agent.id).data
    assert (listed.draft_id, listed.draft_name, listed.draft_revision) == (draft.id, draft.name, 1)
    assert (listed.created_by, listed.last_editor_name) == (world.user, "Editor 1")
    assert abs((listed.updated_at - draft.updated_at).total_seconds()) < 0.001

    detail = drafts.get_draft_detail(agent.id, draft.id).data
    assert (detail.latest.draft_id, detail.edit_count) == (draft.id, 1)
    assert detail.edit_history[0].editor_name == "Editor 1"

    answer = drafts.discard_draft(agent.id, draft.id)
    assert (answer.status, answer.data) == (True, None)
    assert list(world.discarded) == [draft.id]
    assert drafts.list_active_drafts(agent.id).data == []


def test_branches_are_listed_and_a_branchs_draft_is_discarded(
    atoms: Any, world: World, agent: Agent, draft: Draft
) -> None:
    world.mode = "branches"
    branches = atoms.agent_versioning_branches
    default, other = branches.list(agent.id).data.branches
    assert (default.branch.name, default.branch.is_default, default.has_open_draft) == ("main", True, False)
    assert (other.branch.id, other.branch.open_draft_id) == (draft.branch, draft.id)
    assert branches.get(agent.id, draft.branch).data == other

    detail = branches.get_draft(agent.id, draft.branch).data
    assert (detail.latest.draft_id, detail.latest.status) == (draft.id, "draft")
    assert detail.edit_history[0].editor_name == "Editor 1"

    assert branches.discard_draft(agent.id, draft.branch).data.discarded is True
    assert world.discarded[draft.id].how == "branches"
    assert branches.get(agent.id, draft.branch).data.has_open_draft is False


def test_agents_and_the_user(atoms: Any, world: World) -> None:
    world.shapes = "documented"
    ids = [world.add_agent().id for _ in range(3)]
    data = atoms.agents.list_agents(page=2, offset=2).data
    assert ([agent.id for agent in data.agents], data.total) == (ids[2:], 3)
    user = atoms.user.get_user_details().data
    assert (user.id, user.organization_id) == (world.user, world.organization)


def test_a_publish_under_way(atoms: Any, world: World, agent: Agent, draft: Draft) -> None:
    world.mode = "branches"
    world.publish(draft.id)
    pending = atoms.agent_versioning_branches.get_draft(agent.id, draft.branch).data.latest.pending_publish
    assert (pending.state, pending.started_by, pending.started_at.tzinfo is not None) == ("active", world.user, True)


def test_a_drafts_configuration(atoms: Any, agent: Agent, draft: Draft) -> None:
    found = atoms.agents.get_agent(agent.id, draft_id=draft.id).data
    assert (found.id, found.config_source) == (agent.id, "draft")
    assert found.resolved_config.prompt == draft.config["prompt"]


def test_errors_are_the_sdks_own(
    atoms: Any, world: World, simulator: Simulator, http: httpx.Client, agent: Agent, draft: Draft
) -> None:
    from smallestai.atoms import errors

    world.add_key("sk_stranger", admin=False)
    with pytest.raises(errors.UnauthorizedError):
        _atoms(simulator, http, "sk_wrong").agent_versioning_drafts.discard_draft(agent.id, draft.id)
    with pytest.raises(errors.ForbiddenError):
        _atoms(simulator, http, "sk_stranger").agent_versioning_drafts.discard_draft(agent.id, draft.id)
    with pytest.raises(errors.NotFoundError):
        atoms.agent_versioning_drafts.discard_draft(agent.id, "0" * 24)
    with pytest.raises(errors.BadRequestError):
        atoms.agents.get_agent("0" * 24)
    simulator.faults.script(draft.id, "500")
    with pytest.raises(errors.InternalServerError):
        atoms.agent_versioning_drafts.discard_draft(agent.id, draft.id)


def test_the_migration_is_the_sdks_conflict(atoms: Any, world: World, agent: Agent, draft: Draft) -> None:
    from smallestai.atoms import errors

    world.mode = "branches"
    with pytest.raises(errors.ConflictError) as caught:
        atoms.agent_versioning_drafts.discard_draft(agent.id, draft.id)
    assert caught.value.body["error_type"] == "versioning_v2_migration_required"
    assert caught.value.headers is not None
    assert caught.value.headers["deprecation"] == "true"
