"""Undo: drafts made anew from their copies, on either model; what is there afterwards is asked of the simulator."""

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cleanup.simulator import Simulator, World, endpoints
from cleanup.simulator.lifelike import full_configuration
from tests.accounts import endings
from tests.conftest import MODES, Drafts
from tests.monitors import listening
from tests.runner import Ended, Runner

pytestmark = pytest.mark.unverified

DISCARD = ("--ledger", "ledger.jsonl", "--backup", "copies")
UNDO = ("undo", "ledger.jsonl")


def discarded(job: Runner, sim: Simulator, held: list[Any], *more: str) -> Ended:
    """Discard these drafts, each with a copy."""
    ended = job(job.list_of(held), *DISCARD, *more)
    assert ended.code == 0
    assert not {draft.id for draft in held} & sim.left()
    return ended


def made_of(ended: Ended) -> dict[str, str]:
    """The new draft of each old one, by the ledger's last lines."""
    lines = [line for line in ended.ledger() if line["type"] == "pair" and line.get("new_draft")]
    return {line["draft"]: line["new_draft"] for line in lines}


@MODES
def test_what_was_discarded_is_made_anew_and_a_second_undo_does_nothing(
    mode: Any, job: Runner, sim: Simulator, world: World, drafts: Drafts
) -> None:
    """With the same configuration and name, from the version or branch it was made from, as drafts of their own.

    The second undo says that nothing is left, and sends not even a request.
    """
    world.mode = mode
    held = drafts(6)
    discarded(job, sim, held)
    ended = job(*UNDO)
    assert (ended.code, ended.summary["mode"], ended.summary["status"]) == (0, "undo", "complete")
    assert ended.counts == {"listed": 6, "restored": 6, "skipped": 0, "failed": 0, "not_attempted": 0}
    new = made_of(ended)
    assert set(new.values()) == sim.left()
    for draft in held:
        again = world.drafts[new[draft.id]]
        assert (again.agent, again.config) == (draft.agent, draft.config)
        if mode == "drafts":
            assert again.name == draft.name
        else:
            assert world.agents[again.agent].branches[again.branch].name == f"restored-{draft.id}"
    before, left = len(sim.requests()), sim.left()
    ended = job(*UNDO)
    assert (ended.code, ended.summary["skipped"]) == (0, {"restored_before": 6})
    assert (len(sim.requests()), sim.left()) == (before, left)
    assert "nothing is left to undo: all of these drafts were restored before" in ended.summary["warnings"]


def mixed(world: World, count: int) -> list[Any]:
    """Drafts of agents of every workflow type, with every field: with values, empty ones, nulls and without."""
    chance = random.Random(world.seed)
    held = []
    for number in range(count):
        kind = ("single_prompt", "multi_agents", "workflow_graph")[number % 8 % 3]
        config = full_configuration(chance)
        for name in chance.sample(sorted(config), 3):
            config[name] = None
        for name in chance.sample(sorted(config), 3):
            del config[name]
        if kind == "workflow_graph":
            config["workflowGraph"] = {"nodes": [{"id": "1"}]}
        if number % 11 == 0:
            config["fieldOfTomorrow"] = {"value": number}
        agent = world.add_agent(workflow_type=kind)
        if number % 5 == 0:  # it was made from a version that is no longer the active one
            world.release(agent.id, full_configuration(chance))
        held.append(world.open_draft(agent.id, config=config, name=f"Entwurf {number} – ä"))
        if number % 5 == 0:
            world.release(agent.id, full_configuration(chance))
    return held


def bare(value: Any) -> Any:
    """A configuration without the keys that are null, which are the same as none."""
    if isinstance(value, dict):
        return {key: bare(inner) for key, inner in value.items() if inner is not None}
    return [bare(inner) for inner in value] if isinstance(value, list) else value


