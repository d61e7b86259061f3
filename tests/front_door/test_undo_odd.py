"""Undo where the API, the names or the copies are odd: nothing is made twice, touched by mistake, or lost."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cleanup.simulator import Simulator, World, shapes
from cleanup.simulator.endpoints import Answer, as_json
from tests.accounts import endings
from tests.conftest import MODES, Drafts, Ended, Runner

pytestmark = pytest.mark.unverified

DISCARD = ("--ledger", "ledger.jsonl", "--backup", "copies")
UNDO = ("undo", "ledger.jsonl")


def discard(job: Runner, held: list[Any]) -> None:
    """Discard these drafts, each with a copy."""
    assert job(job.list_of(held), *DISCARD).code == 0


def ends_of(ended: Ended) -> dict[str, str]:
    """How each draft ended: its reason, or else its outcome."""
    return {draft: reason or outcome for (_, draft), (outcome, reason) in endings(ended).items()}


@pytest.mark.parametrize("fault", ["204", "lost_after", "html_after", "500_after"])
def test_a_draft_whose_last_step_was_done_without_an_answer_is_not_made_again(
    fault: str, job: Runner, sim: Simulator, drafts: Drafts
) -> None:
    """It has its own name by then, and the ledger has it as made, but not as restored."""
    (held,) = drafts(1)
    discard(job, [held])
    sim.faults.script("*", [f"{fault}*"], on="rename")
    assert job(*UNDO, "--attempts", "1").counts["failed"] == 1
    sim.faults.script("*", ["ok*"], on="rename")
    ended = job(*UNDO)
    assert (ended.code, ends_of(ended), len(sim.left())) == (0, {held.id: "restored_before"}, 1)


def test_a_draft_that_was_complete_and_edited_since_is_left_alone(
    job: Runner, sim: Simulator, world: World, drafts: Drafts
) -> None:
    """What somebody has done to it meanwhile is worth more than the copy."""
    (held,) = drafts(1)
    discard(job, [held])
    sim.faults.script("*", ["204"], on="rename")
    assert job(*UNDO).counts["failed"] == 1
    (new,) = world.drafts.values()
    new.config = {"prompt": "Edited."}
    new.name = "Mine"
    ended = job(*UNDO)
    assert (ends_of(ended), sim.left()) == ({held.id: "differs"}, {new.id})
    assert (new.config, new.name) == ({"prompt": "Edited."}, "Mine")
