"""How far a run is: a bar on a terminal, a log line every 30 seconds elsewhere."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, TextIO, cast

from cleanup.console.log import Output

EVERY_SECONDS: Final = 30.0


@contextmanager
def bar(output: Output, total: int, what: str, *, colours: bool) -> Iterator[Callable[[], None]]:
    """A progress bar where the log goes; what is logged meanwhile stands above it. Yields what to call per pair."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from cleanup.console.table import make_console

    below = output.stream
    console = make_console(below, colours=colours, live=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, redirect_stdout=False, redirect_stderr=False) as progress:
        task = progress.add_task(what, total=total)
        output.stream = cast("TextIO", _AboveBar(console))
        try:
            yield lambda: progress.advance(task)
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
        """Each line is written at once."""

    def isatty(self) -> bool:
        return True


@contextmanager
def every_30_seconds(log: Callable[[], None]) -> Iterator[None]:
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
