"""An API that answers with bytes as they are: what no well-behaved HTTP server can be made to send; and a proxy."""

import asyncio
import contextlib
import socket
import ssl
import threading
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.certificates import serving

BASE = "/atoms/v1"


class Cut(bytes):
    """Bytes after which the connection is closed."""


class Hang(bytes):
    """Bytes after which nothing comes, until the client has had enough."""


def answer(status: int, body: bytes | str = b"", *headers: str, length: int | None = None) -> bytes:
    """An HTTP answer; `length` where another one than the body's is announced."""
    content = body.encode() if isinstance(body, str) else body
    announced = len(content) if length is None else length
    head = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {announced}", *headers]
    return "\r\n".join([*head, "", ""]).encode() + content


def user(organization: str = "organization-1") -> bytes:
    """The answer to `GET /user`."""
    return answer(200, f'{{"status": true, "data": {{"_id": "user-1", "organizationId": "{organization}"}}}}')


DISCARDED = answer(200, '{"status": true, "data": null}')


@dataclass
class RawApi:
    """Answers by the last part of a request's path: each answer once, the last one again and again."""

    answers: Mapping[str, Sequence[bytes]] = field(default_factory=dict)
    otherwise: bytes = DISCARDED
    port: int = 0
    requests: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    connections: int = 0
    tls: ssl.SSLContext | None = None

    @property
    def url(self) -> str:
        """The base URL."""
        return f"http{'s' if self.tls else ''}://localhost:{self.port}{BASE}"

    @property
    def far_url(self) -> str:
        """The base URL with a name that only a proxy can resolve."""
        return f"https://api.test:{self.port}{BASE}"

    def asked(self, name: str) -> int:
        """How many requests there were whose path ends with `name`."""
        return Counter(line.split()[1].rpartition("/")[2] for line, _ in self.requests)[name]

    def _usual(self, method: str, name: str) -> bytes:
        """What is answered where nothing is scripted; an agent has no drafts."""
        if name == "user":
            return user()
        return answer(200, '{"status": true, "data": []}') if (method, name) == ("GET", "drafts") else self.otherwise

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                line, *fields = head.strip().split("\r\n")
                self.requests.append((line, {n.lower(): v for n, _, v in (f.partition(": ") for f in fields)}))
                name = line.split()[1].rpartition("/")[2]
                script = self.answers.get(name, [self._usual(line.split()[0], name)])
                reply = script[min(self.asked(name), len(script)) - 1]
                writer.write(reply)
                await writer.drain()
                if isinstance(reply, Hang):
                    await reader.read()
                if isinstance(reply, (Cut, Hang)):
                    break
        writer.close()

    @contextmanager
    def running(self) -> Iterator["RawApi"]:
        """Serve on loopback, in a thread."""
        with on_loopback(self._serve, self.tls) as self.port:
            yield self


@dataclass
class Proxy:
    """Answers each CONNECT in turn by its script: bytes, or the port to connect to in place of the one asked for.

    After the script every CONNECT is granted. Whatever a host is called, it is this machine. `heads`: the first one of
    each connection.
    """

    script: Sequence[bytes | int] = ()
    tls: ssl.SSLContext | None = None
    port: int = 0
    heads: list[str] = field(default_factory=list)

    @property
    def place(self) -> str:
        """Its host and port."""
        return f"localhost:{self.port}"

    @property
    def url(self) -> str:
        """Its address, with a login."""
        return f"http{'s' if self.tls else ''}://us%40er:secret@{self.place}"

    @contextmanager
    def running(self) -> Iterator["Proxy"]:
        """Serve on loopback, in a thread."""
        with on_loopback(self._serve, self.tls) as self.port:
            yield self

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            self.heads.append(head)
            line = dict(enumerate(self.script)).get(len(self.heads) - 1, int(head.split()[1].rpartition(":")[2]))
            if isinstance(line, bytes):
                writer.write(line)
                await (reader.read() if isinstance(line, Hang) else writer.drain())
            else:
                upstream, downstream = await asyncio.open_connection("127.0.0.1", line)
                writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
                try:
                    await asyncio.gather(_pump(reader, downstream), _pump(upstream, writer))
                finally:
                    downstream.transport.abort()
        writer.close()


Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def without_tls(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A server that takes the beginning of TLS for a bad request, and says so."""
    await reader.read(1)
    writer.write(answer(400))
    await reader.read()
    writer.close()


def demanding_certificates(certificate: Path) -> Serve:
    """A server that refuses whoever shows no certificate of its CA; asyncio's own would not say so to the client."""
    context = serving(certificate)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(certificate)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        end = context.wrap_bio(incoming, outgoing, server_side=True)
        while True:
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                writer.write(outgoing.read())
                data = await reader.read(65536)
                incoming.write(data) if data else incoming.write_eof()
            except ssl.SSLError:
                break
        writer.write(outgoing.read())
        await reader.read()
        writer.close()

    return serve


async def _pump(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    """Pass on what comes, to its end."""
    with contextlib.suppress(OSError):
        while data := await source.read(65536):
            target.write(data)
            await target.drain()
    target.close()


@contextmanager
def on_loopback(serve: Serve, tls: ssl.SSLContext | None = None) -> Iterator[int]:
    """Serve each connection in a thread; yields the port."""
    loop, over = asyncio.new_event_loop(), asyncio.Event()
    listening = socket.create_server(("127.0.0.1", 0))

    async def run() -> None:
        accepted: list[asyncio.StreamWriter] = []

        async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            accepted.append(writer)
            await serve(reader, writer)

        server = await asyncio.start_server(accept, sock=listening, ssl=tls)
        await over.wait()
        loop.remove_reader(listening)
        for _ in range(10):  # what was accepted a moment ago comes to its handler: a closed server would forget it
            await asyncio.sleep(0)
        server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        for writer in accepted:
            with contextlib.suppress(AttributeError):  # of asyncio's TLS after a lost connection, until Python 3.11.3
                writer.transport.abort()
        await asyncio.sleep(0)  # lets the sockets be closed

    thread = threading.Thread(target=lambda: loop.run_until_complete(run()), daemon=True)
    thread.start()
    try:
        yield listening.getsockname()[1]
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join()
        loop.close()
