"""A stand-in on loopback for what a run reports to: a heartbeat's monitor, a Pushgateway."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from tests.runner import Ended

SECRET: Final = "5ecret-5lug"


@dataclass(frozen=True)
class Call:
    """A request that came."""

    method: str
    path: str
    headers: dict[str, str]
    body: str


class Monitor(ThreadingHTTPServer):
    """Writes down who called; answers as `manner` says."""

    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.manner = "ok"
        self.calls: list[Call] = []
        self.over = threading.Event()

    @property
    def url(self) -> str:
        """The address to call, with the secret in it."""
        return f"http://127.0.0.1:{self.server_port}/{SECRET}"

    @property
    def heard(self) -> list[str]:
        """The paths that were called, without the secret."""
        return [call.path.removeprefix(f"/{SECRET}") for call in self.calls]

    def leave(self) -> None:
        """Be down from now on."""
        self.over.set()
        self.shutdown()
        self.server_close()


class _Answer(BaseHTTPRequestHandler):
    server: Monitor

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"] or 0)).decode()
        self.server.calls.append(Call(self.command, self.path, dict(self.headers), body))
        if self.server.manner == "hang":
            self.server.over.wait()
        elif self.server.manner == "drip":
            while not self.server.over.wait(0.1):
                self.wfile.write(b"H")
        elif self.server.manner == "nonsense":
            self.wfile.write(b"\x00\x01\r\n\r\n")
        else:
            self.send_response(200 if self.server.manner == "ok" else int(self.server.manner))
            self.send_header("Location", f"/elsewhere/{SECRET}")
            self.end_headers()

    do_POST = do_PUT = do_DELETE = do_GET  # noqa: N815

    def log_message(self, *args: Any) -> None:
        """Nothing on the test's output."""


@contextmanager
def listening() -> Iterator[Monitor]:
    """A monitor for the time of a test."""
    server = Monitor()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield server
    server.leave()
    thread.join()


def tells_no_secret(ended: Ended, *secrets: str) -> None:
    """The secrets, and the address's own, are in no output and no file."""
    written = "".join(path.read_text() for path in ended.folder.rglob("*") if path.is_file())
    for secret in (SECRET, *secrets):
        assert secret not in ended.stdout + ended.stderr + written
