"""The job behind a gateway that is reloaded, restarted, misconfigured or strict: nothing is lost, nothing made up."""

import pytest

from cleanup.simulator import Draft, Mode, Simulator, World
from tests.accounts import DISCARDED, FLAGS, check_account, endings, keys
from tests.conftest import MODES, Drafts
from tests.gateways.conftest import Meanwhile, name_of
from tests.gateways.processes import Gateway, HAProxy, Nginx
from tests.runner import Ended, Runner

EVERYWHERE = [("drafts", "40"), ("drafts", "off"), ("branches", "40"), ("branches", "off")]
"""On either model, at either rate."""

MIDDLE = {"drafts": 8, "branches": 16}
"""So many discards into a run of 30; on the branch model the first few ask the endpoint that is no more."""

SETTLED = {("discarded", None), ("skipped", "not_found"), ("skipped", "forbidden"), ("skipped", "gone_after_retry")}
"""What nobody looks at again."""

RESTARTS = ["restarted", "api away"]
ANSWERS = ["404 page", "404 empty", "401 empty", "403 empty", "404 json", "no location"]
"""What nginx answers by itself: a 404 like the API's own needs a second witness, which finds no API there; without a
location it is 404 to every GET and 405 to every DELETE."""

COSTS_NOTHING = [
    *(
        ([*RESTARTS, "reloaded"], gateway, mode, "40")
        for gateway in (Nginx, HAProxy)
        for mode in ("drafts", "branches")
    ),
    (RESTARTS, Nginx, "branches", "off"),
    (RESTARTS, HAProxy, "drafts", "off"),
    *((ANSWERS, Nginx, mode, rate) for mode, rate in EVERYWHERE),
]


def check_truth(ended: Ended, sim: Simulator, held: list[Draft]) -> None:
    """No draft that is still open is on record as `settled`, and none was touched that is not in the list."""
    untrue = {draft: end for (_, draft), end in endings(ended).items() if draft in sim.left() and end in SETTLED}
    assert untrue == {}, "drafts that stand, said to be settled"
    assert set(sim.world.discarded) <= {draft.id for draft in held}


def check_all_discarded(ended: Ended, sim: Simulator, held: list[Draft]) -> None:
    """All accounts agree, and the gateway's trouble has cost no pair."""
    check_truth(ended, sim, held)
    check_account(ended, sim, keys(held))
    assert (ended.summary["failed"], ended.summary["not_attempted"]) == ({}, {})
    assert set(endings(ended).values()) <= DISCARDED
    assert sim.left() == set()
    assert ended.code == 0


@pytest.mark.parametrize(("troubles", "gateway", "mode", "rate"), COSTS_NOTHING, indirect=["gateway"], ids=name_of)
def test_trouble_that_costs_no_pair(
    troubles: list[str], mode: Mode, rate: str, gateway: Gateway, meanwhile: Meanwhile, job: Runner, sim: Simulator,
    world: World, drafts: Drafts,
) -> None:  # fmt: skip
    """In the middle of a run, one after the other, each for a while: all are ridden out, every draft is discarded."""
    world.mode = mode
    held = drafts(30 * len(troubles))
    for number, trouble in enumerate(troubles):
        meanwhile(trouble, nth=MIDDLE[mode] + 30 * number)
    check_all_discarded(job(job.list_of(held), *FLAGS, "--rate", rate), sim, held)


def test_every_connection_is_for_one_request(
    gateway: Gateway, job: Runner, sim: Simulator, world: World, drafts: Drafts
) -> None:
    """`keepalive_requests 1`, and a check before each discard: each request goes over a connection of its own."""
    world.mode = "branches"
    held = drafts(30)
    gateway.reload(f"keepalive_requests 1; {gateway.proxied}")
    ended = job(job.list_of(held[:15]), *FLAGS)
    check_account(ended, sim, keys(held[:15]))
    assert (ended.code, ended.counts["discarded"]) == (0, 15)
    assert sim.left() == {draft.id for draft in held[15:]}


@pytest.mark.parametrize(("mode", "rate"), EVERYWHERE[:3])
def test_the_gateway_limits_the_rate_and_says_no_more(
    mode: Mode, rate: str, gateway: Gateway, job: Runner, sim: Simulator, world: World, drafts: Drafts
) -> None:
    """A 429 without `Retry-After`, in HTML: everybody backs off, and with attempts enough nothing is lost."""
    world.mode = mode
    held = drafts(30)
    gateway.reload(f"limit_req zone=slow burst=5 nodelay; limit_req_status 429; {gateway.proxied}")
    check_all_discarded(job(job.list_of(held), *FLAGS, "--rate", rate, "--attempts", "99"), sim, held)
    assert gateway.statuses[429] > 0


@pytest.mark.parametrize("rate", ["28", "60"])
@pytest.mark.parametrize(("mode", "burst"), [("drafts", ""), ("branches", "burst=5 nodelay")])
def test_the_gateway_limits_the_rate_with_503(
    mode: Mode, burst: str, rate: str, gateway: Gateway, job: Runner, sim: Simulator, world: World, drafts: Drafts
) -> None:
    """nginx's `limit_req` with its own page of 503. Five attempts are enough, and it is no outage.

    Without a burst it would refuse each discard that follows its check at once, as on the branch model.
    """
    world.mode = mode
    held = drafts(24)
    gateway.reload(f"limit_req zone=slow {burst}; {gateway.proxied}")
    ended = job(job.list_of(held), *FLAGS, "--rate", rate, "--retry-wait", "100ms", "--model", mode)
    check_all_discarded(ended, sim, held)
    assert ended.of("outage.began") == []


@pytest.mark.parametrize("gateway", [HAProxy], indirect=True, ids=["haproxy"])
@MODES
def test_a_gateway_that_sends_requests_again(
    mode: Mode, gateway: Gateway, job: Runner, sim: Simulator, world: World, drafts: Drafts
) -> None:
    """`retry-on`: an answer is lost, the gateway's own second discard finds nothing. It is gone, as is said."""
    world.mode = mode
    held = drafts(10)
    gateway.reload("retries 3\n  retry-on conn-failure empty-response 502 503 504")
    for draft in held[:3]:
        sim.faults.script(draft.id, "lost_after")
    ended = job(job.list_of(held), *FLAGS, "--model", mode)
    check_truth(ended, sim, held)
    assert sim.left() == set()
    assert ended.code == 0
    found = {draft: reason for (_, draft), (_, reason) in endings(ended).items()}
    assert {found.pop(draft.id) for draft in held[:3]} <= {"not_found", "gone_after_retry"}
    assert set(found.values()) == {None}
    assert gateway.statuses[404] >= 3
