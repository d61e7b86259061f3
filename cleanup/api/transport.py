"""Makes one attempt and returns one Reply, whatever happens. The only module that imports httpx.

httpx's transport is used without its client. A client shared by many tasks slows down with the square of its
connections, and this program must not follow redirects, keep cookies or run authentication flows. Each request in
flight has its own transport, and so its own connection.
"""

import asyncio
import json
import os
import ssl
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final
from urllib.parse import urlsplit

import httpx

from cleanup import __version__
from cleanup.api.answers import Answer, needs_its_body, read_answer
from cleanup.api.key import Key
from cleanup.api.proxies import proxy_for, shown
from cleanup.api.reply import Reply
from cleanup.api.trouble import describe, explain
from cleanup.errors import SettingsError

SMALL: Final = 1 << 20
LARGE: Final = 64 << 20
KEEP_ALIVE: Final = 4.0
"""Seconds after which an idle connection is not reused: a device on the way may have dropped it silently."""

BeforeWrite = Callable[[], Awaitable[None]]
"""Called right before the first byte of a request is written. If it raises, the request is not sent."""

_TROUBLES: Final = (TimeoutError, httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, OSError, ValueError)


class _Unreadable(httpx.StreamError):
    """The body cannot be used; the text describes it."""


class _Progress:
    """The transport's `trace` of one request: calls `before_write`, and notes whether the request was written."""

    def __init__(self, before_write: BeforeWrite | None) -> None:
        self._before_write = before_write
        self.tunnel = False
        self.written = False
        self.objection: Exception | None = None
        self.stream: Any = None

    async def __call__(self, event: str, info: dict[str, Any]) -> None:
        if event == "connection.connect_tcp.complete":
            self.stream = info["return_value"]
        if event != "http11.send_request_headers.started":
            return
        if info["request"].method == b"CONNECT":  # sets up the proxy's tunnel; the request itself comes later
            self.tunnel = True
            return
        if self._before_write is not None:
            try:
                await self._before_write()
            except Exception as error:
                self.objection = error
                raise
        self.written = True


class Transport:
    """Sends requests to one API with one key."""

    def __init__(self, base_url: str, key: Key, timeout: float) -> None:
        """`timeout`: seconds for a whole attempt. Raises SettingsError for an unusable address, proxy or CA file."""
        self.key = key
        self._timeout = timeout
        try:
            self._base = httpx.URL(base_url)
        except httpx.InvalidURL as error:
            raise SettingsError(f"api.base_url: {base_url}: {str(error)[:1].lower()}{str(error)[1:]}") from None
        self._path = self._base.raw_path.rstrip(b"/")
        self._proxy_url = proxy_for(base_url)
        addresses = (base_url, self._proxy_url or "")
        self._ssl = _ssl_context(needed=any(address.startswith("https:") for address in addresses))
        self._proxy = None if self._proxy_url is None else _proxy(self._proxy_url, self._ssl)
        self._idle = [self._open()]

    async def send(
        self,
        method: str,
        path: str,
        *,
        most: int = SMALL,
        before_write: BeforeWrite | None = None,
        candidate: str | None = None,
        document: object = None,
    ) -> Reply:
        """Make one attempt at `method path`, and read up to `most` bytes of the answer's body.

        `document`: what to send as JSON, if anything. `candidate`: a key to try instead of the one in use.
        Raises what `before_write` raises, and on cancellation.
        """
        used = self.key.number
        progress = _Progress(before_write)
        request = self._request(method, path, progress, candidate, document)
        lane = self._idle.pop() if self._idle else self._open()
        start = time.perf_counter()
        response: httpx.Response | None = None
        body = bytearray()
        trouble: Exception | None = None
        try:
            async with asyncio.timeout(self._timeout):
                response = await lane.handle_async_request(request)
                body = await _read(response, most)
        except _TROUBLES as error:
            if error is progress.objection:
                raise
            trouble = error
        finally:
            if response is None or not response.is_closed or _has_more(response):
                await _give_up(lane)
                if progress.stream is not None:  # a TLS handshake that is cut short leaves the socket open
                    await _give_up(progress.stream)
            else:
                self._idle.append(lane)
        seconds = time.perf_counter() - start
        cut_short = trouble is not None and not isinstance(trouble, _Unreadable)
        if response is None or (cut_short and needs_its_body(response.status_code)):
            return self._without_answer(trouble, progress, seconds, used)
        unread = "a body that was cut short" if cut_short else str(trouble or "")
        answer = Answer(response.status_code, response.headers, bytes(body), seconds, used, unread)
        return read_answer(answer, self.key.hide, time.time())

    async def aclose(self) -> None:
        """Close every connection."""
        while self._idle:
            await _give_up(self._idle.pop())

    def _request(
        self, method: str, path: str, progress: _Progress, candidate: str | None, document: object
    ) -> httpx.Request:
        headers = {
            "Authorization": self.key.authorization if candidate is None else f"Bearer {candidate}",
            "Accept": "application/json",
            "Accept-Encoding": "identity",
            "User-Agent": f"atoms-draft-cleanup/{__version__}",
        }
        url = self._base.copy_with(raw_path=self._path + path.encode("ascii"))
        if document is None:
            return httpx.Request(method, url, headers=headers, extensions={"trace": progress})
        headers["Content-Type"] = "application/json"
        # ASCII: a configuration may have lone surrogates, which UTF-8 cannot encode.
        body = json.dumps(document).encode("ascii")
        return httpx.Request(method, url, headers=headers, content=body, extensions={"trace": progress})

    def _open(self) -> httpx.AsyncHTTPTransport:
        try:
            return httpx.AsyncHTTPTransport(
                verify=self._ssl,
                proxy=self._proxy,
                limits=httpx.Limits(max_connections=1, max_keepalive_connections=1, keepalive_expiry=KEEP_ALIVE),
            )
        except (ImportError, ValueError):
            raise SettingsError(
                "the proxy in the environment is of an unsupported kind: use an http:// or https:// proxy"
            ) from None

    def _without_answer(self, error: Exception | None, progress: _Progress, seconds: float, used: int) -> Reply:
        proxy = None if self._proxy_url is None else shown(self._proxy_url)
        # Until the CONNECT is sent, an encrypted connection is the one to the proxy itself.
        at_proxy = proxy is not None and not progress.tunnel and (self._proxy_url or "").startswith("https:")
        trouble = explain(error, refused_by_proxy=isinstance(error, httpx.ProxyError))
        text = describe(error, trouble, self._timeout, proxy=proxy, at_proxy=at_proxy, sent=progress.written)
        return Reply(
            None,
            trouble=trouble,
            sent=progress.written,
            seconds=seconds,
            message=self.key.hide(text)[:300],
            key_number=used,
        )


