"""A key rotated in the middle of a run: with the new one in the file it goes on, without it a resume finishes."""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

from cleanup.simulator import DEMO_KEY, Simulator, World
from tests.accounts import FLAGS, check_account, keys
from tests.conftest import Drafts
from tests.runner import Ended, Runner

NEW = "sk_the_new_one"


def write(file: Path, text: str) -> None:
    file.write_text(text)


def replace(file: Path, text: str) -> None:
    beside = file.with_name("beside")
    beside.write_text(text)
    beside.rename(file)


def link(file: Path, text: str) -> None:
    """As Kubernetes does it: a link in place of the file, to a file in another folder."""
    folder = file.with_name("..data")
    folder.mkdir()
    (folder / "key").write_text(text)
    file.with_name("link").symlink_to(folder / "key")
    file.with_name("link").rename(file)


def run(job: Runner, held: list[Any], *more: str) -> Ended:
    return job(job.list_of(held), *FLAGS, "--key-file", "key", *more, env={"SMALLEST_API_KEY": ""})


def test_the_new_key_is_taken(job: Runner, sim: Simulator, drafts: Drafts) -> None:
    """Every worker's 401 is sent again with the new key, however it was put there; nothing fails, with one attempt."""
    held = drafts(120)
    file = job.folder / "key"
    file.write_text(DEMO_KEY + "\n")
    used = [DEMO_KEY]

    def rotate(put: Callable[[Path, str], None]) -> Callable[[World], None]:
        def now(world: World) -> None:
            new = f"{NEW}_{len(used)}"
            world.add_key(new)
            world.revoke_key(used[-1])
            used.append(new)
            put(file, new + "\n")

        return now

    for draft, put in zip(held[30::30], (write, replace, link), strict=True):
        sim.after(rotate(put), endpoint="discard", draft=draft.id)
    ended = run(job, held, "--attempts", "1")
    assert ended.code == 0
    check_account(ended, sim, keys(held))
    assert ended.counts["discarded"] == 120
    refused = sim.requests(status=401)
    rotations = [sim.requests("discard", draft=draft.id)[0].number for draft in held[30::30]]
    for first, last in pairwise([*rotations, len(sim.requests()) + 1]):
        assert 0 < sum(first < request.number < last for request in refused) <= 8
    assert {entry["reason"] for entry in ended.of("draft.retrying")} == {"unauthorized"}
    assert NEW not in ended.stdout + ended.stderr + (job.folder / "ledger.jsonl").read_text()


def test_a_key_file_that_is_empty_for_a_moment(job: Runner, sim: Simulator, drafts: Drafts) -> None:
    """Whoever rotates a key may write its file in two steps; a 401 in between is not the end."""
    held = drafts(80)
    file = job.folder / "key"
    file.write_text(DEMO_KEY)

    def rotate(world: World) -> None:
        world.add_key(NEW)
        world.revoke_key()
        file.write_text("")
        sim.after(lambda _world: file.write_text(NEW), endpoint="discard", nth=1)

    sim.after(rotate, endpoint="discard", nth=30)
    ended = run(job, held, "--retry-max-wait", "100ms", "--retry-wait", "50ms")
    assert ended.code == 0
    check_account(ended, sim, keys(held))
    assert ended.counts["discarded"] == 80


def test_without_the_new_key_a_resume_finishes(job: Runner, sim: Simulator, drafts: Drafts) -> None:
    """The run stops with 75, few requests are refused, and once the key is there the same command does the rest."""
    held = drafts(180)
    file = job.folder / "key"
    file.write_text(DEMO_KEY)
    key = DEMO_KEY
    without: dict[str, Callable[[], object]] = {
        "as it was": lambda: None,
        "removed": file.unlink,
        "empty": lambda: file.write_text(""),
        "no key": lambda: file.write_text("not a key\nat all"),
    }
    for number, (state, leave) in enumerate(without.items()):
        new, before, left = f"{NEW}_{number}", len(sim.requests()), len(sim.left())

        def rotate(world: World, old: str = key, new: str = new, leave: Callable[[], object] = leave) -> None:
            world.add_key(new)
            world.revoke_key(old)
            leave()

        sim.after(rotate, endpoint="discard", nth=30)
        ended = run(job, held, *(["--resume"] if number else []))
        assert (state, ended.code) == (state, 75)
        check_account(ended, sim, keys(held))
        assert (ended.summary["status"], ended.summary["stopped_by"]) == ("stopped", "unauthorized")
        assert set(ended.summary["failed"]) == {"unauthorized"}
        assert ended.counts["not_attempted"] > 20
        seen = sim.requests()[before:]
        assert sum(request.status == 401 for request in seen) <= 8, "those in flight"
        sent = sum(request.endpoint == "discard" and request.status == 200 for request in seen)
        assert ended.counts["discarded"] == sent == left - len(sim.left())
        file.write_text(new)
        key = new
    again = run(job, held, "--resume")
    assert again.code == 0
    check_account(again, sim, keys(held))
    assert sim.left() == set()


def test_refused_at_the_start(job: Runner, sim: Simulator, drafts: Drafts) -> None:
    """A key that never worked is another matter: 77, nothing sent, everything left over."""
    held = drafts(5)
    sim.world.revoke_key()
    for file in ("leftover.csv", "summary.json"):
        job.write(file, "old")
    ended = job(job.list_of(held), *FLAGS)
    assert ended.code == 77
    check_account(ended, sim, keys(held))
    assert (ended.summary["status"], ended.summary["stopped_by"]) == ("refused", "unauthorized")
    assert [request.endpoint for request in sim.requests()] == ["user"]
    assert ended.summary["not_attempted"] == {"stopped": 5}
    assert ended.of("run.finished")[-1]["stopped_by"] == "unauthorized"
    again = "fix this first: the API refuses the key (401); then, for what is left, with SMALLEST_API_KEY set, run: cd "
    assert ended.summary["next"].startswith(again)
