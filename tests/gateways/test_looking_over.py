"""`find` and `sweep` behind a gateway in trouble: a list is complete or says that it is not."""

import csv
import io

import pytest

from cleanup.simulator import Mode, Simulator, World
from tests.accounts import only_reads
from tests.conftest import MODES, Drafts, aged
from tests.gateways import processes
from tests.gateways.conftest import Meanwhile, name_of
from tests.gateways.processes import Gateway, HAProxy, Nginx
from tests.runner import Ended, Runner

RULE = ("--older-than", "30d")
INCOMPLETE = {
    "find": "the list is not complete: 12 parts of the workspace could not be read",
    "sweep": "a part of the workspace could not be read, so nothing was discarded",
}
"""How a command says, in its last line, that it could not read everything."""
NO_DRAFTS = "location ~ /(drafts|branches)$ %s location / { proxy_pass http://127.0.0.1:%d; }"
"""Every other route of the API answers as usual."""

RIDDEN_OUT = [
    (["404 page", "403 empty", "api away", "reloaded"], Nginx, "drafts"),
    (["restarted", "404 empty"], Nginx, "branches"),
    (["restarted"], HAProxy, "drafts"),
    (["reloaded"], HAProxy, "branches"),
]
TROUBLED = pytest.mark.parametrize(
    ("troubles", "gateway", "mode"),
    RIDDEN_OUT,
    indirect=["gateway"],
    ids=name_of,
)


def listed(ended: Ended) -> set[str]:
    """The drafts of the list on standard output."""
    return {row["draft"] for row in csv.DictReader(io.StringIO(ended.stdout))}


def stale_among(world: World, drafts: Drafts, agents: int = 12) -> set[str]:
    """So many agents with two old drafts and a new one each; the old ones."""
    old = drafts(2 * agents, agents=agents, updated_at=aged(40))
    for agent in list(world.agents):
        world.open_draft(agent)
    return {draft.id for draft in old}


def looks(mode: Mode) -> str:
    """The endpoint that says which drafts an agent has."""
    return "drafts" if mode == "drafts" else "branches"


def sweep(job: Runner, world: World, *words: str) -> Ended:
    """All old drafts, confirmed."""
    flags = ("--organization", world.organization, "--yes", "--max-share", "off", "--ledger", "ledger.jsonl")
    return job("sweep", *RULE, *flags, *words)


@TROUBLED
def test_a_list_is_complete_after_all(
    troubles: list[str], mode: Mode, gateway: Gateway, meanwhile: Meanwhile, job: Runner, sim: Simulator, world: World,
    drafts: Drafts,
) -> None:  # fmt: skip
    """From the third agent on, each for a while: all are ridden out, and everything is found."""
    world.mode = mode
    stale = stale_among(world, drafts, 12 * len(troubles))
    for number, trouble in enumerate(troubles):
        meanwhile(trouble, endpoint=looks(mode), nth=3 + 12 * number)
    ended = job("find", *RULE, "--rate", "40")
    assert (ended.code, listed(ended)) == (0, stale)
    assert only_reads(sim)


@MODES
def test_a_sweep_rides_out_a_missing_route(
    mode: Mode, gateway: Gateway, meanwhile: Meanwhile, job: Runner, sim: Simulator, world: World,
    drafts: Drafts,
) -> None:  # fmt: skip
    """A route is missing during the search. The sweep waits, reads everything in the end, and discards it."""
    world.mode = mode
    stale = stale_among(world, drafts, 24)
    meanwhile("404 json", endpoint=looks(mode), nth=3)
    meanwhile("no location", endpoint=looks(mode), nth=15)
    ended = sweep(job, world, "--rate", "40")
    assert gateway.statuses[404] > 0
    assert (ended.code, set(world.discarded)) == (0, stale)


@pytest.mark.parametrize(("mode", "rate"), [("drafts", "off"), ("branches", "40")])
def test_a_list_that_is_told_no_drafts_in_json(
    rate: str, mode: Mode, gateway: Gateway, meanwhile: Meanwhile, job: Runner, world: World, drafts: Drafts
) -> None:
    """A 404 like the API's own, to everything, for a while: nobody believes it, and the list is complete."""
    world.mode = mode
    stale = stale_among(world, drafts)
    meanwhile("404 json", endpoint=looks(mode), nth=3)
    ended = job("find", *RULE, "--rate", rate, "--concurrency", "4")
    assert gateway.statuses[404] > 0
    assert (ended.code, listed(ended)) == (0, stale)


@MODES
@pytest.mark.parametrize(
    ("command", "answer"),
    [("find", processes.PAGE_404), ("sweep", processes.JSON_404)],
    ids=["find-page", "sweep-json"],
)
def test_the_route_to_the_drafts_is_missing_for_good(
    command: str, answer: str, mode: Mode, gateway: Gateway, job: Runner, sim: Simulator, world: World, drafts: Drafts
) -> None:
    """Every agent is there and none has drafts, as the gateway has it: nobody believes that, and nothing is sent."""
    world.mode = mode
    stale_among(world, drafts)
    rules = answer.removeprefix("location / ")
    gateway.reload(NO_DRAFTS % (rules, sim.port))
    patience = ("--rate", "40", "--max-outage", "20s")
    ended = job("find", *RULE, *patience) if command == "find" else sweep(job, world, *patience)
    assert ended.code == 75
    assert ended.events[-1]["reason"].startswith(INCOMPLETE[command])
    assert only_reads(sim)


@MODES
def test_every_route_is_missing_for_good(
    mode: Mode, gateway: Gateway, job: Runner, sim: Simulator, world: World, drafts: Drafts
) -> None:
    """From the third agent on: that is an outage, and when patience has ended the run says so and gives no list."""
    world.mode = mode
    stale_among(world, drafts)
    sim.after(lambda _world: gateway.reload(processes.JSON_404), endpoint=looks(mode), nth=3)
    ended = job("find", *RULE, "--rate", "40", "--max-outage", "1s")
    assert (ended.code, ended.events[-1]["stopped_by"]) == (75, "outage")
