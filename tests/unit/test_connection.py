"""One attempt on the wire, against real sockets: odd answers, what was sent, connections that may be used again."""

import asyncio
import gzip
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cleanup.api import transport
from cleanup.api.reply import NOT_JSON, Reply, Trouble
from cleanup.api.transport import KEEP_ALIVE
from tests.certificates import serving
from tests.raw_api import DISCARDED, Cut, Hang, Proxy, RawApi, answer, on_loopback
from tests.wire import GOOD, JSON, discarding, discards, one_discard

GZIPPED = gzip.compress(JSON, mtime=0)  # the same at every collection, of whose names it is part
pytestmark = pytest.mark.usefixtures("no_proxies")


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
        (answer(200, JSON, "Content-Encoding: identity"), 200, GOOD, 1),
        (answer(200, GZIPPED, "Content-Encoding: gzip"), 200, NOT_JSON, 1),
        (answer(200, gzip.compress(GZIPPED, mtime=0), "Content-Encoding: gzip, gzip"), 200, NOT_JSON, 1),
        (answer(200, JSON, "Content-Encoding: gzip"), 200, NOT_JSON, 1),
        (answer(200, b" " * (2 << 20)), 200, NOT_JSON, 2),
        (Cut(answer(500, b"{", length=9)), 500, NOT_JSON, 2),
        (Hang(answer(503, b"{", length=9)), 503, NOT_JSON, 2),
        (Cut(answer(200, JSON, length=99)), None, None, 2),
        (Cut(answer(404, b"{}", length=99)), None, None, 2),
        (Cut(answer(405, b"<html>", length=99)), None, None, 2),
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
        replies = discards(api.url, 2, timeout=0.5 if isinstance(raw, Hang) else 10)
        for reply in replies:
            assert (reply.status, reply.body, reply.sent) == (status, body, True)
            assert reply.trouble is (None if status else Trouble.CONNECTION)
        assert (api.asked("d"), api.connections) == (2, connections)


@pytest.mark.parametrize("encoding", ["gzip", "gzip, gzip", "br"])
def test_a_body_that_nobody_asked_to_be_encoded_is_named(encoding: str) -> None:
    """It is not decoded: 800 bytes can be 800 MB."""
    with RawApi({"d": [answer(200, b"\x1f\x8b\x08", f"Content-Encoding: {encoding}")]}).running() as api:
        reply = one_discard(api.url)
        assert reply.message == f"a body with the encoding {encoding}, which was not requested"
        assert api.requests[0][1]["accept-encoding"] == "identity"


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (answer(200, b" " * (2 << 20)), "a body that is too large"),
        (Cut(answer(500, b"{", length=9)), "a body that was cut short"),
    ],
    ids=["large", "cut"],
)
def test_a_body_that_could_not_be_read_is_named(raw: bytes, message: str) -> None:
    """In place of its words."""
    with RawApi({"d": [raw]}).running() as api:
        assert one_discard(api.url).message == message


