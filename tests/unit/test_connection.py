"""The wire: odd answers, connections that may and may not be used again, TLS and proxies, each against real sockets."""

import asyncio
import gzip
import ssl
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cleanup.api.departure import Departures

from cleanup.api.key import Key
from cleanup.api.transport import Transport
from cleanup.model import NOT_JSON, Reply, Trouble
from tests.raw_api import DISCARDED, Cut, Hang, Proxy, RawApi, answer, serving

GOOD = {"status": True, "data": None}
JSON = b'{"status": true, "data": null}'


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "ssl_cert_file", "ssl_cert_dir"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def send(
    url: str,
    count: int = 1,
    pause: Callable[[], Awaitable[None]] | None = None,
    timeout: float = 10,
    departures: Departures | None = None,
) -> list[Reply]:
    """So many discards one after the other over one transport, with a pause between."""

    async def go() -> list[Reply]:
        transport = Transport(url, Key(None, "sk_test"), timeout, departures)
        replies = []
        for number in range(count):
            if number and pause:
                await pause()
            replies.append(await transport.send("DELETE", "/agent/a/drafts/d"))
        await transport.aclose()
        return replies

    return asyncio.run(go())


class Departing:
    """Notes what a transport tells of requests that cannot leave at once, and what the API has heard by then."""

    def __init__(self, api: RawApi) -> None:
        self.told: list[tuple[str, int]] = []
        self._api = api

    def held_up(self) -> None:
        self.told.append(("held up", len(self._api.requests)))

    def left(self) -> None:
        self.told.append(("left", len(self._api.requests)))


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        (DISCARDED, [("held up", 0), ("left", 0)]),
        (answer(200, JSON, "Connection: close"), [("held up", 0), ("left", 0), ("held up", 1), ("left", 1)]),
        (Cut(b""), [("held up", 0), ("left", 0), ("held up", 1), ("left", 1)]),
    ],
)
def test_a_request_that_waits_for_a_connection_is_told(raw: bytes, told: list[tuple[str, int]]) -> None:
    """Once when it has to wait and once when it leaves; over a connection that is there, nothing is told."""
    with RawApi(otherwise=raw).running() as api:
        departing = Departing(api)
        send(api.url, 2, departures=departing)
        assert departing.told == told


def test_a_request_that_never_leaves_is_told_all_the_same() -> None:
    """No connection, no bytes: it counts as if it had left, so that trying is paced too."""
    with RawApi().running() as api:
        departing = Departing(api)
    send(api.url, departures=departing)
    assert departing.told == [("held up", 0), ("left", 0)]


