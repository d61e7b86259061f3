"""Nothing is taken for gone on one witness: a 404 is held against the agent's list, a list's 404 against the agent."""

import signal
from collections.abc import Callable
from itertools import cycle
from typing import Any

import pytest

from cleanup.simulator import Simulator, World, endpoints
from tests.accounts import FLAGS, check_account, keys, reasons
from tests.conftest import MODES, Drafts, aged
from tests.runner import Runner

WITHOUT_JSON = ["empty404", "nginx404", "empty401", "html403"]
"""What gateways answer that cannot be the API's."""
LIKE_THE_API = ["no_route", "cannot"]
"""A gateway's 404 in JSON, and its page that looks like the API's for a missing route."""
SETTLED = {"not_found", "forbidden", "unauthorized"}
Answer = Callable[[str, Callable[..., Any]], None]


@MODES
def test_a_404_for_a_draft_that_is_open_is_worth_another_run(
    mode: Any, job: Runner, sim: Simulator, world: World, drafts: Drafts
) -> None:
    """The agent's list has it, so the 404 does not count. The next run discards it."""
    held = drafts(3)
    world.mode = mode
    sim.faults.script(held[1].id, ["404"])
    ended = job(job.list_of(held), *FLAGS, "--model", mode)
    assert ended.code == 75
    check_account(ended, sim, keys(held))
    assert reasons(ended)[held[1].id] == "unexpected_response"
    assert len(sim.requests("discard", draft=held[1].id)) == 1
    again = job(job.list_of(held), *FLAGS, "--resume", "--model", mode)
    assert (again.code, sim.left()) == (0, set())


@pytest.mark.unverified
@MODES
def test_a_draft_that_is_gone_costs_one_list_for_all_of_its_agent(
    mode: Any, job: Runner, sim: Simulator, world: World, drafts: Drafts
) -> None:
    """Two witnesses say so: `not_found`."""
    held = drafts(40, agents=2)
    world.mode = mode
    for draft in held[:30]:
        world.take_away(draft.id)
    ended = job(job.list_of(held), *FLAGS, "--model", mode)
    assert ended.code == 0
    check_account(ended, sim, keys(held))
    assert (ended.counts["discarded"], ended.summary["skipped"]) == (10, {"not_found": 30})
    assert len(sim.requests("drafts" if mode == "drafts" else "branches")) <= 2


@MODES
def test_the_pairs_of_an_unknown_agent_are_not_found(
    mode: Any, job: Runner, sim: Simulator, world: World, drafts: Drafts
) -> None:
    """Its list is a 404 as well, and `GET /agent/{id}` says that there is none."""
    held = drafts(3)
    world.mode = mode
    rows = [*keys(held), (world.new_id(), "gone-1"), (world.new_id(), "gone-2")]
    ended = job(job.list_of(rows), *FLAGS)
    assert ended.code == 0
    check_account(ended, sim, rows)
    assert (ended.counts["discarded"], ended.summary["skipped"]) == (3, {"not_found": 2})


@MODES
def test_a_gateway_that_is_back_right_before_the_user_is_answered_makes_no_agent_unknown(
    mode: Any, job: Runner, sim: Simulator, world: World, drafts: Drafts
) -> None:
    """Discard, list and agent are each answered by its 404 in JSON; then the API is there, and asked once more."""
    (held,) = drafts(1)
    world.mode = mode
    sim.faults.script(held.id, ["no_route"])
    sim.faults.script("*", ["no_route"] if mode == "drafts" else ["ok", "no_route"], on=mode)
    sim.faults.script("*", ["no_route"], on="backup")
    ended = job(job.list_of([held]), *FLAGS, "--model", mode)
    met = [request.endpoint for request in sim.requests() if request.fault == "no_route"]
    assert met == ["discard", mode, "backup"]
    assert (ended.code, ended.counts["discarded"], sim.left()) == (0, 1, set())


