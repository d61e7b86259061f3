"""An API that is down for a while costs no pair; one that stays down costs few requests; bad pairs are no outage."""

from typing import Any

import pytest

from cleanup.simulator import Simulator
from tests.accounts import FLAGS, check_account, keys
from tests.conftest import Drafts, Ended, Runner


def slow(*values: Any) -> Any:
    """Parameters that only `make test-slow` tries."""
    return pytest.param(*values, marks=pytest.mark.slow)


def went_down(ended: Ended) -> int:
    """How often an outage began, and as often ended."""
    began = [entry["event"] for entry in ended.events if entry["event"] in ("outage.began", "outage.ended")]
    assert began[::2] == ["outage.began"] * len(began[::2])
    assert began[1::2] == ["outage.ended"] * len(began[1::2])
    return len(began[::2])


@pytest.mark.parametrize(
    ("kind", "concurrency"),
    [("refuse", 8), ("500", 8), ("hang", 8), ("500", 1), slow("refuse", 1), slow("hang", 1)],
)
def test_down_for_a_while(kind: str, concurrency: int, job: Runner, sim: Simulator, drafts: Drafts) -> None:
    """In the middle of a run: it holds its breath, and then all pairs are discarded, with four attempts each."""
    held = drafts(200)
    sim.after(lambda _world: sim.down(kind, seconds=1.2), endpoint="discard", nth=60)
    ended = job(
        job.list_of(held), *FLAGS, "--attempts", "4", "--timeout", "150ms", "--concurrency", str(concurrency),
        "--retry-max-wait", "100ms",
    )  # fmt: skip
    assert ended.code == 0
    check_account(ended, sim, keys(held))
    assert sim.left() == set()
    assert went_down(ended) >= 1
    assert ended.counts["discarded"] + ended.summary["skipped"].get("gone_after_retry", 0) == 200


def test_down_again_and_again(job: Runner, sim: Simulator, drafts: Drafts) -> None:
    """An API that goes down, comes back and goes down again costs no pair either."""
    held = drafts(300)
    for nth in range(30, 300, 40):
        sim.after(lambda _world: sim.down("500", seconds=0.15), endpoint="discard", nth=nth)
    ended = job(job.list_of(held), *FLAGS, "--attempts", "3", "--concurrency", "4")
    assert ended.code == 0
    check_account(ended, sim, keys(held))
    assert ended.counts["discarded"] == 300
    assert went_down(ended) >= 3


@pytest.mark.parametrize(
    ("kind", "concurrency", "attempts"),
    [("500", 8, 5), ("hang", 4, 2), slow("refuse", 32, 3), slow("500", 1, 5)],
)
def test_down_for_good(kind: str, concurrency: int, attempts: int, job: Runner, sim: Simulator, drafts: Drafts) -> None:
    """However long the list is, an API that stays down costs a few requests and the probes; the run stops by itself."""
    held = drafts(1)
    rows = keys(held) + [(held[0].agent, f"draft-{number}") for number in range(9999)]
    sim.before(lambda _world: sim.down(kind), endpoint="discard")
    ended = job(
        job.list_of(rows), *FLAGS, "--max-discards", "10000", "--max-outage", "1s", "--concurrency", str(concurrency),
        "--attempts", str(attempts), "--retry-wait", "20ms", "--retry-max-wait", "80ms", "--timeout", "100ms",
    )  # fmt: skip
    assert ended.code == 75
    assert (ended.summary["status"], ended.summary["stopped_by"]) == ("stopped", "outage")
    probes = 1 + 1.0 / 0.005  # were all waits as short as jitter may make them
    assert ended.summary["requests"]["total"] <= 1 + attempts * concurrency + probes
    assert ended.summary["requests"]["total"] < 150
    check_account(ended, sim, rows)
    assert ended.counts["not_attempted"] > 9800


def test_refused_from_the_first_request_on(job: Runner, sim: Simulator, drafts: Drafts) -> None:
    """Whose key it is could not be told is a warning; the pairs are waited for, and go when the API is there."""
    held = drafts(40)
    sim.down("refuse", seconds=2.0)
    ended = job(job.list_of(held), *FLAGS, "--retry-max-wait", "100ms")
    assert ended.code == 0
    check_account(ended, sim, keys(held))
    assert ended.counts["discarded"] == 40
    assert any("which organization" in warning for warning in ended.summary["warnings"])


