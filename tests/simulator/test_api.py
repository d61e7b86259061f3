"""What the endpoints answer when nothing goes wrong."""

import re

import httpx
import pytest

from cleanup.simulator import Agent, Draft, Mode, Shapes, Simulator, World


def test_a_discard_answers_as_documented_and_is_on_the_record(
    client: httpx.Client, simulator: Simulator, draft: Draft, path: str
) -> None:
    response = client.delete(path)
    assert (response.status_code, response.json()) == (200, {"status": True, "data": None})
    assert simulator.left() == set()
    assert simulator.world.discarded[draft.id].how == "drafts"
    (request,) = simulator.requests("discard", draft=draft.id)
    assert (request.status, request.discarded, request.key) == (200, draft.id, "demo")
    assert response.headers["x-request-id"] == request.request_id


def test_a_second_discard_finds_nothing(client: httpx.Client, path: str) -> None:
    client.delete(path)
    assert client.delete(path).status_code == 404


def test_a_draft_of_another_agent_is_not_found(client: httpx.Client, world: World, draft: Draft) -> None:
    other = world.add_agent()
    assert client.delete(f"agent/{other.id}/drafts/{draft.id}").status_code == 404
    assert world.left() == {draft.id}


def test_drafts_are_listed_with_ids_that_are_not_their_draft_ids(
    client: httpx.Client, world: World, agent: Agent, draft: Draft
) -> None:
    second = world.open_draft(agent.id, editor="Editor 3")
    listed = client.get(f"agent/{agent.id}/drafts").json()["data"]
    assert [item["draftId"] for item in listed] == [draft.id, second.id]
    assert [item["lastEditorName"] for item in listed] == ["Editor 1", "Editor 3"]
    assert all(item["_id"] != item["draftId"] for item in listed)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", listed[0]["updatedAt"])


@pytest.mark.parametrize("mode", ["drafts", "branches"])
def test_one_draft_can_be_read_under_either_model(
    client: httpx.Client, world: World, draft: Draft, path: str, mode: str
) -> None:
    world.mode = "branches" if mode == "branches" else "drafts"
    data = client.get(path).json()["data"]
    assert data["latest"]["draftId"] == draft.id
    assert data["editCount"] == len(data["editHistory"]) == 1


def test_a_drafts_configuration_is_resolved(client: httpx.Client, agent: Agent, draft: Draft) -> None:
    mine = client.get(f"agent/{agent.id}", params={"draftId": draft.id}).json()["data"]
    assert (mine["_configSource"], mine["_resolvedConfig"]) == ("draft", draft.config)
    live = client.get(f"agent/{agent.id}", params={"draftId": "0" * 24}).json()["data"]
    assert (live["_configSource"], live["_resolvedConfig"]) == ("active", agent.config)


@pytest.mark.parametrize("shapes", ["live", "documented"])
def test_a_draft_is_compared_with_what_it_came_from(
    client: httpx.Client, world: World, agent: Agent, path: str, shapes: Shapes
) -> None:
    world.shapes = shapes
    same = world.open_draft(agent.id, config=agent.config)
    changed = client.get(f"{path}/diff").json()["data"]
    unchanged = client.get(f"agent/{agent.id}/drafts/{same.id}/diff", params={"compareTo": agent.version}).json()[
        "data"
    ]
    if shapes == "documented":
        assert (changed["hasChanges"], unchanged["hasChanges"]) == (True, False)
        assert [name for name, section in changed["sections"].items() if section["changed"]] == ["workflow_prompt"]
    else:
        assert [diff["section"] for diff in changed["diffs"]] == ["workflow_prompt"]
        assert unchanged["diffs"] == []
    assert client.get(f"{path}/diff", params={"compareTo": "0" * 24}).status_code == 404
    world.reads_removed = True
    assert _is_no_route(client.get(f"{path}/diff"))