@pytest.mark.parametrize(
    ("raw", "status", "body", "connections"),
    [
        (DISCARDED, 200, GOOD, 1),
        (answer(204), 204, None, 1),
        (answer(200, JSON, "Connection: close"), 200, GOOD, 2),
        (Cut(b"HTTP/1.0 200 OK\r\n\r\n" + JSON), 200, GOOD, 2),
        (Cut(b"HTTP/1.1 200 OK\r\n\r\n" + JSON), 200, GOOD, 2),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1e\r\n%s\r\n0\r\n\r\n" % JSON, 200, GOOD, 1),
        (b"HTTP/1.1 103 Early\r\n\r\n" + DISCARDED, 200, GOOD, 1),
        (DISCARDED + DISCARDED, 200, GOOD, 2),
        (DISCARDED + b"more", 200, GOOD, 2),
        (answer(200, gzip.compress(JSON), "Content-Encoding: gzip"), 200, GOOD, 1),
        (answer(200, gzip.compress(b" " * (2 << 20)), "Content-Encoding: gzip"), 200, NOT_JSON, 2),
        (answer(200, b"no gzip", "Content-Encoding: gzip"), 200, NOT_JSON, 2),
        (answer(200, b" " * (2 << 20)), 200, NOT_JSON, 2),
        (Cut(answer(500, b"{", length=9)), 500, NOT_JSON, 2),
        (Hang(answer(503, b"{", length=9)), 503, NOT_JSON, 2),
        (Cut(answer(200, JSON, length=99)), None, None, 2),
        (Cut(b"HTTP/1.1 200 OK\r\nContent-Len"), None, None, 2),
        (Cut(b""), None, None, 2),
        (Cut(b"HTTP/1.1 200 OK\r\nx: %s\r\n\r\n" % (b"y" * 200_000)), None, None, 2),
        (Cut(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 30\r\n\r\n" + JSON), None, None, 2),
        (Cut(b"\x16\x03\x01 this is not HTTP\r\n\r\n"), None, None, 2),
    ],
    ids=lambda value: repr(value)[:60] if isinstance(value, bytes) else "",
)
def test_an_answer_is_read_to_its_end_and_answers_one_request(
    raw: bytes, status: int | None, body: object, connections: int
) -> None:
    """Twice each: a connection is used again only when the answer came whole, and nothing after it."""
    with RawApi({"d": [raw]}).running() as api:
        replies = send(api.url, 2, timeout=0.5 if isinstance(raw, Hang) else 10)
        for reply in replies:
            assert (reply.status, reply.body, reply.sent) == (status, body, True)
            assert reply.trouble is (None if status else Trouble.CONNECTION)
        assert (api.asked("d"), api.connections) == (2, connections)


def test_a_silent_server_is_a_timeout_and_a_closed_port_proves_that_nothing_was_sent() -> None:
    """What may have been carried out is told apart from what cannot have been."""
    with RawApi({"d": [Hang(b"")]}).running() as api:
        (reply,) = send(api.url, timeout=0.3)
        assert (reply.trouble, reply.sent) == (Trouble.TIMEOUT, True)
    (reply,) = send(api.url)
    assert (reply.trouble, reply.sent) == (Trouble.CONNECTION, False)


def test_a_connection_that_the_server_closed_meanwhile_is_not_used() -> None:
    """The answer said nothing of closing: no request is lost on it."""
    with RawApi({"d": [Cut(DISCARDED)]}).running() as api:
        replies = send(api.url, 3, lambda: asyncio.sleep(0.02))
        assert [reply.status for reply in replies] == [200, 200, 200]
        assert api.connections == 3


def test_tls_is_verified_always(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A CA of one's own has to be named; without it nothing is sent."""
    with RawApi(tls=serving(certificate)).running() as api:
        (reply,) = send(api.url)
        assert (reply.trouble, reply.sent, api.requests) == (Trouble.TLS, False, [])
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        assert [reply.body for reply in send(api.url, 2)] == [GOOD, GOOD]
        (reply,) = send(api.url.replace("localhost", "127.0.0.1"))
        assert reply.trouble is Trouble.TLS  # the certificate is another host's


@contextmanager
def proxy(tls: ssl.SSLContext | None = None, refusal: bytes | None = None) -> Iterator[tuple[str, list[str]]]:
    """A proxy's address, and the head of each request to it."""
    with Proxy(refusal, tls).running() as served:
        yield f"http{'s' if tls else ''}://us%40er:pass@localhost:{served.port}", served.heads


@pytest.mark.parametrize("proxy_tls", [False, True], ids=["http proxy", "https proxy"])
def test_a_proxy_tunnels_what_is_encrypted(
    certificate: Path, monkeypatch: pytest.MonkeyPatch, *, proxy_tls: bool
) -> None:
    """It is told where to and by whom, and never sees the key."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    tls = serving(certificate)
    with RawApi(tls=tls).running() as api, proxy(tls if proxy_tls else None) as (address, heads):
        monkeypatch.setenv("HTTPS_PROXY", address)
        assert [reply.body for reply in send(api.url, 2)] == [GOOD, GOOD]
        assert len(heads) == 1
        assert heads[0].startswith(f"CONNECT localhost:{api.port} HTTP/1.1\r\n")
        assert "Proxy-Authorization: Basic dXNAZXI6cGFzcw==" in heads[0]
        assert "sk_test" not in heads[0]
        monkeypatch.setenv("NO_PROXY", "localhost")
        assert send(api.url)[0].body == GOOD
        assert len(heads) == 1


def test_a_proxy_passes_on_what_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole address stands in the request."""
    with RawApi().running() as api, proxy() as (address, heads):
        monkeypatch.setenv("HTTP_PROXY", address)
        assert send(api.url)[0].body == GOOD
        assert heads[0].startswith(f"DELETE {api.url}/agent/a/drafts/d HTTP/1.1\r\n")
        assert f"Host: localhost:{api.port}\r\n" in heads[0]


def test_a_proxy_that_refuses_proves_that_nothing_was_sent(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its answer is not the API's."""
    refusal = answer(407, b"no")
    with RawApi(tls=serving(certificate)).running() as api, proxy(refusal=refusal) as (address, _):
        monkeypatch.setenv("HTTPS_PROXY", address)
        (reply,) = send(api.url)
        assert (reply.status, reply.sent, reply.message) == (
            None,
            False,
            "no connection: the proxy refuses: 407 Whatever",
        )
