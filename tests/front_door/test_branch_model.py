"""The branch model: noticed, followed, and never more discarded than what was listed."""

import asyncio
import signal
from functools import partial
from typing import Any

import pytest

from cleanup.simulator import Draft, Simulator, World
from cleanup.simulator.app import Endpoint
from cleanup.simulator.shapes import timestamp
from tests.accounts import FLAGS, check_account, keys, reasons
from tests.conftest import Drafts, wait_until
from tests.runner import Ended, Runner

IN_FLIGHT = 8
WHOSE_KEY = 1


def left_alone(sim: Simulator, *drafts: Draft) -> bool:
    """Whether all of these are still open."""
    return {draft.id for draft in drafts} <= sim.left()


def ledger(job: Runner, *words: str) -> Ended:
    """A run with a ledger of its own."""
    return job(*words, "--ledger", "ledger.jsonl")


@pytest.mark.unverified
@pytest.mark.parametrize("workspace", ["v1", "branches", "moves"])
def test_the_same_list_discards_the_same_drafts(
    workspace: str, job: Runner, sim: Simulator, world: World, drafts: Drafts
) -> None:
    """On either model, and while the workspace moves: the listed drafts go and no other, with few requests."""
    held = drafts(60, agents=6)
    unlisted = world.open_draft(held[0].agent)  # a second draft of a listed agent, on a branch of its own
    listed, others = held[:40], [*held[40:], unlisted]
    gone, foreign = listed[5], listed[6]
    world.take_away(gone.id)
    pairs = keys(listed)
    pairs.append((held[1].agent, foreign.id))  # a listed draft under another agent is none of its own
    world.mode = "branches" if workspace == "branches" else "drafts"
    if workspace == "moves":
        sim.after(lambda world: setattr(world, "mode", "branches"), endpoint="discard", nth=15)
    # The wrongly listed pair comes last, and has the same draft id: duplicates go by pair, not by draft.
    ended = job(job.list_of(pairs))
    assert ended.code == 0
    assert set(world.discarded) == {draft.id for draft in listed} - {gone.id}
    assert left_alone(sim, *others)
    assert ended.counts["discarded"] == 39
    assert ended.summary["skipped"] == {"not_found": 2}
    assert ended.summary["model"] == ("auto" if workspace == "v1" else "branches")
    by_branch = sum(done.how == "branches" for done in world.discarded.values())
    by_draft = 39 - by_branch
    asking = {"v1": 2, "branches": IN_FLIGHT, "moves": IN_FLIGHT + 2}[workspace]
    most = 2 * by_branch + by_draft + 2 + 6 * (workspace != "v1") + WHOSE_KEY + asking
    assert len(sim.requests()) <= most
    if workspace == "v1":
        assert by_branch == 0
    else:
        assert by_draft == (0 if workspace == "branches" else pytest.approx(15, abs=IN_FLIGHT))
        assert all(len(sim.requests("branches", agent=agent)) <= 1 for agent in world.agents)


@pytest.mark.unverified
def test_model_branches_never_touches_the_old_endpoint(
    job: Runner, sim: Simulator, world: World, drafts: Drafts
) -> None:
    """With `model: branches` the job asks nothing of the endpoint that is no longer used."""
    held = drafts(10, agents=2)
    world.mode = "branches"
    assert job(job.list_of(held), "--model", "branches").code == 0
    assert sim.left() == set()
    assert len(sim.requests()) == 2 * 10 + 2 + WHOSE_KEY
    assert not [r for r in sim.requests("discard") if "/drafts/" in r.path]


def test_model_drafts_on_a_migrated_workspace_stops(job: Runner, sim: Simulator, world: World, drafts: Drafts) -> None:
    """With `model: drafts` the job stops at the first answer that says otherwise."""
    held = drafts(60)
    world.mode = "branches"
    ended = job(job.list_of(held), "--model", "drafts", "--concurrency", "1")
    assert ended.code == 78
    assert ended.summary["stopped_by"] == "migration_required"
    assert ended.summary["failed"] == {"migration_required": 1}
    assert ended.summary["not_attempted"] == {"stopped": 59}
    assert len(sim.left()) == 60


@pytest.mark.parametrize("model", ["auto", "drafts"])
def test_a_check_notices_the_move_too(model: str, job: Runner, sim: Simulator, world: World, drafts: Drafts) -> None:
    """Should reading a draft by its id end with the move as well, then a guard's check notices it."""
    held = drafts(6)
    world.mode = "branches"
    sim.faults.script(held[0].id, ["migration"], on="look")
    ended = job(job.list_of(held), "--min-idle", "1ms", "--model", model, "--concurrency", "1")
    assert not [r for r in sim.requests("discard") if "/drafts/" in r.path]
    if model == "auto":
        assert (ended.code, sim.left(), ended.summary["model"]) == (0, set(), "branches")
    else:
        assert (ended.code, len(sim.left()), ended.summary["stopped_by"]) == (78, 6, "migration_required")


