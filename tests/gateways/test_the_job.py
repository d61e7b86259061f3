"""The job behind a gateway that is reloaded, restarted, misconfigured or strict: nothing is lost, nothing made up."""

import pytest

from cleanup.simulator import Draft, Simulator, World
from tests.accounts import DISCARDED, FLAGS, check_account, endings, keys
from tests.conftest import MODES, Drafts, Ended, Runner
from tests.gateways.conftest import EITHER, Meanwhile
from tests.gateways.processes import Gateway, HAProxy

MODELS_AND_RATES = pytest.mark.parametrize(
    ("mode", "rate"), [("drafts", "40"), ("drafts", "off"), ("branches", "40"), ("branches", "off")]
)
SETTLED = {("discarded", None), ("skipped", "not_found"), ("skipped", "forbidden"), ("skipped", "gone_after_retry")}
"""What nobody looks at again."""

PAGE = "location / { return %d; }"
EMPTY = "location / { return %d $nothing; }"
KONG = """location / { default_type application/json;
  return 404 '{"message":"no Route matched with those values"}'; }"""


def check(ended: Ended, sim: Simulator, held: list[Draft]) -> None:
    """All accounts agree, no draft that stands is on record as settled, and no other was touched."""
    check_account(ended, sim, keys(held))
    untrue = {draft: end for (_, draft), end in endings(ended).items() if draft in sim.left() and end in SETTLED}
    assert untrue == {}, "drafts that stand, said to be settled"
    assert set(sim.world.discarded) <= {draft.id for draft in held}


def check_all_discarded(ended: Ended, sim: Simulator, held: list[Draft]) -> None:
    """The same, and the gateway's trouble has cost nothing at all."""
    check(ended, sim, held)
    assert (ended.summary["failed"], ended.summary["not_attempted"]) == ({}, {})
    assert set(endings(ended).values()) <= DISCARDED
    assert sim.left() == set()
    assert ended.code == 0


@EITHER
@MODES
def test_reloaded_again_and_again(
    mode: str, gateway: Gateway, meanwhile: Meanwhile, job: Runner, sim: Simulator, world: World, drafts: Drafts
) -> None:
    """A reload in the middle of a run closes connections, and costs nothing."""
    world.mode = mode  # type: ignore[assignment]
    held = drafts(40)
    meanwhile(gateway.reload, 0.15, gateway.reload, 0.15, gateway.reload)
    check_all_discarded(job(job.list_of(held), *FLAGS, "--rate", "80"), sim, held)


@EITHER
@MODELS_AND_RATES
def test_restarted(
    mode: str, rate: str, gateway: Gateway, meanwhile: Meanwhile, job: Runner, sim: Simulator, world: World,
    drafts: Drafts,
) -> None:  # fmt: skip
    """Nobody listens for a second: an outage like any other."""
    world.mode = mode  # type: ignore[assignment]
    held = drafts(40)
    meanwhile(gateway.stop, 1.2, gateway.start)
    check_all_discarded(job(job.list_of(held), *FLAGS, "--rate", rate), sim, held)


@EITHER
@MODES
def test_the_api_behind_it_is_away(
    mode: str, gateway: Gateway, meanwhile: Meanwhile, job: Runner, sim: Simulator, world: World, drafts: Drafts
) -> None:
    """The gateway's own 502 or 503 is a sign of an outage."""
    world.mode = mode  # type: ignore[assignment]
    held = drafts(40)
    meanwhile(sim.down, 2.0, sim.up)
    check_all_discarded(job(job.list_of(held), *FLAGS, "--rate", "40"), sim, held)
    assert gateway.statuses[502] + gateway.statuses[503] > 0


@MODELS_AND_RATES
@pytest.mark.parametrize("rules", [PAGE % 404, EMPTY % 404], ids=["page", "empty"])
def test_a_route_is_missing_for_a_while(
    rules: str, mode: str, rate: str, gateway: Gateway, meanwhile: Meanwhile, job: Runner, sim: Simulator,
    world: World, drafts: Drafts,
) -> None:  # fmt: skip
    """A 404 that is not the API's own says nothing of a draft: it is waited out."""
    world.mode = mode  # type: ignore[assignment]
    held = drafts(40)
    meanwhile(lambda: gateway.reload(rules), 2.0, lambda: gateway.reload(gateway.proxied))
    check_all_discarded(job(job.list_of(held), *FLAGS, "--rate", rate), sim, held)
    assert gateway.statuses[404] > 0


