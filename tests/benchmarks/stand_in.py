"""The API's discard, as fast as Python can be: where the simulator would be the bottleneck.

`python -m tests.benchmarks.stand_in LIST N` prints its base URL and serves until its standard input ends, then
prints as JSON how many of the first N drafts of LIST are left and how often each status was answered.
"""

import asyncio
import contextlib
import json
import sys
from collections import Counter
from itertools import islice
from pathlib import Path

PREFIX = b"/atoms/v1"


class Drafts:
    """The open drafts, and what was answered."""

    def __init__(self, rows: list[str]) -> None:
        self.open = {b"/agent/%s/drafts/%s" % tuple(row.encode().split(b",")) for row in rows}
        self.answered: Counter[int] = Counter()

    def answer(self, method: bytes, path: bytes) -> bytes:
        """The whole answer to a request."""
        if method == b"DELETE" and path in self.open:
            self.open.remove(path)
            return self._made(200, b'{"status":true,"data":null}')
        if path == b"/user":
            return self._made(200, b'{"status":true,"data":{"_id":"1","organizationId":"2"}}')
        return self._made(404, b'{"status":false,"errors":["Draft not found"]}')

    def _made(self, status: int, body: bytes) -> bytes:
        self.answered[status] += 1
        return (
            b"HTTP/1.1 %d X\r\ncontent-type: application/json\r\nx-request-id: %d\r\ncontent-length: %d\r\n\r\n%s"
            % (status, self.answered.total(), len(body), body)
        )


class Connection(asyncio.Protocol):
    """One connection; requests have no body."""

    def __init__(self, drafts: Drafts) -> None:
        self._drafts = drafts
        self._rest = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        *requests, self._rest = (self._rest + data).split(b"\r\n\r\n")
        for request in requests:
            method, path, _ = request.split(b" ", 2)
            self._transport.write(self._drafts.answer(method, path.removeprefix(PREFIX)))


async def serve(drafts: Drafts) -> None:
    """Serve until standard input ends."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(drafts), "127.0.0.1", 0, backlog=1024)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}{PREFIX.decode()}", flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    print(json.dumps({"left": len(drafts.open), "by_status": drafts.answered}), flush=True)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt), Path(sys.argv[1]).open() as rows:
        asyncio.run(serve(Drafts([row.strip() for row in islice(rows, 1, int(sys.argv[2]) + 1)])))
