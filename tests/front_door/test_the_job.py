"""The job end to end: what a user relies on first."""

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from cleanup.simulator import Simulator
from tests.runner import JOB, Ended, Runner


def test_every_listed_draft_goes_and_no_other(job: Runner, sim: Simulator, drafts: Callable[..., list[Any]]) -> None:
    """The simulator holds what was not listed, and nothing else; nobody is asked where there is no terminal."""
    held = drafts(30)
    ended = job(job.list_of(held[:20]))
    assert ended.code == 0
    assert ended.counts == {"listed": 20, "discarded": 20, "skipped": 0, "failed": 0, "not_attempted": 0}
    assert set(sim.left()) == {draft.id for draft in held[20:]}
    assert "[y/N]" not in ended.stdout + ended.stderr


@pytest.mark.unverified
@pytest.mark.parametrize("closed", ["2>&-", "0<&- 1>&- 2>&-"])
def test_streams_that_are_closed_are_no_trouble(
    job: Runner, sim: Simulator, drafts: Callable[..., list[Any]], closed: str
) -> None:
    """And no file that the run opens takes their place: the ledger holds its own lines alone."""
    held = drafts(3)
    command = [sys.executable, str(JOB), job.list_of(held), *job.defaults, "--ledger", "ledger.jsonl"]
    shell = ["/bin/sh", "-c", f'exec "$@" {closed}', "sh", *command]
    done = subprocess.run(shell, cwd=job.folder, env=job.environ, timeout=60, check=False)
    ended = Ended(done.returncode, "", "", job.folder)
    assert ended.code == 0
    assert ([line["type"] for line in ended.ledger()], sim.left()) == (["run", "pair", "pair", "pair", "end"], set())
