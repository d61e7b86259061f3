"""The job end to end: what a user relies on first."""

from collections.abc import Callable
from typing import Any

from cleanup.simulator import Simulator
from tests.conftest import Runner


def test_every_listed_draft_goes_and_no_other(job: Runner, sim: Simulator, drafts: Callable[..., list[Any]]) -> None:
    """The simulator holds what was not listed, and nothing else."""
    held = drafts(30)
    ended = job(job.list_of(held[:20]))
    assert ended.code == 0
    assert ended.counts == {"listed": 20, "discarded": 20, "skipped": 0, "failed": 0, "not_attempted": 0}
    assert set(sim.left()) == {draft.id for draft in held[20:]}