def test_a_branchs_draft_is_compared_with_its_head(
    client: httpx.Client, world: World, simulator: Simulator, agent: Agent, draft: Draft
) -> None:
    url, query = f"agent/{agent.id}/diff", {"a": agent.version, "b": f"{draft.branch}:draft"}
    assert _is_no_route(client.get(url, params=query))
    world.mode = "branches"
    data = client.get(url, params=query).json()["data"]
    (diff,) = data["diffs"]
    values = {"oldValue": "As published.", "newValue": draft.config["prompt"]}
    assert diff == {"section": "workflow_prompt", "changes": [{"path": "prompt", **values}]}
    assert "voice" in data["unchangedSections"]
    assert client.get(url, params={**query, "a": "0" * 24}).status_code == 404
    simulator.faults.script(draft.id, "500", on="diff")
    assert client.get(url, params=query).status_code == 500


def test_an_unknown_agent_is_a_bad_request_there(client: httpx.Client) -> None:
    response = client.get(f"agent/{'0' * 24}")
    assert (response.status_code, response.json()["errors"]) == (400, ["No agent found"])


def test_agents_come_in_pages_whose_size_is_the_offset(client: httpx.Client, world: World) -> None:
    world.shapes = "documented"
    ids = [world.add_agent().id for _ in range(7)]
    pages = [client.get("agent", params={"page": page, "offset": 3}).json()["data"] for page in (1, 2, 3, 4)]
    assert [item["_id"] for page in pages for item in page["agents"]] == ids
    assert [len(page["agents"]) for page in pages] == [3, 3, 1, 0]
    assert {page["total"] for page in pages} == {7}


def test_pages_of_agents_are_by_default_as_the_live_api_gives_them(client: httpx.Client, world: World) -> None:
    for number in range(7):
        world.add_agent(f"Agent {number}")
    pages = [client.get("agent", params={"page": page, "offset": 3}).json()["data"] for page in (1, 3)]
    assert [len(page.pop("agents")) for page in pages] == [3, 1]
    same = {"totalCount": 7, "totalPages": 3, "isSearchResults": False}
    assert pages == [{**same, "hasMore": True}, {**same, "hasMore": False}]
    found = client.get("agent", params={"search": "agent 4"}).json()["data"]
    assert (found["totalCount"], found["totalPages"], found["isSearchResults"]) == (1, 1, True)


@pytest.mark.parametrize(
    ("page", "offset", "shown"),
    [("1", "7", 7), ("0", "7", 7), ("-1", "7", 7), ("2", "7", 5), ("1", "0", 10), ("1", "-3", 10), ("9", "7", 0)],
)
def test_any_whole_number_is_a_page_and_a_size(
    client: httpx.Client, world: World, page: str, offset: str, shown: int
) -> None:
    for _ in range(12):
        world.add_agent()
    response = client.get("agent", params={"page": page, "offset": offset})
    assert (response.status_code, len(response.json()["data"]["agents"])) == (200, shown)


@pytest.mark.parametrize("query", [{"page": "one"}, {"offset": "1.5"}, {"page": "1", "offset": "ten"}])
def test_what_is_no_whole_number_is_refused(client: httpx.Client, query: dict[str, str]) -> None:
    assert client.get("agent", params=query).status_code == 400


@pytest.mark.parametrize("shapes", ["live", "documented"])
def test_no_page_has_more_agents_than_the_limit(client: httpx.Client, world: World, shapes: Shapes) -> None:
    world.shapes = shapes
    ids = [world.add_agent().id for _ in range(60)]
    pages = [client.get("agent", params={"page": page, "offset": 100}).json()["data"]["agents"] for page in (1, 2)]
    assert [len(page) for page in pages] == [50, 10]
    assert [agent["_id"] for page in pages for agent in page] == ids
    world.page_limit = 7
    assert len(client.get("agent", params={"offset": 100}).json()["data"]["agents"]) == 7


def test_archived_agents_are_listed_apart(client: httpx.Client, world: World) -> None:
    active, archived = world.add_agent(), world.add_agent()
    archived.archived = True
    assert [item["_id"] for item in client.get("agent").json()["data"]["agents"]] == [active.id]
    found = client.get("agent", params={"archived": "true"}).json()["data"]["agents"]
    assert [item["_id"] for item in found] == [archived.id]


def test_the_user_is_the_keys(client: httpx.Client, world: World) -> None:
    data = client.get("user").json()["data"]
    assert (data["_id"], data["organizationId"]) == (world.user, world.organization)


