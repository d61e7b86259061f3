"""The nightly sweep: by rule, within its safeties, and the same end however often it was interrupted."""

import csv
import hashlib
import json
import signal
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from cleanup.simulator import Simulator, World
from tests.accounts import only_reads
from tests.conftest import MODES, Drafts, aged
from tests.runner import Ended, Runner
from tests.terminal import Terminal

DAY = timedelta(days=1)


def a_night_passes(world: World) -> None:
    """Everything that is open is a day older."""
    for draft in world.drafts.values():
        draft.updated_at -= DAY


@pytest.fixture
def sweep(job: Runner, world: World) -> Callable[..., Ended]:
    """A sweep of all drafts older than 30 days, confirmed, whatever their share."""

    def run(*words: str, **more: Any) -> Ended:
        return job(*sweep_words(world), *words, **more)

    return run


def sweep_words(world: World) -> list[str]:
    """The command."""
    rule = ["--older-than", "30d", "--organization", world.organization, "--yes", "--max-share", "off"]
    return ["sweep", *rule, "--list", "found.csv", "--ledger", "ledger.jsonl"]


@MODES
def test_night_after_night_exactly_the_old_ones_go(
    mode: Any, sweep: Callable[..., Ended], sim: Simulator, world: World, drafts: Drafts
) -> None:
    """Drafts are opened, edited and published in between; the rule and the last edit decide, and nothing else."""
    world.mode = mode
    goes_at: dict[str, int] = {}
    held: list[Any] = []
    for days, night in ((10, 20), (28.5, 2), (29.5, 1), (31, 0), (50, 0)):
        made = drafts(3, agents=2, updated_at=aged(days))
        held += made
        goes_at |= {draft.id: night for draft in made}
    discarded: set[str] = set()
    for night in range(3):
        expected = {draft_id for draft_id in sim.left() if goes_at[draft_id] <= night}
        ended = sweep()
        assert ended.code == 0
        assert (ended.summary["mode"], ended.counts["discarded"]) == ("sweep", len(expected))
        assert set(world.discarded) - discarded == expected
        discarded = set(world.discarded)
        digest = hashlib.sha256((ended.folder / "found.csv").read_bytes()).hexdigest()
        assert [line["list_sha256"] for line in ended.ledger() if line["type"] == "run"][-1] == digest
        with (ended.folder / "found.csv").open(newline="") as found:
            assert {row["draft"] for row in csv.DictReader(found)} == expected
        if night == 0:
            edited, published = (next(d for d in held if d.id in sim.left() and goes_at[d.id] == n) for n in (1, 2))
            world.edit(edited.id)
            world.take_away(published.id)
            opened = world.open_draft(published.agent, branch=published.branch, updated_at=aged(29.5))
            goes_at |= {edited.id: 99, opened.id: 1}
        a_night_passes(world)
    assert len(discarded) == 6 + 2 + 1 + 2
    assert ended.summary["model"] == ("branches" if mode == "branches" else "auto")


@MODES
def test_a_draft_edited_between_finding_and_discarding_survives(
    mode: Any, sweep: Callable[..., Ended], sim: Simulator, world: World, drafts: Drafts
) -> None:
    """Each age is read again right before the draft goes; guards hold as in any run; the model is known by then."""
    world.mode = mode
    held = drafts(12, agents=4, updated_at=aged(40))
    protected = held[3].agent
    sim.before(lambda w: w.edit(held[1].id), endpoint="backup")
    ended = sweep("--protect", protected, "--backup", "backups", "--min-idle", "60d", "--min-idle", "35d")
    assert ended.code == 0
    stays = {held[1].id} | {draft.id for draft in held if draft.agent == protected}
    assert sim.left() == stays
    assert ended.summary["skipped"] == {"changed": 1, "protected": 3}
    assert len(list((ended.folder / "backups").rglob("*.json"))) == 8  # none of one that stays
    for draft in held:
        if draft.id not in stays:
            about = [r.endpoint for r in sim.requests(draft=draft.id) if r.endpoint != "look" or r.number > 1]
            assert about[-3:] == ["backup", "look", "discard"]
    if mode == "branches":
        assert not [r for r in sim.requests("discard") if "/drafts/" in r.path]


