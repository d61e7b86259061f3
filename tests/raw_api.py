"""An API that answers with bytes as they are: what no well-behaved HTTP server can be made to send."""

import asyncio
import contextlib
import ssl
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

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

    def asked(self, name: str) -> int:
        """How many requests there were whose path ends with `name`."""
        return Counter(line.split()[1].rpartition("/")[2] for line, _ in self.requests)[name]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                line, *fields = head.strip().split("\r\n")
                self.requests.append((line, {n.lower(): v for n, _, v in (f.partition(": ") for f in fields)}))
                name = line.split()[1].rpartition("/")[2]
                script = self.answers.get(name, [user() if name == "user" else self.otherwise])
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
        ready, loop = threading.Event(), asyncio.new_event_loop()

        async def serve() -> None:
            accepted: list[asyncio.StreamWriter] = []

            async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                accepted.append(writer)
                await self._serve(reader, writer)

            server = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=self.tls)
            self.port = server.sockets[0].getsockname()[1]
            self._stop = asyncio.Event()
            ready.set()
            await self._stop.wait()
            server.close()
            others = asyncio.all_tasks() - {asyncio.current_task()}
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)
            for writer in accepted:
                writer.transport.abort()
            await asyncio.sleep(0)  # lets the sockets be closed

        thread = threading.Thread(target=lambda: loop.run_until_complete(serve()), daemon=True)
        thread.start()
        ready.wait(10)
        try:
            yield self
        finally:
            loop.call_soon_threadsafe(self._stop.set)
            thread.join()
            loop.close()
