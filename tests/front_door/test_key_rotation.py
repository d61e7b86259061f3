"""A key rotated in the middle of a run: with the new one in the file it goes on, without it a resume finishes."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cleanup.simulator import DEMO_KEY, Simulator, World
from tests.accounts import FLAGS, check_account, keys
from tests.conftest import Drafts, Ended, Runner

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


@pytest.mark.parametrize("put", [write, replace, link])
def test_the_new_key_is_taken(put: Callable[[Path, str], None], job: Runner, sim: Simulator, drafts: Drafts) -> None:
    """Every worker's 401 is sent again with the new key, and nothing fails, though attempts are few."""
    held = drafts(80)
    file = job.folder / "key"
    file.write_text(DEMO_KEY + "\n")

    def rotate(world: World) -> None:
        world.add_key(NEW)
        world.revoke_key()
        put(file, NEW + "\n")

    sim.after(rotate, endpoint="discard", nth=30)
    ended = run(job, held, "--attempts", "1")
    assert ended.code == 0
    check_account(ended, sim, keys(held))
    assert ended.counts["discarded"] == 80
    assert 0 < len(sim.requests(status=401)) <= 8
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


@pytest.mark.parametrize("state", ["as it was", "removed", "empty", "no key"])
def test_without_the_new_key_a_resume_finishes(state: str, job: Runner, sim: Simulator, drafts: Drafts) -> None:
    """The run stops with 75, few requests are refused, and once the key is there the same command does the rest."""
    held = drafts(80)
    file = job.folder / "key"
    file.write_text(DEMO_KEY)

    def rotate(world: World) -> None:
        world.add_key(NEW)
        world.revoke_key()
        if state == "removed":
            file.unlink()
        elif state != "as it was":
            file.write_text("" if state == "empty" else "not a key\nat all")

    sim.after(rotate, endpoint="discard", nth=30)
    ended = run(job, held)
    assert ended.code == 75
    check_account(ended, sim, keys(held))
    assert (ended.summary["status"], ended.summary["stopped_by"]) == ("stopped", "unauthorized")
    assert set(ended.summary["failed"]) == {"unauthorized"}
    assert ended.counts["not_attempted"] > 20
    assert len(sim.requests(status=401)) <= 8, "those in flight"
    assert ended.counts["discarded"] == len(sim.requests("discard", status=200)) == 80 - len(sim.left())
    file.write_text(NEW)
    again = run(job, held, "--resume")
    assert again.code == 0
    check_account(again, sim, keys(held))
    assert sim.left() == set()


def test_refused_at_the_start(job: Runner, sim: Simulator, drafts: Drafts) -> None:
    """A key that never worked is another matter: 77, nothing sent, everything left over."""
    held = drafts(5)
    sim.world.revoke_key()
    ended = job(job.list_of(held), *FLAGS)
    assert ended.code == 77
    check_account(ended, sim, keys(held))
    assert (ended.summary["status"], ended.summary["stopped_by"]) == ("refused", "unauthorized")
    assert [request.endpoint for request in sim.requests()] == ["user"]
    assert ended.summary["not_attempted"] == {"stopped": 5}