def _ssl_context(*, needed: bool) -> ssl.SSLContext:
    if not needed:
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # never used; cheap, as it loads no certificates
    try:
        return httpx.create_ssl_context()
    except OSError as error:
        named = os.environ.get("SSL_CERT_FILE") or "the certificates that come with this program"
        raise SettingsError(f"SSL_CERT_FILE: {named}: the certificates cannot be read: {error.strerror}") from None


def _proxy(url: str, context: ssl.SSLContext) -> httpx.Proxy:
    try:
        _ = urlsplit(url).port  # raises if the port is out of range, which httpx does not check
        return httpx.Proxy(url, ssl_context=context if url.startswith("https:") else None)
    except (ValueError, httpx.InvalidURL):
        raise SettingsError("the proxy in the environment is not a usable URL: write http://host:port") from None


async def _read(response: httpx.Response, most: int) -> bytearray:
    """Read a body to its end.

    Raises _Unreadable if it has more than `most` bytes, or an encoding that was not requested, which may be an attack.
    """
    body = bytearray()
    async for chunk in response.aiter_raw():
        body += chunk
        if len(body) > most:
            raise _Unreadable("a body that is too large")
    encoding = response.headers.get("content-encoding", "").strip()
    if encoding.lower() not in ("", "identity"):
        raise _Unreadable(f"a body with the encoding {encoding}, which was not requested")
    return body


def _has_more(response: Any) -> bool:
    """Whether bytes came after the end of the answer: a reused connection would take them for the next answer.

    There is no public way to find out. If the private attributes are missing, assume yes, so that the connection is
    closed.
    """
    try:
        connection = response.stream._httpcore_stream._stream._connection  # noqa: SLF001
        layer = connection._network_stream._stream  # noqa: SLF001
        more = bool(connection._h11_state.trailing_data[0])  # noqa: SLF001
        while hasattr(layer, "transport_stream"):  # TLS decrypts only as much as is read
            more = more or layer._read_bio.pending > 0  # noqa: SLF001
            layer = layer.transport_stream
        return more or bool(layer._protocol.read_queue)  # noqa: SLF001
    except AttributeError:
        return True


async def _give_up(lane: Any) -> None:
    """Close a connection or its socket, whatever state it is in."""
    try:
        async with asyncio.timeout(1):
            await lane.aclose()
    except (*_TROUBLES, AttributeError):  # asyncio's TLS transport raises AttributeError after a lost connection
        pass  # it is discarded either way
