"""The calls that make drafts and write into them: what they refuse, make and merge."""

import random
from typing import Any

import httpx
import pytest

from cleanup.simulator import Agent, Draft, Simulator, World, writing
from cleanup.simulator.lifelike import full_configuration
from tests.simulator.conftest import IMPATIENT

NOBODY = "0" * 24


@pytest.fixture
def drafts(agent: Agent) -> str:
    """Where drafts are made on the first model."""
    return f"agent/{agent.id}/drafts"


@pytest.fixture
def branches(agent: Agent) -> str:
    """Where branches are made."""
    return f"agent/{agent.id}/branches"


@pytest.fixture
def main(agent: Agent) -> str:
    """The id of the agent's default branch."""
    return next(iter(agent.branches))


def _read(client: httpx.Client, agent: Agent, draft_id: str) -> dict[str, Any]:
    """The draft's configuration, as the API shows it."""
    data = client.get(f"agent/{agent.id}", params={"draftId": draft_id}).json()["data"]
    assert data["_configSource"] == "draft"
    found: dict[str, Any] = data["_resolvedConfig"]
    return found


def _told(response: httpx.Response) -> tuple[int, str]:
    """The status and the reason of a refusal."""
    return response.status_code, response.json()["errors"][0]


def test_a_draft_is_made_from_a_published_version(
    client: httpx.Client, world: World, agent: Agent, drafts: str
) -> None:
    """It has an id of its own, and belongs to the key's user."""
    mine = world.add_key("sk_mine", admin=False)
    body = {"sourceVersionId": agent.version, "draftName": "Refunds"}
    response = client.post(drafts, json=body, headers={"Authorization": "Bearer sk_mine"})
    data = response.json()["data"]
    assert (response.status_code, response.json()["status"]) == (201, True)
    assert (data["draftName"], data["draftRevision"], data["createdBy"]) == ("Refunds", 1, mine.user)
    assert (data["sourceVersionId"], data["lastEditorName"]) == (agent.version, f"User {mine.user[-4:]}")
    assert world.left() == {data["draftId"]}
    assert _read(client, agent, data["draftId"]) == agent.config


def test_a_draft_is_made_from_another_draft(
    client: httpx.Client, world: World, agent: Agent, draft: Draft, drafts: str
) -> None:
    """The copy is deep, and comes from the version that the other one came from."""
    draft.source = agent.version
    world.release(agent.id, {"prompt": "Later."})
    data = client.post(drafts, json={"sourceDraftId": draft.id}).json()["data"]
    made = world.drafts[data["draftId"]]
    assert data["sourceVersionId"] == draft.source != agent.version
    assert data["draftName"].startswith("Draft ")
    made.config["tools"][0]["enabled"] = False
    assert draft.config["tools"][0]["enabled"] is True


def test_with_both_sources_the_draft_is_the_configuration(
    client: httpx.Client, world: World, agent: Agent, draft: Draft, drafts: str
) -> None:
    """The document allows both without saying which counts."""
    new = world.release(agent.id)
    data = client.post(drafts, json={"sourceDraftId": draft.id, "sourceVersionId": new}).json()["data"]
    assert data["sourceVersionId"] == new
    assert _read(client, agent, data["draftId"]) == draft.config


def test_a_former_version_is_still_a_source(client: httpx.Client, world: World, agent: Agent, drafts: str) -> None:
    """Published versions stay, whatever is published after them."""
    former, config = agent.version, agent.config
    world.release(agent.id, {"prompt": "Later."})
    data = client.post(drafts, json={"sourceVersionId": former}).json()["data"]
    assert (data["sourceVersionId"], _read(client, agent, data["draftId"])) == (former, config)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"draftName": "Refunds"},
        {"sourceVersionId": None},
        {"sourceVersionId": 7},
        {"sourceVersionId": "latest"},
        {"sourceDraftId": ["d"]},
        {"sourceVersionId": "VERSION", "draftName": ""},
        {"sourceVersionId": "VERSION", "draftName": "x" * 101},
        {"sourceVersionId": "VERSION", "draftName": 7},
        {"sourceVersionId": "VERSION", "draftName": None},
        [],
        "text",
    ],
)
def test_a_bad_request_for_a_draft_makes_none(
    client: httpx.Client, world: World, agent: Agent, drafts: str, body: Any
) -> None:
    """Both names and sources are checked."""
    if isinstance(body, dict) and body.get("sourceVersionId") == "VERSION":
        body = {**body, "sourceVersionId": agent.version}
    assert client.post(drafts, json=body).status_code == 400
    assert world.left() == set()


