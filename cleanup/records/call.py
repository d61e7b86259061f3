"""One HTTP request to a monitor. Its address may be a secret, so what is said of a failure does not contain it."""

import base64
import email.message
import ssl
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import IO, Final
from urllib.parse import unquote, urlsplit

from cleanup import __version__

PATIENCE_SECONDS: Final = 3.0
"""How long the end of a run waits for each monitor that it talks to."""
NO_ANSWER: Final = f"no answer within {PATIENCE_SECONDS:g} s"

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


@dataclass(frozen=True, slots=True)
class Call:
    """A request to a monitor. A user and a password in the address are sent as HTTP Basic authentication."""

    address: str
    method: str = "GET"
    headers: dict[str, str] = field(default_factory=dict)
    data: bytes | None = None

    def send(self, timeout: float) -> None:
        """Send it, and follow no redirect. Raises OSError and others, whose text may contain the address."""
        url = urlsplit(self.address)
        headers = {"User-Agent": _CALLER} | self.headers
        if url.username is not None:
            login = f"{unquote(url.username)}:{unquote(url.password or '')}"
            headers["Authorization"] = f"Basic {base64.b64encode(login.encode()).decode()}"
        address = url._replace(netloc=url.netloc.rpartition("@")[2]).geturl()
        request = urllib.request.Request(address, self.data, headers, method=self.method)  # noqa: S310 - checked: http(s)
        with urllib.request.build_opener(_NoRedirects).open(request, timeout=timeout) as answer:
            answer.read(1024)


def failure_of(call: Callable[[], None]) -> str | None:
    """Make a call. Returns what went wrong, in a few words without the address; None if nothing did."""
    try:
        call()
    except urllib.error.HTTPError as error:
        error.close()
        return f"status {error.code}"
    except Exception as error:  # noqa: BLE001 - a monitor never fails the run; the text may contain the secret address
        cause = error.reason if isinstance(error, urllib.error.URLError) else error
        if isinstance(cause, OSError) and not isinstance(cause, ssl.SSLError):  # the latter may name the host
            return cause.strerror or type(cause).__name__
        return type(cause).__name__
    return None


def failure_soon(call: Callable[[], None]) -> str | None:
    """Make a call in a thread, and wait a few seconds for it at most: even a lookup of a name may hang for minutes."""
    told: SimpleQueue[str | None] = SimpleQueue()
    threading.Thread(target=lambda: told.put(failure_of(call)), name="call", daemon=True).start()
    try:
        return told.get(timeout=PATIENCE_SECONDS)
    except Empty:
        return NO_ANSWER
