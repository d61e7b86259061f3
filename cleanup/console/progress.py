"""The progress of a run: a bar on a terminal, a log line every 30 seconds elsewhere."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, TextIO, cast

from cleanup.console.log import Output
from cleanup.console.screen import Screen

EVERY_SECONDS: Final = 30.0


Show = Callable[[int, int], None]
"""Shows how many are done, of how many."""


@contextmanager
def progress(screen: Screen, what: str, log: Callable[[], None], *, quiet: bool = False) -> Iterator[Show]:
    """A bar for a person, a line every 30 seconds for a log. Yields what shows how far it is."""
    if screen.person and screen.style == "console" and not quiet:
        with _bar(screen.output, what, colours=screen.colours) as show:
            yield show
    else:
        with _every_30_seconds(log):
            yield lambda _done, _total: None


@contextmanager
def _bar(output: Output, what: str, *, colours: bool) -> Iterator[Show]:
    """A progress bar where the log goes; what is logged meanwhile appears above it."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from cleanup.console.table import make_console

    below = output.stream
    console = make_console(below, colours=colours, live=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, redirect_stdout=False, redirect_stderr=False) as live:
        task = live.add_task(what, total=None)
        output.stream = cast("TextIO", _AboveBar(console))
        try:
            yield lambda done, total: live.update(task, completed=done, total=total)
        finally:
            output.stream = below


class _AboveBar:
    """Writes lines above a live bar."""

    def __init__(self, console: Any) -> None:
        self._console = console

    def write(self, text: str) -> int:
        from rich.text import Text

        self._console.print(Text.from_ansi(text.rstrip("\n")), soft_wrap=True)
        return len(text)

    def flush(self) -> None:
        """Nothing to do: each line is written at once."""

    def isatty(self) -> bool:
        return True


@contextmanager
def _every_30_seconds(log: Callable[[], None]) -> Iterator[None]:
    """Call `log` every 30 seconds while a run goes on."""

    async def report() -> None:
        while True:
            await asyncio.sleep(EVERY_SECONDS)
            log()

    task = asyncio.ensure_future(report())
    try:
        yield
    finally:
        task.cancel()