@pytest.mark.parametrize("name", ["x", "x" * 100, "ä" * 100])
def test_a_draft_may_have_a_long_name(client: httpx.Client, agent: Agent, drafts: str, name: str) -> None:
    """Up to a hundred characters, not bytes."""
    response = client.post(drafts, json={"sourceVersionId": agent.version, "draftName": name})
    assert (response.status_code, response.json()["data"]["draftName"]) == (201, name)


def test_a_draft_is_not_made_from_what_is_not_there(
    client: httpx.Client, world: World, agent: Agent, draft: Draft, drafts: str
) -> None:
    """An unknown agent or version, an unknown or discarded draft, or one of another agent: a 404 in JSON."""
    foreign = world.open_draft(world.add_agent().id)
    client.delete(f"{drafts}/{draft.id}")
    left = world.left()
    for body in ({"sourceVersionId": NOBODY}, *({"sourceDraftId": gone} for gone in (NOBODY, draft.id, foreign.id))):
        assert _told(client.post(drafts, json=body))[0] == 404
    assert _told(client.post(f"agent/{NOBODY}/drafts", json={"sourceVersionId": agent.version}))[0] == 404
    assert world.left() == left


def test_writing_is_an_edit_that_echoes_nothing(
    client: httpx.Client, world: World, agent: Agent, draft: Draft, path: str
) -> None:
    """A new revision, with a new time and the key's user as its editor."""
    before, revision_id = draft.updated_at, draft.revision_id
    response = client.patch(f"{path}/config", json={"firstMessage": "Hi!"})
    data = response.json()["data"]
    assert (response.status_code, response.json()["status"]) == (200, True)
    assert "firstMessage" not in response.text
    assert (data["draftId"], data["draftRevision"]) == (draft.id, 2)
    assert (data["lastEditorName"], draft.updated_at > before) == (f"User {world.user[-4:]}", True)
    assert data["_id"] == draft.revision_id != revision_id
    assert _read(client, agent, draft.id)["firstMessage"] == "Hi!"


def test_a_draft_is_renamed(client: httpx.Client, draft: Draft, path: str) -> None:
    """That is no edit of its configuration."""
    response = client.patch(path, json={"draftName": "Refunds, shorter"})
    assert (response.status_code, response.json()["data"]) == (200, {"draftName": "Refunds, shorter"})
    assert (draft.name, draft.revision) == ("Refunds, shorter", 1)


@pytest.mark.parametrize("body", [{}, {"draftName": ""}, {"draftName": "x" * 101}, {"draftName": None}, []])
def test_a_draft_keeps_its_name_after_a_bad_request(client: httpx.Client, draft: Draft, path: str, body: Any) -> None:
    """A name has 1 to 100 characters."""
    before = draft.name
    assert client.patch(path, json=body).status_code == 400
    assert draft.name == before


def test_only_an_open_draft_is_written_and_renamed(client: httpx.Client, world: World, draft: Draft, path: str) -> None:
    """A discarded one is a 404, and so is one under another agent."""
    elsewhere = f"agent/{world.add_agent().id}/drafts/{draft.id}"
    assert client.patch(f"{elsewhere}/config", json={"firstMessage": "Hi!"}).status_code == 404
    client.delete(path)
    assert _told(client.patch(f"{path}/config", json={"firstMessage": "Hi!"}))[0] == 404
    assert _told(client.patch(path, json={"draftName": "Refunds"}))[0] == 404


