"""Backups: a copy of each draft, on disk before it goes; no copy, no discard."""

import json
import resource
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cleanup.simulator import Answer, Simulator, World, endpoints
from tests.accounts import reasons
from tests.conftest import MODES, Drafts
from tests.runner import Runner


def copy_of(folder: Path, draft: Any) -> Any:
    """The configuration in a draft's copy."""
    return document_of(folder, draft)["configuration"]["_resolvedConfig"]


def document_of(folder: Path, draft: Any) -> Any:
    """A draft's whole copy."""
    return json.loads((folder / draft.agent / f"{draft.id}.json").read_text(encoding="utf-8"))


@MODES
def test_a_copy_has_all_that_is_needed_to_make_the_draft_anew(
    mode: Any, job: Runner, sim: Simulator, world: World, drafts: Drafts
) -> None:
    """Configuration, last revision and branch as the API gave them, for no request more than the check costs."""
    world.mode = mode
    (held,) = drafts(1)
    branch = world.agents[held.agent].branches[held.branch]
    head = world.agents[held.agent].version
    ended = job(job.list_of([held]), "--backup", "backups", "--model", mode, "--verify", "off")
    assert ended.code == 0
    copy = document_of(job.folder / "backups", held)
    assert set(copy) == {"format", "saved_at", "model", "agent", "draft", "branch", "latest", "configuration"}
    assert (copy["format"], copy["model"], copy["agent"], copy["draft"]) == (1, mode, held.agent, held.id)
    assert (copy["latest"]["draftId"], copy["latest"]["sourceVersionId"]) == (held.id, head)
    if mode == "drafts":
        assert copy["branch"] is None
    else:
        assert (copy["branch"]["name"], copy["branch"]["headRevisionId"]) == (branch.name, head)
    assert len(sim.requests("backup")) == len(sim.requests("look")) == 1


@MODES
def test_of_a_draft_that_stays_there_is_no_copy(
    mode: Any, job: Runner, sim: Simulator, world: World, drafts: Drafts
) -> None:
    """A guard lets it be: nothing is written."""
    world.mode = mode
    held = drafts(2)
    held[0].name = world.agents[held[0].agent].branches[held[0].branch].name = "keep-this"
    ended = job(job.list_of(held), "--backup", "backups", "--keep", "keep-*")
    assert (ended.code, ended.summary["skipped"]) == (0, {"kept": 1})
    assert [path.stem for path in (job.folder / "backups").rglob("*.json")] == [held[1].id]


@MODES
def test_each_discarded_draft_has_a_copy(mode: Any, job: Runner, sim: Simulator, world: World, drafts: Drafts) -> None:
    """The draft's own configuration, whole, for its owner's eyes, in folders made for it; half characters too."""
    world.mode = mode
    odd = {"prompt": 'half \ud800 and \udc80, "quotes"\n', "emoji": "🜁", "n": 1e300, "deep": [[[{"a": None}]]]}
    held = [*drafts(10), *drafts(1, agents=1, config=odd)]
    twins = [world.open_draft(held[0].agent, draft_id=name, config={"who": name}) for name in ("Draft-x", "draft-x")]
    kept = world.open_draft(held[0].agent)
    at_deed: list[bool] = []
    folder = job.folder / "deep" / "backups"

    def is_kept(draft: Any) -> Callable[[World], None]:
        return lambda _: at_deed.append((folder / draft.agent / f"{draft.id}.json").exists())

    for draft in held:
        sim.before(is_kept(draft), endpoint="discard", draft=draft.id)
    listed = [*held, *twins]
    ended = job(job.list_of(listed), "--backup", "deep/backups", "--model", mode)
    assert ended.code == 0
    assert sim.left() == {kept.id}
    assert at_deed == [True] * len(held)
    for draft in listed:
        assert copy_of(folder, draft) == draft.config
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    assert len(files) == len(listed)
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    assert {stat.S_IMODE(path.stat().st_mode) for path in (folder, *folder.iterdir()) if path.is_dir()} == {0o700}