@pytest.mark.parametrize(
    ("first", "concurrency"),
    [("open", "8"), ("gone", "8"), ("unknown agent", "8"), ("unknown agents", "8"), ("unknown agents", "1")],
)
def test_a_removed_endpoint_is_noticed(
    first: str, concurrency: str, job: Runner, sim: Simulator, world: World, drafts: Drafts
) -> None:
    """It answers with the API's page for a missing route: the job goes on by branches, and none is lost."""
    held = drafts(20, agents=4)
    pairs = keys(held)
    lost = {"open": 0, "gone": 3, "unknown agent": 1, "unknown agents": 12}[first]
    if first == "gone":
        for draft in held[:3]:
            world.take_away(draft.id)
    else:
        pairs[:0] = [(world.new_id(), world.new_id()) for _ in range(lost)]
    world.mode, world.removed = "branches", True
    ended = job(job.list_of(pairs), *FLAGS, "--concurrency", concurrency)
    assert ended.code == 0
    check_account(ended, sim, pairs)
    assert (ended.summary["model"], sim.left()) == ("branches", set())
    assert ended.counts["discarded"] == len(pairs) - lost
    assert ended.summary["skipped"] == ({"not_found": lost} if lost else {})
    assert not sim.requests("drafts"), "the page says enough"
    assert len(sim.requests("agents")) <= 1


@pytest.mark.unverified
@pytest.mark.parametrize("workspace", ["v1", "empty"])
def test_a_draft_that_is_really_gone_is_no_removed_endpoint(
    workspace: str, job: Runner, sim: Simulator, world: World, drafts: Drafts
) -> None:
    """A 404 that means what it says costs a read of the agent's list, and one of the agent if that is unknown."""
    held = drafts(12)
    pairs = [(world.new_id(), world.new_id()) for _ in range(10)] + keys(held)
    if workspace == "v1":
        world.take_away(held[0].id)
    else:
        for agent in list(world.agents):
            for draft in world.drafts_of(agent):
                world.take_away(draft.id)
            del world.agents[agent]
    ended = job(job.list_of(pairs))
    assert ended.code == 0
    expected = 11 if workspace == "v1" else 0
    assert ended.counts["discarded"] == expected
    assert ended.summary["skipped"] == {"not_found": len(pairs) - expected}
    assert {done.how for done in world.discarded.values()} <= {"drafts"}
    asked = {agent for agent, draft in pairs if draft not in world.discarded}
    assert len(sim.requests()) == len(pairs) + WHOSE_KEY + sum(1 if agent in world.agents else 2 for agent in asked)


def test_a_404_is_not_recorded_while_there_is_no_second_witness(
    job: Runner, sim: Simulator, world: World, drafts: Drafts
) -> None:
    """If the agent's list of drafts cannot be had, the pair fails and may be run again."""
    held = drafts(4, agents=2)
    for draft in held:
        world.take_away(draft.id)
    sim.faults.script(held[0].agent, ["500*"], on="drafts")
    ended = ledger(job, job.list_of(held), "--attempts", "2")
    assert ended.code == 75
    found = reasons(ended)
    assert [found[draft.id] for draft in held] == ["server_error", "not_found", "server_error", "not_found"]


def test_a_draft_that_somebody_else_opens_survives(job: Runner, sim: Simulator, world: World, drafts: Drafts) -> None:
    """A draft that is opened after the look-up, or between a failed attempt and the next one, stays."""
    endings = {
        "": "changed",
        "500": "gone_after_retry",
        "500_after": "gone_after_retry",
        "lost": "gone_after_retry",
        "hang": "gone_after_retry",
        "429": "changed",
    }
    held = drafts(12, agents=6)
    world.mode = "branches"
    new: dict[str, Draft] = {}

    def opened(world: World, draft: Draft) -> None:
        if draft.id in world.drafts:
            new[draft.agent] = world.replace(draft.id)
        else:  # the attempt did its work although no answer says so
            new[draft.agent] = world.open_draft(draft.agent, branch=draft.branch)

    for draft, fault in zip(held, endings, strict=False):
        if fault:
            sim.faults.script(draft.id, [fault])
            sim.before(partial(opened, draft=draft), endpoint="look", draft=None, agent=draft.agent, nth=2)
        else:
            sim.after(partial(opened, draft=draft), endpoint="branches", agent=draft.agent)
    ended = ledger(job, job.list_of(held[:6]), "--timeout", "1s", "--model", "branches")
    assert ended.code == 0
    assert reasons(ended) == {draft.id: ending for draft, ending in zip(held, endings.values(), strict=False)}
    assert left_alone(sim, *new.values(), *held[6:])
    assert len(new) == 6
    assert not {done.draft for done in world.discarded.values()} & {draft.id for draft in new.values()}