def test_the_first_models_writes_end_with_it(client: httpx.Client, world: World, agent: Agent, path: str) -> None:
    """A 409 on the branch model, and no route once they are removed."""
    world.mode = "branches"

    def answers() -> list[httpx.Response]:
        return [
            client.post(f"agent/{agent.id}/drafts", json={"sourceVersionId": agent.version}),
            client.patch(f"{path}/config", json={"firstMessage": "Hi!"}),
            client.patch(path, json={"draftName": "Refunds"}),
        ]

    for response in answers():
        assert (response.status_code, response.headers["Deprecation"]) == (409, "true")
        assert response.json()["error_type"] == "versioning_v2_migration_required"
    world.removed = True
    for response in answers():
        assert (response.status_code, response.headers["content-type"]) == (404, "text/html; charset=utf-8")
        assert f"Cannot {response.request.method} /atoms/v1/agent/" in response.text


@pytest.fixture
def on_branches(world: World) -> None:
    """A workspace of the branch model."""
    world.mode = "branches"


def test_the_branch_models_writes_begin_with_it(
    client: httpx.Client, world: World, branches: str, main: str, branch_path: str
) -> None:
    """On the older model they are no routes."""
    for method, url, body in (
        ("POST", branches, {"sourceBranchId": main, "name": "undo"}),
        ("PUT", branch_path, {"firstMessage": "Hi!"}),
    ):
        response = client.request(method, url, json=body)
        assert (response.status_code, response.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert len(world.left()) == 1


@pytest.mark.usefixtures("on_branches")
def test_a_branch_is_forked(client: httpx.Client, world: World, agent: Agent, draft: Draft, branches: str) -> None:
    """The answer is the branch as it is read, with nothing open on it."""
    response = client.post(branches, json={"sourceBranchId": draft.branch, "name": "undo"})
    data = response.json()["data"]
    assert (response.status_code, response.json()["status"]) == (201, True)
    assert data == client.get(f"{branches}/{data['_id']}").json()["data"]["branch"]
    assert (data["name"], data["sourceBranchId"], data["openDraftId"]) == ("undo", draft.branch, None)
    assert (data["headRevisionId"], data["isDefault"]) == (agent.version, False)
    assert world.left() == {draft.id}


@pytest.mark.usefixtures("on_branches")
@pytest.mark.parametrize("name", ["main", "Main", "taken"])
def test_a_branchs_name_is_taken_only_once(
    client: httpx.Client, world: World, agent: Agent, branches: str, main: str, name: str
) -> None:
    """And main is reserved, however it is written."""
    world.add_branch(agent.id, "taken")
    response = client.post(branches, json={"sourceBranchId": main, "name": name})
    assert (response.status_code, response.json()["error_type"]) == (409, "branch_name_exists")
    assert len(agent.branches) == 2


@pytest.mark.usefixtures("on_branches")
@pytest.mark.parametrize(
    ("state", "error_type"), [("has_commit", "source_has_no_commit"), ("is_scanning", "source_scanning")]
)
def test_some_branches_cannot_be_forked(
    client: httpx.Client, agent: Agent, branches: str, main: str, state: str, error_type: str
) -> None:
    """One without a published revision, and one whose publish is under way."""
    setattr(agent.branches[main], state, state == "is_scanning")
    response = client.post(branches, json={"sourceBranchId": main, "name": "undo"})
    assert (response.status_code, response.json()["error_type"]) == (409, error_type)
    assert list(agent.branches) == [main]


@pytest.mark.usefixtures("on_branches")
def test_a_branch_without_a_published_revision_has_no_head(
    client: httpx.Client, agent: Agent, branches: str, main: str
) -> None:
    """Its head is null until something is published there."""
    agent.branches[main].has_commit = False
    summary = client.get(f"{branches}/{main}").json()["data"]
    assert (summary["branch"]["headRevisionId"], summary["revisionsCount"]) == (None, 0)


@pytest.mark.usefixtures("on_branches")
@pytest.mark.parametrize("body", [{}, {"name": ""}, {"name": "x" * 101}, {"name": 7}, {"sourceBranchId": None}, []])
def test_a_bad_request_for_a_branch_makes_none(
    client: httpx.Client, agent: Agent, branches: str, main: str, body: Any
) -> None:
    """Names have 1 to 100 characters, and the source is needed."""
    if isinstance(body, dict):
        body = {"sourceBranchId": main, "name": "undo"} | body if body else body
    assert client.post(branches, json=body).status_code == 400
    assert list(agent.branches) == [main]


@pytest.mark.usefixtures("on_branches")
def test_a_branch_is_not_forked_from_what_is_not_there(
    client: httpx.Client, world: World, branches: str, main: str
) -> None:
    """An unknown agent, an unknown branch, or one of another agent."""
    foreign = next(iter(world.add_agent().branches))
    for source in (NOBODY, foreign):
        assert _told(client.post(branches, json={"sourceBranchId": source, "name": "undo"}))[0] == 404
    elsewhere = client.post(f"agent/{NOBODY}/branches", json={"sourceBranchId": main, "name": "undo"})
    assert _told(elsewhere)[0] == 404


@pytest.mark.usefixtures("on_branches")
def test_a_draft_is_opened_on_a_branch(client: httpx.Client, world: World, agent: Agent, main: str) -> None:
    """From the published configuration, with what was written in it, and as the key's user."""
    mine = world.add_key("sk_mine", admin=False)
    url, headers = f"agent/{agent.id}/branches/{main}/draft", {"Authorization": "Bearer sk_mine"}
    response = client.put(url, json={"firstMessage": "Hi!"}, headers=headers)
    data = response.json()["data"]
    assert (response.status_code, response.json()["status"], data["status"]) == (200, True, "draft")
    assert (data["draftRevision"], data["createdBy"], data["branch"]) == (1, mine.user, main)
    assert data["sourceVersionId"] == agent.version
    assert _read(client, agent, data["draftId"]) == {**agent.config, "firstMessage": "Hi!"}
    assert client.get(url).json()["data"]["latest"] == data
    assert agent.config["firstMessage"] != "Hi!"


@pytest.mark.usefixtures("on_branches")
def test_what_is_written_goes_into_whatever_draft_is_open(
    client: httpx.Client, world: World, agent: Agent, draft: Draft, branch_path: str
) -> None:
    """Whoever made it: there is no form that only opens one."""
    draft.created_by = NOBODY
    data = client.put(branch_path, json={"firstMessage": "Hi!"}).json()["data"]
    assert (data["draftId"], data["draftRevision"], data["createdBy"]) == (draft.id, 2, NOBODY)
    assert _read(client, agent, draft.id)["prompt"] == draft.config["prompt"] != agent.config["prompt"]
    assert world.left() == {draft.id}


@pytest.mark.usefixtures("on_branches")
def test_nothing_is_opened_on_a_branch_that_is_not_there(client: httpx.Client, world: World, agent: Agent) -> None:
    """An unknown branch, or one of another agent."""
    foreign = next(iter(world.add_agent().branches))
    for branch in (NOBODY, foreign):
        assert client.put(f"agent/{agent.id}/branches/{branch}/draft", json={"firstMessage": "Hi!"}).status_code == 404


@pytest.mark.usefixtures("on_branches")
def test_a_maintenance_window_freezes_what_makes_drafts(
    client: httpx.Client, world: World, draft: Draft, branches: str, main: str, branch_path: str
) -> None:
    """As it does discards."""
    world.frozen = True
    made = client.post(branches, json={"sourceBranchId": main, "name": "undo"})
    written = client.put(branch_path, json={"firstMessage": "Hi!"})
    assert [answer.json()["error_type"] for answer in (made, written)] == ["config_freeze_active"] * 2
    assert (made.status_code, written.status_code, draft.revision) == (423, 423, 1)


@pytest.fixture(params=["drafts", "branches"])
def write(request: pytest.FixtureRequest, client: httpx.Client, world: World, path: str, branch_path: str) -> Any:
    """Write into `draft`, on either model."""
    world.mode = request.param
    if world.mode == "drafts":
        return lambda body: client.patch(f"{path}/config", json=body)
    return lambda body: client.put(branch_path, json=body)


def test_objects_are_merged_and_lists_replaced(write: Any, draft: Draft) -> None:
    """However deep an object is; and what was not written stays."""
    draft.config = {
        "prompt": "Before.",
        "supportedLanguages": ["en", "hi"],
        "preCallAPI": {"url": "https://a", "headers": {"a": "1", "b": "2"}},
        "defaultVariables": {"list": [1, {"a": 1}]},
    }
    written = {
        "language": {"supported": ["de"]},
        "preCallAPI": {"headers": {"b": "3"}},
        "defaultVariables": {"list": [2], "more": {}},
    }
    assert write(written).status_code == 200
    assert draft.config == {
        "prompt": "Before.",
        "supportedLanguages": ["de"],
        "preCallAPI": {"url": "https://a", "headers": {"a": "1", "b": "3"}},
        "defaultVariables": {"list": [2], "more": {}},
    }


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ({"singlePromptConfig": {"prompt": "p"}}, {"prompt": "p"}),
        ({"singlePromptConfig": {"tools": [], "toolRefs": ["t"]}}, {"tools": [], "toolRefs": ["t"]}),
        ({"slmModel": "gpt-4o"}, {"modelName": "gpt-4o"}),
        (
            {"language": {"default": "de", "switching": {"isEnabled": True}}},
            {"defaultLanguage": "de", "languageSwitching": {"isEnabled": True}},
        ),
        ({"synthesizer": {"speed": 1.5, "sampleRate": 8000}}, {"synthesizerSpeed": 1.5, "synthesizerSampleRate": 8000}),
        (
            {"synthesizer": {"voiceConfig": {"voiceId": "v", "modelId": "m"}}},
            {"synthesizerVoiceConfig": {"voiceId": "v", "modelId": "m"}},
        ),
        ({"firstMessage": "", "enableStyleGuide": False}, {"firstMessage": "", "enableStyleGuide": False}),
        (
            {"timezone": {"label": "Europe/Berlin", "offset": 60}},
            {"timezone": {"label": "Europe/Berlin", "offset": 60}},
        ),
    ],
)
def test_fields_are_read_under_other_names(
    write: Any, draft: Draft, written: dict[str, Any], read: dict[str, Any]
) -> None:
    """What is written in groups is read flat."""
    before = dict(draft.config)
    assert write(written).status_code == 200
    assert draft.config == before | read


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"prompt": "p"},
        {"modelName": "electron", "supportedLanguages": ["en"]},
        {"name": "Refunds", "description": "", "telephonyProductId": "t", "draftName": "d"},
        {"workflowGraph": {"nodes": []}},
        {"expectedRevision": 1},
    ],
)
def test_a_body_with_no_field_that_can_be_written_is_refused(write: Any, draft: Draft, body: dict[str, Any]) -> None:
    """Names as they are read are not those to write, and a name is the agent's."""
    assert _told(write(body)) == (400, "No recognized config fields in request body")
    assert draft.revision == 1


