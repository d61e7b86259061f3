"""A run's output: log, progress and summary."""

import io
import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Literal, TextIO, cast

from cleanup.console.log import Log, Output, make_log, wants_colours
from cleanup.console.printable import printable
from cleanup.console.streams import give_up, make_lossless
from cleanup.errors import OutputError


@dataclass(slots=True)
class Screen:
    """Standard output and standard error of one run."""

    output: Output
    log: Log
    style: Literal["json", "console"]
    person: bool
    colours: bool

    @property
    def shows_table(self) -> bool:
        """Whether the summary is a table on a terminal that shows the log as well."""
        return self.person and self.style == "console" and sys.stdout.isatty()

    def print_summary(self, summary: dict[str, Any]) -> None:
        """Print the summary on standard output: a table, or one line of JSON. Raises OutputError."""
        if self.style == "json":
            say_json(summary)
            return
        print_table(lambda table, stream, colours: table.print_summary(summary, stream, colours=colours))


def style_of(log_format: str) -> Literal["json", "console"]:
    """The style for `output.log_format`: `auto` is console on a terminal, else JSON."""
    if log_format == "auto":
        return "console" if sys.stderr.isatty() else "json"
    return cast("Literal['json', 'console']", log_format)


def make_screen(log_format: str, log_level: str, hide: Callable[[str], str], *, quiet: bool, run_id: str) -> Screen:
    """The screen that the settings ask for."""
    make_lossless()
    person = sys.stderr.isatty()
    style = style_of(log_format)
    colours = style == "console" and wants_colours(sys.stderr, dict(os.environ))
    output = Output(sys.stderr, quiet=quiet)
    log = make_log(output, style, log_level, hide, colours=colours)
    return Screen(output, log.bind(run_id=run_id) if style == "json" else log, style, person, colours)


def say(text: str) -> None:
    """Print one or more lines on standard output. Raises OutputError."""
    with _standard_output() as stream:
        stream.write((printable(text, keep="\n") if stream.isatty() else text) + "\n")


def say_json(value: dict[str, Any]) -> None:
    """Print one line of JSON on standard output, plain ASCII on a terminal. Raises OutputError."""
    say(json.dumps(value, ensure_ascii=sys.stdout.isatty()))


def say_list(text: str) -> None:
    """Print a list on standard output. Raises OutputError.

    It is in UTF-8 whatever the locale, as the job reads it. Only a terminal gets names with escapes.
    """
    with _standard_output() as stream:
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8")
        stream.write(printable(text, keep="\n") if stream.isatty() else text)


def print_table(show: Callable[[ModuleType, TextIO, bool], None]) -> None:
    """Let `show` print with the table module, which is loaded only when it is needed. Raises OutputError."""
    from cleanup.console import table

    with _standard_output() as stream:
        show(table, stream, wants_colours(sys.stdout, dict(os.environ)))


@contextmanager
def _standard_output() -> Iterator[TextIO]:
    try:
        yield sys.stdout
        sys.stdout.flush()
    except OSError as error:
        give_up(sys.stdout)
        raise OutputError(f"standard output could not be written: {error.strerror}") from None