@pytest.mark.parametrize("rate", ["off", "2"])
def test_each_attempt_has_its_own_check_right_before_it(
    rate: str, job: Runner, sim: Simulator, world: World, drafts: Drafts
) -> None:
    """No DELETE is sent without a check of the same branch right before it, whatever the rate and the retries."""
    held = drafts(1 if rate == "2" else 12)
    world.mode = "branches"
    sim.faults.script("*", ["500", "429", "lost", "503"] if rate == "off" else ["500"])
    ended = job(job.list_of(held), "--rate", rate, "--timeout", "5s", "--model", "branches")
    assert ended.code == 0
    assert sim.left() == set()
    last: dict[str, Any] = {}
    deeds = 0
    for request in sim.requests():
        if request.method == "DELETE" and request.branch:
            deeds += 1
            look = last[request.branch]
            assert look.endpoint == "look"
            # At two a second, a place of its own in the pace would have been half a second later.
            assert rate == "off" or request.arrived - look.answered < 0.45
        if request.branch:
            last[request.branch] = request
    assert deeds > len(held)


def test_a_pause_does_not_come_between_check_and_discard(
    job: Runner, sim: Simulator, world: World, drafts: Drafts
) -> None:
    """A 429 that arrives after a check delays what has not begun, but not the discard that follows the check."""
    slow, limited, later = drafts(3, agents=1)
    world.mode = "branches"
    sim.faults.script(slow.id, ["slow:0.4s"], on="look")
    sim.faults.script(limited.id, ["429:retry_after=1"])
    assert job(job.list_of([slow, limited, later]), "--concurrency", "2", "--model", "branches").code == 0
    (refused,) = sim.requests(status=429)
    (look,), (deed,) = sim.requests("look", draft=slow.id), sim.requests("discard", draft=slow.id)
    assert look.answered is not None
    assert refused.answered is not None
    assert refused.answered < look.answered
    assert deed.arrived - refused.answered < 0.95, "the deed waited for the end of the pause"
    (held_back,) = sim.requests("look", draft=later.id)
    assert held_back.arrived - refused.answered > 0.9