@pytest.mark.parametrize("fault", LIKE_THE_API)
@pytest.mark.parametrize("dry", [False, True], ids=["real", "dry"])
@MODES
def test_no_open_draft_is_taken_for_gone_because_of_a_gateway(
    mode: Any, dry: bool, fault: str, job: Runner, sim: Simulator, world: World, drafts: Drafts
) -> None:
    """To everything, for a while in the middle: every draft is done after all, and none is taken for gone."""
    held = drafts(40, agents=4)
    world.mode = mode
    sim.after(lambda _world: sim.down(fault), nth=4)
    sim.after(lambda _world: sim.up(), nth=40)
    ended = job(job.list_of(held), *FLAGS, *(["--dry-run"] if dry else []))
    assert (ended.code, ended.summary["status"]) == (0, "complete")
    assert ended.counts["would_discard" if dry else "discarded"] == 40


@pytest.mark.parametrize("dry", [False, True], ids=["real", "dry"])
@MODES
def test_no_open_draft_is_taken_for_gone_because_of_answers_without_json(
    mode: Any, dry: bool, job: Runner, sim: Simulator, world: World, drafts: Drafts
) -> None:
    """To everything, one kind after the other, with regular answers in between."""
    held = drafts(80, agents=40)
    world.mode = mode
    for number, fault in enumerate(WITHOUT_JSON):
        sim.after(lambda _world, fault=fault: sim.down(fault), nth=4 + 18 * number)  # type: ignore[misc]
        sim.after(lambda _world: sim.up(), nth=16 + 18 * number)
    ended = job(job.list_of(held), *FLAGS, *(["--dry-run"] if dry else []))
    assert (ended.code, ended.summary["status"]) == (0, "complete")
    assert ended.counts["would_discard" if dry else "discarded"] == 80
    assert {request.fault for request in sim.requests() if request.agent and request.fault} == {*WITHOUT_JSON}


@pytest.mark.parametrize("faults", [WITHOUT_JSON, *([fault] for fault in LIKE_THE_API)], ids="-".join)
@MODES
def test_a_gateway_that_stays_is_an_outage(
    mode: Any, faults: list[str], job: Runner, sim: Simulator, world: World, drafts: Drafts
) -> None:
    """The run stops, and what failed is worth another run."""
    held = drafts(60, agents=4)
    world.mode = mode
    kinds = cycle(faults)

    def change(_world: World) -> None:
        sim.down(next(kinds))
        sim.after(change)

    sim.after(change, endpoint="discard", nth=10)
    ended = job(job.list_of(held), *FLAGS, "--max-outage", "300ms", "--model", mode)
    assert ended.code == 75
    assert ended.summary["stopped_by"] == "outage"
    assert not set(reasons(ended).values()) & SETTLED
    assert ended.counts["discarded"] == 60 - len(sim.left())
    assert {request.fault for request in sim.requests() if request.fault} == {*faults}


@MODES
def test_a_single_404_to_an_agents_list_is_asked_again(
    mode: Any, job: Runner, sim: Simulator, world: World, drafts: Drafts
) -> None:
    """The agent is there, so its list is; the answer was somebody else's."""
    held = drafts(6, agents=2)
    world.mode = mode
    sim.faults.script(held[0].agent, ["404"], on="drafts" if mode == "drafts" else "branches")
    ended = job("find", "--model", mode)
    assert (ended.code, len(ended.stdout.splitlines())) == (0, 7)


def test_without_the_list_a_404_fails(job: Runner, sim: Simulator, world: World, drafts: Drafts) -> None:
    """The pair is not `settled`, and a later run that can read the list finds out."""
    held = drafts(9, agents=3)
    ends = {draft.id: "discarded" for draft in held}
    for draft, fault, reason in zip(held, ("403", "500"), ("unexpected_response", "server_error"), strict=False):
        world.take_away(draft.id)
        sim.faults.script(draft.agent, f"{fault}*", on="drafts")
        ends[draft.id] = reason
    ended = job(job.list_of(held), *FLAGS)
    assert ended.code == 75
    check_account(ended, sim, keys(held))
    assert reasons(ended) == ends
    for draft in held:
        sim.faults.script(draft.agent, [], on="drafts")
    again = job(job.list_of(held), *FLAGS, "--resume")
    assert again.summary["skipped"] == {"not_found": 2, "settled": 7}


