"""Sends discards over a Transport, as tests of the wire want it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from cleanup.api.key import Key
from cleanup.api.reply import Reply
from cleanup.api.transport import BeforeWrite, Transport

JSON = b'{"status": true, "data": null}'
GOOD = {"status": True, "data": None}
"""What JSON says."""


@asynccontextmanager
async def discarding(url: str, timeout: float = 10) -> AsyncIterator[Callable[[BeforeWrite | None], Awaitable[Reply]]]:
    """Yields what sends a discard, each time over the same transport."""
    transport = Transport(url, Key(None, "sk_test"), timeout)
    try:
        yield lambda before_write: transport.send("DELETE", "/agent/a/drafts/d", before_write=before_write)
    finally:
        await transport.aclose()


def discards(
    url: str,
    count: int = 1,
    pause: Callable[[], Awaitable[None]] | None = None,
    *,
    timeout: float = 10,
    before_write: BeforeWrite | None = None,
) -> list[Reply]:
    """So many discards one after the other over one transport, with a pause between."""

    async def go() -> list[Reply]:
        replies = []
        async with discarding(url, timeout) as send:
            for number in range(count):
                if number and pause:
                    await pause()
                replies.append(await send(before_write))
        return replies

    return asyncio.run(go())


def one_discard(url: str, *, timeout: float = 10) -> Reply:
    """A single one."""
    (reply,) = discards(url, timeout=timeout)
    return reply