@pytest.mark.parametrize(("admin", "role"), [(True, 0), (False, 1)])
def test_an_account_has_no_envelope_and_names_the_organization(
    client: httpx.Client, world: World, admin: bool, role: int
) -> None:
    world.organization_name = "Acme & Sons"
    key = world.add_key("sk_mine", admin=admin)
    details = client.get("account/get-account-details", headers={"Authorization": "Bearer sk_mine"}).json()
    assert details["userId"] == key.user
    (organization,) = details["organizations"]
    assert (organization["orgId"], organization["name"]) == (world.organization, "Acme & Sons")
    assert organization["roleId"] == role


def test_an_account_elsewhere_is_of_another_organization(client: httpx.Client, world: World) -> None:
    world.add_key("sk_elsewhere", organization=world.new_id())
    details = client.get("account/get-account-details", headers={"Authorization": "Bearer sk_elsewhere"}).json()
    assert details["organizations"][0]["orgId"] == world.keys["sk_elsewhere"].organization
    assert details["organizations"][0]["name"] != world.organization_name


@pytest.mark.parametrize("shapes", ["live", "documented"])
def test_live_branches_say_who_made_and_who_changed_them(
    client: httpx.Client, world: World, agent: Agent, shapes: Shapes
) -> None:
    world.mode, world.shapes = "branches", shapes
    draft = world.open_draft(agent.id, editor="Editor 7")
    summary = client.get(f"agent/{agent.id}/branches/{draft.branch}").json()["data"]
    names = (summary.get("createdByName"), summary.get("updatedByName"))
    assert names == (("Editor 1", "Editor 7") if shapes == "live" else (None, None))


def test_a_publish_under_way_is_seen_wherever_the_draft_is(
    client: httpx.Client, world: World, agent: Agent, draft: Draft, path: str, branch_path: str
) -> None:
    def seen() -> list[object]:
        world.mode = "drafts"
        shown = [client.get(f"agent/{agent.id}/drafts").json()["data"][0], client.get(path).json()["data"]["latest"]]
        world.mode = "branches"
        detail = client.get(branch_path).json()["data"]
        return [item.get("pendingPublish") for item in (*shown, detail["latest"], detail["editHistory"][0]["revision"])]

    assert seen() == [None] * 4
    world.publish(draft.id)
    (first, *others) = seen()
    assert others == [first] * 3
    assert isinstance(first, dict)
    assert (first["state"], first["startedBy"]) == ("active", world.user)
    world.cancel_publish(draft.id)
    assert seen() == [{**first, "state": "cancelled"}] * 4


def test_branches_name_their_open_drafts(client: httpx.Client, world: World, agent: Agent, draft: Draft) -> None:
    world.mode = "branches"
    branches = client.get(f"agent/{agent.id}/branches").json()["data"]["branches"]
    assert [item["branch"]["openDraftId"] for item in branches] == [None, draft.id]
    assert [item["branch"]["isDefault"] for item in branches] == [True, False]
    one = client.get(f"agent/{agent.id}/branches/{draft.branch}").json()["data"]
    assert one == branches[1]
    detail = client.get(f"agent/{agent.id}/branches/{draft.branch}/draft").json()["data"]
    assert detail["latest"]["draftId"] == draft.id
    assert detail["editHistory"][0]["editorName"] == "Editor 1"


def test_a_branchs_discard_takes_whatever_is_open(
    client: httpx.Client, world: World, draft: Draft, branch_path: str
) -> None:
    world.mode = "branches"
    other = world.replace(draft.id)
    response = client.delete(branch_path)
    assert (response.status_code, response.json()) == (200, {"status": True, "data": {"discarded": True}})
    assert list(world.discarded) == [other.id]
    assert client.delete(branch_path).status_code == 404
    assert client.get(branch_path).status_code == 404


def test_a_maintenance_window_freezes_writes_to_branches_only(
    client: httpx.Client, world: World, branch_path: str
) -> None:
    world.mode, world.frozen = "branches", True
    response = client.delete(branch_path)
    assert (response.status_code, response.json()["error_type"]) == (423, "config_freeze_active")
    assert client.get(branch_path).status_code == 200


