"""Sends answers and faults over the connection.

Most faults are answers like any other (`substitutes`). For the others, the protocol below gives the application access
to the connection's transport. uvicorn's own handling of the request then ends with the connection.
"""

import asyncio
import http
import socket
import struct
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.types import Receive, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from cleanup.simulator.endpoints import Answer
from cleanup.simulator.faults import Fault

HUGE = 50 * 2**20
_CHUNK = b" " * 2**20
_DRIP_SECONDS = 0.1


class Connection:
    """A client's connection: its transport, and what to call when it is lost."""

    __slots__ = ("on_lost", "transport")

    def __init__(self, transport: asyncio.Transport) -> None:
        self.transport = transport
        self.on_lost: Callable[[], None] | None = None


class Protocol(H11Protocol):
    """uvicorn's protocol, with the connection in each request's `scope["state"]["connection"]`."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Add the connection to the state, of which every scope gets a copy."""
        super().connection_made(transport)
        self.app_state = {**self.app_state, "connection": Connection(transport)}

    def connection_lost(self, exc: Exception | None) -> None:
        """Notify the request under way, if there is one."""
        super().connection_lost(exc)
        connection: Connection = self.app_state["connection"]
        if connection.on_lost is not None:
            connection.on_lost()


async def answer_with(answer: Answer, send: Send) -> None:
    """Send an answer as usual."""
    await send({"type": "http.response.start", "status": answer.status, "headers": _headers(answer)})
    await send({"type": "http.response.body", "body": answer.body})


async def misbehave(fault: Fault, answer: Answer, connection: Connection, receive: Receive, send: Send) -> None:
    """Carry out a fault that is not an answer, and return when the connection is closed."""
    if fault.kind == "huge":
        await _huge(answer, send)
        return
    await _ACTIONS[fault.kind](fault, answer, connection.transport)
    while (await receive())["type"] != "http.disconnect":
        pass


async def _huge(answer: Answer, send: Send) -> None:
    headers = [*_headers(answer)[:-1], (b"content-length", str(HUGE + len(answer.body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    for _ in range(HUGE // len(_CHUNK)):
        await send({"type": "http.response.body", "body": _CHUNK, "more_body": True})
    await send({"type": "http.response.body", "body": answer.body})


async def _lost(fault: Fault, answer: Answer, transport: asyncio.Transport) -> None:  # noqa: ARG001
    transport.abort()


async def _reset(fault: Fault, answer: Answer, transport: asyncio.Transport) -> None:  # noqa: ARG001
    # A linger time of zero makes the system send a reset instead of closing in an orderly way.
    no_lingering = struct.pack("ii", 1, 0)
    transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, no_lingering)
    transport.abort()


async def _hang(fault: Fault, answer: Answer, transport: asyncio.Transport) -> None:
    pass


async def _garbage(fault: Fault, answer: Answer, transport: asyncio.Transport) -> None:  # noqa: ARG001
    transport.write(b"\x16\x03\x01 this is not HTTP\r\n\r\n")
    transport.close()


async def _truncated(fault: Fault, answer: Answer, transport: asyncio.Transport) -> None:  # noqa: ARG001
    transport.write(_head(answer) + answer.body[: len(answer.body) // 2])
    transport.close()


async def _drip(fault: Fault, answer: Answer, transport: asyncio.Transport) -> None:
    await _drip_forever(_head(answer)[:-2] + b"x-padding: ", b"x", fault, transport)


async def _drip_body(fault: Fault, answer: Answer, transport: asyncio.Transport) -> None:
    transport.write(_head(answer, length=10**9))
    await _drip_forever(b"", b" ", fault, transport)


async def _drip_forever(start: bytes, then: bytes, fault: Fault, transport: asyncio.Transport) -> None:
    position = 0
    while not transport.is_closing():
        transport.write(start[position : position + 1] or then)
        position += 1
        await asyncio.sleep(fault.seconds or _DRIP_SECONDS)


_ACTIONS: dict[str, Callable[[Fault, Answer, asyncio.Transport], Awaitable[Any]]] = {
    "lost": _lost,
    "reset": _reset,
    "hang": _hang,
    "garbage": _garbage,
    "truncated": _truncated,
    "drip": _drip,
    "drip_body": _drip_body,
}


def _headers(answer: Answer) -> list[tuple[bytes, bytes]]:
    headers = [(name.lower().encode(), value.encode("latin-1")) for name, value in answer.headers]
    if answer.status != 204:
        if answer.content_type:
            headers.append((b"content-type", answer.content_type.encode()))
        headers.append((b"content-length", str(len(answer.body)).encode()))
    return headers


def _head(answer: Answer, length: int | None = None) -> bytes:
    headers = _headers(answer)
    if length is not None:
        headers[-1] = (b"content-length", str(length).encode())
    lines = b"".join(b"%s: %s\r\n" % header for header in headers)
    return b"HTTP/1.1 %d %s\r\n%s\r\n" % (
        answer.status,
        http.HTTPStatus(answer.status).phrase.encode(),
        lines,
    )