def test_a_second_answer_that_is_still_encrypted_is_noticed(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """TLS hands out a record of 16 KiB at a time: after one that the first answer fills there may be another."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    full = answer(200, JSON.ljust(16384 - len(answer(200, length=16384))))
    assert len(full) == 16384
    with RawApi({"d": [full + answer(404, "{}"), full]}, tls=serving(certificate)).running() as api:
        assert [reply.body for reply in discards(api.url, 2)] == [GOOD, GOOD]
        assert api.connections == 2


def test_where_it_cannot_be_asked_what_came_after_an_answer_its_connection_is_closed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A library that keeps it elsewhere one day costs connections, not answers."""

    class Changed:
        def __init__(self, response: Any) -> None:
            self.stream = SimpleNamespace(_httpcore_stream=response.stream)

    has_more = transport._has_more
    monkeypatch.setattr(transport, "_has_more", lambda response: has_more(Changed(response)))
    with RawApi().running() as api:
        assert [reply.body for reply in discards(api.url, 2)] == [GOOD, GOOD]
        assert api.connections == 2


@pytest.mark.parametrize(("idle", "connections"), [(KEEP_ALIVE - 0.1, 1), (KEEP_ALIVE + 0.1, 2)])
def test_a_connection_that_was_idle_for_long_is_not_used_again(
    idle: float, connections: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever lies between may have dropped it without a word: a request would be lost on it."""
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr("httpcore._async.http11.time", SimpleNamespace(monotonic=lambda: clock.now))

    async def pause() -> None:
        clock.now += idle

    with RawApi().running() as api:
        assert [reply.body for reply in discards(api.url, 2, pause)] == [GOOD, GOOD]
        assert api.connections == connections


def test_a_connection_that_the_server_closed_meanwhile_is_not_used() -> None:
    """The answer said nothing of closing: no request is lost on it."""
    with RawApi({"d": [Cut(DISCARDED)]}).running() as api:
        replies = discards(api.url, 3, lambda: asyncio.sleep(0.02))
        assert [reply.status for reply in replies] == [200, 200, 200]
        assert api.connections == 3


HANGS = 1.0
"""Seconds for an attempt at something that hangs."""


def test_a_request_was_sent_once_its_first_byte_was_written() -> None:
    """Cut off or left without an answer from then on, it may have been carried out."""
    for raw, trouble in ((Cut(b""), Trouble.CONNECTION), (Hang(b""), Trouble.TIMEOUT)):
        with RawApi({"d": [raw]}).running() as api:
            reply = one_discard(api.url, timeout=HANGS if isinstance(raw, Hang) else 10)
            assert (reply.status, reply.trouble, reply.sent, reply.lost) == (None, trouble, True, True)


def test_a_closed_port_proves_that_nothing_was_sent() -> None:
    """And the message says what the system said."""
    with RawApi().running() as api:
        pass
    reply = one_discard(api.url)
    assert (reply.trouble, reply.sent) == (Trouble.CONNECTION, False)
    assert reply.message is not None
    assert "refused" in reply.message.lower()


@pytest.mark.parametrize("host", ["a..b", "a" * 64 + ".test"])
def test_a_name_that_cannot_be_asked_for_proves_that_nothing_was_sent(host: str) -> None:
    """No resolver takes it."""
    reply = one_discard(f"https://{host}/atoms/v1")
    assert (reply.trouble, reply.sent) == (Trouble.CONNECTION, False)


def test_a_tls_handshake_that_hangs_proves_that_nothing_was_sent() -> None:
    """It is a connection that did not come about in time."""
    with RawApi().running() as api:  # which waits for the end of what it takes for a request's head
        reply = one_discard(api.url.replace("http:", "https:"), timeout=HANGS)
        assert (reply.trouble, reply.sent, api.requests) == (Trouble.TIMEOUT, False, [])
        assert reply.message == f"no connection within {HANGS:g} s"


def test_a_connection_is_closed_when_time_runs_out_in_its_tls_handshake() -> None:
    """Left open, it would be one more of them with every attempt during an outage."""

    async def go(url: str) -> None:
        async with discarding(url, HANGS) as send:
            await send(None)
            async with asyncio.timeout(10):
                await over.wait()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()
        loop.call_soon_threadsafe(over.set)

    with asyncio.Runner() as runner:
        loop, over = runner.get_loop(), asyncio.Event()
        with on_loopback(serve) as port:
            runner.run(go(f"https://localhost:{port}/atoms/v1"))


def test_a_connect_that_hangs_proves_that_nothing_was_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    """What goes to a proxy is not the request yet."""
    with Proxy([Hang(b"")]).running() as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        reply = one_discard("https://api.test/atoms/v1", timeout=HANGS)
    assert (reply.trouble, reply.sent) == (Trouble.TIMEOUT, False)
    assert reply.message == f"no connection by way of the proxy {proxy.place} within {HANGS:g} s"


def test_what_is_to_be_asked_first_is_asked_right_before_the_first_byte(
    certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once for each request, whether it has to connect first or not, and not for a proxy's CONNECT."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    seen: list[tuple[int, int]] = []
    with RawApi(tls=serving(certificate)).running() as api, Proxy().running() as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)

        async def before_write() -> None:
            seen.append((len(proxy.heads), len(api.requests)))

        discards(api.far_url, 2, before_write=before_write)
    assert seen == [(1, 0), (1, 1)]


def test_a_request_that_never_gets_so_far_is_not_asked_about() -> None:
    """No connection, no first byte."""
    with RawApi().running() as api:
        pass

    async def before_write() -> None:
        pytest.fail("it was asked")

    discards(api.url, before_write=before_write)


class _Objection(Exception):
    """Not to be sent."""


@pytest.mark.parametrize("objection", [_Objection(), ValueError("a bug"), TimeoutError(), OSError("a full disk")])
def test_an_objection_keeps_a_request_from_being_sent(objection: Exception) -> None:
    """Whatever it is, it is raised, and taken for no trouble of the connection; that one is given up."""

    async def before_write() -> None:
        raise objection

    with RawApi().running() as api:
        with pytest.raises(type(objection)) as raised:
            discards(api.url, before_write=before_write)
        assert raised.value is objection
        assert api.requests == []


def test_after_an_objection_there_is_another_connection() -> None:
    """The one on which nothing was sent is not kept."""

    async def go(url: str) -> Reply:
        async def before_write() -> None:
            raise _Objection

        async with discarding(url) as send:
            with pytest.raises(_Objection):
                await send(before_write)
            return await send(None)

    with RawApi().running() as api:
        assert asyncio.run(go(api.url)).body == GOOD
        assert (len(api.requests), api.connections) == (1, 2)
