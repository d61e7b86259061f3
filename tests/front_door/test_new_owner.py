"""A key that is read anew in the middle of a run may be another organization's: it is asked before it is used."""

from collections.abc import Sequence

import pytest

from cleanup.simulator import DEMO_KEY, Simulator, World
from cleanup.simulator.journal import Request
from tests.accounts import FLAGS, check_account, keys
from tests.conftest import Drafts
from tests.runner import Ended, Runner

NEW = "sk_the_new_one"


def run(job: Runner, world: World, held: Sequence[object], *more: str) -> Ended:
    """A run that requires this workspace's organization, with the key in a file."""
    required = ("--organization", world.organization, "--key-file", "key")
    return job(job.list_of(held), *FLAGS, *required, *more, env={"SMALLEST_API_KEY": ""})


def rotates(job: Runner, sim: Simulator, world: World, *, organization: str | None = None) -> None:
    """After 30 discards the key in the file is another one, and the old one is refused."""
    (job.folder / "key").write_text(DEMO_KEY)

    def rotate(world: World) -> None:
        world.add_key(NEW, name="new", organization=organization)
        world.revoke_key()
        (job.folder / "key").write_text(NEW)

    sim.after(rotate, endpoint="discard", nth=30)


def sent_with_the_new_key(sim: Simulator) -> list[Request]:
    return [request for request in sim.requests() if request.key == "new"]


def test_a_key_of_another_organization_stops_the_run(job: Runner, sim: Simulator, world: World, drafts: Drafts) -> None:
    """Nothing but the question whose it is is sent with it; no pair is taken for gone."""
    held = drafts(80)
    rotates(job, sim, world, organization=world.new_id())
    ended = run(job, world, held)
    assert ended.code == 77
    check_account(ended, sim, keys(held))
    assert [request.endpoint for request in sent_with_the_new_key(sim)] == ["user"]
    assert ended.counts["skipped"] == 0
    assert ended.counts["not_attempted"] >= 80 - 30 - 2 * 8


@pytest.mark.unverified
def test_a_key_of_the_same_organization_is_asked_first(
    job: Runner, sim: Simulator, world: World, drafts: Drafts
) -> None:
    """And the run goes on with it."""
    held = drafts(80)
    rotates(job, sim, world)
    ended = run(job, world, held)
    assert ended.code == 0
    check_account(ended, sim, keys(held))
    first, *others = sent_with_the_new_key(sim)
    assert first.endpoint == "user"
    assert {request.endpoint for request in others} == {"discard"}


def test_a_new_key_is_not_used_while_the_question_has_no_answer(
    job: Runner, sim: Simulator, world: World, drafts: Drafts
) -> None:
    """It is asked again, and nothing else is sent with it before."""
    held = drafts(80)
    rotates(job, sim, world)
    sim.after(lambda _world: sim.faults.script("*", ["500", "empty404", "lost"], on="user"), endpoint="user")
    ended = run(job, world, held)
    assert ended.code == 0
    check_account(ended, sim, keys(held))
    assert [request.endpoint for request in sent_with_the_new_key(sim)][:5] == [*["user"] * 4, "discard"]
