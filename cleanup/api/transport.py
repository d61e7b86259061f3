"""One attempt → one Reply, whatever happens to it. The only module that imports httpx.

httpx's transport is called below its client: one client shared by many tasks slows down with the square of
its connections, and redirects, cookies and authentication flows are what this program must not have.
Each request in flight has a transport, and so a connection, of its own.
"""

import asyncio
import json
import os
import ssl
import time
from typing import Any, Final, NoReturn
from urllib.parse import urlsplit

import httpx

from cleanup import __version__
from cleanup.api.key import Key
from cleanup.api.proxies import proxy_for
from cleanup.api.retry_after import timestamp, wait_asked_for
from cleanup.errors import SettingsError
from cleanup.model import NOT_JSON, Reply, Trouble

SMALL: Final = 1 << 20
LARGE: Final = 64 << 20
_EXCERPT: Final = 8192
"""Characters at the start of an answer's text, out of which a message is made."""
_NOT_SENT: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.ProxyError, httpx.UnsupportedProtocol)


class _TooLarge(Exception):
    """The body is larger than it may be."""


class Transport:
    """Sends requests to one API with one key."""

    def __init__(self, base_url: str, key: Key, timeout: float) -> None:
        """`timeout`: seconds for an attempt in all. Raises SettingsError for a proxy or CA file that cannot be used."""
        self.key = key
        self._timeout = timeout
        self._base = httpx.URL(base_url)
        self._path = self._base.raw_path.rstrip(b"/")
        proxy = proxy_for(base_url)
        self._ssl = _ssl_context(needed=any(url.startswith("https:") for url in (base_url, proxy or "")))
        self._proxy = None if proxy is None else _proxy(proxy, self._ssl)
        self._idle = [self._open()]
        # A little less than the whole, so that running out of it proves that nothing was sent.
        self._extensions = {"timeout": {"connect": timeout * 0.95}}

    async def send(self, method: str, path: str, *, most: int = SMALL) -> Reply:
        """One attempt at `method path`, the answer's body read up to `most` bytes. Never raises but on cancellation."""
        request = httpx.Request(
            method,
            self._base.copy_with(raw_path=self._path + path.encode("ascii")),
            headers={
                "Authorization": self.key.authorization,
                "Accept": "application/json",
                "User-Agent": f"atoms-draft-cleanup/{__version__}",
            },
            extensions=self._extensions,
        )
        used = self.key.number
        lane = self._idle.pop() if self._idle else self._open()
        start = time.perf_counter()
        response: httpx.Response | None = None
        body = bytearray()
        trouble: Exception | None = None
        try:
            async with asyncio.timeout(self._timeout):
                response = await lane.handle_async_request(request)
                async for chunk in response.aiter_bytes():
                    body += chunk
                    if len(body) > most:
                        raise _TooLarge
                await response.aclose()
        except (
            TimeoutError,
            httpx.HTTPError,
            httpx.InvalidURL,
            httpx.StreamError,
            _TooLarge,
            OSError,
            ValueError,
        ) as error:
            trouble = error
            await self._drop(lane)
        except asyncio.CancelledError:
            await self._drop(lane)
            raise
        else:
            if _has_more(response):
                await self._drop(lane)
            else:
                self._idle.append(lane)
        seconds = time.perf_counter() - start
        return self._reply(response, bytes(body), trouble, seconds, used)

    async def aclose(self) -> None:
        """Close every connection."""
        while self._idle:
            await self._drop(self._idle.pop())

    def _open(self) -> httpx.AsyncHTTPTransport:
        try:
            return httpx.AsyncHTTPTransport(
                verify=self._ssl,
                proxy=self._proxy,
                limits=httpx.Limits(max_connections=1, max_keepalive_connections=1),
            )
        except (ImportError, ValueError):
            raise SettingsError(
                "the proxy in the environment is of a kind that cannot be used: name an http:// or https:// proxy"
            ) from None

    @staticmethod
    async def _drop(lane: httpx.AsyncHTTPTransport) -> None:
        try:
            async with asyncio.timeout(1):
                await lane.aclose()
        except (TimeoutError, httpx.HTTPError, OSError):
            pass  # it is given up either way

    def _reply(
        self,
        response: httpx.Response | None,
        body: bytes,
        trouble: Exception | None,
        seconds: float,
        used: int,
    ) -> Reply:
        unreadable = isinstance(trouble, (httpx.DecodingError, _TooLarge))
        if response is None or (trouble is not None and not unreadable and _needs_its_body(response.status_code)):
            kind = _kind(trouble)
            return Reply(
                None,
                trouble=kind,
                sent=not isinstance(trouble, _NOT_SENT),
                seconds=seconds,
                message=self.key.hide(_describe(trouble, kind, self._timeout))[:300],
                key_number=used,
            )
        parsed = NOT_JSON if unreadable or trouble is not None else _parse(body)
        headers = response.headers
        now = (timestamp(headers["date"]) if "date" in headers else None) or time.time()
        request_id = headers.get("x-request-id")
        return Reply(
            response.status_code,
            parsed,
            retry_after=wait_asked_for(response.status_code, headers.get("retry-after"), parsed, now),
            request_id=self.key.hide(request_id)[:200] if request_id else None,
            seconds=seconds,
            message=self._message(response.status_code, parsed, body),
            notices=tuple(
                (name, self.key.hide(headers[name])[:200]) for name in ("Deprecation", "Sunset") if name in headers
            ),
            key_number=used,
        )

    def _message(self, status: int, parsed: object, body: bytes) -> str | None:
        if 200 <= status < 300 and parsed is not NOT_JSON:
            return None
        if isinstance(parsed, dict):
            errors = parsed.get("errors") or parsed.get("error") or parsed.get("message")
            text = "; ".join(str(error) for error in errors) if isinstance(errors, list) else str(errors or "")
        else:
            text = body.decode("utf-8", "replace") if parsed is NOT_JSON else ""
        # Before it is cut short: half a key is no key any more that could be found and hidden.
        start = self.key.hide(text)[:_EXCERPT]
        return " ".join("".join(char if char.isprintable() else " " for char in start).split())[:300] or None