def test_a_workspace_that_moves_keeps_its_drafts(
    client: httpx.Client, world: World, agent: Agent, draft: Draft, path: str, branch_path: str
) -> None:
    assert client.delete(branch_path).status_code == 404
    world.mode = "branches"
    for response in (client.delete(path), client.get(f"agent/{agent.id}/drafts")):
        assert response.status_code == 409
        assert response.json()["error_type"] == "versioning_v2_migration_required"
        assert response.headers["Deprecation"] == "true"
    assert client.delete(branch_path).status_code == 200
    assert world.discarded[draft.id].how == "branches"


def _is_no_route(response: httpx.Response) -> bool:
    """Whether it is the page that the live API answers for a route that is not there, with method and path."""
    told = f"<pre>Cannot {response.request.method} {response.request.url.path}</pre>"
    return (
        response.status_code == 404
        and response.headers["content-type"] == "text/html; charset=utf-8"
        and response.text.startswith("<!DOCTYPE html>")
        and told in response.text
    )


@pytest.mark.parametrize("mode", ["drafts", "branches"])
def test_removed_endpoints_are_no_routes_any_more(
    client: httpx.Client, world: World, agent: Agent, path: str, mode: Mode
) -> None:
    world.mode, world.removed = mode, True
    assert _is_no_route(client.delete(path))
    assert _is_no_route(client.get(f"agent/{agent.id}/drafts"))
    assert client.get(path).status_code == 200
    world.reads_removed = True
    assert _is_no_route(client.get(path))


def test_the_older_model_has_no_branches(client: httpx.Client, agent: Agent, draft: Draft, branch_path: str) -> None:
    branches = f"agent/{agent.id}/branches"
    assert _is_no_route(client.get(branches))
    assert _is_no_route(client.get(f"{branches}/{draft.branch}"))
    assert _is_no_route(client.get(branch_path))
    assert _is_no_route(client.delete(branch_path))


def test_headers_of_the_world_go_with_every_answer(client: httpx.Client, world: World) -> None:
    world.headers = {"Sunset": "Sat, 01 Jan 2028 00:00:00 GMT"}
    assert client.get("user").headers["Sunset"] == "Sat, 01 Jan 2028 00:00:00 GMT"


def test_only_the_creator_or_an_admin_may_discard(client: httpx.Client, world: World, agent: Agent) -> None:
    world.add_key("sk_other", name="other", admin=False)
    foreign = world.open_draft(agent.id, created_by=world.keys["sk_other"].user)
    own = world.open_draft(agent.id)
    other = {"Authorization": "Bearer sk_other"}
    assert client.delete(f"agent/{agent.id}/drafts/{own.id}", headers=other).status_code == 403
    assert client.delete(f"agent/{agent.id}/drafts/{foreign.id}", headers=other).status_code == 200
    assert client.delete(f"agent/{agent.id}/drafts/{own.id}").status_code == 200


def test_a_workflow_agent_answers_403(client: httpx.Client, agent: Agent, path: str) -> None:
    agent.workflow_graph = True
    assert client.delete(path).status_code == 403


@pytest.mark.parametrize("header", ["Bearer sk_wrong", "Basic sk_simulator", "", "sk_simulator"])
def test_a_wrong_key_is_refused(client: httpx.Client, draft: Draft, path: str, header: str) -> None:
    response = client.delete(path, headers={"Authorization": header})
    assert response.status_code == 401
    assert response.json() == {"status": False, "errors": ["Invalid or expired API key"]}


def test_a_revoked_key_is_refused_at_once_and_echoed_if_asked(client: httpx.Client, world: World) -> None:
    assert client.get("user").status_code == 200
    world.revoke_key()
    world.echo_key = True
    assert "sk_simulator" in client.get("user").json()["errors"][0]


def test_an_unknown_path_is_a_recorded_404(client: httpx.Client, simulator: Simulator, agent: Agent) -> None:
    assert _is_no_route(client.get("organization"))
    assert _is_no_route(client.delete(f"agent/{agent.id}/archive"))
    assert _is_no_route(client.patch(f"agent/{agent.id}", json={}, params={"a": "b"}))
    assert [request.method for request in simulator.requests("unknown")] == ["GET", "DELETE", "PATCH"]