@pytest.mark.parametrize(
    ("bad", "total", "concurrency"),
    [
        (range(300, 400), 1000, 8),
        (range(900, 1000), 1000, 1),
        (range(1, 3), 3, 1),
        slow(range(300, 400), 1000, 1),
        slow(range(100), 1000, 1),
        slow(range(900, 1000), 1000, 8),
        slow(range(200), 400, 2),
        slow(range(1), 3, 1),
    ],
    ids=lambda value: f"{value.start}-{value.stop}-{value.step}" if isinstance(value, range) else str(value),
)
def test_pairs_that_always_fail_are_no_outage(
    bad: range, total: int, concurrency: int, job: Runner, sim: Simulator, drafts: Drafts
) -> None:
    """A block of pairs that always answer 500 fails by itself, wherever it stands; all the others are discarded."""
    held = drafts(total)
    for index in bad:
        sim.faults.script(held[index].id, "500*")
    ended = job(
        job.list_of(held), *FLAGS, "--concurrency", str(concurrency), "--max-outage", "20s", "--retry-wait", "0",
        "--retry-max-wait", "0",
    )  # fmt: skip
    assert ended.code == 75
    check_account(ended, sim, keys(held))
    assert (ended.summary["status"], ended.summary["failed"]) == ("complete", {"server_error": len(bad)})
    assert ended.counts["discarded"] == total - len(bad)
    assert sim.left() == {held[index].id for index in bad}
    assert ended.summary["seconds"] < 20


@pytest.mark.parametrize("spares_too", [False, True], ids=["but for those that are tried last", "whatever the order"])
def test_bad_pairs_all_over_the_list(spares_too: bool, job: Runner, sim: Simulator, drafts: Drafts) -> None:
    """Every other pair always answers 500: all the good ones are discarded, all the bad ones fail by themselves.

    Only if the very last pairs that are tried are bad ones, nobody is left to tell them from an API that went down:
    then the run waits as long as it may before it gives them up.
    """
    held = drafts(400)
    spares = {(2 * number + 1) * 400 // 102 for number in range(51)}
    bad = [held[index] for index in range(0, 400, 2) if spares_too or index not in spares]
    for draft in bad:
        sim.faults.script(draft.id, "500*")
    ended = job(
        job.list_of(held), *FLAGS, "--concurrency", "3", "--max-outage", "1s" if spares_too else "20s",
        "--retry-wait", "0", "--retry-max-wait", "0",
    )  # fmt: skip
    assert ended.code == 75
    check_account(ended, sim, keys(held))
    assert ended.summary["failed"] == {"server_error": len(bad)}
    assert (ended.counts["discarded"], ended.counts["not_attempted"]) == (400 - len(bad), 0)
    assert sim.left() == {draft.id for draft in bad}
    if not spares_too:
        assert ended.summary["status"] == "complete"
    elif ended.summary["status"] != "complete":
        assert ended.summary["stopped_by"] == "outage"
        began = max(place for place, entry in enumerate(ended.events) if entry["event"] == "outage.began")
        last = {entry["draft"] for entry in ended.events[began:] if entry["event"] == "draft.failed"}
        assert len(last) >= 3


@pytest.mark.parametrize("good", [slow(0), 17, slow(39)])
def test_only_one_pair_works(good: int, job: Runner, sim: Simulator, drafts: Drafts) -> None:
    """The one is found and discarded, wherever it stands; then nothing speaks for the API, and patience ends."""
    held = drafts(40)
    for draft in held:
        sim.faults.script(draft.id, "500*")
    sim.faults.script(held[good].id, "ok")
    ended = job(job.list_of(held), *FLAGS, "--max-outage", "700ms", "--retry-wait", "0", "--retry-max-wait", "0")
    assert ended.code == 75
    check_account(ended, sim, keys(held))
    assert ended.counts["discarded"] == 1
    assert held[good].id not in sim.left()


@pytest.mark.parametrize("total", [1, 2, 3])
def test_a_short_list_and_an_api_that_is_down(total: int, job: Runner, sim: Simulator, drafts: Drafts) -> None:
    """Of one pair or two nobody can tell, so their attempts are used up; of three the API is what is down."""
    held = drafts(total)
    sim.after(lambda _world: sim.down("refuse", seconds=0.5), endpoint="user")
    ended = job(job.list_of(held), *FLAGS, "--attempts", "3")
    check_account(ended, sim, keys(held))
    if total < 3:
        assert (ended.code, ended.summary["failed"]) == (75, {"connection": total})
    else:
        assert (ended.code, ended.counts["discarded"]) == (0, total)


def test_the_last_pairs_of_a_list_when_the_api_cannot_be_reached(job: Runner, sim: Simulator, drafts: Drafts) -> None:
    """Pairs that had failed before are waited for as well, once their requests do not even reach the API."""
    held = drafts(30)
    for draft in held[-8:]:
        sim.faults.script(draft.id, ["500", "ok"])
    # Every other pair is done by then; these have failed once, while the others were answered.
    sim.after(lambda _world: sim.down("refuse", seconds=0.7), endpoint="discard", nth=29)
    ended = job(job.list_of(held), *FLAGS, "--concurrency", "8")
    assert ended.code == 0
    check_account(ended, sim, keys(held))
    assert ended.counts["discarded"] == 30