@pytest.mark.parametrize("stop", ["signal", "key"])
@pytest.mark.parametrize("model", ["drafts", "branches"])
def test_no_discard_begins_after_the_run_was_asked_to_stop(
    stop: str, model: str, job: Runner, sim: Simulator, world: World, drafts: Drafts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A check that is in flight at that moment is finished. The discard after it is not sent."""
    held = drafts(4, agents=1)
    world.mode = "branches" if model == "branches" else "drafts"
    rows = "".join(f"{d.agent},{d.id},{timestamp(d.updated_at)}\n" for d in held)
    job.write("drafts.csv", "agent,draft,updated_at\n" + rows)
    log = job.folder / "log"
    deliver = Endpoint._deliver

    def may_answer(fault: object) -> bool:
        return len(sim.requests("look")) == 2 if fault is not None else "run.stopping" in log.read_text()

    async def deliver_in_time(self: Endpoint, fault: Any, *args: Any) -> None:
        while self.name == "look" and not may_answer(fault):
            await asyncio.sleep(0.01)
        await deliver(self, fault, *args)

    monkeypatch.setattr(Endpoint, "_deliver", deliver_in_time)
    if stop == "key":
        sim.faults.script(held[1].id, ["401"], on="look")
    with log.open("wb") as stream:
        process = job.start("drafts.csv", "--model", model, "--concurrency", "2", stderr=stream)
    if stop == "signal":
        wait_until(lambda: len(sim.requests("look")) == 2)
        process.send_signal(signal.SIGTERM)
    ended = job.wait(process)
    assert ended.code == (143 if stop == "signal" else 75)
    assert (ended.counts["failed"], ended.counts["discarded"]) == (stop == "key", 0)
    assert len(sim.requests("look", status=200)) == (1 if stop == "key" else 2)
    assert sim.requests("discard") == []


@pytest.mark.parametrize("answer", [409, 404])
def test_a_run_stopped_while_the_workspace_moves_fails_no_pair(
    answer: int, job: Runner, sim: Simulator, world: World, drafts: Drafts
) -> None:
    """A pair whose model was just noticed when the signal came was not attempted; it did not fail."""
    held = drafts(6)
    world.mode, world.removed = "branches", answer == 404
    process: list[Any] = []

    def stop(_: World) -> None:
        process[0].send_signal(signal.SIGTERM)

    sim.faults.script(held[0].agent, ["slow:0.3s"], on="branches")
    sim.faults.script(held[0].id, ["slow:0.3s"])
    sim.before(stop, endpoint="discard")
    process.append(job.start(job.list_of(held), "--concurrency", "1", "--ledger", "ledger.jsonl"))
    ended = job.wait(process[0])
    assert ended.code == 143
    assert ended.counts == {"listed": 6, "discarded": 0, "skipped": 0, "failed": 0, "not_attempted": 6}
    assert len(sim.left()) == 6


def test_branches_and_agents_that_change_in_the_middle(
    job: Runner, sim: Simulator, world: World, drafts: Drafts
) -> None:
    """A branch is renamed, another is deleted, an agent is deleted: the rest goes, and nothing else."""
    held = drafts(9, agents=3)
    world.mode = "branches"
    renamed, deleted = held[0], held[3]
    dead = held[1].agent

    def rename(world: World) -> None:
        world.agents[renamed.agent].branches[renamed.branch].name = "another"
        world.take_away(deleted.id)
        del world.agents[deleted.agent].branches[deleted.branch]

    def delete(world: World) -> None:
        for draft in world.drafts_of(dead):
            world.take_away(draft.id)
        del world.agents[dead]

    sim.after(rename, endpoint="branches", agent=renamed.agent)
    sim.before(delete, endpoint="branches", agent=dead)
    ended = ledger(job, job.list_of(held))
    assert ended.code == 0
    dead_drafts = {draft.id for draft in held if draft.agent == dead}
    assert {draft for draft, reason in reasons(ended).items() if reason == "not_found"} == {deleted.id, *dead_drafts}
    assert set(world.discarded) == {draft.id for draft in held} - {deleted.id, *dead_drafts}


def test_an_odd_branch_is_never_part_of_a_url(job: Runner, sim: Simulator, world: World, drafts: Drafts) -> None:
    """A draft on a branch with such an id stays, and fails; other branches of the agent are no worse for it."""
    held = drafts(6, agents=3)
    strange, plain = held[:3], held[3:]
    world.mode = "branches"
    for draft, odd in zip(strange, ["../../archive", "a?b", ""], strict=True):
        world.agents[draft.agent].branches[draft.branch].id = odd
    ended = ledger(job, job.list_of([*plain, *strange]))
    assert ended.code == 3
    ends = {draft.id: "discarded" for draft in plain} | {draft.id: "unexpected_response" for draft in strange}
    assert reasons(ended) == ends
    assert sim.left() == {draft.id for draft in strange}
    assert all(r.endpoint != "unknown" and "archive" not in r.path and ".." not in r.path for r in sim.requests())
    assert not [r for r in sim.requests() if "a?b" in r.path or "a%3Fb" in r.path]


def test_a_frozen_workspace_is_worth_another_run(job: Runner, sim: Simulator, world: World, drafts: Drafts) -> None:
    """423 in a maintenance window: not retried, and said to be worth another run."""
    held = drafts(3)
    world.mode, world.frozen = "branches", True
    ended = job(job.list_of(held))
    assert ended.code == 75
    assert ended.summary["failed"] == {"frozen": 3}
    assert len(sim.requests("discard")) == 3 + 3


def test_deprecation_and_sunset_are_reported_once(job: Runner, sim: Simulator, world: World, drafts: Drafts) -> None:
    """The headers are in the log and in the summary, once each, with the date."""
    held = drafts(10)
    world.headers = {"Deprecation": "@1785542400", "Sunset": "Sat, 31 Oct 2026 23:59:59 GMT"}
    sim.after(lambda w: w.headers.update(Sunset="Sun, 01 Nov 2026 00:00:00 GMT"), endpoint="discard", nth=3)
    ended = job(job.list_of(held))
    assert ended.code == 0
    for name, date in (("Deprecation", "@1785542400"), ("Sunset", "Sat, 31 Oct 2026 23:59:59 GMT")):
        told = [entry for entry in ended.of("run.warning") if name in entry["message"]]
        assert [entry["level"] for entry in told] == ["warning"]
        assert date in told[0]["message"]
        assert told[0]["message"] in ended.summary["warnings"]