def _needs_its_body(status: int) -> bool:
    """Whether the meaning of a status depends on its body, so that one cut short is no answer."""
    return 200 <= status < 300 or status in (403, 404, 409)


def _has_more(response: Any) -> bool:
    """Whether bytes came after the answer's end: on the same connection, they would be taken for the next answer.

    There is no public way to ask; a test holds that this one works.
    """
    return bool(response.stream._httpcore_stream._stream._connection._h11_state.trailing_data[0])  # noqa: SLF001


def _parse(body: bytes) -> object:
    if not body.strip():
        return None
    try:
        return json.loads(body, parse_int=_whole, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return NOT_JSON


def _whole(digits: str) -> int | float:
    """Python refuses to read whole numbers of thousands of digits, which JSON does not."""
    return int(digits) if len(digits) <= 100 else float(digits)


def _refuse(constant: str) -> NoReturn:
    """NaN and infinities are no JSON."""
    raise ValueError(constant)


def _kind(trouble: Exception | None) -> Trouble:
    if isinstance(trouble, (TimeoutError, httpx.TimeoutException)):
        return Trouble.TIMEOUT
    cause: BaseException | None = trouble
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return Trouble.TLS
        cause = cause.__cause__ or cause.__context__
    return Trouble.CONNECTION


def _describe(trouble: Exception | None, kind: Trouble, timeout: float) -> str:
    match kind:
        case Trouble.TIMEOUT:
            return f"no answer within {timeout:g} s"
        case Trouble.TLS:
            return "the server's certificate cannot be verified; a CA of your own is named in SSL_CERT_FILE"
        case _ if isinstance(trouble, _NOT_SENT):
            return f"no connection: {str(trouble) or type(trouble).__name__}"
        case _:
            return f"the connection broke: {str(trouble) or type(trouble).__name__}"


def _ssl_context(*, needed: bool) -> ssl.SSLContext:
    if not needed:
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # cheap, trusts nobody, and is never used
    try:
        return httpx.create_ssl_context()
    except OSError as error:
        named = os.environ.get("SSL_CERT_FILE") or "the certificates that come with this program"
        raise SettingsError(f"SSL_CERT_FILE: {named}: no certificates can be read there: {error.strerror}") from None


def _proxy(address: str, context: ssl.SSLContext) -> httpx.Proxy:
    try:
        _ = urlsplit(address).port  # checks its range, which httpx does not
        return httpx.Proxy(address, ssl_context=context if address.startswith("https:") else None)
    except (ValueError, httpx.InvalidURL):
        raise SettingsError("the proxy in the environment has an address that is no URL that can be used") from None
