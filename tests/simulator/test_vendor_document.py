"""The simulator's answers fit the vendor's OpenAPI document.

The document is not here as a whole. The models in the vendor's SDK are generated from it: the SDK itself does not
check what it reads, but the models do when they are told to. The part about the discard stands here, reworded.
"""

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from jsonschema import Draft202012Validator

from cleanup.simulator import Agent, Draft, Mode, Shapes, Simulator, World

DOCUMENT = yaml.safe_load((Path(__file__).parent / "discard.openapi.yaml").read_text())
DOCUMENTED = DOCUMENT["paths"]["/agent/{id}/drafts/{draftId}"]["delete"]["responses"]


@pytest.fixture(autouse=True)
def _no_telemetry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SMALLESTAI_TELEMETRY", "0")


def _hold_to(model: str, response: httpx.Response) -> None:
    """Check the answer's body with one of the SDK's models."""
    module, _, name = model.rpartition(".")
    getattr(importlib.import_module(f"smallestai.atoms.{module}"), name).model_validate(response.json())


@pytest.mark.parametrize("shapes", ["live", "documented"])
@pytest.mark.parametrize(
    ("mode", "path", "model"),
    [
        ("drafts", "user", "user.GetUserResponse"),
        ("drafts", "account/get-account-details", "account.GetAccountDetailsResponse"),
        ("drafts", "agent?page=1&offset=10", "agents.ListAgentsAgentsResponse"),
        ("drafts", "agent/{agent}", "agents.GetAgentAgentsResponse"),
        ("drafts", "agent/{agent}?draftId={draft}", "agents.GetAgentAgentsResponse"),
        ("drafts", "agent/{agent}/drafts", "agent_versioning_drafts.GetAgentIdDraftsResponse"),
        ("drafts", "agent/{agent}/drafts/{draft}", "agent_versioning_drafts.GetAgentIdDraftsDraftIdResponse"),
        ("drafts", "agent/{agent}/drafts/{draft}/diff", "agent_versioning_drafts.GetAgentIdDraftsDraftIdDiffResponse"),
        (
            "branches",
            "agent/{agent}/diff?a={version}&b={branch}:draft",
            "agent_versioning_revisions.DiffAgentVersioningRevisionsResponse",
        ),
        ("branches", "agent/{agent}/drafts", "types.VersioningV2MigrationRequiredResponse"),
        ("branches", "agent/{agent}/branches", "agent_versioning_branches.ListAgentVersioningBranchesResponse"),
        (
            "branches",
            "agent/{agent}/branches/{branch}",
            "agent_versioning_branches.GetAgentVersioningBranchesResponse",
        ),
        (
            "branches",
            "agent/{agent}/branches/{branch}/draft",
            "agent_versioning_branches.GetDraftAgentVersioningBranchesResponse",
        ),
    ],
)
def test_what_is_read_fits_the_sdks_models(
    client: httpx.Client, world: World, agent: Agent, draft: Draft, mode: Mode, shapes: Shapes, path: str, model: str
) -> None:
    world.mode, world.shapes = mode, shapes
    world.publish(draft.id)
    url = path.format(agent=agent.id, version=agent.version, draft=draft.id, branch=draft.branch)
    _hold_to(model, client.get(url))


def test_a_branchs_discard_fits_the_sdks_model(client: httpx.Client, world: World, branch_path: str) -> None:
    world.mode = "branches"
    _hold_to("agent_versioning_branches.DiscardDraftAgentVersioningBranchesResponse", client.delete(branch_path))


@pytest.mark.parametrize(
    ("mode", "method", "path", "body", "model"),
    [
        (
            "drafts",
            "POST",
            "agent/{agent}/drafts",
            {"sourceDraftId": "{draft}"},
            "agent_versioning_drafts.CreateDraftAgentVersioningDraftsResponse",
        ),
        (
            "drafts",
            "PATCH",
            "agent/{agent}/drafts/{draft}/config",
            {"firstMessage": "Hi!"},
            "agent_versioning_drafts.UpdateDraftConfigAgentVersioningDraftsResponse",
        ),
        (
            "drafts",
            "PATCH",
            "agent/{agent}/drafts/{draft}",
            {"draftName": "Refunds"},
            "agent_versioning_drafts.RenameDraftAgentVersioningDraftsResponse",
        ),
        (
            "branches",
            "POST",
            "agent/{agent}/branches",
            {"sourceBranchId": "{branch}", "name": "undo"},
            "agent_versioning_branches.CreateBranchAgentVersioningBranchesResponse",
        ),
        (
            "branches",
            "PUT",
            "agent/{agent}/branches/{branch}/draft",
            {"firstMessage": "Hi!"},
            "agent_versioning_branches.UpdateDraftAgentVersioningBranchesResponse",
        ),
    ],
)
def test_what_is_written_is_answered_as_the_sdks_models_say(
    client: httpx.Client, world: World, draft: Draft, mode: Mode, method: str, path: str, body: Any, model: str
) -> None:
    world.mode = mode
    ids = {"agent": draft.agent, "draft": draft.id, "branch": draft.branch}
    written = {name: value.format(**ids) for name, value in body.items()}
    response = client.request(method, path.format(**ids), json=written)
    assert response.is_success
    _hold_to(model, response)


def test_the_second_429_fits_the_sdks_model(
    client: httpx.Client, simulator: Simulator, draft: Draft, path: str
) -> None:
    simulator.faults.script(draft.id, "429:rate_limit=7")
    _hold_to("types.TooManyRequestsErrorBody", client.delete(path))


Prepare = Callable[[Simulator, Draft, Agent], Any]


@pytest.mark.parametrize(
    ("status", "prepare"),
    [
        (200, lambda simulator, draft, agent: None),
        (401, lambda simulator, draft, agent: simulator.world.revoke_key()),
        (403, lambda simulator, draft, agent: setattr(agent, "workflow_graph", True)),
        (403, lambda simulator, draft, agent: setattr(draft, "created_by", "0" * 24)),
        (404, lambda simulator, draft, agent: simulator.world.take_away(draft.id)),
        (500, lambda simulator, draft, agent: simulator.faults.script(draft.id, "500")),
    ],
)
def test_a_discard_answers_as_its_page_says(
    client: httpx.Client, simulator: Simulator, agent: Agent, draft: Draft, path: str, status: int, prepare: Prepare
) -> None:
    world = simulator.world
    world.add_key("sk_simulator", user=world.user, admin=False)
    prepare(simulator, draft, agent)
    response = client.delete(path)
    assert response.status_code == status
    documented = DOCUMENTED[str(status)]
    if "$ref" in documented:
        documented = DOCUMENT["components"]["responses"][documented["$ref"].rpartition("/")[2]]
    media_type = response.headers["content-type"].partition(";")[0]
    Draft202012Validator(documented["content"][media_type]["schema"]).validate(response.json())