@MODES
@pytest.mark.parametrize("count", [48, pytest.param(500, marks=pytest.mark.slow)])
def test_what_is_called_restored_equals_its_copy_and_all_else_is_named(
    count: int, mode: Any, job: Runner, sim: Simulator, world: World
) -> None:
    """As the simulator itself holds it, field by field."""
    world.mode = mode
    held = mixed(world, count)
    discarded(job, sim, held)
    ended = job(*UNDO)
    assert ended.code == 3
    new, ends = made_of(ended), endings(ended)
    messages = {line["draft"]: line.get("message", "") for line in ended.events if line["event"].startswith("draft.")}
    told = set()
    for draft in held:
        end = ends[draft.agent, draft.id]
        told.add(end)
        if "workflowGraph" in draft.config:
            assert end == ("skipped", "not_restorable")
            continue
        wanted, found = bare(draft.config), bare(world.drafts[new[draft.id]].config)
        different = {name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name)}
        assert end == (("failed", "differs") if different else ("restored", None))
        named = messages[draft.id].partition(" in ")[2].replace(" (missing)", "").replace(" (not in the copy)", "")
        assert {field.partition(".")[0] for field in filter(None, named.split(", "))} == different
    assert told == {("restored", None), ("failed", "differs"), ("skipped", "not_restorable")}
    assert sim.left() == set(new.values())


@MODES
def test_a_dry_run_only_reads_and_says_what_would_come_back(
    mode: Any, job: Runner, sim: Simulator, world: World, drafts: Drafts
) -> None:
    """And what would not, by the names of the fields."""
    world.mode = mode
    held = [*drafts(2), *drafts(1, agents=1, config={"prompt": "x", "fieldOfTomorrow": 1})]
    discarded(job, sim, held)
    seen = len(sim.requests())
    ledger = (job.folder / "ledger.jsonl").read_bytes()
    ended = job(*UNDO, "--dry-run")
    assert (ended.code, ended.summary["mode"]) == (0, "dry-run")
    assert ended.counts == {"listed": 3, "would_restore": 3, "skipped": 0, "failed": 0, "not_attempted": 0}
    assert ended.summary["meaning"] == "every draft was checked, and nothing was restored"
    assert {request.method for request in sim.requests()[seen:]} == {"GET"}
    assert (job.folder / "ledger.jsonl").read_bytes() == ledger
    said = {line["draft"]: line["message"] for line in ended.of("draft.would_restore")}
    assert ["fieldOfTomorrow" in said[draft.id] for draft in held] == [False, False, True]


@MODES
def test_no_fault_makes_a_draft_twice(mode: Any, job: Runner, sim: Simulator, world: World, drafts: Drafts) -> None:
    """Every first answer of each step is a fault; what was carried out without an answer is found by its name."""
    world.mode = mode
    faults = ["lost_after", "500", "lost", "429", "empty404"]
    held = drafts(10, agents=5)
    discarded(job, sim, held)
    steps = ["fork", "write", "backup", *(["rename"] if mode == "drafts" else ["look"])]
    for draft, fault in zip(held, faults, strict=False):  # of each agent the first one
        for step in steps:
            sim.faults.script(draft.agent, [fault, "ok", fault, "ok"], on=step)
    seen = len(sim.requests())
    ended = job(*UNDO)
    assert (ended.code, ended.counts["restored"]) == (0, 10)
    assert sim.left() == set(made_of(ended).values())
    assert len(sim.left()) == 10
    met = {(request.agent, request.endpoint, request.fault) for request in sim.requests()[seen:] if request.fault}
    assert {(draft.agent, step, fault) for draft, fault in zip(held, faults, strict=False) for step in steps} <= met


@MODES
def test_a_fault_that_stays_is_named_and_the_next_undo_goes_on(
    mode: Any, job: Runner, sim: Simulator, world: World, drafts: Drafts
) -> None:
    """The others come back; once the fault has passed, so does each of these, as one draft."""
    world.mode = mode
    faults = {
        "423*": ("failed", "frozen"),
        "403*": ("skipped", "forbidden"),
        "500*": ("failed", "server_error"),
        "429*": ("failed", "rate_limited"),
        "400*": ("failed", "bad_request"),
        "hang*": ("failed", "timeout"),
        "lost*": ("failed", "connection"),
    }
    cases = [(step, fault, end) for step in ("fork", "write") for fault, end in faults.items()]
    held = drafts(16, agents=16)
    discarded(job, sim, held)
    ends = {}
    for draft, (step, fault, end) in zip(held, cases, strict=False):
        # A draft that was made and may not be written stays unfinished, so it is not skipped.
        unfinished = (step, fault) == ("write", "403*")
        ends[draft.agent, draft.id] = ("failed", "unexpected_response") if unfinished else end
        spoil(sim, draft.agent, step, fault)
    ended = job(*UNDO, "--attempts", "2", "--timeout", "300ms")
    assert ended.code == 75
    assert endings(ended) == {(draft.agent, draft.id): ("restored", None) for draft in held} | ends
    for draft in held:
        for step in ("fork", "write"):
            for subject in (draft.agent, newest(world, draft.agent)):
                sim.faults.script(subject, ["ok*"], on=step)
    ended = job(*UNDO)
    assert (ended.code, ended.counts["restored"], len(sim.left())) == (0, 14, 16)