REFUSALS: dict[str, tuple[list[str], int, str]] = {
    "no age": (["--older-than", "off"], 78, "find.older_than"),
    "no organization": (["--organization", "off"], 78, "api.organization"),
    "another organization": (["--organization", "f" * 24], 77, "not to ffff"),
    "more than max_discards, whatever the limit": (["--max-discards", "9", "--limit", "3"], 78, "10 drafts"),
    "more than max_share, whatever the limit": (["--max-share", "49.9%", "--limit", "2"], 78, "10 of 20 drafts"),
}


@pytest.mark.parametrize("refusal", REFUSALS)
def test_a_sweep_that_looks_wrong_sends_nothing(
    refusal: str, sweep: Callable[..., Ended], sim: Simulator, world: World, drafts: Drafts
) -> None:
    """Each safety says what it saw, in figures, and nothing but GET has reached the API."""
    words, code, sentence = REFUSALS[refusal]
    drafts(10, updated_at=aged(40))
    drafts(10, updated_at=aged(1))
    ended = sweep(*words, "--leftover", "leftover.csv")
    assert ended.code == code
    assert sentence in " ".join(str(entry.get("message")) for entry in ended.events)
    assert len(sim.left()) == 20
    if refusal in ("no age", "no organization"):
        assert not sim.requests()
    else:
        assert only_reads(sim)
        assert ended.summary["status"] == "refused"
        assert ended.summary["stopped_by"] is None
        assert not [line for line in ended.ledger() if line["type"] == "pair"]
    if refusal.startswith("more than"):  # the list could be read: it is accounted for
        stands = (ended.folder / "leftover.csv").read_text().splitlines()[1:]
        assert len(stands) == ended.counts["listed"] == ended.counts["not_attempted"] == 10


@pytest.mark.parametrize(
    ("where", "mode"),
    [("an agent", "drafts"), ("an agent", "branches"), ("the second page", "drafts"), ("a branch", "branches")],
)
def test_a_part_that_cannot_be_read_keeps_everything(
    where: str, mode: Any, sweep: Callable[..., Ended], sim: Simulator, world: World, drafts: Drafts
) -> None:
    """A rule over half a workspace is another rule."""
    world.mode = mode
    held = drafts(6, agents=3, updated_at=aged(40))
    if where == "an agent":
        sim.faults.script(held[0].agent, ["500*"], on="drafts" if mode == "drafts" else "branches")
    elif where == "the second page":
        for _ in range(120):
            world.add_agent()
        sim.faults.script("*", ["ok", "500*"], on="agents")
    else:
        sim.faults.script(held[0].id, ["400*"], on="look")
    ended = sweep("--attempts", "2")
    assert ended.code == 75
    assert only_reads(sim)
    assert len(sim.left()) == 6
    assert any("nothing was discarded" in str(entry.get("message")) for entry in ended.events)


@pytest.mark.parametrize("share", ["29%", "33.3%"])
def test_a_share_is_compared_exactly(share: str, sweep: Callable[..., Ended], sim: Simulator, drafts: Drafts) -> None:
    """29 of 100 are not more than 29%, and protected drafts are none that would go."""
    old, total = {"29%": (29, 100), "33.3%": (333, 1000)}[share]
    drafts(old, updated_at=aged(40), agents=1)
    drafts(total - old - 5, updated_at=aged(1), agents=1)
    (kept, *_) = drafts(5, updated_at=aged(40), agents=1)
    ended = sweep("--max-share", share, "--protect", kept.agent, "--dry-run")
    assert ended.code == 0
    assert ended.counts["would_discard"] == old


@MODES
def test_unconfirmed_it_only_reads_and_says_so(
    mode: Any, sweep: Callable[..., Ended], job: Runner, sim: Simulator, world: World, drafts: Drafts
) -> None:
    """No --yes and nobody to ask: a dry run, with the list that a confirmed run would work through."""
    world.mode = mode
    held = drafts(5, updated_at=aged(40))
    words = [word for word in sweep_words(world) if word != "--yes"]
    ended = job(*words, "--leftover", "leftover.csv", "--metrics", "m.prom")
    assert ended.code == 0
    assert only_reads(sim)
    assert ended.summary["mode"] == "dry-run"
    assert ended.counts["would_discard"] == 5
    assert any("without --yes" in warning for warning in ended.summary["warnings"])
    assert sorted(path.name for path in job.folder.iterdir()) == ["found.csv", "m.prom", "summary.json"]
    assert 'mode="dry-run"' in (job.folder / "m.prom").read_text()
    assert len(held) == len(sim.left())
    confirmed = job(*words, env={"CLEANUP_RUN__YES": "true"})
    assert (confirmed.code, sim.left()) == (0, set())


