"""A dry run: reads alone, on either model, and it says what the run right after it does."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cleanup.simulator import Simulator, World
from cleanup.simulator.shapes import timestamp
from tests.accounts import FLAGS, check_account, only_reads
from tests.conftest import Drafts
from tests.monitors import listening
from tests.runner import Ended, Runner


def verdicts(ended: Ended, *, dry: bool) -> dict[tuple[str, str], str]:
    """What the log says of each pair; what would be discarded counts as discarded."""
    events = (
        ("draft.would_discard", "draft.skipped", "draft.failed")
        if dry
        else ("draft.discarded", "draft.skipped", "draft.failed")
    )
    return {
        (entry["agent"], entry["draft"]): entry["reason"] or "discarded"
        for event in events
        for entry in ended.of(event)
        if entry["reason"] != "duplicate"
    }


@pytest.mark.parametrize("workspace", ["v1", "branches", "removed"])
def test_its_verdicts_are_those_of_the_run_after_it(
    workspace: str, job: Runner, sim: Simulator, world: World, drafts: Drafts
) -> None:
    """Open, gone, edited, recently edited, protected, kept, ageless, unknown, another agent's: the same words."""
    now = datetime.now(UTC)
    held = drafts(14, agents=4, updated_at=now - timedelta(days=40))
    rows = [(draft.agent, draft.id, timestamp(draft.updated_at)) for draft in held]
    world.take_away(held[0].id)
    world.edit(held[1].id, updated_at=now - timedelta(days=2))
    world.edit(held[2].id, updated_at=now)
    rows[2] = (*rows[2][:2], "")
    protected = held[3].agent
    for number in (8, 9):
        held[number].name = "keep-christmas"
    rows += [(world.new_id(), world.new_id(), ""), (held[5].agent, held[4].id, ""), rows[4]]
    replaced = world.replace(held[6].id)
    job.write("drafts.csv", "agent,draft,updated_at\n" + "".join(",".join(row) + "\n" for row in rows))
    world.mode = "drafts" if workspace == "v1" else "branches"
    world.removed = workspace == "removed"
    words = ["drafts.csv", "--min-idle", "1d", "--protect", protected, "--keep", "nothing", "--keep", "keep-*"]
    before = world.left()

    dry = job(*words, "--dry-run", "--yes")
    assert dry.code == 0
    assert only_reads(sim)
    assert world.left() == before
    for endpoint in ("drafts", "branches"):
        most = 2 if (endpoint, workspace) == ("drafts", "removed") else 1  # a missing route counts if it is said twice
        assert all(len(sim.requests(endpoint, agent=agent)) <= most for agent in world.agents)
    assert dry.summary["mode"] == "dry-run"
    assert "discarded" not in dry.counts
    assert sum(dry.counts.values()) == 2 * dry.counts["listed"] == 2 * len(rows)

    would_discard, skipped = dry.counts["would_discard"], dry.summary["skipped"]

    real = job(*words, *FLAGS)
    check_account(real, sim, {row[:2] for row in rows})
    expected = verdicts(real, dry=False)
    assert verdicts(dry, dry=True) == expected
    assert would_discard == real.counts["discarded"] > 3
    assert skipped == real.summary["skipped"]
    assert skipped["kept"] == 2
    assert {held[8].id, held[9].id} <= sim.left()
    assert set(expected.values()) == {"discarded", "not_found", "changed", "recently_edited", "protected", "kept"}
    assert replaced.id in sim.left()


@pytest.mark.parametrize("mode", ["drafts", "branches"])
def test_it_shows_what_would_go(mode: Any, job: Runner, sim: Simulator, world: World, drafts: Drafts) -> None:
    """Each draft with its name, last editor and last edit, and on the branch model its branch.

    Another draft of the agent, with an id that no list may hold, does not stain the listed ones.
    """
    edited = datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)
    held = drafts(6, agents=2, name="Überarbeitung, Teil 2", editor="Zoë", updated_at=edited)
    world.open_draft(held[0].agent, draft_id="../archive")
    world.mode = mode
    ended = job(job.list_of(held), "--dry-run")
    assert ended.counts["would_discard"] == 6
    told = ended.of("draft.would_discard")
    assert {entry["draft"] for entry in told} == {draft.id for draft in held}
    for entry in told:
        assert (entry["name"], entry["editor"]) == ("Überarbeitung, Teil 2", "Zoë")
        assert entry["updated_at"] == "2026-01-02T03:04:05.678Z"
        if mode == "branches":
            assert entry["branch"].startswith("branch-")
    assert [entry["message"] for entry in ended.of("run.info") if "real run" in entry["message"]] == [
        "whether this key may discard these drafts, only a real run can show"
    ]
    each = 1 if mode == "branches" else 0
    asking = 2 if mode == "branches" else 0
    assert len(sim.requests()) <= 1 + 2 + 6 * each + asking


@pytest.mark.parametrize("source", ["file", "flag"])
def test_it_beats_every_other_setting(source: str, job: Runner, sim: Simulator, world: World, drafts: Drafts) -> None:
    """Wherever it is asked for, and whatever else is: reads alone, and what is told is told of a dry run."""
    held = drafts(5)
    with listening() as monitor:
        job.write(
            "settings.yaml",
            f"run:\n  dry_run: {'true' if source == 'file' else 'false'}\n  yes: true\n"
            "output:\n  ledger: ledger.jsonl\n  leftover: leftover.csv\n  metrics: metrics.prom\n"
            f"  heartbeat_url: {monitor.url}\n  push_url: {monitor.url}\n"
            "guard:\n  backup: backups\n",
        )
        env = {"CLEANUP_RUN__DRY_RUN": "no", "CLEANUP_RUN__YES": "true"}
        words = ["--dry-run"] if source == "flag" else []
        ended = job(job.list_of(held), "-c", "settings.yaml", "--yes", *words, env=env)
    assert ended.code == 0
    assert only_reads(sim)
    assert ended.counts["would_discard"] == 5
    files = ["drafts.csv", "metrics.prom", "settings.yaml", "summary.json"]
    assert sorted(path.name for path in job.folder.iterdir()) == files
    pushed = monitor.calls[1].body
    for metrics in ((job.folder / "metrics.prom").read_text(), pushed):
        samples = [line for line in metrics.splitlines() if not line.startswith("#")]
        assert samples
        assert all('mode="dry-run"' in sample for sample in samples)
    assert [call.method for call in monitor.calls] == ["GET", "PUT", "POST"]
    assert '"mode": "dry-run"' in monitor.calls[2].body


def test_it_is_refused_on_a_migrated_workspace_if_model_says_drafts(
    job: Runner, sim: Simulator, world: World, drafts: Drafts
) -> None:
    """As the run would be."""
    held = drafts(20, agents=4)
    world.mode = "branches"
    ended = job(job.list_of(held), "--dry-run", "--model", "drafts", "--concurrency", "1")
    assert ended.code == 78
    assert ended.summary["stopped_by"] == "migration_required"
    assert only_reads(sim)
