"""The sockets below httpx: asyncio's own, in the shape that httpcore, its engine, asks for.

httpcore's sockets also run under trio, and keep a scope for each read and write. An attempt has a time limit of
its own, so nothing of that is needed here, and it would cost a fifth of a discard's processor time.
"""

import asyncio
import select
import ssl
from collections.abc import Iterable
from typing import Any, Final, cast

import httpcore

_MOST_BUFFERED: Final = 1 << 18


class Sockets(httpcore.AsyncNetworkBackend):
    """Connects by asyncio. Trouble is raised as httpcore's errors."""

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's interface
        local_address: str | None = None,  # noqa: ARG002
        socket_options: Iterable[Any] | None = None,  # noqa: ARG002
    ) -> "Socket":
        """Connect within `timeout` seconds, to whichever of the host's addresses answers."""
        try:
            async with asyncio.timeout(timeout):
                _, socket = await asyncio.get_running_loop().create_connection(
                    Socket, host, port, happy_eyeballs_delay=0.25
                )
        except TimeoutError as error:
            raise httpcore.ConnectTimeout(str(error)) from error
        except OSError as error:
            raise httpcore.ConnectError(str(error)) from error
        return socket


class Socket(asyncio.Protocol, httpcore.AsyncNetworkStream):
    """An open connection. Read and write have no time limit of their own."""

    def __init__(self) -> None:
        self._received = bytearray()
        self._ended = False
        self._error: Exception | None = None
        self._waiting: asyncio.Future[None] | None = None
        self._poll = select.poll()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast("asyncio.Transport", transport)
        self._poll.register(transport.get_extra_info("socket").fileno(), select.POLLIN)

    def data_received(self, data: bytes) -> None:
        """Keep what came, and stop reading when nobody takes it."""
        self._received += data
        if len(self._received) > _MOST_BUFFERED:
            self._transport.pause_reading()
        self._wake()

    def eof_received(self) -> None:
        """The other end has said everything."""
        self._ended = True
        self._wake()

    def connection_lost(self, error: Exception | None) -> None:
        """The connection is over, or broke."""
        self._ended = True
        self._error = error
        self._wake()

    def _wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002, ASYNC109
        """At least one byte, or none at the end."""
        while not self._received and not self._ended:
            self._waiting = asyncio.get_running_loop().create_future()
            await self._waiting
        data = bytes(self._received[:max_bytes])
        del self._received[:max_bytes]
        if not data and self._error is not None:
            raise httpcore.ReadError(str(self._error)) from self._error
        if not self._ended:
            self._transport.resume_reading()
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002, ASYNC109
        """All of it; requests are small, so nothing is held back."""
        if self._error is not None:
            raise httpcore.WriteError(str(self._error)) from self._error
        if buffer:
            self._transport.write(buffer)

    async def aclose(self) -> None:
        """Close at once: what the other end still has to say is of no interest."""
        self._transport.abort()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> "Socket":
        """Encrypt the connection from here on."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(timeout):
                encrypted = await loop.start_tls(self._transport, self, ssl_context, server_hostname=server_hostname)
        except TimeoutError as error:
            raise httpcore.ConnectTimeout(str(error)) from error
        except OSError as error:
            raise httpcore.ConnectError(str(error)) from error
        if encrypted is None:
            raise httpcore.ConnectError("the connection was closed during the TLS handshake")
        self._transport = encrypted
        return self

    def get_extra_info(self, info: str) -> Any:
        """What httpcore asks before it uses a connection again: whether anything came unasked, or its end."""
        if info == "is_readable":
            return bool(self._received) or self._ended or bool(self._poll.poll(0))
        return self._transport.get_extra_info(info)