def test_unknown_fields_beside_others_are_ignored(write: Any, draft: Draft) -> None:
    """Whatever they hold, and also within a group."""
    before = dict(draft.config)
    body = {"firstMessage": "Hi!", "name": None, "workflowGraph": {}, "singlePromptConfig": {"mood": "good"}}
    assert write(body).status_code == 200
    assert draft.config == {**before, "firstMessage": "Hi!"}


@pytest.mark.parametrize(
    ("body", "where"),
    [
        ({"firstMessage": None}, "firstMessage"),
        ({"language": None}, "language"),
        ({"language": {"switching": None}}, "language.switching"),
        ({"defaultVariables": {"a": {"b": None}}}, "defaultVariables.a.b"),
        ({"singlePromptConfig": {"tools": [{"name": "t", "url": None}]}}, "singlePromptConfig.tools.0.url"),
        ({"pronunciationDicts": [None]}, "pronunciationDicts.0"),
        ({"globalPrompt": "fine", "timezone": {"label": None}}, "timezone.label"),
    ],
)
def test_nulls_are_refused_wherever_they_are(write: Any, draft: Draft, body: dict[str, Any], where: str) -> None:
    """Then nothing of the body is written."""
    before = dict(draft.config)
    status, reason = _told(write(body))
    assert (status, reason.partition(":")[0]) == (400, where)
    assert "received null" in reason
    assert draft.config == before


