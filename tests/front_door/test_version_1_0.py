"""What version 1.0.0 wrote is read as before: `tests/data/version_1_0_0` is from a run of it, its copies too."""

import json
import shutil
from pathlib import Path
from typing import Any, get_args

import pytest

from cleanup.console.events import DraftName, Name
from cleanup.simulator import Simulator, World
from tests.accounts import endings
from tests.conftest import MODES
from tests.runner import Runner

WRITTEN = Path(__file__).parents[1] / "data" / "version_1_0_0"
COUNTS = {"listed": 6, "discarded": 4, "skipped": 1, "failed": 1, "not_attempted": 0}
EVENTS = {
    *("run.started", "run.progress", "run.warning", "run.stopping", "run.finished", "rate.paused", "rate.changed"),
    *("outage.began", "outage.ended", "list.invalid", "settings.invalid", "check.refused"),
    *("draft.discarded", "draft.would_discard", "draft.skipped", "draft.failed", "draft.retrying"),
}


@pytest.fixture
def old(job: Runner, sim: Simulator, world: World) -> Runner:
    """A folder as 1.0.0 left it, and the same two agents."""
    shutil.copytree(WRITTEN, job.folder, dirs_exist_ok=True)
    ledger = (WRITTEN / "ledger.jsonl").read_text(encoding="utf-8")
    run = json.loads(ledger.splitlines()[0])
    job.write("ledger.jsonl", ledger.replace(run["base_url"], sim.url))
    assert run["organization"] == world.organization
    assert {world.add_agent().id for _ in range(2)} == {path.name for path in (WRITTEN / "copies").iterdir()}
    return job


def test_its_settings_are_known(old: Runner, tmp_path: Path) -> None:
    """Every key of its example, with the same defaults."""
    ended = old("check", "drafts.csv", "--config", "config.yaml")
    assert ended.code == 0


def test_its_lists_are_read(old: Runner, sim: Simulator) -> None:
    """A list that `find` wrote, and a leftover."""
    for name in ("found.csv", "leftover.csv"):
        ended = old(name)
        assert (ended.code, ended.summary["counts"]["listed"]) == (0, 1)


def test_its_ledger_settles_and_is_reported(old: Runner, sim: Simulator, world: World) -> None:
    """What it has as discarded or not found is not sent again; what failed is."""
    (failed,) = (line.split(",") for line in (WRITTEN / "leftover.csv").read_text().splitlines()[1:])
    world.open_draft(failed[0], draft_id=failed[1])
    report = json.loads(old("report", "ledger.jsonl", "--format", "json").stdout)
    assert {name: report["counts"][name] for name in COUNTS} == COUNTS
    ended = old("drafts.csv", "--ledger", "ledger.jsonl", "--resume", "--backup", "copies")
    assert (ended.code, ended.summary["skipped"], ended.counts["discarded"]) == (0, {"settled": 5}, 1)
    assert sim.left() == set()


@MODES
def test_its_copies_are_restored(mode: Any, old: Runner, sim: Simulator, world: World) -> None:
    """From the folder that its run line names: the copies do not say what the drafts were made from."""
    world.mode = mode
    ended = old("undo", "ledger.jsonl")
    assert (ended.code, ended.counts["restored"]) == (0, 4)
    for agent, draft in endings(ended):
        copy = json.loads((WRITTEN / "copies" / agent / f"{draft}.json").read_text(encoding="utf-8"))
        (new,) = (line["new_draft"] for line in ended.ledger() if line["type"] == "pair" and line["draft"] == draft
                  and line.get("new_draft"))  # fmt: skip
        assert world.drafts[new].config == copy["_resolvedConfig"]


def test_its_events_are_still_called_so() -> None:
    """What somebody filters a log by."""
    assert {*get_args(Name), *get_args(DraftName)} >= EVENTS
