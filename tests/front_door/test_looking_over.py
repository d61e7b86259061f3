"""Know what goes, and what should stay: litter, the newest, names that are kept, a list that was approved."""

import csv
import hashlib
import io
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from cleanup.simulator import Draft, Mode, Simulator, World
from cleanup.simulator.world import Shapes
from tests.conftest import MODES, NOW, Drafts
from tests.runner import Ended, Runner


def rows(ended: Ended) -> list[dict[str, str]]:
    """The list that `find` printed."""
    return list(csv.DictReader(io.StringIO(ended.stdout)))


def untouched(world: World, draft: Draft) -> Draft:
    """A draft that changes nothing."""
    draft.config = dict(world.agents[draft.agent].config)
    return draft


@MODES
@pytest.mark.parametrize("shapes", ["live", "documented"])
def test_only_drafts_that_change_nothing(
    mode: Mode, shapes: Shapes, job: Runner, world: World, sim: Simulator, drafts: Drafts
) -> None:
    """By the API's own comparison with what each was made from, in either shape."""
    world.mode, world.shapes = mode, shapes
    held = drafts(9)
    litter = {untouched(world, draft).id for draft in held[::3]}
    ended = job("find", "--unchanged")
    assert (ended.code, {row["draft"] for row in rows(ended)}) == (0, litter)
    assert {row["changes"] for row in rows(ended)} == {"none"}
    assert len(sim.requests(endpoint="diff")) == 9


@MODES
def test_a_sweep_of_what_changes_nothing(mode: Mode, job: Runner, world: World, sim: Simulator, drafts: Drafts) -> None:
    """It discards exactly these."""
    world.mode = mode
    held = drafts(12, updated_at=NOW - timedelta(days=40))
    litter = [untouched(world, draft) for draft in held[::4]]
    ended = job("sweep", "--unchanged", "--older-than", "30d", "--organization", world.organization, "--yes")
    assert ended.code == 0
    assert set(world.discarded) == {draft.id for draft in litter}


@MODES
def test_a_draft_that_cannot_be_compared_is_no_litter(
    mode: Mode, job: Runner, world: World, sim: Simulator, drafts: Drafts
) -> None:
    """`find` says so (75), and a sweep discards nothing."""
    world.mode = mode
    held = [untouched(world, draft) for draft in drafts(4, updated_at=NOW - timedelta(days=40))]
    sim.faults.script(held[0].agent, "500*", on="diff")
    sweep = ["--unchanged", "--older-than", "30d", "--max-share", "100%", "--organization", world.organization]
    ended = job("sweep", *sweep, "--yes", "--attempts", "2", "--concurrency", "1")
    assert (ended.code, world.discarded) == (75, {})
    assert "could not be compared" in ended.stderr


@MODES
def test_the_newest_of_each_agent_stay(mode: Mode, job: Runner, world: World, sim: Simulator) -> None:
    """Of all its drafts, found by the rule or not; one whose last edit is unknown counts as new."""
    world.mode = mode
    agents = [world.add_agent() for _ in range(2)]
    ages = {agent.id: [1, 40, 50, 60] for agent in agents}
    made = {
        (agent, age): world.open_draft(agent, updated_at=NOW - timedelta(days=age)).id
        for agent, each in ages.items()
        for age in each
    }
    found = {row["draft"] for row in rows(job("find", "--older-than", "30d", "--keep-newest", "2"))}
    assert found == {made[agent.id, age] for agent in agents for age in (50, 60)}


@MODES
def test_what_has_a_name_that_is_kept_or_is_being_published_is_not_found(
    mode: Mode, job: Runner, world: World, sim: Simulator
) -> None:
    """By the draft's name, and by its branch's; and it is said how many are being published."""
    world.mode = mode
    agent = world.add_agent()
    kept = world.open_draft(agent.id, name="keep-christmas")
    branch = world.add_branch(agent.id, "keep-summer")
    by_branch = world.open_draft(agent.id, branch=branch.id, name="plain")
    other = world.open_draft(agent.id, name="Keep-not")
    published = world.open_draft(world.add_agent().id, name="published")
    world.publish(published.id)
    ended = job("find", "--keep", "keep-*")
    found = {row["draft"] for row in rows(ended)}
    # On the older model a draft's branch is nothing that anybody sees.
    assert found == {other.id, *({by_branch.id} if mode == "drafts" else set())}
    assert not found & {kept.id, published.id}
    assert "1 is being published, and left out" in ended.stderr


def test_the_list_that_was_approved_is_the_list_that_runs(job: Runner, sim: Simulator, drafts: Drafts) -> None:
    """One byte more, and nothing is sent (65)."""
    path = Path(job.folder / job.list_of(drafts(3)))
    approved = hashlib.sha256(path.read_bytes()).hexdigest()
    content = path.read_bytes()
    path.write_bytes(content + b"\n")
    ended = job(path.name, "--sha256", approved)
    assert (ended.code, len(sim.left()), sim.requests()) == (65, 3, [])
    assert "this is not the list that was approved" in ended.summary["reason"]
    path.write_bytes(content)
    assert job(path.name, "--sha256", approved.upper()).code == 0
    assert sim.left() == set()


@pytest.mark.parametrize("words", [["--sha256", "abc"], ["--sha256", "g" * 64]])
def test_a_hash_that_is_none(job: Runner, words: list[str]) -> None:
    """It is refused like any setting."""
    assert job("drafts.csv", *words).code == 78


@MODES
def test_an_agent_that_is_gone_meanwhile(mode: Mode, job: Runner, world: World, sim: Simulator, drafts: Drafts) -> None:
    """A draft that is discarded between the search and the comparison is not found any more."""
    world.mode = mode
    held = drafts(3)

    def gone(changed: Any) -> None:
        changed.take_away(held[0].id)

    sim.after(gone, endpoint="drafts" if mode == "drafts" else "look", nth=3)
    ended = job("find", "--review", "page.html", "--concurrency", "1")
    assert {row["draft"] for row in rows(ended)} <= {draft.id for draft in held[1:]}
    assert (ended.code, len(rows(ended))) == (0, 2)
