"""CSV and TSV → rows."""

import csv
import re
from collections.abc import Iterator
from itertools import chain
from typing import IO, Final

from cleanup.lists.ids import is_agent, is_draft, why_url
from cleanup.lists.lines import Lines
from cleanup.lists.rows import AGENT_NAMES, DRAFT_NAMES, TORN, BadRow, Columns, Row, plain_name

_BLANK: Final = " \t"
_DELIMITERS: Final = ",;\t"
_DECLARED: Final = re.compile(r"sep=(.?)\s*", re.IGNORECASE)


def read_rows(stream: IO[bytes], head: bytes, columns: Columns, *, tabs_only: bool = False) -> Iterator[Row | BadRow]:
    """Read a file's rows; `head` is its beginning, not consumed. Fills in `columns` before the first row."""
    lines = Lines(stream, head)
    source = iter(lines)
    first = _first_line(lines, source)
    declared = _DECLARED.fullmatch(first.replace('"', ""))
    if declared:
        if not declared[1] or declared[1] not in _DELIMITERS:
            yield BadRow(lines.number, f"{first.strip()!r} names an unsupported delimiter: use , ; or a tab")
            return
        lines.at_record = True
        first = _first_line(lines, source)
    if not first:
        yield BadRow(max(lines.number, 1), "the list has neither a header nor a pair")
        return
    delimiter = declared[1] if declared else "\t" if tabs_only else _delimiter(first, lines)
    text = _without_blanks(chain([first], source), lines, delimiter)
    reader = csv.reader(text, delimiter=delimiter, strict=True, skipinitialspace=True)
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
                yield layout.row(cells, lines)
        else:
            yield layout.row(cells, lines)


def _first_line(lines: Lines, source: Iterator[str]) -> str:
    """The first line that is neither blank nor a comment; empty if there is none."""
    for line in source:
        if line.strip(_BLANK + "\r\n,;") and not line.lstrip(_BLANK + '"').startswith("#"):
            return line
        lines.at_record = True
    return ""


def _without_blanks(source: Iterator[str], lines: Lines, delimiter: str) -> Iterator[str]:
    """The lines without blanks around quoted cells: the csv module skips only leading spaces."""
    blank = "[ ]" if delimiter == "\t" else "[ \t]"
    suspicious = re.compile(f'"{blank}' if delimiter == "\t" else f'"{blank}|\t *"')
    inside = r'(?:[^"]++|"")*+(?:"|\Z)'  # a quoted cell after its opening quote, up to its end or the end of the line
    ends = rf"{blank}*+(?={re.escape(delimiter)}|[\r\n]|\Z)"
    begun_before = re.compile(rf"\A({inside}){ends}")
    quoted = re.compile(rf'(\A|{re.escape(delimiter)}){blank}*+("{inside}){ends}')
    for line in source:
        if '"' not in line or suspicious.search(line) is None:
            yield line
        elif lines.number == lines.record:
            yield quoted.sub(r"\1\2", line)
        else:  # a further line of a quoted cell
            cell = begun_before.match(line)
            yield line if cell is None else cell[1] + quoted.sub(r"\1\2", line[cell.end() :])


def _records(reader: Iterator[list[str]], lines: Lines) -> Iterator[list[str] | BadRow]:
    """The cells of each record that is neither blank nor a comment.

    Yields a BadRow for a record that is not valid CSV, and goes on with the next line.
    """
    while True:
        try:
            cells = [cell.strip(_BLANK) for cell in next(reader)]
        except StopIteration:
            return
        except csv.Error as error:
            yield BadRow(lines.record, _csv_reason(error))
        else:
            if lines.undecodable is not None:
                yield BadRow(lines.undecodable, lines.why_undecodable)
            elif any(cells) and not cells[0].startswith("#"):  # a spreadsheet may have quoted a comment
                yield cells
        lines.at_record = True


def _csv_reason(error: csv.Error) -> str:
    text = str(error)
    if "unexpected end of data" in text:
        return "a quote is opened here but never closed"
    if "field larger" in text:
        return f"a quote opened here is not closed within {csv.field_size_limit()} characters, or a cell is longer"
    if "new-line character" in text:
        return "a carriage return alone does not end a row: save the list with LF or CRLF line endings"
    if "expected after" in text:
        return "there is text after the closing quote of a cell"
    return f"not valid CSV: {text}"


def _delimiter(first: str, lines: Lines) -> str:
    """The delimiter that makes the first row a header or a pair; else the one that yields the most cells."""

    def cells(delimiter: str) -> list[str]:
        try:
            line = _without_blanks(iter([first]), lines, delimiter)
            row = next(csv.reader(line, delimiter=delimiter, skipinitialspace=True))
            return [cell.strip(_BLANK) for cell in row]
        except csv.Error:
            return []

    candidates = {delimiter: cells(delimiter) for delimiter in _DELIMITERS}
    for delimiter, found in candidates.items():
        names = {plain_name(cell) for cell in found}
        if (names & AGENT_NAMES and names & DRAFT_NAMES) or _is_pair(found):
            return delimiter
    return max(candidates, key=lambda delimiter: len(candidates[delimiter]))


def _is_pair(cells: list[str]) -> bool:
    return len(cells) >= 2 and is_agent(cells[0]) and is_draft(cells[1])


def _is_meant_as_pair(cells: list[str]) -> bool:
    """Whether a first row is a pair, valid or not: unlike a header, its first cell has digits."""
    return len(cells) >= 2 and any(digit in cells[0] for digit in "0123456789")


class _Layout:
    """Which cell of a row holds what."""

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
            urls = filter(None, map(why_url, cells))
            problem = next(urls, None) or _header_problem(names, titles, len(agents), len(drafts))
            if problem:
                return cls(len(cells), 0, 0, has_header=True, problem=problem)
            layout = cls(len(cells), agents[0], drafts[0], has_header=True)
        for place in layout.others:
            columns.add(titles[place])
        return layout

    def row(self, cells: list[str], lines: Lines) -> Row | BadRow:
        if len(cells) != self.width:
            found = f"{len(cells)} cell{'' if len(cells) == 1 else 's'} where the first row has {self.width}"
            torn = len(cells) < self.width and not lines.ended
            return BadRow(lines.record, f"{TORN} ({found})" if torn else found)
        others = tuple([cells[place] for place in self.others]) if self.others else ()
        return Row(lines.record, cells[self.agent], cells[self.draft], others)


def _header_problem(names: list[str], titles: list[str], agents: int, drafts: int) -> str | None:
    if not agents and not drafts:
        return "the first row is neither a header (agent, draft) nor a pair of ids"
    for found, what in ((agents, "agent"), (drafts, "draft")):
        if found != 1:
            return f"the header has {'no' if found == 0 else 'more than one'} column {what!r}"
    doubled = next((titles[place] for place, name in enumerate(names) if names.index(name) < place), None)
    return f"duplicate column {doubled!r} in the header" if doubled else None
