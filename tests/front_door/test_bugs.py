"""A bug of the program's own, after a DELETE has left: what may have been done is on record."""

from pathlib import Path

import pytest

from cleanup.simulator import Simulator
from tests.accounts import FLAGS, reasons
from tests.conftest import Drafts
from tests.runner import ROOT, Runner

FAULTS = {
    "judging the answer": "verdict.of_discard = bug",
    "learning from the answer": "throttle.Throttle.learn = lambda self, reply, *_: reply.data or bug()",
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
def test_a_pair_whose_discard_has_left_is_interrupted(
    fault: str, job: Runner, sim: Simulator, drafts: Drafts, tmp_path: Path
) -> None:
    """The draft is gone, but its answer was not read to the end. It needs a check, and another run."""
    held = drafts(6)
    patched = tmp_path / "patched"
    patched.mkdir()
    (patched / "sitecustomize.py").write_text(
        "import cleanup.discard.verdict as verdict, cleanup.api.throttle as throttle\n"
        "def bug(*words):\n    raise AssertionError('a bug on purpose')\n" + fault
    )
    ended = job(job.list_of(held), *FLAGS, "--concurrency", "1", env={"PYTHONPATH": f"{patched}:{ROOT}"})
    assert ended.code == 75
    assert len(ended.of("run.bug")) == 1
    assert reasons(ended)[held[0].id] == "interrupted"
    assert ended.counts["discarded"] == 0
    assert sim.left() == {draft.id for draft in held[1:]}