@pytest.mark.parametrize("command", ["find", "sweep"])
@pytest.mark.parametrize(
    ("mode", "faults", "code"),
    [
        ("drafts", ["404", "empty404", "no_route"], 75),
        ("drafts", ["cannot"], 78),
        ("branches", ["404", "empty404", "no_route", "cannot"], 75),
    ],
)
def test_a_404_to_an_agents_list_is_not_no_drafts(
    mode: Any, faults: list[str], code: int, command: str, job: Runner, sim: Simulator, world: World, drafts: Drafts
) -> None:
    """The agent is there: `find` says that it could not be read, and a sweep discards nothing."""
    held = drafts(10, agents=5, updated_at=aged(2))
    world.mode = mode
    for draft, fault in zip(held, faults, strict=False):
        sim.faults.script(draft.agent, f"{fault}*", on="drafts" if mode == "drafts" else "branches")
    sweeping = ["--older-than", "1d", "--max-share", "100%", "--organization", world.organization, "--yes"]
    sweeping = sweeping if command == "sweep" else []
    ended = job(command, "--model", mode, *sweeping)
    assert ended.code == code
    if code == 75:
        said = " ".join(ended.summary["warnings"])
        named = [f"agent {draft.agent} could not be read" in said for draft in held[:5]]
        assert named == [True] * len(faults) + [False] * (5 - len(faults))
    assert not sim.requests("discard")


@MODES
def test_an_agent_that_is_named_and_unknown_is_a_warning(
    mode: Any, job: Runner, sim: Simulator, world: World, drafts: Drafts
) -> None:
    """By two witnesses; the others are found."""
    (held,) = drafts(1)
    world.mode = mode
    unknown = world.new_id()
    ended = job("find", "--agent", held.agent, "--agent", unknown)
    assert ended.code == 0
    assert any(unknown in warning for warning in ended.summary["warnings"])
    assert sim.requests("backup", agent=unknown), "GET /agent/{id} was asked"


@pytest.mark.parametrize("limit", [10, 49])
def test_a_page_size_that_the_api_cuts_loses_no_agent(limit: int, job: Runner, world: World, drafts: Drafts) -> None:
    """Pages go on until all agents that the API counts are there."""
    held = drafts(60, agents=60)
    world.page_limit = limit
    ended = job("find")
    assert ended.code == 0
    assert sum(draft.id in ended.stdout for draft in held) == 60


@pytest.mark.parametrize("name", ["total", "totalCount"])
def test_pages_that_are_missing_are_noticed(name: str, job: Runner, answer: Answer, drafts: Drafts) -> None:
    """The API counts more agents than it gives: what was found is listed, and the run is not complete."""
    held = drafts(3, agents=3)

    def page(world: World, _key: Any, call: Any) -> Any:
        agents = [{"_id": agent} for agent in world.agents] if call.query["page"] == "1" else []
        return endpoints.success({"agents": agents, name: 70})

    answer("/agent", page)
    ended = job("find")
    assert ended.code == 75
    assert sum(draft.id in ended.stdout for draft in held) == 3
    assert any("70 agents, but returned 3" in warning for warning in ended.summary["warnings"])


def test_a_stop_in_the_middle_of_a_look_up_fails_nobody(
    job: Runner, sim: Simulator, world: World, drafts: Drafts
) -> None:
    """Nothing was sent to any of the pairs that wait for it: they were not attempted."""
    held = drafts(20, agents=1)
    world.mode = "branches"
    sim.faults.script(held[0].agent, "500*", on="branches")
    process: list[Any] = []
    sim.after(lambda _world: process[0].send_signal(signal.SIGTERM), endpoint="branches")
    process.append(job.start(job.list_of(held), *FLAGS, "--model", "branches", "--retry-wait", "30s"))
    ended = job.wait(process[0])
    assert ended.code == 143
    check_account(ended, sim, keys(held))
    assert ended.counts["not_attempted"] == 20


def test_a_key_refused_in_a_look_up_fails_the_pair_that_asked(
    job: Runner, sim: Simulator, world: World, drafts: Drafts
) -> None:
    """The others that wait for it were not attempted."""
    held = drafts(20, agents=1)
    world.mode = "branches"
    sim.faults.script(held[0].agent, "401*", on="branches")
    ended = job(job.list_of(held), *FLAGS, "--model", "branches")
    check_account(ended, sim, keys(held))
    assert ended.summary["stopped_by"] == "unauthorized"
    assert (ended.summary["failed"], ended.counts["not_attempted"]) == ({"unauthorized": 1}, 19)
