"""What a client sees of each fault, and whether the draft is discarded."""

import socket
import time
from collections.abc import Iterator
from email.utils import parsedate_to_datetime

import httpx
import pytest

from cleanup.simulator import Draft, Faults, Simulator, World
from cleanup.simulator.faults import Script, duration, parse
from tests.simulator.conftest import IMPATIENT


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 423, 429, 500, 502, 503, 504, 599])
def test_a_status_is_answered_in_the_apis_shape(
    client: httpx.Client, simulator: Simulator, draft: Draft, path: str, status: int
) -> None:
    simulator.faults.script(draft.id, str(status))
    response = client.delete(path)
    assert (response.status_code, response.json()["status"]) == (status, False)
    assert "x-request-id" in response.headers
    assert simulator.left() == {draft.id}
    assert simulator.requests()[0].fault == str(status)
    assert client.delete(path).status_code == 200


def test_a_sequence_is_used_up_one_by_one(client: httpx.Client, simulator: Simulator, draft: Draft, path: str) -> None:
    simulator.faults.script(draft.id, ["500x2", "nginx502x2", "503", "ok"])
    assert [client.delete(path).status_code for _ in range(7)] == [500, 500, 502, 502, 503, 200, 404]


def test_the_last_may_repeat_for_ever(client: httpx.Client, simulator: Simulator, draft: Draft, path: str) -> None:
    simulator.faults.script(draft.id, ["503", "500*"])
    assert [client.delete(path).status_code for _ in range(4)] == [503, 500, 500, 500]


@pytest.mark.parametrize(
    ("text", "header"),
    [("429:retry_after=2", "2"), ("503:retry_after=nan", "nan"), ("429", None), ("500", None)],
)
def test_retry_after_goes_out_as_written(
    client: httpx.Client, simulator: Simulator, draft: Draft, path: str, text: str, header: str | None
) -> None:
    simulator.faults.script(draft.id, text)
    assert client.delete(path).headers.get("Retry-After") == header


def test_retry_after_as_a_date_and_in_the_body(
    client: httpx.Client, simulator: Simulator, draft: Draft, path: str
) -> None:
    simulator.faults.script(draft.id, ["429:date=60", "429:body=7", "429:rate_limit=7"])
    before = time.time()
    date = parsedate_to_datetime(client.delete(path).headers["Retry-After"])
    assert before + 58 <= date.timestamp() <= time.time() + 61
    assert client.delete(path).json()["retry_after"] == 7
    assert client.delete(path).json()["rateLimit"]["retryAfterSec"] == 7


@pytest.mark.parametrize("text", ["lost", "lost_before", "lost_after", "reset", "reset_after", "garbage", "truncated"])
def test_a_broken_connection(client: httpx.Client, simulator: Simulator, draft: Draft, path: str, text: str) -> None:
    simulator.faults.script(draft.id, text)
    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)) as caught:
        client.delete(path)
    assert isinstance(caught.value, httpx.ReadError) == text.startswith("reset")
    done = text.endswith("_after") or text == "truncated"
    assert (draft.id in simulator.world.discarded) == done
    assert simulator.requests()[0].discarded == (draft.id if done else None)
    assert client.get("user").status_code == 200


@pytest.mark.parametrize("text", ["hang", "hang_after"])
def test_no_answer_at_all(client: httpx.Client, simulator: Simulator, draft: Draft, path: str, text: str) -> None:
    simulator.faults.script(draft.id, text)
    with pytest.raises(httpx.ReadTimeout):
        client.delete(path, timeout=IMPATIENT)
    assert (draft.id in simulator.world.discarded) == text.endswith("_after")


@pytest.mark.parametrize(("text", "head_ends"), [("drip:0.01s", False), ("drip_body:0.01s", True)])
def test_a_dripping_answer_never_ends_and_never_pauses(
    simulator: Simulator, draft: Draft, path: str, text: str, head_ends: bool
) -> None:
    simulator.faults.script(draft.id, text)
    request = f"DELETE /atoms/v1/{path} HTTP/1.1\r\nHost: api\r\nAuthorization: Bearer sk_simulator\r\n\r\n"
    with socket.create_connection(("127.0.0.1", simulator.port), timeout=10) as connection:
        connection.sendall(request.encode())
        chunks = [connection.recv(4096) for _ in range(30)]
    assert all(chunks)
    assert (b"\r\n\r\n" in b"".join(chunks)) == head_ends
    assert b"".join(chunks).startswith(b"HTTP/1.1 200 OK\r\n")
    assert draft.id in simulator.world.discarded


