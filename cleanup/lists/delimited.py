"""CSV and TSV → rows."""

import codecs
import csv
import io
import re
from collections.abc import Iterator
from typing import IO, Final

from cleanup.lists.ids import is_agent, is_draft
from cleanup.lists.rows import AGENT_NAMES, DRAFT_NAMES, BadRow, Columns, Row, checked, plain_name

_BLANK: Final = " \t"
_UTF16: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


_SURROGATE: Final = re.compile("[\ud800-\udfff]")


class Lines:
    """The lines of a file, decoded one by one so that an error has its line.

    Skips comments, but only where a record begins: `at_record` is for the reader to set.
    `undecodable` is the first line of the record that is no text; the lines after it are read all the same.
    """

    def __init__(self, stream: IO[bytes], head: bytes) -> None:
        self.number = 0
        self.record = 1
        self.at_record = True
        self.undecodable: int | None = None
        self.encoding = "UTF-16" if head.startswith(_UTF16) else "UTF-8"
        self._lines = self._utf16(stream) if self.encoding == "UTF-16" else self._utf8(stream)

    def __iter__(self) -> Iterator[str]:
        for line in self._lines:
            self.number += 1
            if self.at_record:
                if line.startswith("#"):
                    continue
                self.record = self.number
                self.at_record = False
                self.undecodable = None
            if not line.isascii() and self.undecodable is None and _SURROGATE.search(line):
                self.undecodable = self.number
            yield line

    # What cannot be decoded becomes a lone surrogate, which no text contains, so that only its own line is refused.

    def _utf8(self, stream: IO[bytes]) -> Iterator[str]:
        for number, line in enumerate(stream, 1):
            yield line.decode("utf-8-sig" if number == 1 else "utf-8", "surrogateescape")

    def _utf16(self, stream: IO[bytes]) -> Iterator[str]:
        try:
            yield from io.TextIOWrapper(stream, encoding="utf-16", errors="surrogatepass", newline="\n")
        except UnicodeError:  # half a character at the very end
            yield "\ud800"


def read_rows(stream: IO[bytes], head: bytes, columns: Columns, *, tabs_only: bool = False) -> Iterator[Row | BadRow]:
    """Read a file's rows; `head` is its beginning, not consumed. Fills in `columns` before the first row."""
    lines = Lines(stream, head)
    delimiter = "\t" if tabs_only else None
    source = iter(lines)
    first = _first_line(lines, source)
    if first is None:
        yield BadRow(max(lines.number, 1), "there is neither a header nor a pair in this list")
        return
    reader = csv.reader(
        _chain(first, source), delimiter=delimiter or _delimiter(first), strict=True, skipinitialspace=True
    )
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
            cells = [cell.strip(_BLANK) for cell in next(reader)]
        except StopIteration:
            return
        except csv.Error as error:
            yield BadRow(lines.record, _csv_reason(error))
        else:
            if lines.undecodable is None:
                yield cells
            else:
                yield BadRow(
                    lines.undecodable, f"undecodable: these bytes are no {lines.encoding}; save the list as UTF-8"
                )
        lines.at_record = True


def _chain(first: str, rest: Iterator[str]) -> Iterator[str]:
    yield first
    yield from rest


def _csv_reason(error: csv.Error) -> str:
    text = str(error)
    if "unexpected end of data" in text:
        return "a quote is opened here and never closed"
    if "field larger" in text:
        return f"a quote is opened here and not closed within {csv.field_size_limit()} characters, or a cell is longer"
    if "new-line character" in text:
        return "a carriage return alone ends no row: save the list with LF or CRLF line ends"
    if "expected after" in text:
        return "a quoted cell goes on after its closing quote"
    return f"no valid CSV: {text}"


def _delimiter(first: str) -> str:
    """The delimiter that makes the first row a header or a pair; else the one that splits it most."""

    def cells(delimiter: str) -> list[str]:
        try:
            row = next(csv.reader([first], delimiter=delimiter, skipinitialspace=True))
            return [cell.strip(_BLANK) for cell in row]
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


def _is_meant_as_pair(cells: list[str]) -> bool:
    """A first row with digits where the agent would stand is a pair, if perhaps a bad one: a header has names."""
    return len(cells) >= 2 and any(digit in cells[0] for digit in "0123456789")


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
        titles = [cell or f"column_{place}" for place, cell in enumerate(cells, 1)]
        names = [plain_name(title) for title in titles]
        agents = [place for place, name in enumerate(names) if name in AGENT_NAMES]
        drafts = [place for place, name in enumerate(names) if name in DRAFT_NAMES]
        if _is_pair(cells) or (not agents and not drafts and _is_meant_as_pair(cells)):
            layout = cls(len(cells), 0, 1, has_header=False)
            titles = [f"column_{place}" for place in range(1, len(cells) + 1)]
        else:
            problem = _header_problem(names, titles, len(agents), len(drafts))
            if problem:
                return cls(len(cells), 0, 0, has_header=True, problem=problem)
            layout = cls(len(cells), agents[0], drafts[0], has_header=True)
        for place in layout.others:
            columns.add(titles[place])
        return layout

    def row(self, cells: list[str], line: int, columns: Columns) -> Row | BadRow:
        if len(cells) != self.width:
            found = f"{len(cells)} cell{'' if len(cells) == 1 else 's'}"
            return BadRow(line, f"{found} where the first row has {self.width}")
        others = tuple([cells[place] for place in self.others]) if self.others else ()
        return checked(Row(line, cells[self.agent], cells[self.draft], others), columns)


def _header_problem(names: list[str], titles: list[str], agents: int, drafts: int) -> str | None:
    if not agents and not drafts:
        return "the first row is neither a header (agent, draft) nor a pair of ids"
    for found, what in ((agents, "agent"), (drafts, "draft")):
        if found != 1:
            return f"the header has {'no' if found == 0 else 'more than one'} column {what!r}"
    doubled = next((titles[place] for place, name in enumerate(names) if names.index(name) < place), None)
    return f"the header names the column {doubled!r} twice" if doubled else None