@MODES
def test_a_draft_that_is_edited_after_its_copy_was_made_stays(
    mode: Any, job: Runner, sim: Simulator, world: World, drafts: Drafts
) -> None:
    """Between two attempts: the copy would lack the edit."""
    world.mode = mode
    held = drafts(2)
    sim.faults.script(held[0].id, ["500", "ok"])
    sim.after(lambda changed: changed.edit(held[0].id), endpoint="discard", draft=held[0].id)
    ended = job(job.list_of(held), "--backup", "backups", "--model", mode)
    assert (ended.code, ended.summary["skipped"], sim.left()) == (0, {"changed": 1}, {held[0].id})
    (entry,) = ended.of("draft.skipped")
    assert "after its copy was made" in entry["message"]


def test_a_copy_has_the_branch_of_a_workspace_that_moves_in_the_middle(
    job: Runner, sim: Simulator, world: World, drafts: Drafts
) -> None:
    """It was written for the older model first."""
    held = drafts(1)

    def move(changed: World) -> None:
        changed.mode = "branches"

    sim.after(move, endpoint="look")
    assert job(job.list_of(held), "--backup", "backups").code == 0
    copy = document_of(job.folder / "backups", held[0])
    assert (copy["model"], copy["branch"]["openDraftId"]) == ("branches", held[0].id)


def test_a_copy_has_its_branch_though_another_pair_learns_of_the_move_first(
    job: Runner, sim: Simulator, world: World, drafts: Drafts
) -> None:
    """While the first one's check is still unanswered, the second one is told to go by branches."""
    world.mode = "branches"
    held = drafts(2, agents=2)
    sim.faults.script(held[0].id, ["slow:300ms"], on="look")
    ended = job(job.list_of(held), "--backup", "backups", "--concurrency", "2")
    assert ended.code == 0
    for draft in held:
        copy = document_of(job.folder / "backups", draft)
        assert (copy["model"], (copy["branch"] or {}).get("_id")) == ("branches", draft.branch)


@MODES
def test_without_a_copy_nothing_goes(
    mode: Any, job: Runner, sim: Simulator, world: World, drafts: Drafts, answer: Callable[..., None]
) -> None:
    """The active configuration in place of the draft's, none at all, another source: each is no copy."""
    world.mode = mode
    held = drafts(6, agents=1)
    answers: list[dict[str, Any]] = [
        {"_configSource": "active", "_resolvedConfig": {"prompt": "live"}},
        {"_configSource": "draft"},
        {"_configSource": "draft", "_resolvedConfig": None},
        {"_resolvedConfig": {"prompt": "?"}},
        {"_configSource": ["draft"], "_resolvedConfig": {}},
        {},
    ]
    by_draft = dict(zip([draft.id for draft in held], answers, strict=True))

    def configuration(_world: World, _key: Any, call: Any) -> Answer:
        return endpoints.success({"_id": call.agent, **by_draft[call.draft]})

    answer("/agent/{agent}", configuration)
    ended = job(job.list_of(held), "--backup", "backups", "--ledger", "ledger.jsonl")
    assert ended.code == 3
    assert set(reasons(ended).values()) == {"backup_failed"}
    assert len(sim.left()) == 6
    assert not list((job.folder / "backups").rglob("*.json"))
    assert not sim.requests("discard")


@MODES
def test_what_is_gone_is_not_found_rather_than_not_copied(
    mode: Any, job: Runner, sim: Simulator, world: World, drafts: Drafts
) -> None:
    """The API answers 400 for an unknown agent and the live configuration for an unknown draft."""
    world.mode = mode
    held = drafts(6, agents=3)
    no_drafts, no_agent = held[0].agent, held[1].agent
    lost = [draft for draft in held if draft.agent in (no_drafts, no_agent)]
    for draft in lost:
        world.take_away(draft.id)
    del world.agents[no_agent]
    ended = job(job.list_of(held), "--backup", "backups", "--ledger", "ledger.jsonl")
    assert ended.code == 0
    assert {draft for draft, reason in reasons(ended).items() if reason == "not_found"} == {d.id for d in lost}
    assert sim.left() == set()


def test_an_unknown_agent_is_not_found_where_the_old_endpoints_are_gone(
    job: Runner, sim: Simulator, world: World, drafts: Drafts
) -> None:
    """A copy that cannot be had asks of the draft; its 404 asks whether the endpoint is there."""
    held = drafts(4, agents=2)
    world.mode, world.removed = "branches", True
    sim.faults.script(held[0].id, ["400*"], on="backup")
    sim.faults.script(held[0].id, ["404*"], on="look")
    ended = job(job.list_of(held), "--backup", "backups", "--ledger", "ledger.jsonl", "--concurrency", "1")
    assert ended.code == 3
    assert reasons(ended)[held[0].id] == "backup_failed"
    assert sim.left() == {held[0].id}


