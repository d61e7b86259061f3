"""One night in the life of the tool: look, approve, discard, prove, ride out an outage, undo one, report the whole."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cleanup.simulator import Simulator, World
from tests.conftest import MODES, Drafts, aged
from tests.monitors import Monitor, listening
from tests.pages import Page
from tests.runner import Runner


@pytest.fixture
def gateway() -> Iterator[Monitor]:
    """A stand-in for a Pushgateway."""
    with listening() as server:
        yield server


@MODES
def test_one_night(mode: Any, job: Runner, sim: Simulator, world: World, drafts: Drafts, gateway: Monitor) -> None:
    """Every step is a process of its own; what is left is asked of the simulator."""
    world.mode = mode
    stale = drafts(30, agents=4, updated_at=aged(90))
    fresh = drafts(30, agents=4)
    everything = {draft.id for draft in (*stale, *fresh)}
    job.environ["CLEANUP_OUTPUT__PUSH_URL"] = gateway.url
    rule = ("--older-than", "30d", "--organization", world.organization, "--max-share", "60%")

    # The weeks of looking: a dry run that monitors hear, with a page of what it would do.
    looked = job("sweep", *rule, "--dry-run", "--page", "look.html", "--list", "stale.csv")
    assert (looked.code, looked.counts["would_discard"], sim.left()) == (0, 30, everything)
    assert Page(job.folder / "look.html").headline.startswith("All 30 drafts would be discarded.")
    assert "/mode/dry-run/" in gateway.heard[-1]

    # Approved: two lines are taken out, and the hash of what is left goes into the schedule.
    lines = (job.folder / "stale.csv").read_text(encoding="utf-8").splitlines(keepends=True)
    (job.folder / "approved.csv").write_text("".join(lines[:-2]), encoding="utf-8")
    approved = hashlib.sha256((job.folder / "approved.csv").read_bytes()).hexdigest()
    kept = {line.split(",")[1] for line in lines[-2:]}
    words = ("approved.csv", "--sha256", approved, "--backup", "copies", "--ledger", "ledger.jsonl")

    # The night: the first three are proven gone, then the API is down for a while.
    sim.after(lambda _world: sim.down("500"), endpoint="discard", nth=12)
    sim.after(lambda _world: sim.up(), nth=len(sim.requests()) + 70)
    night = job(*words, "--page", "night.html", "--concurrency", "4", "--attempts", "3")
    assert (night.code, night.counts["discarded"]) == (0, 28)
    assert night.of("outage.began")
    assert night.of("outage.ended")
    assert night.summary["verified"]["gone"] >= 3
    assert sim.left() == {draft.id for draft in fresh} | kept
    page = Page(job.folder / "night.html")
    assert page.headline.startswith("All 28 drafts were discarded.")
    assert "outage" in page.text.lower()

    # One of them was wanted after all.
    wanted = next(draft for draft in stale if draft.id not in kept)
    undone = job("undo", "ledger.jsonl", "--draft", wanted.id)
    assert (undone.code, undone.counts["restored"]) == (0, 1)
    (new,) = sim.left() - {draft.id for draft in fresh} - kept
    assert world.drafts[new].config == wanted.config

    # The whole, from the ledger alone.
    whole = job("report", "ledger.jsonl", "--format", "json")
    counts = json.loads(whole.stdout)["counts"]
    assert (whole.code, counts["listed"], counts["discarded"], counts["restored"]) == (0, 28, 27, 1)
    assert job("report", "ledger.jsonl", "--format", "html", "-o", "whole.html").code == 0
    assert "restored" in Page(Path(job.folder, "whole.html")).headline
    history = job("report", "ledger.jsonl", "--draft", new).stdout
    assert f"from the copy of draft {wanted.id}" in history
