"""One attempt → one Reply, whatever happens to it. The only module that imports httpx.

httpx's transport is called below its client: one client shared by many tasks slows down with the square of
its connections, and redirects, cookies and authentication flows are what this program must not have.
Each request in flight has a transport, and so a connection, of its own.
"""

import asyncio
import os
import ssl
import time
from typing import Any, Final
from urllib.parse import urlsplit

import httpcore
import httpx

from cleanup import __version__
from cleanup.api.answers import Answer, needs_its_body, read_answer
from cleanup.api.departure import Departure, Departures
from cleanup.api.key import Key
from cleanup.api.proxies import proxy_for
from cleanup.api.sockets import Sockets
from cleanup.errors import SettingsError
from cleanup.model import Reply, Trouble

SMALL: Final = 1 << 20
LARGE: Final = 64 << 20
_NOT_SENT: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.ProxyError, httpx.UnsupportedProtocol)
_TROUBLES: Final = (TimeoutError, httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, OSError, ValueError)


class _TooLarge(httpx.StreamError):
    """The body is larger than it may be."""


class Transport:
    """Sends requests to one API with one key."""

    def __init__(self, base_url: str, key: Key, timeout: float, departures: Departures | None = None) -> None:
        """`timeout`: seconds for an attempt in all. `departures` is told of requests that cannot leave at once.

        Raises SettingsError for a proxy or CA file that cannot be used.
        """
        self.key = key
        self._departures = departures
        self._timeout = timeout
        self._base = httpx.URL(base_url)
        self._path = self._base.raw_path.rstrip(b"/")
        proxy = proxy_for(base_url)
        self._ssl = _ssl_context(needed=any(url.startswith("https:") for url in (base_url, proxy or "")))
        self._proxy = None if proxy is None else _proxy(proxy, self._ssl)
        self._headers = self._make_headers()
        self._headers_for = key.number
        self._nothing = httpx.ByteStream(b"")
        self._idle = [self._open()]
        # A little less than the whole, so that running out of it proves that nothing was sent.
        self._extensions = {"timeout": {"connect": timeout * 0.95}}

    async def send(self, method: str, path: str, *, most: int = SMALL) -> Reply:
        """One attempt at `method path`, the answer's body read up to `most` bytes. Never raises but on cancellation."""
        request = self._request(method, path)
        used = self.key.number
        lane = self._idle.pop() if self._idle else self._open()
        start = time.perf_counter()
        response: httpx.Response | None = None
        body = bytearray()
        trouble: Exception | None = None
        departure: Departure | None = None
        try:
            async with asyncio.timeout(self._timeout):
                if not await _is_open(lane) and self._departures is not None:
                    departure = Departure(self._departures)
                    request.extensions = self._extensions | {"trace": departure}
                response = await lane.handle_async_request(request)
                await _read(response, body, most)
        except _TROUBLES as error:
            trouble = error
        finally:
            if departure is not None:
                departure.now()
            if response is None or not response.is_closed or _has_more(response):
                await _give_up(lane)
            else:
                self._idle.append(lane)
        seconds = time.perf_counter() - start
        unreadable = isinstance(trouble, (httpx.DecodingError, _TooLarge))
        if response is None or (trouble is not None and not unreadable and needs_its_body(response.status_code)):
            return self._without_answer(trouble, seconds, used)
        answer = Answer(response.status_code, response.headers, bytes(body) if trouble is None else None, seconds, used)
        return read_answer(answer, self.key.hide, time.time())

    async def aclose(self) -> None:
        """Close every connection."""
        while self._idle:
            await _give_up(self._idle.pop())

    def _request(self, method: str, path: str) -> httpx.Request:
        if self._headers_for != self.key.number:
            self._headers = self._make_headers()
            self._headers_for = self.key.number
        request = httpx.Request(
            method, self._base, headers=self._headers, stream=self._nothing, extensions=self._extensions
        )
        # Set afterwards: httpx would make, and parse, a URL of its own.
        request.url = _Url(self._base, self._path + path.encode("ascii"))
        return request

    def _make_headers(self) -> httpx.Headers:
        """The headers of every request with the present key; httpx adds the host."""
        headers = {
            "Authorization": self.key.authorization,
            "Accept": "application/json",
            "User-Agent": f"atoms-draft-cleanup/{__version__}",
        }
        return httpx.Request("GET", self._base, headers=headers).headers

    def _open(self) -> httpx.AsyncHTTPTransport:
        if self._proxy is None:
            return _Direct(self._base, self._ssl)
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

    def _without_answer(self, trouble: Exception | None, seconds: float, used: int) -> Reply:
        kind = _kind(trouble)
        return Reply(
            None,
            trouble=kind,
            sent=not isinstance(trouble, _NOT_SENT),
            seconds=seconds,
            message=self.key.hide(_describe(trouble, kind, self._timeout))[:300],
            key_number=used,
        )


class _Direct(httpx.AsyncHTTPTransport):
    """httpx's transport over a single connection: a pool around it costs more than the connection itself."""

    def __init__(self, base: httpx.URL, context: ssl.SSLContext) -> None:
        self._origin = httpcore.URL(str(base)).origin
        self._context = context
        self._pool: Any = self._new()

    def _new(self) -> httpcore.AsyncHTTPConnection:
        return httpcore.AsyncHTTPConnection(self._origin, ssl_context=self._context, network_backend=Sockets())

    async def is_open(self) -> bool:
        """Whether there is a connection. One that the other end has closed, or said something unasked on, is none."""
        if self._pool.is_closed() or self._pool.has_expired():
            await self._pool.aclose()
            self._pool = self._new()
        return bool(self._pool.is_idle())


class _Url(httpx.URL):
    """A URL that differs from its base in path and query alone, and whose path needs no parsing: ids are checked."""

    def __init__(self, base: httpx.URL, raw_path: bytes) -> None:
        super().__init__(base)
        self._raw_path = raw_path

    @property
    def raw_path(self) -> bytes:
        """Path and query as they are sent."""
        return self._raw_path


async def _is_open(lane: httpx.AsyncHTTPTransport) -> bool:
    """Whether a request over this lane leaves at once; of a proxy's connections it is not known."""
    return isinstance(lane, _Direct) and await lane.is_open()


async def _read(response: httpx.Response, body: bytearray, most: int) -> None:
    """Read a body to its end into `body`. Raises _TooLarge when it has more than `most` bytes."""
    # Compression is rare, as nobody asks for it; going round the decoders saves a tenth of an answer's cost.
    compressed = "content-encoding" in response.headers
    chunks: Any = response.aiter_bytes() if compressed else response.stream
    async for chunk in chunks:
        body += chunk
        if len(body) > most:
            raise _TooLarge("the body is too large")
    await response.aclose()


def _has_more(response: Any) -> bool:
    """Whether bytes came after the answer's end: on the same connection, they would be taken for the next answer.

    There is no public way to ask; a test holds that this one works.
    """
    stream = response.stream._httpcore_stream  # noqa: SLF001
    stream = getattr(stream, "_stream", stream)  # a pool's, or the connection's own
    return bool(stream._connection._h11_state.trailing_data[0])  # noqa: SLF001


async def _give_up(lane: httpx.AsyncHTTPTransport) -> None:
    """Close a connection, whatever state it is in."""
    try:
        async with asyncio.timeout(1):
            await lane.aclose()
    except _TROUBLES:
        pass  # it is given up either way


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
        case _ if isinstance(trouble, httpx.ProxyError):
            return f"no connection: the proxy refuses: {trouble}"
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
