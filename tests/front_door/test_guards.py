"""The guards: age by the list, age by the clock, protected agents; right before the discard, on either model."""

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest

from cleanup.simulator import Draft, Simulator, World, shapes
from tests.accounts import reasons
from tests.conftest import MODES, Drafts
from tests.runner import Runner

EDITED = datetime(2026, 3, 1, 12, 0, 0, 500000, tzinfo=UTC)


def dated(job: Runner, rows: list[tuple[Draft, str]]) -> str:
    """A list with the last edit of each draft."""
    return job.write(
        "drafts.csv", "agent,draft,Updated At\n" + "".join(f"{d.agent},{d.id},{text}\n" for d, text in rows)
    )


@MODES
def test_a_draft_edited_since_the_list_was_made_stays(
    mode: Any, job: Runner, sim: Simulator, world: World, drafts: Drafts
) -> None:
    """Compared as times, not as text: zones and spellings do not matter, half a second does."""
    world.mode = mode
    times = {
        "2026-03-01T12:00:00.500Z": "discarded",
        "2026-03-01T12:00:00.5+00:00": "discarded",
        "2026-03-01T17:30:00.500000+05:30": "discarded",
        "2026-03-01 12:00:00.500Z": "discarded",
        "2026-03-01T12:00:00.500999999Z": "discarded",
        "2026-03-01T12:00:01Z": "discarded",
        "": "discarded",
        "2026-03-01T12:00:00Z": "changed",
        "2026-03-01T12:00:00.499Z": "changed",
        "2026-03-01T12:00:00.500+00:01": "changed",
        "2026-02-28T23:59Z": "changed",
    }
    held = drafts(len(times), updated_at=EDITED)
    ended = job(dated(job, list(zip(held, times, strict=True))), "--ledger", "ledger.jsonl")
    assert ended.code == 0
    assert [reasons(ended)[draft.id] for draft in held] == list(times.values())
    assert sim.left() == {draft.id for draft, kept in zip(held, times.values(), strict=True) if kept == "changed"}


@MODES
def test_an_edit_between_two_attempts_is_noticed(
    mode: Any, job: Runner, sim: Simulator, world: World, drafts: Drafts
) -> None:
    """The age is read again before each attempt, whatever the list said and the attempt before it."""
    world.mode = mode
    listed, idle = drafts(2, updated_at=EDITED)
    sim.faults.script(listed.id, ["500", "ok"])
    sim.faults.script(idle.id, ["lost_before", "ok"])
    for draft in (listed, idle):
        sim.before(partial(World.edit, draft_id=draft.id), endpoint="look", draft=draft.id, nth=2)
    rows = [(listed, "2026-03-01T12:00:00.500Z"), (idle, "")]
    ended = job(dated(job, rows), "--ledger", "ledger.jsonl", "--min-idle", "1h", "--model", mode)
    assert ended.code == 0
    assert reasons(ended) == {listed.id: "changed", idle.id: "recently_edited"}
    assert sim.left() == {listed.id, idle.id}


@MODES
def test_recently_edited_and_protected_drafts_stay(
    mode: Any, job: Runner, sim: Simulator, world: World, drafts: Drafts
) -> None:
    """By the last edit, and by the agent, from all sources together; a clock that runs ahead protects."""
    world.mode = mode
    now = datetime.now(UTC)
    ages = {"old": 2, "young": 0.5, "future": -48}
    by_age = {name: drafts(1, agents=1, updated_at=now - timedelta(hours=age))[0] for name, age in ages.items()}
    by_flag, by_file, by_variable = (drafts(1, agents=1, updated_at=EDITED)[0] for _ in range(3))
    job.write("settings.yaml", f"guard:\n  protect: [{by_file.agent}]\n  min_idle: 1h\n")
    ended = job(
        job.list_of([*by_age.values(), by_flag, by_file, by_variable]),
        *("-c", "settings.yaml", "--protect", by_flag.agent, "--ledger", "ledger.jsonl"),
        env={"CLEANUP_GUARD__PROTECT": by_variable.agent},
    )
    assert ended.code == 0
    assert sim.left() == {d.id for d in (by_age["young"], by_age["future"], by_flag, by_file, by_variable)}
    assert ended.summary["skipped"] == {"recently_edited": 2, "protected": 3}
    touched = {request.agent for request in sim.requests()}
    assert not touched & {by_flag.agent, by_file.agent, by_variable.agent}


@MODES
@pytest.mark.parametrize("needed", ["list", "min_idle"])
def test_an_age_that_is_needed_and_cannot_be_read_fails_the_pair(
    mode: Any, needed: str, job: Runner, sim: Simulator, world: World, drafts: Drafts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No age, no discard."""
    world.mode = mode
    held = drafts(3, updated_at=EDITED)
    monkeypatch.setattr(shapes, "timestamp", lambda _moment: "yesterday")
    rows = [(draft, "2026-03-01T12:00:01Z" if needed == "list" else "") for draft in held]
    ended = job(dated(job, rows), *(("--min-idle", "1d") if needed == "min_idle" else ()))
    assert ended.code == 3
    assert ended.summary["failed"] == {"unexpected_response": 3}
    assert len(sim.left()) == 3
    assert not [r for r in sim.requests("discard") if r.status == 200]


@MODES
def test_backup_check_and_discard_come_in_this_order(
    mode: Any, job: Runner, sim: Simulator, world: World, drafts: Drafts
) -> None:
    """For every draft: its copy, then its age, then it goes."""
    world.mode = mode
    held = drafts(12, updated_at=EDITED)
    assert job(job.list_of(held), "--backup", "backups", "--min-idle", "1h", "--model", mode).code == 0
    assert sim.left() == set()
    for draft in held:
        about = [(r.endpoint, r.method) for r in sim.requests(draft=draft.id)]
        assert about == [("backup", "GET"), ("look", "GET"), ("discard", "DELETE")]