@pytest.mark.parametrize(
    ("text", "status", "content_type", "body"),
    [
        ("html", 200, "text/html", "<!doctype"),
        ("html404", 404, "text/html", "<!doctype"),
        ("html403", 403, "text/html", "<!doctype"),
        ("html500", 500, "text/html", "<!doctype"),
        ("status_false", 200, "application/json", '{"status":false'),
        ("empty200", 200, "application/json", ""),
        ("empty401", 401, "", ""),
        ("empty403", 403, "", ""),
        ("empty404", 404, "", ""),
        ("empty502", 502, "", ""),
        ("no_route", 404, "application/json", '{"message":"no Route matched with those values"}'),
        ("nginx404", 404, "text/html", "<html>\r\n<head><title>404 Not Found</title></head>\r\n"),
        ("nginx502", 502, "text/html", "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n"),
        ("cannot", 404, "text/html; charset=utf-8", "<!DOCTYPE html>"),
        ("migration", 409, "application/json", '{"status":false,"error_type":"versioning_v2'),
    ],
)
def test_answers_that_are_not_what_they_should_be(
    client: httpx.Client,
    simulator: Simulator,
    draft: Draft,
    path: str,
    text: str,
    status: int,
    content_type: str,
    body: str,
) -> None:
    simulator.faults.script(draft.id, text)
    response = client.delete(path)
    assert response.status_code == status
    assert response.headers.get("content-type", "").startswith(content_type)
    assert response.text[: len(body) or 1] == body
    assert simulator.left() == {draft.id}


def test_a_route_that_cannot_be_found_is_named(
    client: httpx.Client, simulator: Simulator, draft: Draft, path: str
) -> None:
    simulator.faults.script(draft.id, "cannot")
    assert f"<pre>Cannot DELETE /atoms/v1/{path}</pre>" in client.delete(path).text


def test_an_answer_is_compressed_though_nobody_asked(
    client: httpx.Client, simulator: Simulator, draft: Draft, path: str
) -> None:
    simulator.faults.script(draft.id, "gzip")
    response = client.delete(path, headers={"Accept-Encoding": "identity"})
    assert (response.status_code, response.headers["Content-Encoding"]) == (200, "gzip")
    assert (response.json(), simulator.left()) == ({"status": True, "data": None}, set())


@pytest.mark.parametrize("kind", ["empty401", "empty403", "empty404", "empty502", "no_route", "cannot", "nginx404"])
def test_a_gateway_may_answer_everybody_so(
    client: httpx.Client, simulator: Simulator, draft: Draft, path: str, kind: str
) -> None:
    expected = 404 if kind in ("no_route", "cannot") else int(kind[-3:])
    simulator.down(kind)
    urls = ["user", "agent", "account/get-account-details", path, f"agent/{draft.agent}/drafts"]
    assert [client.get(url).status_code for url in urls] == [expected] * len(urls)
    assert client.delete(path).status_code == expected
    simulator.up()
    assert simulator.left() == {draft.id}
    assert client.delete(path).status_code == 200


def test_a_gateway_may_compress_everything(client: httpx.Client, simulator: Simulator) -> None:
    simulator.down("gzip")
    response = client.get("user", headers={"Authorization": "Bearer sk_wrong"})
    assert (response.status_code, response.headers["Content-Encoding"]) == (401, "gzip")


def test_a_redirect_leads_to_itself(client: httpx.Client, simulator: Simulator, draft: Draft, path: str) -> None:
    simulator.faults.script(draft.id, "redirect")
    response = client.delete(path)
    assert response.status_code == 302
    assert response.headers["Location"] == response.request.url.path


def test_204_is_a_success(client: httpx.Client, simulator: Simulator, draft: Draft, path: str) -> None:
    simulator.faults.script(draft.id, "204*")
    response = client.delete(path)
    assert (response.status_code, response.content) == (204, b"")
    assert draft.id in simulator.world.discarded
    assert client.delete(path).status_code == 404


