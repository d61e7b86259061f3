"""The simulator's listening socket, which can be closed for a while without losing its port."""

import asyncio
import socket
from collections.abc import Callable

HOST = "127.0.0.1"
_BACKLOG = 2048


class Listener:
    """Listens on loopback, or refuses connections while it keeps its port. Port 0 picks a free one."""

    def __init__(self, port: int, protocol: Callable[[asyncio.AbstractEventLoop], asyncio.Protocol]) -> None:
        self.port = port
        self._protocol = protocol
        self._server: asyncio.Server | None = None
        self._reserved: socket.socket | None = None

    @property
    def listens(self) -> bool:
        """Whether connections are accepted."""
        return self._server is not None

    async def open(self) -> None:
        """Accept connections."""
        if self._server is not None:
            return
        loop = asyncio.get_running_loop()
        self._release()
        listening = _bound(self.port)
        self.port = listening.getsockname()[1]
        self._server = await loop.create_server(lambda: self._protocol(loop), sock=listening, backlog=_BACKLOG)

    def refuse(self) -> None:
        """Refuse connections."""
        if self._server is not None:
            self._server.close()
            self._server = None
            # Bound, but not listening: connections are refused, and no other process can take the port.
            self._reserved = _bound(self.port)

    def close(self) -> None:
        """Release the port."""
        if self._server is not None:
            self._server.close()
            self._server = None
        self._release()

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
