"""What happens between two requests: hooks, outages, limits, latency, and the record of it all."""

import contextlib
import gc
import re
import socket
import sys
import threading
import time
from email.utils import parsedate_to_datetime
from typing import get_args

import httpx
import pytest

from cleanup.simulator import Agent, Draft, RateLimit, Simulator, World
from cleanup.simulator.limit import RetryAfterForm
from tests.conftest import wait_until
from tests.simulator.conftest import IMPATIENT

KEY = {"Authorization": "Bearer sk_simulator"}


def test_another_draft_is_opened_between_check_and_discard(
    client: httpx.Client, simulator: Simulator, draft: Draft, branch_path: str
) -> None:
    simulator.world.mode = "branches"
    simulator.after(lambda world: world.replace(draft.id), endpoint="look", draft=draft.id)
    looked = client.get(branch_path).json()["data"]["latest"]["draftId"]
    client.delete(branch_path)
    assert looked == draft.id
    assert draft.id in simulator.world.gone
    assert draft.id not in simulator.world.discarded


def test_a_draft_is_edited_after_the_second_check(
    client: httpx.Client, simulator: Simulator, draft: Draft, path: str
) -> None:
    simulator.after(lambda world: world.edit(draft.id, editor="Editor 3"), endpoint="look", nth=2)
    revisions = [client.get(path).json()["data"]["latest"]["draftRevision"] for _ in range(3)]
    assert revisions == [1, 1, 2]


def test_a_key_is_revoked_after_the_first_request(client: httpx.Client, simulator: Simulator) -> None:
    simulator.after(World.revoke_key)
    assert [client.get("user").status_code for _ in range(2)] == [200, 401]


def test_a_draft_vanishes_while_its_discard_arrives(
    client: httpx.Client, simulator: Simulator, draft: Draft, path: str
) -> None:
    simulator.before(lambda world: world.take_away(draft.id), endpoint="discard", draft=draft.id)
    assert client.delete(path).status_code == 404


def test_the_api_goes_down_after_a_request(client: httpx.Client, simulator: Simulator, path: str) -> None:
    simulator.after(lambda _: simulator.down("refuse"), endpoint="discard")
    assert client.delete(path).status_code == 200
    with pytest.raises(httpx.TransportError):
        client.get("user")
    with pytest.raises(httpx.ConnectError):
        client.get("user")


def test_a_hook_that_fails_fails_the_test(world: World) -> None:
    simulator = Simulator(world)
    simulator.after(lambda world: world.edit("no such draft"))
    simulator.start()
    httpx.get(f"{simulator.url}/user", headers=KEY, trust_env=False)
    with pytest.raises(KeyError, match="no such draft"):
        simulator.__exit__(None, None, None)


def test_refused_connections_work_again_on_the_same_port(client: httpx.Client, simulator: Simulator) -> None:
    port = simulator.port
    assert client.get("user").status_code == 200
    for _ in range(3):
        simulator.down("refuse")
        with pytest.raises(httpx.ConnectError):
            client.get("user")
        simulator.up()
        assert client.get("user").status_code == 200
    assert simulator.port == port


def test_an_outage_ends_by_itself(client: httpx.Client, simulator: Simulator) -> None:
    def is_up() -> bool:
        try:
            return client.get("user").status_code == 200
        except httpx.ConnectError:
            return False

    simulator.down("refuse", seconds=0.1)
    wait_until(is_up)


def test_everything_answers_500_until_it_is_up(client: httpx.Client, simulator: Simulator, path: str) -> None:
    simulator.down("500")
    assert [client.delete(path).status_code, client.get("user").status_code] == [500, 500]
    simulator.up()
    assert client.delete(path).status_code == 200


def test_everything_hangs(client: httpx.Client, simulator: Simulator, draft: Draft, path: str) -> None:
    simulator.down("hang")
    with pytest.raises(httpx.ReadTimeout):
        client.delete(path, timeout=IMPATIENT)
    simulator.up()
    assert simulator.left() == {draft.id}


def test_an_outage_for_a_share_of_the_requests(client: httpx.Client, simulator: Simulator) -> None:
    simulator.down("503", share=0.5)
    statuses = [client.get("user").status_code for _ in range(60)]
    assert 12 <= statuses.count(503) <= 48


