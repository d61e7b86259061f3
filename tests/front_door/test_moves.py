"""A workspace that moves, and connections that are slow to open, while pairs are under way: nothing is lost."""

import asyncio
import contextlib
import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from cleanup.simulator import Simulator, World
from tests.accounts import FLAGS, check_account, keys, reasons
from tests.certificates import serving
from tests.conftest import Drafts
from tests.raw_api import Cut, RawApi, answer, on_loopback
from tests.runner import Ended, Runner

AGENT, DRAFT, ANOTHER, BRANCH = "a" * 24, "d1", "d2", "b1"
SLOW = 1.2
"""Seconds to open a connection: longer than a check may be old."""


@pytest.mark.unverified
@pytest.mark.parametrize("stop", [False, True], ids=["goes on", "is stopped"])
def test_a_success_that_comes_after_the_move_counts(
    stop: bool, job: Runner, sim: Simulator, world: World, drafts: Drafts
) -> None:
    """One draft's 200 is under way when another's 409 says that the workspace has moved."""
    first, second = drafts(2)
    sim.faults.script(first.id, ["slow:0.4s"])
    process: list[Any] = []

    def move(world: World) -> None:
        world.mode = "branches"

    def ask_to_stop(_world: World) -> None:
        if stop:
            process[0].send_signal(signal.SIGTERM)

    sim.before(move, draft=second.id, endpoint="discard")
    sim.after(ask_to_stop, draft=second.id, endpoint="discard")
    sim.faults.script(second.id, ["slow:0.1s"])
    # Only the first one's answer is slow. The draft itself was discarded before the move.
    process.append(job.start(job.list_of([first, second]), *FLAGS, "--concurrency", "2"))
    ended = job.wait(process[0])
    assert ended.code == (143 if stop else 0)
    (recorded,) = [line for line in ended.ledger() if line.get("draft") == first.id]
    assert (recorded["outcome"], recorded["status"]) == ("discarded", 200)


@contextmanager
def slow_to_open(api: RawApi, nth: int) -> Iterator[str]:
    """Before `api`: a way to it on which the nth connection takes `SLOW` seconds to open; yields its base URL."""
    opened = 0

    async def pump(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await source.read(65536):
                target.write(data)
                await target.drain()
        target.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal opened
        opened += 1
        if opened == nth:
            await asyncio.sleep(SLOW)
        upstream, downstream = await asyncio.open_connection("127.0.0.1", api.port)
        await asyncio.gather(pump(reader, downstream), pump(upstream, writer))

    # Encrypted, or the system itself would take the connection at once.
    with on_loopback(serve, None) as port:
        yield api.url.replace(str(api.port), str(port))


def open_draft(draft: str, *headers: str) -> bytes:
    body = {"status": True, "data": {"latest": {"draftId": draft, "updatedAt": "2026-01-01T00:00:00Z"}}}
    return answer(200, json.dumps(body), *headers)


def run_over_a_slow_connection(runner: Runner, certificate: Path, second_check: bytes) -> tuple[Ended, list[str]]:
    """A discard whose check closes its connection, so that it needs another; and the methods sent to the draft."""
    summary = {"branch": {"_id": BRANCH, "name": "main", "openDraftId": DRAFT}, "hasOpenDraft": True}
    branches = answer(200, json.dumps({"status": True, "data": {"branches": [summary]}}))
    script = {
        "branches": [branches],
        "draft": [Cut(open_draft(DRAFT, "Connection: close")), second_check, answer(200, '{"status": true}')],
    }
    with RawApi(script, tls=serving(certificate)).running() as api, slow_to_open(api, nth=2) as url:
        ended = runner(
            *(runner.list_of([(AGENT, DRAFT)]), "--base-url", url, "--model", "branches", "--rate", "off"),
            *("--ledger", "ledger.jsonl"), env={"SSL_CERT_FILE": str(certificate)},
        )  # fmt: skip
        return ended, [line.split()[0] for line, _ in api.requests if "/draft " in line]


def test_a_draft_that_somebody_opens_while_a_connection_is_slow_to_open_survives(
    runner: Runner, certificate: Path
) -> None:
    """The check is old by then: it is made again, and sees the other draft."""
    ended, sent = run_over_a_slow_connection(runner, certificate, open_draft(ANOTHER))
    assert reasons(ended) == {DRAFT: "changed"}
    assert sent == ["GET", "GET"]


@pytest.mark.unverified
def test_a_check_that_has_grown_old_is_made_again(runner: Runner, certificate: Path) -> None:
    """Nothing has changed by then, and the draft is discarded."""
    ended, sent = run_over_a_slow_connection(runner, certificate, open_draft(DRAFT))
    assert reasons(ended) == {DRAFT: "discarded"}
    assert sent == ["GET", "GET", "DELETE"]


def test_the_endpoint_is_gone_and_there_are_no_branches(
    job: Runner, sim: Simulator, world: World, drafts: Drafts
) -> None:
    """Then the API has changed: the run stops, and every pair is left over."""
    held = drafts(20)
    world.removed = True
    ended = job(job.list_of(held), *FLAGS, "--concurrency", "4")
    assert ended.code == 78
    check_account(ended, sim, keys(held))
    assert ended.summary["stopped_by"] == "migration_required"
    assert ended.summary["failed"].keys() == {"migration_required"}
    assert ended.counts["not_attempted"] >= 20 - 2 * 4


def test_the_endpoint_is_gone_in_the_middle_and_there_are_no_branches(
    job: Runner, sim: Simulator, world: World, drafts: Drafts
) -> None:
    """What was discarded before is on record."""
    held = drafts(40)
    sim.after(lambda world: setattr(world, "removed", True), endpoint="discard", nth=20)
    ended = job(job.list_of(held), *FLAGS)
    assert ended.code == 78
    check_account(ended, sim, keys(held))
    assert (ended.summary["status"], ended.summary["stopped_by"]) == ("stopped", "migration_required")


def test_one_page_of_a_gateway_moves_nothing(job: Runner, sim: Simulator, drafts: Drafts) -> None:
    """`Cannot DELETE …` while `GET /user` does not answer either: the pair is sent again, by its id."""
    held = drafts(10)
    sim.faults.script(held[4].id, ["cannot"])
    sim.after(lambda _world: sim.faults.script("*", ["500"], on="user"), endpoint="discard")
    ended = job(job.list_of(held), *FLAGS, "--concurrency", "1")
    assert ended.code == 0
    check_account(ended, sim, keys(held))
    assert (ended.counts["discarded"], ended.summary["model"]) == (10, "auto")


def test_a_page_for_a_missing_route_by_branches_is_sent_again(
    job: Runner, sim: Simulator, world: World, drafts: Drafts
) -> None:
    """There is nowhere else to go on, so it is somebody else's answer."""
    held = drafts(6)
    world.mode = "branches"
    sim.faults.script(held[2].id, ["cannot"], on="look")
    sim.faults.script(held[4].id, ["cannot"])
    ended = job(job.list_of(held), *FLAGS)
    assert ended.code == 0
    check_account(ended, sim, keys(held))
    assert ended.counts["discarded"] == 6


def test_an_address_that_is_not_the_apis(job: Runner, sim: Simulator, drafts: Drafts) -> None:
    """`GET /user` is not there: settings, and nothing else is sent."""
    held = drafts(5)
    ended = job(job.list_of(held), *FLAGS, "--base-url", sim.url.replace("/v1", "/v2"))
    assert ended.code == 78
    check_account(ended, sim, keys(held))
    assert "is api.base_url right?" in ended.stderr
    assert [request.path for request in sim.requests()] == ["/atoms/v2/user"]