@pytest.mark.parametrize(
    "body",
    [
        {"singlePromptConfig": {"prompt": 7}},
        {"singlePromptConfig": "p"},
        {"singlePromptConfig": {"tools": {}}},
        {"language": {"supported": "en"}},
        {"synthesizer": {"speed": "fast"}},
        {"synthesizer": {"speed": True}},
        {"allowInterruptions": 1},
        {"preCallAPI": []},
        {"firstMessage": {"en": "Hi!"}},
        {"slmModel": 4},
        [],
        "text",
        7,
    ],
)
def test_what_is_of_another_type_is_refused(write: Any, draft: Draft, body: Any) -> None:
    """A prompt is a text, and languages are a list."""
    before = dict(draft.config)
    assert write(body).status_code == 400
    assert (draft.config, draft.revision) == (before, 1)


@pytest.mark.parametrize("content", [b"", b"{", b"null", b"\xff\xfe", b"[" * 100_000])
def test_a_body_that_is_no_json_is_a_bad_request(
    client: httpx.Client, simulator: Simulator, path: str, content: bytes
) -> None:
    """It counts as none."""
    assert client.patch(f"{path}/config", content=content).status_code == 400
    assert client.patch(path, content=content).status_code == 400
    assert [request.body for request in simulator.requests()] == [None, None]