@pytest.mark.parametrize("form", get_args(RetryAfterForm))
def test_beyond_the_limit_there_is_a_refusal_in_the_form_asked_for(world: World, form: RetryAfterForm) -> None:
    limit = RateLimit(0.001, burst=3, retry_after=9, form=form)
    before = time.time()
    with Simulator(world, limit=limit) as simulator, httpx.Client(headers=KEY, trust_env=False) as client:
        responses = [client.get(f"{simulator.url}/user") for _ in range(4)]
    assert [response.status_code for response in responses] == [200, 200, 200, 503 if form == "page" else 429]
    if form == "page":
        assert responses[3].headers["content-type"] == "text/html"
        return
    header, body = responses[3].headers.get("Retry-After"), responses[3].json()
    assert (header == "9") == (form == "header")
    assert (body.get("retry_after") == 9) == (form == "body")
    if form == "rate_limit":
        assert body["rateLimit"]["retryAfterSec"] == 9
    else:
        assert body["code"] == "RATE_LIMIT_EXCEEDED"
    if form == "date":
        assert before + 7 <= parsedate_to_datetime(header).timestamp() <= time.time() + 10


def test_the_bucket_fills_again(monkeypatch: pytest.MonkeyPatch) -> None:
    times = [0.0, 0.0, 0.01, 0.019, 0.021, 0.03, 9.0, 9.01]
    monkeypatch.setattr(time, "monotonic", lambda: times.pop(0))
    limit = RateLimit(50, burst=1)
    allowed = [limit.allows() for _ in times[:]]
    monkeypatch.undo()
    assert allowed == [True, False, False, True, False, True, False]


def test_latency_and_requests_in_flight(world: World, agent: Agent) -> None:
    with (
        Simulator(world, latency=(0.2, 0.21)) as simulator,
        httpx.Client(headers=KEY, trust_env=False) as client,
    ):
        together = threading.Barrier(4)

        def look() -> None:
            together.wait()
            client.get(f"{simulator.url}/agent/{agent.id}/drafts")

        threads = [threading.Thread(target=look) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        requests = simulator.requests("drafts", agent=agent.id, status=200)
        assert simulator.max_in_flight == max(request.in_flight for request in requests) > 1
        assert all((request.answered or 0) - request.arrived >= 0.2 for request in requests)
        assert simulator.journal.in_flight == 0
        assert simulator.max_per_second() == 4
        assert simulator.max_per_second(window=1e-9) == 1


def test_a_client_that_gives_up_is_no_longer_in_flight(
    client: httpx.Client, simulator: Simulator, draft: Draft, path: str
) -> None:
    simulator.faults.script(draft.id, "slow:30s")
    with pytest.raises(httpx.ReadTimeout):
        client.delete(path, timeout=IMPATIENT)
    wait_until(lambda: simulator.requests("discard") and not simulator.journal.in_flight)
    client.get("user")
    assert simulator.requests("user")[0].in_flight == 1
    assert simulator.journal.by_status() == {"slow:30s": 1, "200": 1}


def test_the_record_never_holds_the_key(client: httpx.Client, simulator: Simulator) -> None:
    client.get("user")
    assert "sk_simulator" not in repr(simulator.requests())


def test_it_starts_and_stops_fast_even_with_hanging_connections(world: World, draft: Draft, path: str) -> None:
    def discard(url: str) -> None:
        with pytest.raises(httpx.RemoteProtocolError):
            httpx.delete(f"{url}/{path}", headers=KEY, trust_env=False)

    began = time.monotonic()
    with Simulator(world) as simulator:
        started = time.monotonic()
        arrived = threading.Event()
        simulator.faults.script(draft.id, "hang*")
        simulator.before(lambda _: arrived.set())
        thread = threading.Thread(target=discard, args=[simulator.url])
        thread.start()
        assert arrived.wait(5)
        stopping = time.monotonic()
    assert time.monotonic() - stopping < 5
    assert started - began < 5
    thread.join()


def test_a_port_in_use_is_an_error(simulator: Simulator) -> None:
    with pytest.raises(OSError, match="in use"):
        Simulator(port=simulator.port).start()


def test_the_same_seed_gives_the_same_ids() -> None:
    first, second = (World(seed=7) for _ in range(2))
    assert first.add_agent().id == second.add_agent().id
    assert re.fullmatch("[0-9a-f]{24}", first.new_id())


def test_a_branch_has_one_open_draft_at_most(world: World, draft: Draft) -> None:
    with pytest.raises(ValueError, match="open"):
        world.open_draft(draft.agent, branch=draft.branch)


def test_connections_that_were_just_accepted_are_closed_when_it_stops() -> None:
    """asyncio's own server forgets them; nobody would close them, and a client would wait for ever."""
    forgotten: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "unraisablehook", lambda unraisable: forgotten.append(str(unraisable.exc_value)))
        for _ in range(20):
            with contextlib.ExitStack() as clients, Simulator() as simulator:
                for _ in range(8):
                    client = clients.enter_context(socket.socket())
                    client.settimeout(0)
                    client.connect_ex(("127.0.0.1", simulator.port))
        gc.collect()
    assert forgotten == []
