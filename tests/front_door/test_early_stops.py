"""What ends a run early, and what does not; whose key it is; how long a 429 and a 503 are waited for."""

from collections.abc import Sequence
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest

from cleanup.simulator import DEMO_KEY, Simulator, World
from tests.conftest import Drafts
from tests.raw_api import DISCARDED, RawApi, answer
from tests.runner import Ended, Runner

AGENT = "a" * 24


def rest_is_left(ended: Ended, reason: str = "stopped") -> None:
    """Whatever was not sent says why, and all adds up."""
    counts = dict(ended.counts)
    listed = counts.pop("listed")
    assert sum(counts.values()) == listed
    assert set(ended.summary["not_attempted"]) == {reason}
    assert ended.of("run.finished")[-1]["stopped_by"] == ended.summary["stopped_by"]


def test_a_key_that_is_revoked_on_the_way(job: Runner, sim: Simulator, world: World, drafts: Drafts) -> None:
    """401 in the middle: what is in flight ends, nothing more is sent, and another run may do it."""
    sim.after(lambda w: w.revoke_key(), endpoint="discard", nth=6)
    ended = job(job.list_of(drafts(40)), "--concurrency", "3")
    assert ended.code == 75
    assert (ended.summary["status"], ended.summary["stopped_by"]) == ("stopped", "unauthorized")
    assert ended.counts["discarded"] == 40 - len(sim.left()) >= 6
    assert 1 <= ended.summary["failed"]["unauthorized"] <= 3
    assert len(sim.requests("discard", status=401)) == ended.summary["failed"]["unauthorized"]
    rest_is_left(ended)


def test_401_to_the_first_pair_is_as_good_as_at_the_start(job: Runner, sim: Simulator, drafts: Drafts) -> None:
    """`GET /user` could not answer, and the first pair says 401: the key is wrong, and another run would not help."""
    sim.faults.script("*", ["503"], on="user")
    sim.faults.script("*", ["401*"])
    ended = job(job.list_of(drafts(20)), "--concurrency", "2")
    assert ended.code == 77
    assert len(sim.requests("discard")) <= 2


def test_a_new_key_that_is_refused_too_ends_the_run(
    job: Runner, sim: Simulator, drafts: Drafts, tmp_path: Path
) -> None:
    """The file was read again, and that did not help; tests of a good one are in test_key_rotation.py."""
    file = tmp_path / "key"
    file.write_text(DEMO_KEY + "\n")

    def rotate(world: World) -> None:
        (tmp_path / "next").write_text("sk_next_one\n")
        (tmp_path / "next").replace(file)
        world.revoke_key()

    sim.after(rotate, endpoint="discard", nth=5)
    held = drafts(30)
    flags = ("--key-file", str(file), "--concurrency", "3", "--ledger", "ledger.jsonl")
    ended = job(job.list_of(held), *flags, env={"SMALLEST_API_KEY": ""})
    assert ended.code == 75
    assert ended.summary["stopped_by"] == "unauthorized"
    rest_is_left(ended)
    assert "sk_next_one" not in ended.stderr + ended.stdout


def forbidden_run(job: Runner, sim: Simulator, held: Sequence[Any], *others: str) -> Ended:
    """A run in which every draft is forbidden, but for those that are named."""
    sim.faults.script("*", ["403*"])
    for draft in others:
        sim.faults.script(draft, ["ok"])
    return job(job.list_of(held), "--concurrency", "4", "--model", "drafts")


def test_fifty_times_forbidden(job: Runner, sim: Simulator, drafts: Drafts) -> None:
    """The first 50 answers are 403: the key may do nothing here, and the rest is not tried."""
    ended = forbidden_run(job, sim, drafts(80))
    assert ended.code == 77
    assert ended.summary["stopped_by"] == "forbidden"
    assert 50 <= len(sim.requests("discard")) == ended.counts["skipped"] <= 53
    rest_is_left(ended)


@pytest.mark.parametrize(("count", "code"), [(9, 0), (10, 77)])
def test_all_of_a_few_forbidden(job: Runner, sim: Simulator, drafts: Drafts, count: int, code: int) -> None:
    """Of more than 9 all: the same; of 9 it may be chance."""
    ended = forbidden_run(job, sim, drafts(count))
    assert ended.code == code
    assert ended.summary["skipped"] == {"forbidden": count}
    assert ended.summary["stopped_by"] == ("forbidden" if code else None)