def test_bodies_are_recorded(client: httpx.Client, simulator: Simulator, agent: Agent, draft: Draft, path: str) -> None:
    """With the request, whether it is carried out or not, and also where there is no such endpoint."""
    bodies = [{"firstMessage": "Hi!"}, {"draftName": ""}, {"a": ["b"]}]
    client.patch(f"{path}/config", json=bodies[0])
    client.patch(path, json=bodies[1])
    client.post(f"agent/{agent.id}/archive", json=bodies[2])
    client.delete(path)
    assert [request.body for request in simulator.requests()] == [*bodies, None]
    (written,) = simulator.requests("write", draft=draft.id)
    assert (written.body, written.status) == (bodies[0], 200)


@pytest.mark.parametrize("mode", ["drafts", "branches"])
def test_one_script_goes_for_what_is_made_on_either_model(
    client: httpx.Client, simulator: Simulator, agent: Agent, main: str, mode: str
) -> None:
    """The subject is the agent: the draft is not there yet."""
    simulator.world.mode = "drafts" if mode == "drafts" else "branches"
    simulator.faults.script(agent.id, ["500", "ok"], on="fork")
    body = {"sourceVersionId": agent.version, "sourceBranchId": main, "name": "undo"}
    assert [client.post(f"agent/{agent.id}/{mode}", json=body).status_code for _ in range(2)] == [500, 201]


