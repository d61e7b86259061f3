"""Undo where the API, the names or the copies are odd: nothing is made twice, touched by mistake, or lost."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cleanup.simulator import Simulator, World, shapes
from cleanup.simulator.endpoints import Answer, as_json
from tests.accounts import endings
from tests.conftest import Drafts
from tests.runner import Ended, Runner

pytestmark = pytest.mark.unverified

DISCARD = ("--ledger", "ledger.jsonl", "--backup", "copies")
UNDO = ("undo", "ledger.jsonl")


def discard(job: Runner, held: list[Any]) -> None:
    """Discard these drafts, each with a copy."""
    assert job(job.list_of(held), *DISCARD).code == 0


def ends_of(ended: Ended) -> dict[str, str]:
    """How each draft ended: its reason, or else its outcome."""
    return {draft: reason or outcome for (_, draft), (outcome, reason) in endings(ended).items()}


def test_a_draft_whose_last_step_was_done_without_an_answer_is_not_made_again(
    job: Runner, sim: Simulator, drafts: Drafts
) -> None:
    """It has its own name by then, and the ledger has it as made, but not as restored."""
    faults = ["204", "lost_after", "html_after", "500_after"]
    held = drafts(4, agents=4)
    discard(job, held)
    for draft, fault in zip(held, faults, strict=True):
        sim.faults.script(draft.agent, [f"{fault}*"], on="rename")
    assert job(*UNDO, "--attempts", "1").counts["failed"] == 4
    assert {draft.name for draft in sim.world.drafts.values()} == {draft.name for draft in held}
    for draft in held:
        sim.faults.script(draft.agent, ["ok*"], on="rename")
    ended = job(*UNDO)
    assert (ended.code, ends_of(ended)) == (0, {draft.id: "restored_before" for draft in held})
    assert len(sim.left()) == 4


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


def test_drafts_of_any_name_are_found_again_and_each_comes_back_once(
    job: Runner, sim: Simulator, world: World, drafts: Drafts
) -> None:
    """The API counts a name's characters as JavaScript does, and a list of drafts has it without lone surrogates.

    Also where all drafts of an agent are the same: litter of a tool that makes a draft at each call.
    """
    names = ["lone \ud800 surrogate", "😀" * 50, "x" * 99 + "é", " ", "a\nb"]
    held = drafts(5, agents=5)
    for draft, name in zip(held, names, strict=True):
        draft.name = name
        sim.faults.script(draft.agent, ["lost_after", "ok"], on="fork")
    agent = world.add_agent()
    litter = [world.open_draft(agent.id, name="Draft", config=agent.config) for _ in range(8)]
    discard(job, [*held, *litter])
    ended = job(*UNDO)
    assert (ended.code, ended.counts["restored"], len(sim.left())) == (0, 13, 13)
    again = {draft.agent: draft.name for draft in world.drafts.values()}
    assert again.pop(agent.id) == "Draft"
    assert again == {draft.agent: name.replace("\ud800", "?") for draft, name in zip(held, names, strict=True)}


def answered(sim: Simulator, monkeypatch: pytest.MonkeyPatch, path: str, answer: Callable[[], Answer]) -> None:
    """Answer what makes a draft or a branch in this way, without doing it."""
    application: Any = sim._config.app
    (route,) = (each for each in application.routes if each.path == f"/atoms/v1{path}" and "POST" in each.methods)
    monkeypatch.setattr(route.app, "handler", lambda *_: answer())


def test_a_draft_that_was_there_before_is_not_taken_for_the_new_one(
    job: Runner, sim: Simulator, world: World, drafts: Drafts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An API that returns what it has in place of making another: it is neither written to nor renamed."""
    (held,) = drafts(1)
    other = world.open_draft(held.agent, name="Mine", config={"prompt": "Mine."})
    discard(job, [held])
    document = {"status": True, "data": shapes.draft_document(other, world)}
    answered(sim, monkeypatch, "/agent/{agent}/drafts", lambda: Answer(201, as_json(document)))
    ended = job(*UNDO)
    assert (ends_of(ended), ended.code) == ({held.id: "unexpected_response"}, 3)
    assert (other.name, other.config, other.revision) == ("Mine", {"prompt": "Mine."}, 1)