@pytest.mark.parametrize(
    ("faults", "code"),
    [({"500*": "server_error", "429*": "rate_limited", "lost*": "connection"}, 75), ({"403*": "forbidden"}, 0)],
)
def test_a_copy_that_could_be_had_another_time(
    faults: dict[str, str], code: int, job: Runner, sim: Simulator, drafts: Drafts
) -> None:
    """An error while the copy is read is reported as that error, and is worth another run."""
    held = drafts(8, agents=4)
    ends = {draft.id: "discarded" for draft in held}
    for draft, (fault, reason) in zip(held, faults.items(), strict=False):
        sim.faults.script(draft.id, [fault], on="backup")
        ends[draft.id] = reason
    ended = job(job.list_of(held), "--backup", "backups", "--ledger", "ledger.jsonl", "--attempts", "3")
    assert ended.code == code
    assert reasons(ended) == ends
    assert sim.left() == {draft for draft, end in ends.items() if end != "discarded"}


@MODES
def test_a_full_disk_discards_nothing(mode: Any, job: Runner, sim: Simulator, world: World, drafts: Drafts) -> None:
    """What cannot be written ends the run with 74 and leaves every draft where it is, and no half copies."""
    world.mode = mode
    held = drafts(20, config={"prompt": "x" * 20_000})
    process = job.start(
        job.list_of(held),
        *("--backup", "backups"),
        env={"PYTHONDONTWRITEBYTECODE": "1"},  # or the modules that Python compiles would be cut, too
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000)),
    )
    ended = job.wait(process)
    assert ended.code == 74
    assert len(sim.left()) == 20
    assert ended.summary["stopped_by"] == "output"
    assert set(ended.summary["failed"]) == {"backup_failed"}
    assert ended.summary["failures"][0]["message"].startswith("backups/")
    assert not [path for path in (job.folder / "backups").rglob("*") if path.is_file()]


def test_links_in_the_folder_lead_nowhere(job: Runner, sim: Simulator, drafts: Drafts) -> None:
    """A link in place of a copy is replaced, not followed; a link in place of an agent's folder is refused."""
    (replaced,), (refused,) = drafts(1, agents=1), drafts(1, agents=1)
    elsewhere = job.folder / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "file").write_text("mine")
    folder = job.folder / "backups"
    (folder / replaced.agent).mkdir(parents=True)
    (folder / replaced.agent / f"{replaced.id}.json").symlink_to(elsewhere / "file")
    (folder / refused.agent).symlink_to(elsewhere)
    assert job(job.list_of([replaced]), "--backup", "backups").code == 0
    assert job(job.list_of([refused]), "--backup", "backups").code == 74
    assert sim.left() == {refused.id}
    assert (elsewhere / "file").read_text() == "mine"
    assert [path.name for path in elsewhere.iterdir()] == ["file"]
    copy = folder / replaced.agent / f"{replaced.id}.json"
    assert not copy.is_symlink()
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert copy_of(folder, replaced) == replaced.config


def test_the_root_of_all_copies_may_be_a_link(job: Runner, sim: Simulator, drafts: Drafts) -> None:
    """The folder that the user names is the user's, wherever it leads."""
    held = drafts(2)
    (job.folder / "disk").mkdir()
    (job.folder / "backups").symlink_to(job.folder / "disk")
    assert job(job.list_of(held), "--backup", "backups").code == 0
    assert len(list((job.folder / "disk").rglob("*.json"))) == 2


def test_a_folder_that_cannot_be_made_refuses_the_run(job: Runner, sim: Simulator, drafts: Drafts) -> None:
    """A file has its name: nothing is sent but whose key it is."""
    held = drafts(2)
    job.write("backups", "a file")
    ended = job(job.list_of(held), "--backup", "backups/here")
    assert ended.code == 74
    assert len(sim.left()) == 2
    assert {request.endpoint for request in sim.requests()} <= {"user"}
