"""The one question to a person, on the controlling terminal, so that also a piped list can be confirmed."""

import asyncio
import os
from typing import Protocol

from cleanup.errors import UsageError
from cleanup.stop import Stop, Stopped


async def ask(question: str, stop: Stop) -> bool:
    """Ask a yes-or-no question. Raises UsageError when there is nobody to ask, Stopped on a signal."""
    try:
        terminal = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY)
    except OSError:
        raise UsageError("there is no terminal to ask on: pass --yes to discard without a question") from None
    loop = asyncio.get_running_loop()
    readable = asyncio.Event()
    try:
        os.write(terminal, question.encode())
        loop.add_reader(terminal, readable.set)
        stop.listen(readable.set)
        await readable.wait()
        if stop.cause:
            os.write(terminal, b"\n")
            raise Stopped
        return os.read(terminal, 1024).strip().lower() in (b"y", b"yes")
    finally:
        loop.remove_reader(terminal)
        os.close(terminal)


class _Identity(Protocol):
    organization: str | None
    base_url: str


async def confirm(drafts: int, agents: int, identity: _Identity, stop: Stop) -> None:
    """Ask once. Raises UsageError when the answer is no, Stopped on a signal."""
    owner = (
        f"organization {identity.organization}" if identity.organization else "an organization that could not be told"
    )
    what = f"{drafts} draft{'s' if drafts != 1 else ''} of {agents} agent{'s' if agents != 1 else ''}"
    if not await ask(f"Discard {what} in {owner} at {identity.base_url}? [y/N] ", stop):
        raise UsageError("the answer was no, so nothing was discarded")