def test_a_branch_that_was_there_before_is_not_taken_for_the_new_one(
    job: Runner, sim: Simulator, world: World, drafts: Drafts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as the source: no draft is opened there."""
    world.mode = "branches"
    (held,) = drafts(1)
    discard(job, [held])
    source = world.agents[held.agent].branches[held.branch]
    document = {"status": True, "data": shapes.branch_document(source, world)}
    answered(sim, monkeypatch, "/agent/{agent}/branches", lambda: Answer(201, as_json(document)))
    ended = job(*UNDO)
    assert (ends_of(ended), ended.code) == ({held.id: "unexpected_response"}, 3)
    assert (source.open_draft, sim.requests("write")) == (None, [])


def nested(depth: int) -> Any:
    """An object in an object, and so on."""
    value: Any = "x"
    for _ in range(depth):
        value = {"a": value}
    return value


def test_a_copy_with_odd_values_or_an_impossible_path_stops_no_other(job: Runner, drafts: Drafts) -> None:
    """It ends as itself, and the others are restored."""
    odd: list[tuple[dict[str, Any], str]] = [
        ({"defaultVariables": nested(900)}, "not_restorable"),
        ({"synthesizer": "x", "synthesizerSpeed": 1.5}, "bad_request"),
        ({"synthesizerVoiceConfig": ["x"], "synthesizerModel": "m"}, "bad_request"),
        ({"prompt": "\ud800", "defaultVariables": {"greeting": "\udfff", "retries": 3}}, "restored"),
    ]
    *held, lost, plain = drafts(6)
    discard(job, [*held, lost, plain])
    ends = {lost.id: "no_copy", plain.id: "restored"}
    for draft, (values, reason) in zip(held, odd, strict=True):
        ends[draft.id] = reason
        path = job.folder / "copies" / draft.agent / f"{draft.id}.json"
        document = json.loads(path.read_text())
        document["configuration"]["_resolvedConfig"].update(values)
        path.write_text(json.dumps(document))
    ledger = Path(job.folder, "ledger.jsonl")
    ledger.write_text(ledger.read_text().replace(f"/{lost.id}.json", "/\\u0000.json"))
    assert ends_of(job(*UNDO)) == ends


def test_a_404_of_a_gateway_does_not_mean_that_the_version_is_gone(job: Runner, sim: Simulator, drafts: Drafts) -> None:
    """It is asked again, also where the agent's own route is answered so."""
    once, twice = drafts(2, agents=2)
    discard(job, [once, twice])
    for draft, step in ((once, "fork"), (twice, "fork"), (twice, "backup")):
        sim.faults.script(draft.agent, ["no_route", "ok*"], on=step)
    ended = job(*UNDO)
    assert (ended.code, ends_of(ended)) == (0, {once.id: "restored", twice.id: "restored"})


def test_with_a_limit_what_could_not_be_restored_goes_behind_the_others(job: Runner, drafts: Drafts) -> None:
    """So each run of a schedule gets further."""
    held = drafts(4)
    assert job(job.list_of(held), *DISCARD, "--concurrency", "1").code == 0
    for draft in held[:2]:
        (job.folder / "copies" / draft.agent / f"{draft.id}.json").unlink()
    assert set(ends_of(job(*UNDO, "--limit", "2")).values()) == {"no_copy"}
    assert set(ends_of(job(*UNDO, "--limit", "2")).values()) == {"restored"}


def test_a_draft_that_is_begun_when_the_workspace_moves_to_branches_is_named(
    job: Runner, sim: Simulator, world: World, drafts: Drafts
) -> None:
    """It cannot be completed any more: the next undo makes it on a branch, and the one that was begun is to go."""
    (held,) = drafts(1)
    discard(job, [held])
    sim.after(lambda changed: setattr(changed, "mode", "branches"), endpoint="fork")
    ended = job(*UNDO)
    (begun,) = sim.left()
    assert (ended.code, ends_of(ended)) == (75, {held.id: "interrupted"})
    assert begun in ended.of("draft.failed")[0]["message"]
    assert ends_of(job(*UNDO)) == {held.id: "restored"}


def test_an_undo_does_not_speak_of_discards(job: Runner, sim: Simulator, world: World, drafts: Drafts) -> None:
    """Neither where the workspace turns out to be on branches, nor where the key may do nothing."""
    discard(job, drafts(10))
    world.mode = "branches"
    sim.faults.script("*", ["403*"], on="fork")
    ended = job(*UNDO)
    assert ended.code == 77
    said = [*ended.summary["warnings"], *(line["message"] for line in ended.events if line.get("message"))]
    assert not [sentence for sentence in said if "discard" in sentence]