def test_one_other_answer_clears_the_key(job: Runner, sim: Simulator, drafts: Drafts) -> None:
    """One draft that goes, among the first 50, and every other may be forbidden."""
    held = drafts(70)
    ended = forbidden_run(job, sim, held, held[4].id)
    assert ended.code == 0
    assert ended.summary["skipped"] == {"forbidden": 69}
    assert len(sim.requests("discard")) == 70


def test_checks_that_leave_a_draft_alone_do_not_clear_the_key(job: Runner, sim: Simulator, drafts: Drafts) -> None:
    """A draft that a guard leaves alone is no answer to a discard: all that was tried was forbidden."""
    old, young = drafts(12, updated_at=None), drafts(4)
    for draft in old:
        sim.world.drafts[draft.id].updated_at = draft.updated_at.replace(year=2020)
    sim.faults.script("*", ["403*"])
    ended = job(job.list_of([*young, *old]), "--min-idle", "1d")
    assert ended.code == 77
    assert ended.summary["skipped"] == {"forbidden": 12, "recently_edited": 4}


def test_migration_under_the_older_model(job: Runner, sim: Simulator, world: World, drafts: Drafts) -> None:
    """With `model: drafts` on a workspace that has moved, the first 409 ends it: a setting has to change."""
    held = drafts(30)
    world.mode = "branches"
    ended = job(job.list_of(held), "--model", "drafts", "--concurrency", "2")
    assert ended.code == 78
    assert ended.summary["stopped_by"] == "migration_required"
    assert 1 <= ended.summary["failed"]["migration_required"] == len(sim.requests("discard")) <= 2
    assert "api.model" in ended.summary["next"]
    rest_is_left(ended)


@pytest.mark.parametrize("fault", ["500", "html", "429:retry_after=0"])
def test_whose_key_it_is_is_not_waited_out(job: Runner, sim: Simulator, drafts: Drafts, fault: str) -> None:
    """Without `api.organization`, any failure but 401 and TLS is a warning; it is asked once."""
    sim.faults.script("*", [f"{fault}*"], on="user")
    ended = job(job.list_of(drafts(3)))
    assert ended.code == 0
    assert len(sim.requests("user")) == 1
    assert sim.left() == set()
    assert ended.summary["organization"] is None
    (warning,) = ended.summary["warnings"]
    assert warning.startswith("could not determine which organization the key belongs to")
    assert [(entry["message"], entry["level"]) for entry in ended.of("run.warning")] == [(warning, "warning")]


def test_the_right_organization(job: Runner, sim: Simulator, world: World, drafts: Drafts) -> None:
    """The key belongs to it: the run goes on, also after a hiccup."""
    sim.faults.script("*", ["500", "lost"], on="user")
    ended = job(job.list_of(drafts(3)), "--organization", world.organization)
    assert ended.code == 0
    assert ended.summary["organization"] == world.organization
    assert ended.summary["requests"]["retries"] == 2


@pytest.mark.parametrize(
    ("fault", "organization", "code", "asked"),
    [
        (None, "another", 77, 1),
        ("401*", "right", 77, 1),
        ("500*", "right", 75, 3),
        ("403*", "right", 75, 1),
        ("html*", "right", 75, 1),
        ("status_false*", "right", 75, 1),
    ],
)
def test_an_organization_that_is_another_or_cannot_be_determined(
    job: Runner, sim: Simulator, drafts: Drafts, fault: str | None, organization: str, code: int, asked: int
) -> None:
    """Nothing is discarded unless it is certain whose drafts they are."""
    if fault:
        sim.faults.script("*", [fault], on="user")
    name = sim.world.organization if organization == "right" else organization
    ended = job(job.list_of(drafts(2)), "--organization", name, "--attempts", "3")
    assert ended.code == code
    assert len(sim.requests()) == len(sim.requests("user")) == asked
    assert len(sim.left()) == 2
    assert ended.summary["status"] == "refused"
    assert ended.summary["stopped_by"] == ("unauthorized" if fault == "401*" else None)


