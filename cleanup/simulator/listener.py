"""The simulator's listening socket, which can be closed for a while without losing its port."""

import asyncio
import contextlib
import socket
from collections.abc import Callable

HOST = "127.0.0.1"
_BACKLOG = 2048


class Listener:
    """Listens on loopback, or refuses connections while it keeps its port. Port 0 picks a free one.

    It accepts by itself: a server of asyncio loses connections that were accepted right before it is closed.
    """

    def __init__(self, port: int, protocol: Callable[[asyncio.AbstractEventLoop], asyncio.Protocol]) -> None:
        self.port = port
        self._protocol = protocol
        self._listening: socket.socket | None = None
        self._reserved: socket.socket | None = None
        self._opening: set[asyncio.Task[object]] = set()

    @property
    def listens(self) -> bool:
        """Whether connections are accepted."""
        return self._listening is not None

    def open(self) -> None:
        """Accept connections."""
        if self._listening is not None:
            return
        self._release()
        listening = _bound(self.port)
        listening.settimeout(0)
        listening.listen(_BACKLOG)
        self.port = listening.getsockname()[1]
        self._listening = listening
        asyncio.get_running_loop().add_reader(listening, self._accept, listening)

    def _accept(self, listening: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        with contextlib.suppress(BlockingIOError, ConnectionAbortedError):
            while True:
                accepted, _ = listening.accept()
                accepted.settimeout(0)
                task = loop.create_task(self._connect(loop, accepted))
                self._opening.add(task)
                task.add_done_callback(self._opening.discard)

    async def _connect(self, loop: asyncio.AbstractEventLoop, accepted: socket.socket) -> object:
        return await loop.connect_accepted_socket(lambda: self._protocol(loop), accepted)

    async def refuse(self) -> None:
        """Refuse connections. Returns when those that were accepted before have reached their protocol."""
        if self._listening is not None:
            self._stop_listening(self._listening)
            # Bound, but not listening: connections are refused, and no other process can take the port.
            self._reserved = _bound(self.port)
        await self._all_opened()

    async def close(self) -> None:
        """Release the port. Returns when those that were accepted before have reached their protocol."""
        if self._listening is not None:
            self._stop_listening(self._listening)
        self._release()
        await self._all_opened()

    def _stop_listening(self, listening: socket.socket) -> None:
        asyncio.get_running_loop().remove_reader(listening)
        listening.close()
        self._listening = None

    async def _all_opened(self) -> None:
        await asyncio.gather(*self._opening, return_exceptions=True)

    def _release(self) -> None:
        if self._reserved is not None:
            self._reserved.close()
            self._reserved = None


def _bound(port: int) -> socket.socket:
    # asyncio disables Nagle's algorithm only on sockets whose protocol is given explicitly.
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((HOST, port))
    except OSError:
        bound.close()
        raise
    return bound