def spoil(sim: Simulator, agent: str, step: str, fault: str) -> None:
    """Answer a step of an agent's drafts with a fault, whatever the id of the new draft will be."""
    sim.faults.script(agent, [fault], on=step)
    if step == "write":
        sim.after(
            lambda changed: sim.faults.script(newest(changed, agent), [fault], on=step), endpoint="fork", agent=agent
        )


def newest(world: World, agent: str) -> str:
    """The id of an agent's newest draft; of no draft if it has none."""
    return next((draft.id for draft in reversed(world.drafts.values()) if draft.agent == agent), "none")


def test_a_branch_with_a_draft_in_the_way_survives_untouched(
    job: Runner, sim: Simulator, world: World, drafts: Drafts
) -> None:
    """Somebody has a branch of that name, and works on it: nothing is written there.

    If its draft equals the copy, an undo has made it whose ledger is lost, or that was killed before it recorded it.
    """
    world.mode = "branches"
    held = drafts(3)
    discarded(job, sim, held)
    branch = world.add_branch(held[0].agent, f"restored-{held[0].id}")
    other = world.open_draft(held[0].agent, branch=branch.id, config={"prompt": "mine"})
    branch = world.add_branch(held[1].agent, f"restored-{held[1].id}")
    same = world.open_draft(held[1].agent, branch=branch.id, config=held[1].config)
    ended = job(*UNDO)
    assert ended.code == 3
    assert endings(ended)[held[0].agent, held[0].id] == ("failed", "differs")
    assert (other.config, other.revision) == ({"prompt": "mine"}, 1)
    assert len(sim.left()) == 3
    assert ended.summary["skipped"] == {"restored_before": 1}
    assert made_of(ended).keys() == {held[1].id, held[2].id}
    assert made_of(ended)[held[1].id] == same.id
    assert {request.agent for request in sim.requests("write")} == {held[2].agent}
    (failure,) = ended.summary["failures"]
    assert f"on its branch restored-{held[0].id} a draft is open" in failure["message"]


def test_what_may_be_in_the_way_on_the_branch_model(job: Runner, sim: Simulator, world: World, drafts: Drafts) -> None:
    """Each is told by its own name; without its own branch a draft is made from the default one, with a warning."""
    world.mode = "branches"
    held = drafts(6, agents=6)
    discarded(job, sim, held)
    no_commit, scanning, no_branch, no_agent, still_open, plain = held
    world.agents[no_commit.agent].branches[no_commit.branch].has_commit = False
    world.agents[scanning.agent].branches[scanning.branch].is_scanning = True
    del world.agents[no_branch.agent].branches[no_branch.branch]
    del world.agents[no_agent.agent]
    world.open_draft(still_open.agent, draft_id=still_open.id, branch=still_open.branch)
    ends = {
        no_commit.id: ("skipped", "not_restorable"),
        scanning.id: ("failed", "conflict"),
        no_branch.id: ("restored", None),
        no_agent.id: ("skipped", "not_restorable"),
        still_open.id: ("skipped", "still_open"),
        plain.id: ("restored", None),
    }
    ended = job(*UNDO)
    assert ended.code == 75
    assert {draft: end for (_, draft), end in endings(ended).items()} == ends
    assert any("default branch" in warning for warning in ended.summary["warnings"])
    world.agents[scanning.agent].branches[scanning.branch].is_scanning = False
    ended = job(*UNDO)
    assert ended.code == 0, "only a draft that is in the way for a while is worth another run"
    left = {no_commit.id, no_agent.id, still_open.id}
    again = {draft: end for draft, end in ends.items() if draft in left} | {scanning.id: ("restored", None)}
    assert {draft: end for (_, draft), end in endings(ended).items()} == again
    assert not any("default branch" in warning for warning in ended.summary["warnings"]), "each has its own branch"


