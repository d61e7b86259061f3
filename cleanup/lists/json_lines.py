"""JSON Lines → rows: one record, or one [agent, draft], a line."""

import json
from collections.abc import Iterator
from contextlib import suppress
from typing import IO, Final

from cleanup.documents import DocumentError, Event, Kind, json_events
from cleanup.lists.lines import Lines
from cleanup.lists.nested import read_rows as rows_of
from cleanup.lists.rows import AGENT_NAMES, DRAFT_NAMES, TORN, BadRow, Columns, Row, plain_name

_NAMES: Final = AGENT_NAMES | DRAFT_NAMES


def begin(text: str) -> bool:
    """Whether a text begins like JSON Lines: its first line is a complete record or pair."""
    try:
        first = json.loads(text.lstrip().partition("\n")[0])
    except (ValueError, RecursionError):
        return False
    if isinstance(first, dict):
        return any(plain_name(name) in _NAMES for name in first)
    return isinstance(first, list) and first != [] and not isinstance(first[0], (list, dict))


def read_rows(stream: IO[bytes], head: bytes, columns: Columns) -> Iterator[Row | BadRow]:
    """Read a file's rows; `head` is its beginning, not consumed. Blank lines are skipped."""
    lines = Lines(stream, head)
    for line in lines:
        lines.at_record = True
        if lines.undecodable is not None:
            yield BadRow(lines.number, lines.why_undecodable)
        elif not line.strip():
            continue
        elif not lines.ended and not _is_whole(line):
            yield BadRow(lines.number, TORN)
        else:
            yield from rows_of(_events(line, lines.number), columns)


def _events(line: str, number: int) -> Iterator[Event]:
    """A line as the only item of a list."""
    yield Event(Kind.LIST, number)
    try:
        for event in json_events(line):
            yield event._replace(line=number)
    except DocumentError as error:
        raise DocumentError(number, error.reason) from None
    yield Event(Kind.END, number)


def _is_whole(line: str) -> bool:
    with suppress(RecursionError):
        try:
            json.loads(line)
        except ValueError:
            return False
    return True
