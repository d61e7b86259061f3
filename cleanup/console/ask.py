"""The question before a run discards, asked on the controlling terminal so that a piped list can be confirmed too."""

import asyncio
import os
import termios
import threading
from contextlib import suppress
from typing import Final

from cleanup.console.printable import printable
from cleanup.errors import UsageError
from cleanup.stop import Stop, Stopped

MOST_FOR_YES: Final = 100
"""Above this many drafts their number has to be typed: a `y` is too easily typed by mistake."""


async def ask(question: str, stop: Stop) -> str:
    """Ask, and return the answer without surrounding blanks. Raises UsageError without a terminal, Stopped on a signal.

    What was typed before the question is discarded. The answer is read in a thread of its own, since not every
    system can watch a terminal (kqueue refuses /dev/tty). After a signal the thread is not waited for.
    """
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[str] = loop.create_future()

    def answered(text: str) -> None:
        if not answer.done():
            answer.set_result(text)

    try:
        terminal = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY)
        termios.tcflush(terminal, termios.TCIFLUSH)
        os.write(terminal, question.encode("utf-8", "backslashreplace"))
    except (OSError, termios.error):
        raise UsageError("there is no terminal to ask on: pass --yes to go on without being asked") from None

    def read() -> None:
        try:
            text = os.read(terminal, 1024).decode("utf-8", "replace").strip()
        except OSError:  # the terminal was closed
            text = ""
        with suppress(RuntimeError):  # nobody is waiting any more
            loop.call_soon_threadsafe(answered, text)

    threading.Thread(target=read, name="answer", daemon=True).start()
    stop.listen(lambda: answered(""))
    text = await answer
    if stop.cause:
        with suppress(OSError):
            os.write(terminal, b"\n")
        raise Stopped
    os.close(terminal)
    return text


async def confirm(verb: str, drafts: int, agents: int, where: str, stop: Stop) -> None:
    """Ask once. `verb`: what is done with the drafts. `where`: the organization and the API.

    Raises UsageError if the answer is no, Stopped on a signal.
    """
    done = f"{verb.removesuffix('e')}ed"
    what = f"{drafts} draft{'s' if drafts != 1 else ''} of {agents} agent{'s' if agents != 1 else ''}"
    question = printable(f"{verb.capitalize()} {what} in {where}?")
    if drafts <= MOST_FOR_YES:
        if (await ask(f"{question} [y/N] ", stop)).lower() not in ("y", "yes"):
            raise UsageError(f"the answer was no, so nothing was {done}")
    elif await ask(f"{question} Type {drafts} to {verb} them: ", stop) != str(drafts):
        raise UsageError(f"the answer was not {drafts}, so nothing was {done}")