def test_what_may_be_in_the_way_on_the_older_model(job: Runner, sim: Simulator, world: World, drafts: Drafts) -> None:
    """Each is told by its own name."""
    (no_version,) = drafts(1, agents=1, source="0" * 24)
    no_agent, still_open, plain = drafts(3, agents=3)
    discarded(job, sim, [no_version, no_agent, still_open, plain])
    del world.agents[no_agent.agent]
    world.open_draft(still_open.agent, draft_id=still_open.id)
    ended = job(*UNDO)
    assert ended.code == 0
    assert {draft: end for (_, draft), end in endings(ended).items()} == {
        no_version.id: ("skipped", "not_restorable"),
        no_agent.id: ("skipped", "not_restorable"),
        still_open.id: ("skipped", "still_open"),
        plain.id: ("restored", None),
    }


@MODES
def test_copies_that_are_of_no_use_are_named_and_those_of_version_1_0_are_read(
    mode: Any, job: Runner, sim: Simulator, world: World, drafts: Drafts
) -> None:
    """Of no use are: cut short, another draft's, another agent's, of a later format, missing.

    One of version 1.0 is the configuration alone: what its draft was made from is unknown, so it is made from what is
    active.
    """
    world.mode = mode
    held = drafts(9, agents=9)
    discarded(job, sim, held)
    paths = [job.folder / "copies" / draft.agent / f"{draft.id}.json" for draft in held]
    texts = [path.read_text(encoding="utf-8") for path in paths]
    paths[0].write_text(texts[0][:-20], encoding="utf-8")
    paths[1].write_text(texts[0], encoding="utf-8")
    paths[2].write_text(texts[2].replace(held[2].agent, held[3].agent), encoding="utf-8")
    paths[3].write_text(texts[3].replace('"format": 1', '"format": 2'), encoding="utf-8")
    paths[4].unlink()
    for path, text in zip(paths[6:], texts[6:], strict=True):
        path.write_text(json.dumps(json.loads(text)["configuration"]), encoding="utf-8")
    ended = job(*UNDO)
    assert (ended.code, ended.summary["skipped"], ended.counts["restored"]) == (0, {"no_copy": 5}, 4)
    said = {line["draft"]: line["message"] for line in ended.of("draft.skipped")}
    words = ["cut short", f"not of draft {held[1].id}", "this is a copy of draft", "format 2", "--backup"]
    for draft, path, word in zip(held, paths, words, strict=False):
        assert word in said[draft.id]
        assert str(path) in said[draft.id]
    assert made_of(ended).keys() == {draft.id for draft in held[5:]}
    assert [
        warning for warning in ended.summary["warnings"] if "active version" in warning or "default branch" in warning
    ]
    assert {draft.id for draft in world.drafts.values()} == set(made_of(ended).values())
    for draft in held[6:]:
        assert world.drafts[made_of(ended)[draft.id]].config == draft.config


def test_a_ledger_without_copies_restores_nothing(job: Runner, sim: Simulator, drafts: Drafts) -> None:
    """Nothing was kept, so each draft is named, and nothing is asked of the API but whose key it is."""
    held = drafts(2)
    assert job(job.list_of(held), "--ledger", "ledger.jsonl").code == 0
    seen = len(sim.requests())
    ended = job(*UNDO)
    assert (ended.code, ended.summary["skipped"]) == (0, {"no_copy": 2})
    assert {request.endpoint for request in sim.requests()[seen:]} == {"user"}


def test_which_drafts_is_said_by_agent_draft_run_and_time(job: Runner, sim: Simulator, drafts: Drafts) -> None:
    """What does not match is not counted; and the limit is the limit."""
    held = drafts(9, agents=3)
    first = discarded(job, sim, held[:6]).summary["run_id"]
    middle = job(job.list_of(held[6:]), *DISCARD).summary["started_at"]
    ids, agent = [draft.id for draft in held], held[0].agent
    ended = job(*UNDO, "--dry-run", "--agent", agent, "--run", first)
    assert {line["draft"] for line in ended.of("draft.would_restore")} == {ids[0], ids[3]}
    ended = job(*UNDO, "--since", middle, "--draft", ids[0], "--draft", ids[7], "--draft", ids[8], "--protect", agent)
    assert made_of(ended).keys() == {ids[7], ids[8]}
    ended = job(*UNDO, "--limit", "2")
    assert (ended.code, ended.counts["restored"], ended.summary["not_attempted"]) == (0, 2, {"limit": 5})


