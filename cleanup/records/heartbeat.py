"""Pings a monitor when a run begins and ends, in the style of healthchecks.io. A failed ping never fails the run."""

import email.message
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import IO, Final
from urllib.parse import urlsplit

from cleanup import __version__

PATIENCE_SECONDS: Final = 3.0
"""How long the end of a run waits for its ping, and how long each ping may take."""

_CALLER: Final = f"atoms-draft-cleanup/{__version__}"


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Treats a redirect as an error: the monitor has moved, or the address is not a monitor."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: "email.message.Message",
        newurl: str,
    ) -> None:
        """Follow no redirect."""


class Heartbeat:
    """Sends pings in background threads, one after the other. Failures are reported, never raised."""

    def __init__(self, url: str, trouble: Callable[[str], None]) -> None:
        self._url = urlsplit(url)
        self._trouble = trouble
        self._last: threading.Thread | None = None
        self._failed: str | None = None

    def begin(self) -> None:
        """Ping that the run began; returns at once."""
        self._ping("/start")

    def end(self, exit_code: int) -> None:
        """Ping how the run ended; returns after a few seconds at most."""
        ping = self._ping(f"/{exit_code}")
        ping.join(PATIENCE_SECONDS)
        if ping.is_alive():
            self._failed = f"no answer within {PATIENCE_SECONDS:g} s"
        if self._failed:
            # The address is a secret, so neither this message nor the library's may contain it.
            self._trouble(f"the heartbeat could not be sent: {self._failed}")

    def _ping(self, path: str) -> threading.Thread:
        before = self._last
        # Before the query, if there is one: https://hc-ping.com/KEY/nightly?create=1
        address = self._url._replace(path=self._url.path.rstrip("/") + path).geturl()

        def send() -> None:
            if before is not None:
                before.join(PATIENCE_SECONDS / 2)
            try:
                request = urllib.request.Request(address, headers={"User-Agent": _CALLER})  # noqa: S310 - checked: http(s)
                with urllib.request.build_opener(_NoRedirects).open(request, timeout=PATIENCE_SECONDS / 2) as answer:
                    answer.read(1024)
                self._failed = None
            except urllib.error.HTTPError as error:
                self._failed = f"status {error.code}"
                error.close()
            except Exception as error:  # noqa: BLE001 - never fails the run; the text may contain the secret address
                self._failed = type(error).__name__

        self._last = threading.Thread(target=send, name="heartbeat", daemon=True)
        self._last.start()
        return self._last
