"""An API that is down for a while costs no pair; one that stays down costs few requests; bad pairs are no outage."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from cleanup.simulator import Simulator, World
from tests.accounts import FLAGS, check_account, keys
from tests.conftest import MODES, Drafts, wait_until
from tests.runner import Ended, Runner

QUICK = ("--retry-wait", "0", "--retry-max-wait", "0")
PROBES = 40
"""Requests of probes in a second or so of outage, with waits between them of up to `WAITS`; far more than usual."""
WAITS = ("--retry-wait", "50ms", "--retry-max-wait", "200ms")


def slow(*values: Any) -> Any:
    """Parameters that only `make test-slow` tries."""
    return pytest.param(*values, marks=pytest.mark.slow)


def went_down(ended: Ended) -> int:
    """How often an outage began, and as often ended."""
    began = [entry["event"] for entry in ended.events if entry["event"] in ("outage.began", "outage.ended")]
    assert began[::2] == ["outage.began"] * len(began[::2])
    assert began[1::2] == ["outage.ended"] * len(began[1::2])
    return len(began[::2])


def done(ended: Ended) -> int:
    """How many pairs are discarded, by an answer or without one."""
    return ended.counts["discarded"] + int(ended.summary["skipped"].get("gone_after_retry", 0))


@contextmanager
def only(sim: Simulator, endpoint: str, fault: str, seconds: float, after: str, nth: int = 1) -> Iterator[None]:
    """One endpoint answers with a fault for so many seconds, beginning with the nth request to `after`."""
    timers: list[threading.Timer] = []

    def begin(_world: World) -> None:
        sim.faults.script("*", f"{fault}*", on=endpoint)
        timers.append(threading.Timer(seconds, lambda: sim.faults.script("*", [], on=endpoint)))
        timers[0].start()

    sim.after(begin, endpoint=after, nth=nth)
    yield
    for timer in timers:
        timer.cancel()


def down_in_turn(sim: Simulator, kinds: Sequence[str], total: int, seconds: float) -> list[tuple[int, str]]:
    """The API goes down in each of these ways, one after the other, all along a list of so many drafts.

    Returns what is still to come, and after how many discards.
    """
    to_come = [(total * number // (len(kinds) + 1), kind) for number, kind in enumerate(kinds, 1)]

    def watch(world: World) -> None:
        if len(world.discarded) >= to_come[0][0]:
            sim.down(to_come.pop(0)[1], seconds=seconds)
        if to_come:
            sim.after(watch, endpoint="discard")

    sim.after(watch, endpoint="discard")
    return to_come


@pytest.mark.parametrize(
    ("kinds", "concurrency"),
    [(["refuse", "500", "hang"], 8), (["500"], 1), slow(["refuse", "hang"], 1)],
)
def test_down_for_a_while(kinds: Sequence[str], concurrency: int, job: Runner, sim: Simulator, drafts: Drafts) -> None:
    """The API goes down in the middle of a run. The run waits, and then all pairs are discarded."""
    held = drafts(200)
    to_come = down_in_turn(sim, kinds, 200, 1.2)
    ended = job(job.list_of(held), *FLAGS, "--timeout", "1s", "--concurrency", str(concurrency), *WAITS)
    assert ended.code == 0
    check_account(ended, sim, keys(held))
    assert to_come == []
    assert went_down(ended) >= len(kinds)
    assert done(ended) == 200


@MODES
def test_a_gateway_that_answers_in_the_apis_place_for_a_while(
    mode: Any, job: Runner, sim: Simulator, world: World, drafts: Drafts
) -> None:
    """Routes that are being reloaded answer everything so: an outage like any other, which costs no pair."""
    held = drafts(120)
    world.mode = mode
    answers = ("empty404", "html404", "no_route", "empty401", "html403")
    to_come = down_in_turn(sim, answers, 120, 0.7)
    ended = job(job.list_of(held), *FLAGS, *WAITS)
    assert ended.code == 0
    check_account(ended, sim, keys(held))
    assert ended.counts["discarded"] == 120
    assert to_come == []


def test_down_again_and_again(job: Runner, sim: Simulator, drafts: Drafts) -> None:
    """An API that goes down, comes back and goes down again costs no pair either."""
    held = drafts(300)
    for nth in range(30, 300, 40):
        sim.after(lambda _world: sim.down("500"), nth=nth)
        sim.after(lambda _world: sim.up(), nth=nth + 10)
    ended = job(job.list_of(held), *FLAGS, "--attempts", "3", "--concurrency", "4")
    assert ended.code == 0
    check_account(ended, sim, keys(held))
    assert ended.counts["discarded"] == 300
    assert went_down(ended) == 7


def ten_thousand(drafts: Drafts) -> list[tuple[str, str]]:
    """A long list; only its first draft is there."""
    (first,) = drafts(1)
    return keys([first]) + [(first.agent, f"draft-{number}") for number in range(9999)]


@pytest.mark.parametrize(
    ("kind", "concurrency", "attempts"),
    [("500", 8, 5), ("hang", 4, 2), slow("empty404", 8, 5), slow("refuse", 32, 3), slow("500", 1, 5)],
)
def test_down_for_good(kind: str, concurrency: int, attempts: int, job: Runner, sim: Simulator, drafts: Drafts) -> None:
    """However long the list is, an API that stays down costs a few requests and the probes; the run stops by itself."""
    rows = ten_thousand(drafts)
    sim.after(lambda _world: sim.down(kind), endpoint="discard")
    ended = job(
        job.list_of(rows), *FLAGS, "--max-discards", "10000", "--max-outage", "1s", "--concurrency", str(concurrency),
        "--attempts", str(attempts), "--timeout", "1s", *WAITS,
    )  # fmt: skip
    assert ended.code == 75
    assert (ended.summary["status"], ended.summary["stopped_by"]) == ("stopped", "outage")
    assert ended.summary["requests"]["total"] <= 2 + attempts * concurrency + PROBES
    check_account(ended, sim, rows)


def test_refused_from_the_first_request_on(job: Runner, sim: Simulator, drafts: Drafts) -> None:
    """Whose key it is could not be determined is a warning; the pairs are waited for, and go when the API is there."""
    held = drafts(40)
    sim.down("refuse")
    log = job.folder / "log.jsonl"
    with log.open("w") as stream:
        process = job.start(job.list_of(held), *FLAGS, stderr=stream)
        wait_until(lambda: "outage.began" in log.read_text())
        sim.up()
        job.wait(process)
    ended = replace(job.ended[-1], stderr=log.read_text())
    assert ended.code == 0
    check_account(ended, sim, keys(held))
    assert ended.counts["discarded"] == 40
    assert any("which organization the key belongs to" in warning for warning in ended.summary["warnings"])


@MODES
def test_discards_alone_are_down_for_a_while(
    mode: Any, job: Runner, sim: Simulator, world: World, drafts: Drafts
) -> None:
    """Everything else answers; no pair fails, however many agents there are to be asked about meanwhile."""
    few, many = drafts(100, agents=3), drafts(100, agents=100)
    held = [draft for both in zip(few, many, strict=True) for draft in both]
    world.mode = mode
    with only(sim, "discard", "500", 1.0, after="discard", nth=40):
        ended = job(job.list_of(held), *FLAGS, *WAITS)
    assert ended.code == 0
    check_account(ended, sim, keys(held))
    assert ended.counts["discarded"] == 200


@MODES
def test_discards_alone_are_down_for_good(mode: Any, job: Runner, sim: Simulator, world: World, drafts: Drafts) -> None:
    """Few requests, however long the list is, and the run stops by itself."""
    held = drafts(1000, agents=20)
    world.mode = mode
    sim.faults.script("*", "500*")
    ended = job(job.list_of(held), *FLAGS, "--max-outage", "1s", *WAITS)
    assert ended.code == 75
    check_account(ended, sim, keys(held))
    assert (ended.summary["status"], ended.summary["stopped_by"]) == ("stopped", "outage")
    assert len(sim.requests()) <= 2 * (2 + 5 * 8 + PROBES)


@pytest.mark.parametrize(
    ("bad", "total", "concurrency"),
    [
        ([*range(100), *range(150, 250)], 400, 8),
        (range(300, 400), 400, 1),
        (range(0, 400, 2), 400, 3),
        (range(3), 3, 8),
        (range(300), 300, 8),
        (range(1, 3), 3, 1),
        slow(range(300, 400), 1000, 1),
        slow(range(100), 1000, 1),
        slow(range(900, 1000), 1000, 8),
        slow(range(200), 400, 2),
        slow(range(1), 3, 1),
    ],
    ids=lambda value: f"{value[0]}-{value[-1]}-{len(value)}" if isinstance(value, Sequence) else str(value),
)
def test_pairs_that_always_fail_are_no_outage(
    bad: Sequence[int], total: int, concurrency: int, job: Runner, sim: Simulator, drafts: Drafts
) -> None:
    """Pairs that always answer 500 fail, wherever they are in the list. All the others are discarded."""
    held = drafts(total)
    for index in bad:
        sim.faults.script(held[index].id, "500*")
    ended = job(job.list_of(held), *FLAGS, "--concurrency", str(concurrency), *QUICK)
    assert ended.code == 75
    check_account(ended, sim, keys(held))
    assert (ended.summary["status"], ended.summary["failed"]) == ("complete", {"server_error": len(bad)})
    assert ended.counts["discarded"] == total - len(bad)


@pytest.mark.parametrize("good", [0, 17, 39])
def test_only_one_pair_works(good: int, job: Runner, sim: Simulator, drafts: Drafts) -> None:
    """It is discarded, wherever it is in the list. The others fail."""
    held = drafts(40)
    for draft in held:
        sim.faults.script(draft.id, "500*")
    sim.faults.script(held[good].id, "ok")
    ended = job(job.list_of(held), *FLAGS, *QUICK)
    assert ended.code == 75
    check_account(ended, sim, keys(held))
    assert (ended.summary["status"], ended.summary["failed"]) == ("complete", {"server_error": 39})
    assert sim.left() == {draft.id for draft in held} - {held[good].id}


def test_a_few_pairs_that_fail_slowly_among_fast_ones(job: Runner, sim: Simulator, drafts: Drafts) -> None:
    """By the time they fail, no pair is left to probe with. The run does not wait for `max_outage`."""
    held = drafts(33)
    for draft in held[:3]:
        sim.faults.script(draft.id, "hang*")
    ended = job(job.list_of(held), *FLAGS, "--timeout", "1s", "--attempts", "2", "--max-outage", "1h", *QUICK)
    assert ended.code == 75
    check_account(ended, sim, keys(held))
    assert (ended.summary["status"], ended.summary["failed"]) == ("complete", {"timeout": 3})


@pytest.mark.parametrize("others", [0, 40])
def test_an_agent_whose_branches_are_never_answered(
    others: int, job: Runner, sim: Simulator, world: World, drafts: Drafts
) -> None:
    """Its pairs fail by themselves, alone in the list or among others; nobody else's do."""
    bad, good = drafts(40, agents=1), drafts(others, agents=4) if others else []
    world.mode = "branches"
    sim.faults.script(bad[0].agent, "500*", on="branches")
    listed = [*bad[:20], *good, *bad[20:]]
    ended = job(job.list_of(listed), *FLAGS, "--model", "branches", *QUICK)
    assert ended.code == 75
    check_account(ended, sim, keys(listed))
    assert (ended.summary["status"], ended.summary["failed"]) == ("complete", {"server_error": 40})
    assert ended.counts["discarded"] == others


@pytest.mark.parametrize("total", [1, 2])
def test_one_or_two_failing_pairs_are_no_outage(total: int, job: Runner, sim: Simulator, drafts: Drafts) -> None:
    """An outage takes three failing pairs. One or two use up their attempts and fail."""
    held = drafts(total)
    sim.after(lambda _world: sim.down("refuse"), endpoint="user")
    ended = job(job.list_of(held), *FLAGS, "--attempts", "3")
    assert ended.code == 75
    check_account(ended, sim, keys(held))
    assert ended.summary["failed"] == {"connection": total}


def test_of_three_pairs_the_api_is_what_is_down(job: Runner, sim: Simulator, drafts: Drafts) -> None:
    """They are waited for, though nobody else is in the list."""
    held = drafts(3)
    sim.after(lambda _world: sim.down("refuse", seconds=0.5), endpoint="user")
    ended = job(job.list_of(held), *FLAGS, "--attempts", "3")
    assert ended.code == 0
    check_account(ended, sim, keys(held))
    assert ended.counts["discarded"] == 3


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
