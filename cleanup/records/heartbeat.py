"""Pings a monitor when a run begins and ends, in the style of healthchecks.io. A failed ping never fails the run."""

import threading
from collections.abc import Callable
from urllib.parse import urlsplit

from cleanup.records.call import NO_ANSWER, PATIENCE_SECONDS, Call, failure_of


class Heartbeat:
    """Sends pings in background threads, one after the other. Failures are reported, never raised."""

    def __init__(self, url: str, trouble: Callable[[str], None]) -> None:
        self._url = urlsplit(url)
        self._trouble = trouble
        self._last: threading.Thread | None = None
        self._failed: str | None = None

    def begin(self) -> None:
        """Ping that the run began; returns at once."""
        self._ping(Call(self._address("/start")))

    def end(self, exit_code: int, message: bytes) -> None:
        """Ping how the run ended, with a message for people; returns after a few seconds at most."""
        headers = {"Content-Type": "text/plain; charset=utf-8"}
        ping = self._ping(Call(self._address(f"/{exit_code}"), "POST", headers, message))
        ping.join(PATIENCE_SECONDS)
        if ping.is_alive():
            self._failed = NO_ANSWER
        if self._failed:
            self._trouble(f"the heartbeat could not be sent: {self._failed}")

    def _address(self, path: str) -> str:
        # Before the query, if there is one: https://hc-ping.com/KEY/nightly?create=1
        return self._url._replace(path=self._url.path.rstrip("/") + path).geturl()

    def _ping(self, call: Call) -> threading.Thread:
        before = self._last

        def send() -> None:
            if before is not None:
                before.join(PATIENCE_SECONDS / 2)
            self._failed = failure_of(lambda: call.send(PATIENCE_SECONDS / 2))

        self._last = threading.Thread(target=send, name="heartbeat", daemon=True)
        self._last.start()
        return self._last
