"""CSV and TSV → rows."""

import codecs
import csv
import io
from collections.abc import Iterator
from typing import IO, Final

from cleanup.lists.ids import is_agent, is_draft
from cleanup.lists.rows import AGENT_NAMES, DRAFT_NAMES, BadRow, Columns, Row, checked, plain_name

_BLANK: Final = " \t"
_UTF16: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class Undecodable(Exception):
    """Bytes that are no text in the encoding of the file."""

    def __init__(self, line: int, encoding: str) -> None:
        super().__init__(f"line {line}")
        self.row = BadRow(line, f"undecodable: these bytes are no {encoding}; save the list as UTF-8")


class Lines:
    """The lines of a file, decoded one by one so that an error has its line.

    Skips comments, but only where a record begins: `at_record` is for the reader to set.
    """

    def __init__(self, stream: IO[bytes], head: bytes) -> None:
        self.number = 0
        self.record = 1
        self.at_record = True
        self._lines = self._utf16(stream) if head.startswith(_UTF16) else self._utf8(stream)

    def __iter__(self) -> Iterator[str]:
        for line in self._lines:
            self.number += 1
            if self.at_record:
                if line.startswith("#"):
                    continue
                self.record = self.number
                self.at_record = False
            yield line

    def _utf8(self, stream: IO[bytes]) -> Iterator[str]:
        for number, line in enumerate(stream, 1):
            try:
                yield line.decode("utf-8-sig" if number == 1 else "utf-8")
            except UnicodeDecodeError:
                raise Undecodable(number, "UTF-8") from None

    def _utf16(self, stream: IO[bytes]) -> Iterator[str]:
        text = io.TextIOWrapper(stream, encoding="utf-16", newline="\n")
        try:
            yield from text
        except UnicodeError:
            raise Undecodable(self.number + 1, "UTF-16") from None
        finally:
            text.detach()


def read_rows(stream: IO[bytes], head: bytes, columns: Columns, *, tabs_only: bool = False) -> Iterator[Row | BadRow]:
    """Read a file's rows; `head` is its beginning, not consumed. Fills in `columns` before the first row."""
    lines = Lines(stream, head)
    try:
        yield from _rows(lines, columns, "\t" if tabs_only else None)
    except Undecodable as error:
        yield error.row


def _rows(lines: Lines, columns: Columns, delimiter: str | None) -> Iterator[Row | BadRow]:
    source = iter(lines)
    first = _first_line(lines, source)
    if first is None:
        yield BadRow(max(lines.number, 1), "there is neither a header nor a pair in this list")
        return
    reader = csv.reader(_chain(first, source), delimiter=delimiter or _delimiter(first), strict=True)
    layout: _Layout | None = None
    for cells in _records(reader, lines):
        if isinstance(cells, BadRow):
            yield cells
            if layout is None:
                return
        elif layout is None:
            layout = _Layout.of(cells, columns)
            if layout.problem:
                yield BadRow(lines.record, layout.problem)
                return
            if not layout.has_header:
                yield layout.row(cells, lines.record, columns)
        elif any(cells):
            yield layout.row(cells, lines.record, columns)


def _first_line(lines: Lines, source: Iterator[str]) -> str | None:
    for line in source:
        if line.strip(_BLANK + "\r\n,;"):
            return line
        lines.at_record = True
    return None


def _records(reader: Iterator[list[str]], lines: Lines) -> Iterator[list[str] | BadRow]:
    """The cells of each record; a BadRow for one that is no CSV, after which the next line begins anew."""
    while True:
        try:
            yield [cell.strip(_BLANK) for cell in next(reader)]
        except StopIteration:
            return
        except csv.Error as error:
            yield BadRow(lines.record, _csv_reason(error))
        lines.at_record = True


def _chain(first: str, rest: Iterator[str]) -> Iterator[str]:
    yield first
    yield from rest


def _csv_reason(error: csv.Error) -> str:
    text = str(error)
    if "unexpected end of data" in text or "field larger" in text:
        return "a quote is opened here and never closed"
    if "expected after" in text:
        return "a quoted cell goes on after its closing quote"
    return f"no valid CSV: {text}"


def _delimiter(first: str) -> str:
    """The delimiter that makes the first row a header or a pair; else the one that splits it most."""

    def cells(delimiter: str) -> list[str]:
        try:
            return [cell.strip(_BLANK) for cell in next(csv.reader([first], delimiter=delimiter))]
        except csv.Error:
            return []

    candidates = {delimiter: cells(delimiter) for delimiter in ",;\t"}
    for delimiter, found in candidates.items():
        names = {plain_name(cell) for cell in found}
        if (names & AGENT_NAMES and names & DRAFT_NAMES) or _is_pair(found):
            return delimiter
    return max(candidates, key=lambda delimiter: len(candidates[delimiter]))


def _is_pair(cells: list[str]) -> bool:
    return len(cells) >= 2 and is_agent(cells[0]) and is_draft(cells[1])


class _Layout:
    """Which cell of a row is what."""

    def __init__(self, width: int, agent: int, draft: int, *, has_header: bool, problem: str | None = None) -> None:
        self.width = width
        self.agent = agent
        self.draft = draft
        self.has_header = has_header
        self.problem = problem
        self.others = [place for place in range(width) if place not in (agent, draft)]

    @classmethod
    def of(cls, cells: list[str], columns: Columns) -> "_Layout":
        if _is_pair(cells):
            layout = cls(len(cells), 0, 1, has_header=False)
            for place in layout.others:
                columns.add(f"column_{place + 1}")
            return layout
        names = [plain_name(cell) for cell in cells]
        agents = [place for place, name in enumerate(names) if name in AGENT_NAMES]
        drafts = [place for place, name in enumerate(names) if name in DRAFT_NAMES]
        problem = _header_problem(names, cells, len(agents), len(drafts))
        if problem:
            return cls(len(cells), 0, 0, has_header=True, problem=problem)
        layout = cls(len(cells), agents[0], drafts[0], has_header=True)
        for place in layout.others:
            columns.add(cells[place] or f"column_{place + 1}")
        return layout

    def row(self, cells: list[str], line: int, columns: Columns) -> Row | BadRow:
        if len(cells) != self.width:
            return BadRow(line, f"{len(cells)} cells where the first row has {self.width}")
        others = tuple([cells[place] for place in self.others]) if self.others else ()
        return checked(Row(line, cells[self.agent], cells[self.draft], others), columns)


def _header_problem(names: list[str], cells: list[str], agents: int, drafts: int) -> str | None:
    if not agents and not drafts:
        return "the first row is neither a header (agent, draft) nor a pair of ids"
    for found, what in ((agents, "agent"), (drafts, "draft")):
        if found != 1:
            return f"the header has {'no' if found == 0 else 'more than one'} column {what!r}"
    doubled = next((cells[place] for place, name in enumerate(names) if name and name in names[:place]), None)
    return f"the header names the column {doubled!r} twice" if doubled else None