@pytest.mark.parametrize(
    ("fault", "flags", "code", "stopped_by", "reason"),
    [
        ("429:retry_after=400", (), 75, "outage", "stopped"),
        ("429:retry_after=200", ("--deadline", "100s"), 4, "deadline", "deadline"),
    ],
)
def test_a_429_that_asks_for_too_long(
    job: Runner,
    sim: Simulator,
    drafts: Drafts,
    fault: str,
    flags: Sequence[str],
    code: int,
    stopped_by: str,
    reason: str,
) -> None:
    """Longer than `limits.max_outage` it is an outage, past the deadline it is the deadline; neither is waited for."""
    held = drafts(20)
    sim.faults.script(held[0].id, [fault])
    ended = job(job.list_of(held), "--concurrency", "1", *flags)
    assert ended.code == code
    assert ended.summary["stopped_by"] == stopped_by
    assert len(sim.requests("discard")) == 1
    assert ended.summary["failed"] == {"rate_limited": 1}
    rest_is_left(ended, reason)


def test_a_503_that_asks_for_too_long_fails_its_pair_alone(job: Runner, sim: Simulator, drafts: Drafts) -> None:
    """Longer than `limits.max_outage`: this pair is given up at once, the others go on."""
    held = drafts(20)
    for draft, fault in zip(held[::7], ("retry_after=400", "date=400", "retry_after=99999999999"), strict=True):
        sim.faults.script(draft.id, [f"503:{fault}*"])
    ended = job(job.list_of(held), "--concurrency", "2")
    assert ended.code == 75
    assert ended.counts == {"listed": 20, "discarded": 17, "skipped": 0, "failed": 3, "not_attempted": 0}
    assert ended.summary["failed"] == {"server_error": 3}
    assert all(len(sim.requests("discard", draft=draft.id)) == 1 for draft in held[::7])


def test_a_429_holds_back_everybody_and_a_503_its_own_pair(job: Runner, sim: Simulator, drafts: Drafts) -> None:
    """For as long as a 429 says nobody sends anything; what a 503 says holds for its pair alone."""
    held = drafts(40)
    sim.faults.script(held[0].id, ["503:retry_after=0.6"])
    sim.faults.script(held[20].id, ["429:retry_after=0.5"])
    ended = job(job.list_of(held), "--concurrency", "2")
    assert ended.code == 0
    seen = sim.requests("discard")
    refused = next(request for request in seen if request.status == 429)
    later = [request for request in seen if request.number > refused.number + 1]
    assert refused.answered is not None
    assert min(request.arrived for request in later) - refused.answered >= 0.45
    failed, again = sim.requests("discard", draft=held[0].id)
    assert failed.answered is not None
    assert again.arrived - failed.answered >= 0.55
    assert sum(failed.answered < request.arrived < again.arrived for request in seen) >= 10
    (paused,) = ended.of("rate.paused")
    assert (paused["seconds"], paused["level"]) == (0.5, "warning")


def test_the_servers_clock_is_the_one_that_counts(runner: Runner) -> None:
    """A date to wait for is compared with the `Date` of the same answer: clocks may be hours apart."""
    wrong = 1_000_000_000.0
    headers = (f"Date: {formatdate(wrong, usegmt=True)}", f"Retry-After: {formatdate(wrong + 400, usegmt=True)}")
    past = (f"Date: {formatdate(wrong, usegmt=True)}", f"Retry-After: {formatdate(wrong - 400, usegmt=True)}")
    answers = {"a": [answer(429, "{}", *past), DISCARDED], "b": [answer(429, "{}", *headers)]}
    with RawApi(answers).running() as api:
        flags = ("--base-url", api.url, "--rate", "off", "--retry-wait", "1ms", "--concurrency", "1")
        between = [(AGENT, f"sound-{number}") for number in range(30)]
        ended = runner(runner.list_of([(AGENT, "a"), *between, (AGENT, "b")]), *flags)
        assert (api.asked("a"), api.asked("b")) == (2, 1)
    assert ended.code == 75
    assert (ended.counts["discarded"], ended.summary["failed"]) == (31, {"rate_limited": 1})
    assert ended.summary["stopped_by"] == "outage"
    assert "400 s" in ended.of("run.stopping")[0]["message"]