def test_writes_are_scripted_by_draft_or_by_agent(
    client: httpx.Client, simulator: Simulator, agent: Agent, draft: Draft, path: str, branch_path: str
) -> None:
    """On either model; a draft that is not open yet goes by its agent."""
    simulator.faults.script(draft.id, ["500", "423"], on="write")
    simulator.faults.script(draft.id, "502", on="rename")
    assert client.patch(f"{path}/config", json={"firstMessage": "Hi!"}).status_code == 500
    assert client.patch(path, json={"draftName": "Refunds"}).status_code == 502
    simulator.world.mode = "branches"
    assert client.put(branch_path, json={"firstMessage": "Hi!"}).status_code == 423
    simulator.faults.script(agent.id, "503", on="write")
    main = next(iter(agent.branches))
    assert client.put(f"agent/{agent.id}/branches/{main}/draft", json={"firstMessage": "Hi!"}).status_code == 503
    assert draft.revision == 1


@pytest.mark.parametrize("text", ["lost", "lost_after", "reset_after", "truncated", "hang_after"])
def test_a_draft_may_be_made_although_the_answer_is_lost(
    client: httpx.Client, simulator: Simulator, agent: Agent, drafts: str, text: str
) -> None:
    """As with discards: plain `lost` is before, `lost_after` after it was carried out."""
    simulator.faults.script(agent.id, text, on="fork")
    with pytest.raises(httpx.TransportError):
        client.post(drafts, json={"sourceVersionId": agent.version}, timeout=IMPATIENT)
    assert len(simulator.left()) == (0 if text == "lost" else 1)
    assert simulator.requests("fork")[0].body == {"sourceVersionId": agent.version}


@pytest.mark.parametrize(("text", "status"), [("204", 204), ("gzip", 201), ("slow:1ms", 201), ("html", 200)])
def test_answers_about_what_was_made_may_be_odd(
    client: httpx.Client, simulator: Simulator, agent: Agent, drafts: str, text: str, status: int
) -> None:
    """Faults that look like a success carry the request out; a page in its place does not."""
    simulator.faults.script(agent.id, text, on="fork")
    assert client.post(drafts, json={"sourceVersionId": agent.version}).status_code == status
    assert len(simulator.left()) == (0 if text == "html" else 1)


@pytest.mark.parametrize("workflow_type", ["single_prompt", "workflow_graph", "multi_agents"])
def test_agents_and_their_drafts_have_a_workflow_type(
    client: httpx.Client, world: World, drafts: str, workflow_type: str
) -> None:
    """Which says nothing about whether they can be discarded."""
    home = world.add_agent(workflow_type=workflow_type)
    draft = world.open_draft(home.id)
    url = f"agent/{home.id}/drafts"
    assert client.get(f"agent/{home.id}").json()["data"]["workflowType"] == workflow_type
    assert client.get(url).json()["data"][0]["workflowType"] == workflow_type
    assert client.delete(f"{url}/{draft.id}").status_code == 200


def test_a_draft_shows_the_version_that_it_came_from(
    client: httpx.Client, world: World, agent: Agent, path: str, draft: Draft
) -> None:
    """Also when another one was published since; and that is what it is compared with."""
    former, config = agent.version, agent.config
    world.release(agent.id, draft.config)
    assert client.get(path).json()["data"]["latest"]["sourceVersionId"] == former
    (diff,) = client.get(f"{path}/diff").json()["data"]["diffs"]
    assert diff["changes"][0]["oldValue"] == config["prompt"]
    unknown = world.open_draft(agent.id, source=NOBODY)
    assert client.get(f"agent/{agent.id}/drafts/{unknown.id}").json()["data"]["latest"]["sourceVersionId"] == NOBODY
    assert client.get(f"agent/{agent.id}/drafts/{unknown.id}/diff").status_code == 404


def test_a_full_configuration_has_every_field_that_can_be_written() -> None:
    """Each of them has a value as a rule, and is empty at times; the same chance gives the same."""
    made = [full_configuration(random.Random(seed)) for seed in range(100)]
    assert {frozenset(config) for config in made} == {writing.READ_NAMES}
    assert made[0] == full_configuration(random.Random(0)) != made[1]
    for name in writing.READ_NAMES:
        assert {bool(config[name]) for config in made} == {True, False}