def test_a_draft_has_a_history_that_is_told_from_either_id(job: Runner, sim: Simulator, drafts: Drafts) -> None:
    """Discarded, restored, discarded again under its new id, restored again."""
    (held,) = drafts(1)
    discarded(job, sim, [held])
    job(*UNDO)
    (second,) = sim.left()
    assert job(job.list_of([(held.agent, second)]), *DISCARD).code == 0
    ended = job(*UNDO)
    assert (ended.counts["restored"], ended.summary["skipped"]) == (1, {"restored_before": 1})
    (third,) = sim.left()
    assert made_of(ended) == {held.id: second, second: third}
    told = job("report", "ledger.jsonl", "--draft", held.id).stdout
    assert f"new draft: {second}" in told
    told = job("report", "ledger.jsonl", "--draft", second).stdout
    assert f"from the copy of draft {held.id}" in told
    assert f"new draft: {third}" in told
    summary = json.loads(job("report", "ledger.jsonl", "--format", "json").stdout)
    assert summary["counts"]["restored"] == 2


def test_a_missing_ledger_is_not_made(job: Runner, sim: Simulator) -> None:
    """Nor is another file taken for one."""
    ended = job("undo", "ledger.jsonl")
    assert (ended.code, sim.requests()) == (66, [])
    assert not (job.folder / "ledger.jsonl").exists()
    job.write("list.csv", "agent,draft\n")
    assert job("undo", "list.csv").code == 78


def test_more_than_may_be_sent_is_refused(job: Runner, sim: Simulator, drafts: Drafts) -> None:
    """By the same cap as a discard."""
    discarded(job, sim, drafts(5))
    ended = job(*UNDO, "--max-discards", "4")
    assert (ended.code, sim.left()) == (78, set())
    assert "--max-discards 5" in ended.stderr


def test_a_ledger_that_is_full_stops_the_undo(job: Runner, sim: Simulator, drafts: Drafts) -> None:
    """What could not be recorded is found by its name, and is not made twice."""
    import resource

    held = drafts(12)
    discarded(job, sim, held)
    size = (job.folder / "ledger.jsonl").stat().st_size + 4000
    process = job.start(
        *UNDO,
        env={"PYTHONDONTWRITEBYTECODE": "1"},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size)),
    )
    ended = job.wait(process)
    assert ended.code == 74
    ended = job(*UNDO)
    assert ended.code == 0
    assert len(sim.left()) == 12
    assert {draft.name for draft in sim.world.drafts.values()} == {draft.name for draft in held}


