"""Proof: "discarded" means that somebody looked (guard.verify)."""

import json
from typing import Any

from cleanup.simulator import Mode, Simulator, World
from tests.accounts import FLAGS, check_account, keys
from tests.conftest import MODES, Drafts
from tests.runner import Ended, Runner
from tests.schemas import check_files


def proofs(ended: Ended) -> list[dict[str, Any]]:
    """The ledger's lines of what was read back."""
    lines = (ended.folder / "ledger.jsonl").read_text().splitlines()
    return [entry for entry in map(json.loads, lines) if entry["type"] == "proof"]


@MODES
def test_the_first_three_are_read_back_before_anything_else_is_sent(
    mode: Mode, job: Runner, world: World, sim: Simulator, drafts: Drafts
) -> None:
    """Then the others follow, of which a share is read back."""
    world.mode = mode
    held = drafts(30)
    ended = job(job.list_of(held), *FLAGS, "--verify", "0.0001%", "--model", mode)
    check_account(ended, sim, keys(held))
    assert (ended.code, sim.left()) == (0, set())
    assert ended.summary["verified"] == {"checked": 3, "gone": 3, "not_gone": 0, "unknown": 0}
    assert [entry["gone"] for entry in proofs(ended)] == [True] * 3
    discards, lists = sim.requests("discard"), sim.requests("drafts" if mode == "drafts" else "branches")
    for first in discards[:3]:
        read = [request for request in lists if request.agent == first.agent and request.number > first.number]
        assert min(request.number for request in read) < discards[3].number


def test_lists_that_cannot_be_read_are_no_outage_of_the_discards(job: Runner, sim: Simulator, drafts: Drafts) -> None:
    """The fourth discard waits until the attempts at all three lists are used up, and no probe goes before it."""
    held = drafts(12, agents=12)
    sim.faults.script("*", "500*", on="drafts")
    ended = job(job.list_of(held), *FLAGS, "--attempts", "4", "--concurrency", "3")
    assert (ended.code, sim.left(), ended.of("outage.began")) == (0, set(), [])
    assert ended.summary["verified"] == {"checked": 3, "gone": 0, "not_gone": 0, "unknown": 3}
    fourth = sim.requests("discard")[3].number
    assert len([request for request in sim.requests("drafts") if request.number < fourth]) == 12
    assert [warning for warning in ended.summary["warnings"] if "guard.verify" in warning] != []
    assert proofs(ended) == []


def test_a_share_of_the_others_is_read_back_by_one_request_an_agent(
    job: Runner, sim: Simulator, drafts: Drafts
) -> None:
    """`all`: each of them, and the run waits for that only at its end."""
    held = drafts(60, agents=2)
    ended = job(job.list_of(held), *FLAGS, "--verify", "all")
    check_account(ended, sim, keys(held))
    assert ended.summary["verified"] == {"checked": 60, "gone": 60, "not_gone": 0, "unknown": 0}
    assert len(sim.requests("drafts")) <= 12


def test_an_api_that_says_yes_and_does_nothing(job: Runner, sim: Simulator, drafts: Drafts) -> None:
    """At most three discards: they are failed, the run stops (3), the rest was never sent."""
    held = drafts(40)
    for draft in held:
        sim.faults.script(draft.id, "ok_before*")
    ended = job(job.list_of(held), *FLAGS, "--concurrency", "16")
    assert (ended.code, ended.summary["stopped_by"]) == (3, "proof")
    assert (ended.summary["failed"], ended.summary["not_attempted"]) == ({"not_gone": 3}, {"stopped": 37})
    assert ended.summary["verified"] == {"checked": 3, "gone": 0, "not_gone": 3, "unknown": 0}
    check_files(ended)
    assert len(sim.requests("discard")) == 3
    assert "which are still open" in ended.summary["reason"]
    lines = [json.loads(line) for line in (ended.folder / "ledger.jsonl").read_text().splitlines()]
    for draft in held[:3]:
        ends = [entry.get("outcome", entry.get("gone")) for entry in lines if entry.get("draft") == draft.id]
        assert ends == ["discarded", False, "failed"]
    report = json.loads(job("report", "ledger.jsonl", "--format", "json").stdout)
    assert (report["counts"]["discarded"], report["failed"], report["verified"]["not_gone"]) == (0, {"not_gone": 3}, 3)
    assert {draft.id for draft in held[:3]} <= set(
        (ended.folder / "leftover.csv").read_text().replace("\n", ",").split(",")
    )
    # What is not gone is on no record as settled: a run that resumes takes it again.
    for draft in held:
        sim.faults.script(draft.id, [])
    again = job(job.list_of(held), *FLAGS, "--resume")
    assert (again.code, again.counts["discarded"], sim.left()) == (0, 40, set())


def test_a_list_that_lags_behind_is_asked_again(job: Runner, sim: Simulator, drafts: Drafts, world: World) -> None:
    """A draft that is gone a moment later is gone."""
    held = drafts(1)
    sim.faults.script(held[0].id, "ok_before")

    def discard(changed: World) -> None:
        changed.take_away(held[0].id)

    sim.after(discard, endpoint="drafts", nth=2)
    ended = job(job.list_of(held), *FLAGS)
    assert (ended.code, ended.counts["discarded"]) == (0, 1)
    assert len(sim.requests("drafts")) == 3


def test_what_may_not_be_read_back_is_one_warning(job: Runner, sim: Simulator, drafts: Drafts) -> None:
    """The drafts stay discarded, unverified, and the run goes on."""
    held = drafts(8)
    sim.faults.script("*", "403*", on="drafts")
    ended = job(job.list_of(held), *FLAGS, "--attempts", "2")
    assert (ended.code, sim.left()) == (0, set())
    assert ended.summary["verified"] == {"checked": 3, "gone": 0, "not_gone": 0, "unknown": 3}
    assert [warning for warning in ended.summary["warnings"] if "guard.verify" in warning] != []
    assert proofs(ended) == []


def test_a_share_that_is_none(job: Runner) -> None:
    """It is refused like any setting."""
    assert job("drafts.csv", "--verify", "some").code == 78
