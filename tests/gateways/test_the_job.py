"""The job behind a gateway that is reloaded, restarted, misconfigured or strict: nothing is lost, nothing made up."""

from itertools import product

import pytest

from cleanup.simulator import Draft, Simulator, World
from cleanup.simulator.world import Mode
from tests.accounts import DISCARDED, FLAGS, check_account, endings, keys
from tests.conftest import MODES, Drafts, Ended, Runner
from tests.gateways.conftest import Meanwhile
from tests.gateways.processes import Gateway, HAProxy, Nginx

EVERYWHERE = list(product(["drafts", "branches"], ["40", "off"]))
"""On either model, at either rate."""
MODELS_AND_RATES = pytest.mark.parametrize(("mode", "rate"), EVERYWHERE)

SETTLED = {("discarded", None), ("skipped", "not_found"), ("skipped", "forbidden"), ("skipped", "gone_after_retry")}
"""What nobody looks at again."""

COSTS_NOTHING = [
    *product(["reloaded"], [Nginx, HAProxy], ["drafts", "branches"], ["40"]),
    *product(["restarted", "api away"], [Nginx], ["branches"], ["40"]),
    *product(["restarted", "api away"], [Nginx], ["drafts"], ["off"]),
    *product(["restarted", "api away"], [HAProxy], ["drafts"], ["40"]),
    *product(["restarted", "api away"], [HAProxy], ["branches"], ["off"]),
    *((trouble, Nginx, *where) for trouble in ("404 page", "404 empty") for where in EVERYWHERE),
    ("403 empty", Nginx, "drafts", "40"),
    ("403 empty", Nginx, "branches", "off"),
    ("401 empty", Nginx, "drafts", "off"),
    ("401 empty", Nginx, "branches", "40"),
]


def check_truth(ended: Ended, sim: Simulator, held: list[Draft]) -> None:
    """No draft that stands is on record as settled, and none was touched that is not in the list."""
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


@pytest.mark.parametrize(
    ("trouble", "gateway", "mode", "rate"),
    COSTS_NOTHING,
    indirect=["gateway"],
    ids=lambda value: value.program if isinstance(value, type) else value,
)
def test_trouble_that_costs_no_pair(
    trouble: str, mode: Mode, rate: str, gateway: Gateway, meanwhile: Meanwhile, job: Runner, sim: Simulator,
    world: World, drafts: Drafts,
) -> None:  # fmt: skip
    """From the tenth discard on, for a while: it is ridden out, and every draft is discarded."""
    world.mode = mode
    held = drafts(40)
    meanwhile(trouble)
    check_all_discarded(job(job.list_of(held), *FLAGS, "--rate", rate), sim, held)
    if trouble not in ("reloaded", "restarted"):
        assert set(gateway.statuses) & {401, 403, 404, 502, 503}, "the gateway answered by itself"


@MODELS_AND_RATES
def test_a_route_is_missing_for_a_while_and_the_gateway_says_so_in_json(
    mode: Mode, rate: str, gateway: Gateway, meanwhile: Meanwhile, job: Runner, sim: Simulator, world: World,
    drafts: Drafts,
) -> None:  # fmt: skip
    """A 404 like the API's own needs a second witness: at most the pair in flight when the route is back fails."""
    world.mode = mode
    held = drafts(40)
    meanwhile("404 json")
    ended = job(job.list_of(held), *FLAGS, "--rate", rate)
    check_truth(ended, sim, held)
    check_account(ended, sim, keys(held))
    assert gateway.statuses[404] > 0
    assert set(ended.summary["failed"]) <= {"unexpected_response"}
    assert len(sim.left()) <= 1
    assert ended.code == (75 if sim.left() else 0)


@MODELS_AND_RATES
def test_the_location_is_missing_for_a_while(
    mode: Mode, rate: str, gateway: Gateway, meanwhile: Meanwhile, job: Runner, sim: Simulator, world: World,
    drafts: Drafts,
) -> None:  # fmt: skip
    """404 to every GET, 405 to every DELETE, in HTML. Nothing is made up, and another run can have what is left."""
    world.mode = mode
    held = drafts(40)
    meanwhile("no location")
    ended = job(job.list_of(held), *FLAGS, "--rate", rate)
    check_truth(ended, sim, held)
    check_account(ended, sim, keys(held))
    assert gateway.statuses[404] + gateway.statuses[405] > 0
    assert ended.code == (75 if sim.left() else 0)


@pytest.mark.parametrize("rate", ["40", "off"])
def test_every_connection_is_for_one_request(
    rate: str, gateway: Gateway, job: Runner, sim: Simulator, world: World, drafts: Drafts
) -> None:
    """`keepalive_requests 1`, and a look before each deed: each goes over a connection of its own."""
    world.mode = "branches"
    held = drafts(40)
    gateway.reload(f"keepalive_requests 1; {gateway.proxied}")
    ended = job(job.list_of(held[:20]), *FLAGS, "--rate", rate)
    check_account(ended, sim, keys(held[:20]))
    assert (ended.code, ended.counts["discarded"]) == (0, 20)
    assert sim.left() == {draft.id for draft in held[20:]}


@MODELS_AND_RATES
def test_the_gateway_limits_the_rate_and_says_no_more(
    mode: Mode, rate: str, gateway: Gateway, job: Runner, sim: Simulator, world: World, drafts: Drafts
) -> None:
    """A 429 without `Retry-After`, in HTML: everybody backs off. Nothing is lost; a sane rate costs nothing at all."""
    world.mode = mode
    held = drafts(40)
    gateway.reload(f"limit_req zone=slow burst=5 nodelay; limit_req_status 429; {gateway.proxied}")
    waits = ("--retry-wait", "50ms", "--retry-max-wait", "400ms")
    ended = job(job.list_of(held), *FLAGS, "--rate", rate, *waits)
    check_truth(ended, sim, held)
    check_account(ended, sim, keys(held))
    assert gateway.statuses[429] > 0
    assert set(ended.summary["failed"]) <= (set() if rate == "40" else {"rate_limited"})
    assert ended.code == (75 if sim.left() else 0)


@pytest.mark.parametrize("gateway", [HAProxy], indirect=True, ids=["haproxy"])
@MODES
def test_a_gateway_that_sends_requests_again(
    mode: Mode, gateway: Gateway, job: Runner, sim: Simulator, world: World, drafts: Drafts
) -> None:
    """`retry-on`: an answer is lost, the gateway's own second discard finds nothing. It is gone, as is said."""
    world.mode = mode
    held = drafts(10)
    lost = {draft.id for draft in held[:3]}
    gateway.reload("retries 3\n  retry-on conn-failure empty-response 502 503 504")

    def lose_it(draft_id: str) -> None:
        sim.faults.script(draft_id, "lost_after")

    for draft in held[:3]:
        if mode == "drafts":
            lose_it(draft.id)
        else:  # the discard, not the look before it
            sim.after(lambda _world, draft_id=draft.id: lose_it(draft_id), endpoint="look", draft=draft.id)
    ended = job(job.list_of(held), *FLAGS)
    check_truth(ended, sim, held)
    assert sim.left() == set()
    assert ended.code == 0
    found = {draft: reason or outcome for (_, draft), (outcome, reason) in endings(ended).items()}
    assert {draft for draft, end in found.items() if end == "not_found"} == lost
    assert gateway.statuses[404] >= 3