@MODES
@pytest.mark.parametrize("kills", [3, pytest.param(100, marks=[pytest.mark.slow, pytest.mark.timeout(900)])])
def test_killed_at_any_moment_it_makes_no_draft_twice(
    kills: int, mode: Any, job: Runner, sim: Simulator, world: World, drafts: Drafts
) -> None:
    """And loses none; the ledger tells all."""
    world.mode = mode
    chance = random.Random(kills)
    held = drafts(60, agents=6)
    discarded(job, sim, held)
    for _ in range(kills):
        before = len(sim.requests())
        process = job.start(*UNDO)
        wanted = before + chance.randint(1, max(8, 500 // kills))
        while len(sim.requests()) < wanted and process.poll() is None:
            pass
        process.kill()
        process.communicate()
    ended = job(*UNDO)
    assert ended.code == 0
    assert ended.counts["restored"] + ended.summary["skipped"].get("restored_before", 0) == 60
    lines = [line for line in ended.ledger() if line["type"] == "pair" and line.get("new_draft")]
    new = {line["draft"]: line["new_draft"] for line in lines}
    assert new.keys() == {draft.id for draft in held}
    assert sim.left() == set(new.values())
    for draft in held:
        again = world.drafts[new[draft.id]]
        assert again.config == draft.config
        assert mode == "branches" or again.name == draft.name


@MODES
def test_an_outage_in_the_middle_costs_nothing(
    mode: Any, job: Runner, sim: Simulator, world: World, drafts: Drafts
) -> None:
    """It is waited for, as in a discard."""
    world.mode = mode
    discarded(job, sim, drafts(40))
    sim.after(lambda _world: sim.down("500"), endpoint="fork", nth=10)
    sim.after(lambda _world: sim.up(), nth=len(sim.requests()) + 90)
    ended = job(*UNDO, "--attempts", "3")
    assert (ended.code, ended.counts["restored"], len(sim.left())) == (0, 40, 40)


def test_a_workspace_that_has_moved_gets_its_drafts_back_on_branches(
    job: Runner, sim: Simulator, world: World, drafts: Drafts
) -> None:
    """The copies are of the older model: the default branch is forked."""
    held = drafts(3)
    discarded(job, sim, held)
    world.mode = "branches"
    ended = job(*UNDO)
    assert (ended.code, ended.counts["restored"], ended.summary["model"]) == (0, 3, "branches")
    for draft in held:
        again = world.drafts[made_of(ended)[draft.id]]
        assert world.agents[again.agent].branches[again.branch].name == f"restored-{draft.id}"


def test_it_stops_on_a_signal_and_goes_on_later(job: Runner, sim: Simulator, drafts: Drafts) -> None:
    """What was begun is completed by the next run."""
    import signal

    discarded(job, sim, drafts(150))
    process = job.start(*UNDO, "--concurrency", "4")
    sim.after(lambda _world: process.send_signal(signal.SIGTERM), endpoint="write", nth=5)
    ended = job.wait(process)
    assert ended.code == 143
    assert ended.counts["not_attempted"] > 0
    ended = job(*UNDO)
    assert ended.code == 0
    assert len(sim.left()) == 150


def test_next_names_the_command(job: Runner, sim: Simulator, drafts: Drafts) -> None:
    """With the ledger and what was chosen, as it can be pasted."""
    held = drafts(3)
    discarded(job, sim, held)
    sim.faults.script("*", ["500*"], on="fork")
    ended = job(*UNDO, "--draft", held[0].id, "--attempts", "1")
    assert ended.code == 75
    command = ended.summary["next"].partition("run: ")[2]
    assert f"undo {job.folder / 'ledger.jsonl'} --draft {held[0].id}" in command or "undo ledger.jsonl" in command
    assert "--resume" not in command
    assert Path(job.folder, "ledger.jsonl").exists()


def test_a_request_that_is_carried_out_late_is_told_of(
    job: Runner, sim: Simulator, world: World, drafts: Drafts
) -> None:
    """After its time-out, and after the list was read: then there are two, and only a person should discard one."""
    (held,) = drafts(1)
    discarded(job, sim, [held])
    sim.faults.script(held.agent, ["lost", "ok"], on="fork")

    def too_late(changed: World) -> None:
        changed.open_draft(held.agent, draft_id="late", name=f"{held.name} (restored {held.id})", config={})

    sim.after(too_late, endpoint="fork", nth=2)
    ended = job(*UNDO)
    assert (ended.code, ended.counts["restored"]) == (0, 1)
    assert sim.left() == {"late", *made_of(ended).values()}
    (warning,) = ended.summary["warnings"]
    assert f"{held.name} (restored {held.id})" in warning
    assert "discard late" in warning


def test_no_monitor_takes_an_undo_for_the_nightly_run(job: Runner, sim: Simulator, drafts: Drafts) -> None:
    """It does not ping, and what the metrics file says of other modes stays."""
    discarded(job, sim, drafts(2), "--metrics", "nightly.prom")
    with listening() as monitor:
        ended = job(*UNDO, "--metrics", "nightly.prom", env={"CLEANUP_OUTPUT__HEARTBEAT_URL": monitor.url})
        assert (ended.code, monitor.heard) == (0, [])
    metrics = (job.folder / "nightly.prom").read_text(encoding="utf-8")
    assert 'draft_cleanup_pairs{mode="discard",outcome="discarded",reason="",task="nightly"} 2.0' in metrics
    assert 'draft_cleanup_pairs{mode="undo",outcome="restored",reason="",task="nightly"} 2.0' in metrics


def test_a_read_back_that_lags_is_read_again(
    job: Runner, sim: Simulator, world: World, drafts: Drafts, answer: Callable[..., None]
) -> None:
    """Once: a draft that equals its copy a moment later does not differ."""
    (held,) = drafts(1)
    discarded(job, sim, [held])
    stale = [True]

    def configuration(changed: World, key: Any, call: Any) -> Any:
        if call.draft in changed.drafts and stale:
            stale.clear()
            lagging = {"_id": call.agent, "_configSource": "draft", "_resolvedConfig": {"prompt": "As published."}}
            return endpoints.success(lagging)
        return endpoints.get_agent(changed, key, call)

    answer("/agent/{agent}", configuration)
    ended = job(*UNDO)
    assert (ended.code, ended.counts["restored"], stale) == (0, 1, [])