def test_a_huge_answer_is_json_all_the_same(
    client: httpx.Client, simulator: Simulator, draft: Draft, path: str
) -> None:
    simulator.faults.script(draft.id, "huge")
    with client.stream("DELETE", path) as response:
        chunks = [chunk[-40:] for chunk in response.iter_raw()]
        assert response.num_bytes_downloaded > 50_000_000
    assert chunks[-1].strip().endswith(b"}")


def test_a_slow_answer_is_the_proper_one(client: httpx.Client, simulator: Simulator, draft: Draft, path: str) -> None:
    simulator.faults.script(draft.id, "slow:80ms")
    response = client.delete(path)
    assert (response.status_code, response.elapsed.total_seconds() >= 0.08) == (200, True)


def test_a_500_that_did_it(client: httpx.Client, simulator: Simulator, draft: Draft, path: str) -> None:
    simulator.faults.script(draft.id, "500_after")
    assert [client.delete(path).status_code for _ in range(2)] == [500, 404]
    assert simulator.requests()[0].discarded == draft.id


def test_a_drafts_script_holds_on_the_branch_model_too(
    client: httpx.Client, simulator: Simulator, draft: Draft, branch_path: str
) -> None:
    simulator.world.mode = "branches"
    simulator.faults.script(draft.id, ["500", "ok"])
    assert [client.delete(branch_path).status_code for _ in range(2)] == [500, 200]


def test_other_endpoints_can_be_scripted(client: httpx.Client, simulator: Simulator, draft: Draft, path: str) -> None:
    faults, agent = simulator.faults, draft.agent
    faults.script(draft.id, "500", on="look")
    faults.script(draft.id, "502", on="backup")
    faults.script(agent, "503", on="branches")
    faults.script(agent, "504", on="drafts")
    faults.script("*", "429", on="user")
    faults.script("*", "501", on="agents")
    urls = [path, f"agent/{agent}?draftId={draft.id}", f"agent/{agent}/branches", f"agent/{agent}/drafts"]
    assert [client.get(url).status_code for url in [*urls, "user", "agent"]] == [500, 502, 503, 504, 429, 501]
    assert client.delete(path).status_code == 200


@pytest.fixture
def crowd(world: World) -> list[Draft]:
    agent = world.add_agent()
    return [world.open_draft(agent.id) for _ in range(100)]


def _outcomes(client: httpx.Client, crowd: list[Draft]) -> Iterator[int]:
    for draft in crowd:
        yield client.delete(f"agent/{draft.agent}/drafts/{draft.id}").status_code


def test_a_share_fails_at_first_and_the_same_with_the_same_seed(
    client: httpx.Client, simulator: Simulator, crowd: list[Draft]
) -> None:
    simulator.faults.by_share(0.2, ["500", "503"])
    first = list(_outcomes(client, crowd))
    failed = [draft for draft, status in zip(crowd, first, strict=True) if status != 200]
    assert 8 <= len(failed) <= 35
    assert set(first) == {200, 500, 503}
    assert set(_outcomes(client, failed)) == {200}
    again = Faults(simulator.faults.seed)
    again.by_share(0.2, ["500", "503"])
    repeated = [again.next("discard", draft.agent, draft.id) for draft in crowd]
    assert [fault.status if fault else 200 for fault in repeated] == first


def test_a_share_of_every_attempt(client: httpx.Client, simulator: Simulator, draft: Draft, path: str) -> None:
    simulator.faults.by_share(1.0, ["500"], attempts="every")
    assert [client.delete(path).status_code for _ in range(3)] == [500, 500, 500]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "oops",
        "199",
        "600",
        "html999",
        "empty999",
        "nginx299",
        "empty",
        "429:rate_limits=2",
        "500:later=1",
        "slow:soon",
        "429:date=x",
        "*",
    ],
)
def test_nonsense_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        Script([text])


def test_nothing_may_follow_what_never_ends() -> None:
    with pytest.raises(ValueError, match="repeats for ever"):
        Script(["500*", "ok"])


def test_what_is_done_by_default() -> None:
    texts = ("ok", "204", "drip", "truncated", "huge", "slow:1s", "gzip", "500", "lost", "hang", "html", "empty200")
    assert [parse(text).done for text in texts] == [True] * 7 + [False] * 5
    assert parse("204_before").done is False


def test_durations() -> None:
    assert [duration(text) for text in ("500ms", "10s", "5m", "2h", "7d", "1.5")] == [
        0.5,
        10,
        300,
        7200,
        604800,
        1.5,
    ]