def test_the_limit_takes_the_oldest(sweep: Callable[..., Ended], sim: Simulator, drafts: Drafts) -> None:
    """Night after night the oldest, and what is left for later is no failure."""
    held = [drafts(1, agents=1, updated_at=aged(days))[0] for days in (40, 90, 35, 60, 1)]
    ended = sweep("--limit", "2")
    assert ended.code == 0
    assert ended.summary["not_attempted"] == {"limit": 2}
    assert sim.left() == {held[0].id, held[2].id, held[4].id}
    sweep("--limit", "1")
    assert sim.left() == {held[2].id, held[4].id}


def test_the_list_and_its_hash_are_written_before_the_first_discard(
    sweep: Callable[..., Ended], job: Runner, sim: Simulator, drafts: Drafts
) -> None:
    """At the moment of the first DELETE both are there and agree, and the list can be read."""
    held = drafts(8, updated_at=aged(40))
    name = "found.json"
    seen: list[tuple[bytes, dict[str, Any]]] = []

    def look(_: World) -> None:
        line = (job.folder / "ledger.jsonl").read_text().splitlines()[0]
        seen.append(((job.folder / name).read_bytes(), json.loads(line)))

    sim.before(look, endpoint="discard")
    assert sweep("--list", name).code == 0
    ((found, line),) = seen
    assert line["type"] == "run"
    assert line["list_sha256"] == hashlib.sha256(found).hexdigest()
    assert (line["list"], all(draft.id in found.decode() for draft in held)) == (name, True)
    assert job(name, "--dry-run").counts == {
        "listed": 8,
        "would_discard": 0,
        "skipped": 8,
        "failed": 0,
        "not_attempted": 0,
    }


@pytest.mark.parametrize(("mode", "resume"), [("drafts", ["--resume"]), ("branches", [])])
def test_killed_in_the_middle_and_run_again_it_ends_as_if_undisturbed(
    resume: list[str], mode: Any, sweep: Callable[..., Ended], job: Runner, sim: Simulator, world: World, drafts: Drafts
) -> None:
    """kill -9 at the tenth discard, and the same night once more: the old ones are gone, the others are not."""
    world.mode = mode
    old, young = drafts(30, agents=5, updated_at=aged(40)), drafts(10, agents=5, updated_at=aged(3))
    process: list[Any] = []
    sim.before(lambda _: process[0].send_signal(signal.SIGKILL), endpoint="discard", nth=12)
    process.append(job.start(*sweep_words(world)))
    assert job.wait(process[0]).code == -signal.SIGKILL
    assert 0 < len(world.discarded) < 30
    ended = sweep(*resume)
    assert ended.code == 0
    assert sim.left() == {draft.id for draft in young}
    assert set(world.discarded) == {draft.id for draft in old}
    lines = ended.ledger()
    assert [line["type"] for line in lines].count("run") == 2
    done = [line["draft"] for line in lines if line.get("outcome") == "discarded"]
    assert len(done) == len(set(done)) <= 30


@pytest.mark.parametrize("said", ["y", "n"])
def test_a_person_is_asked(said: str, job: Runner, sim: Simulator, world: World, drafts: Drafts) -> None:
    """On a terminal, with the number that was found; a no discards nothing."""
    drafts(4, agents=2, updated_at=aged(40))
    words = [word for word in sweep_words(world) if word != "--yes"]
    terminal = Terminal(job, *words, on=("stdin", "stdout", "stderr"))
    terminal.read_until("[y/N]")
    assert only_reads(sim)
    terminal.type(f"{said}\n")
    ended = terminal.end()
    assert f"Discard 4 drafts of 2 agents in organization Acme ({world.organization})" in terminal.shown
    assert ended.code == (0 if said == "y" else 2)
    assert len(sim.left()) == (0 if said == "y" else 4)


def test_nothing_old_is_a_quiet_night(sweep: Callable[..., Ended], sim: Simulator, drafts: Drafts) -> None:
    """No warning, no list that could be taken for last night's, exit 0."""
    drafts(3, updated_at=aged(2))
    ended = sweep()
    assert ended.code == 0
    assert ended.summary["warnings"] == []
    assert (ended.folder / "found.csv").read_text() == "agent,draft,branch,name,editor,updated_at\n"
    assert only_reads(sim)
