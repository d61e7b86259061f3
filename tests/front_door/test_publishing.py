"""A draft that is being published is left alone, wherever the job reads it; one whose publish was taken back is not."""

from collections.abc import Sequence
from typing import Any

import pytest

from cleanup.simulator import Draft, Simulator, World
from tests.accounts import FLAGS, check_account, keys, only_reads, reasons
from tests.conftest import MODES, Drafts, aged
from tests.runner import Runner

IDLE = ("--min-idle", "1d")
COPIES = ("--backup", "copies")


@pytest.fixture
def held(drafts: Drafts, world: World) -> Sequence[Draft]:
    """Three old drafts; the second one is being published."""
    made = drafts(3, updated_at=aged(30))
    world.publish(made[1].id)
    return made


@pytest.mark.parametrize(("mode", "flags"), [("branches", IDLE), ("drafts", IDLE), ("drafts", COPIES)])
def test_a_draft_that_is_being_published_is_skipped(
    mode: Any, flags: tuple[str, ...], job: Runner, sim: Simulator, world: World, held: Sequence[Draft]
) -> None:
    """By branches; on the older model if a guard or a copy makes the job read the draft."""
    world.mode = mode
    ended = job(job.list_of(held), *FLAGS, *flags)
    assert ended.code == 0
    check_account(ended, sim, keys(held))
    assert (ended.counts["discarded"], ended.summary["skipped"]) == (2, {"publishing": 1})
    assert sim.left() == {held[1].id}


@MODES
def test_a_dry_run_says_so(mode: Any, job: Runner, sim: Simulator, world: World, held: Sequence[Draft]) -> None:
    """Without any guard, on either model."""
    world.mode = mode
    ended = job(job.list_of(held), "--dry-run")
    assert ended.code == 0
    assert (ended.counts["would_discard"], ended.summary["skipped"]) == (2, {"publishing": 1})
    assert only_reads(sim)


def test_a_publish_that_begins_between_two_attempts(job: Runner, sim: Simulator, world: World, drafts: Drafts) -> None:
    """Each attempt has its own check, which notices the publish."""
    (draft,) = drafts(1)
    world.mode = "branches"
    sim.faults.script(draft.id, ["500_before"])
    sim.after(lambda world: world.publish(draft.id), endpoint="discard", draft=draft.id, nth=2)
    ended = job(job.list_of([draft]), *FLAGS)
    assert ended.code == 0
    assert reasons(ended) == {draft.id: "publishing"}


def test_by_branches_it_is_always_skipped_and_a_resume_after_the_publish_was_taken_back_discards_it(
    job: Runner, sim: Simulator, world: World, held: Sequence[Draft]
) -> None:
    """Without any guard. A pair skipped as `publishing` is not `settled`, and a cancelled publish on record is none."""
    world.mode = "branches"
    ended = job(job.list_of(held), *FLAGS)
    assert ended.code == 0
    check_account(ended, sim, keys(held))
    assert (ended.counts["discarded"], ended.summary["skipped"]) == (2, {"publishing": 1})
    assert sim.left() == {held[1].id}
    world.cancel_publish(held[1].id)
    ended = job(job.list_of(held), *FLAGS, "--resume")
    assert ended.code == 0
    check_account(ended, sim, keys(held))
    assert (ended.counts["discarded"], ended.summary["skipped"]) == (1, {"settled": 2})