@MODELS_AND_RATES
def test_a_route_is_missing_for_a_while_and_the_gateway_says_so_in_json(
    mode: str, rate: str, gateway: Gateway, meanwhile: Meanwhile, job: Runner, sim: Simulator, world: World,
    drafts: Drafts,
) -> None:  # fmt: skip
    """A 404 like the API's own needs a second witness: at most the pair in flight when the route is back fails."""
    world.mode = mode  # type: ignore[assignment]
    held = drafts(40)
    meanwhile(lambda: gateway.reload(KONG), 2.0, lambda: gateway.reload(gateway.proxied))
    ended = job(job.list_of(held), *FLAGS, "--rate", rate)
    check(ended, sim, held)
    assert set(ended.summary["failed"]) <= {"unexpected_response"}
    assert ended.counts["failed"] <= 1
    assert ended.counts["not_attempted"] == 0
    assert ended.code == (75 if sim.left() else 0)
    assert gateway.statuses[404] > 0


@MODELS_AND_RATES
def test_the_location_is_missing_for_a_while(
    mode: str, rate: str, gateway: Gateway, meanwhile: Meanwhile, job: Runner, sim: Simulator, world: World,
    drafts: Drafts,
) -> None:  # fmt: skip
    """nginx then looks for files: its 404 to a GET, and 405 to a DELETE. Nothing is made up, and a rerun has the rest."""
    world.mode = mode  # type: ignore[assignment]
    held = drafts(40)
    meanwhile(lambda: gateway.reload(""), 2.0, lambda: gateway.reload(gateway.proxied))
    ended = job(job.list_of(held), *FLAGS, "--rate", rate)
    check(ended, sim, held)
    assert ended.code == (75 if sim.left() else 0)
    assert gateway.statuses[404] + gateway.statuses[405] > 0


@pytest.mark.parametrize(
    ("status", "mode", "rate"),
    [(403, "drafts", "40"), (403, "branches", "off"), (401, "drafts", "off"), (401, "branches", "40")],
)
def test_an_empty_refusal_for_a_while(
    status: int, mode: str, rate: str, gateway: Gateway, meanwhile: Meanwhile, job: Runner, sim: Simulator,
    world: World, drafts: Drafts,
) -> None:  # fmt: skip
    """An empty 401 or 403 is somebody's in between: neither the key nor a draft is what is wrong."""
    world.mode = mode  # type: ignore[assignment]
    held = drafts(40)
    meanwhile(lambda: gateway.reload(EMPTY % status), 1.0, lambda: gateway.reload(gateway.proxied))
    check_all_discarded(job(job.list_of(held), *FLAGS, "--rate", rate), sim, held)
    assert gateway.statuses[status] > 0


@pytest.mark.parametrize("rate", ["40", "off"])
def test_every_connection_is_for_one_request(
    rate: str, gateway: Gateway, job: Runner, sim: Simulator, world: World, drafts: Drafts
) -> None:
    """`keepalive_requests 1`, and a look before each deed: each goes over a connection of its own."""
    world.mode = "branches"
    held = drafts(40)
    gateway.reload(f"keepalive_requests 1; {gateway.proxied}")
    ended = job(job.list_of(held[:20]), *FLAGS, "--rate", rate)
    check(ended, sim, held[:20])
    assert ended.code == 0
    assert sim.left() == {draft.id for draft in held[20:]}


@MODELS_AND_RATES
def test_the_gateway_limits_the_rate_and_says_no_more(
    mode: str, rate: str, gateway: Gateway, job: Runner, sim: Simulator, world: World, drafts: Drafts
) -> None:
    """A 429 without `Retry-After`, in HTML: everybody backs off, nothing is lost."""
    world.mode = mode  # type: ignore[assignment]
    held = drafts(40)
    gateway.reload(f"limit_req zone=slow burst=5 nodelay; limit_req_status 429; {gateway.proxied}")
    check_all_discarded(job(job.list_of(held), *FLAGS, "--rate", rate), sim, held)
    assert gateway.statuses[429] > 0


@pytest.mark.parametrize("gateway", [HAProxy], indirect=True, ids=["haproxy"])
@MODES
def test_a_gateway_that_sends_a_request_again(
    mode: str, gateway: Gateway, job: Runner, sim: Simulator, world: World, drafts: Drafts
) -> None:
    """`retry-on`: the answer to a discard is lost, the gateway's own second one finds nothing. The draft is gone."""
    world.mode = mode  # type: ignore[assignment]
    held = drafts(10)
    for draft in held[:3]:
        sim.faults.script(draft.id, "lost_after" if mode == "drafts" else ["ok", "lost_after"])
    gateway.reload("retries 3\n  retry-on conn-failure empty-response 502 503 504")
    ended = job(job.list_of(held), *FLAGS)
    check(ended, sim, held)
    assert ended.code == 0
    assert sim.left() == set()
    assert len(sim.requests("discard")) == 13
