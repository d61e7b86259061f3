"""The vendor's own SDK gets along with the simulator, and reads in its answers what they are meant to say."""

import socket
from collections.abc import Callable, Iterator
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


def test_a_draft_is_made_written_and_renamed(atoms: Any, world: World, agent: Agent) -> None:
    """By the SDK's calls for the first model, with its own record for a prompt and tools.

    That record has no `toolRefs`, and the call no `playbooks` (nor a `workflowGraph`): the SDK's way to send such a
    field is `additional_body_parameters`.
    """
    from smallestai.atoms import SinglePromptConfig

    drafts = atoms.agent_versioning_drafts
    made = drafts.create_draft(agent.id, source_version_id=agent.version, draft_name="Refunds").data
    assert (made.draft_name, made.draft_revision, made.created_by) == ("Refunds", 1, world.user)
    assert (made.status, made.source_version_id) == ("draft", agent.version)
    written = drafts.update_draft_config(
        agent.id,
        made.draft_id,
        single_prompt_config=SinglePromptConfig(prompt="Be brief.", tools=[]),
        slm_model="gpt-4o",
        language={"supported": ["de"]},
        speech_formatting=True,
        request_options={"additional_body_parameters": {"playbooks": {"playbooks": []}}},
    ).data
    assert (written.draft_id, written.draft_revision) == (made.draft_id, 2)
    assert drafts.rename_draft(agent.id, made.draft_id, draft_name="Refunds 2").data.draft_name == "Refunds 2"
    copy = drafts.create_draft(agent.id, source_draft_id=made.draft_id).data

    found = atoms.agents.get_agent(agent.id, draft_id=copy.draft_id).data.resolved_config
    assert (found.prompt, found.tools, found.model_name) == ("Be brief.", [], "gpt-4o")
    assert (found.default_language, found.supported_languages) == ("en", ["de"])
    assert world.drafts[made.draft_id].name == "Refunds 2"


def test_a_branch_is_forked_and_a_draft_is_opened_on_it(atoms: Any, world: World, agent: Agent, draft: Draft) -> None:
    """By the SDK's calls for the branch model.

    Its call for the draft has none of `singlePromptConfig`, `postCallAnalyticsConfig`, `transcriberType` and
    `playbooks`; its helpers send the first and the last all the same. Where it differs in a field's type from its call
    for the first model (`timezone`, `pronunciationDicts`, `callDispositionConfig`, `speechFormatting`), the simulator
    takes both. It also has `expectedRevision`, which the simulator ignores.
    """
    world.mode = "branches"
    branches = atoms.agent_versioning_branches
    forked = branches.create_branch(agent.id, source_branch_id=draft.branch, name="undo").data
    assert (forked.name, forked.source_branch_id, forked.status) == ("undo", draft.branch, "active")
    assert (forked.head_revision_id, forked.open_draft_id) == (agent.version, None)
    opened = branches.update_draft(
        agent.id,
        forked.id,
        first_message="Hi!",
        timezone="Europe/Berlin",
        request_options={"additional_body_parameters": {"singlePromptConfig": {"tools": []}}},
    ).data
    assert (opened.status, opened.branch, opened.created_by) == ("draft", forked.id, world.user)
    assert branches.get(agent.id, forked.id).data.branch.open_draft_id == opened.draft_id
    again = branches.update_draft(agent.id, forked.id, global_prompt="Be brief.").data
    assert (again.draft_id, again.draft_revision) == (opened.draft_id, 2)

    found = atoms.agents.get_agent(agent.id, draft_id=opened.draft_id).data.resolved_config
    assert (found.first_message, found.global_prompt, found.tools) == ("Hi!", "Be brief.", [])


def test_what_is_refused_when_drafts_are_made(atoms: Any, world: World, agent: Agent, draft: Draft) -> None:
    """As the SDK's own errors: bad requests, what is not there, conflicts with their types, and a freeze."""
    from smallestai.atoms import errors

    drafts, branches = atoms.agent_versioning_drafts, atoms.agent_versioning_branches
    with pytest.raises(errors.BadRequestError):
        drafts.create_draft(agent.id)
    with pytest.raises(errors.NotFoundError):
        drafts.create_draft(agent.id, source_version_id="0" * 24)
    with pytest.raises(errors.BadRequestError) as caught:
        drafts.update_draft_config(agent.id, draft.id)
    assert caught.value.body["errors"] == ["No recognized config fields in request body"]
    with pytest.raises(errors.BadRequestError):
        drafts.update_draft_config(agent.id, draft.id, first_message=None)

    world.mode = "branches"
    former: list[Callable[[], Any]] = [
        lambda: drafts.create_draft(agent.id, source_version_id=agent.version),
        lambda: drafts.update_draft_config(agent.id, draft.id, first_message="Hi!"),
        lambda: drafts.rename_draft(agent.id, draft.id, draft_name="Refunds"),
    ]
    for refused in former:
        with pytest.raises(errors.ConflictError) as conflict:
            refused()
        assert conflict.value.body["error_type"] == "versioning_v2_migration_required"
    with pytest.raises(errors.ConflictError) as conflict:
        branches.create_branch(agent.id, source_branch_id=draft.branch, name="main")
    assert conflict.value.body["error_type"] == "branch_name_exists"
    world.frozen = True
    with pytest.raises(errors.LockedError):
        branches.update_draft(agent.id, draft.branch, first_message="Hi!")


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
