"""A list from a file, standard input or the settings → the validated pairs, or every bad row."""

import hashlib
import io
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Final, NamedTuple, cast

from cleanup.documents import Node, json_events, node_events, yaml_events
from cleanup.errors import ListMalformed, ListMissing
from cleanup.lists import delimited, json_lines, nested
from cleanup.lists.pair_list import PairList, unpack
from cleanup.lists.rows import TORN, BadRow, Columns, Row, checked

FORMATS: Final = ("csv", "tsv", "yaml", "json", "jsonl")
_SPREADSHEET: Final = "spreadsheet"
_BY_ENDING: Final = (
    {f".{name}": name for name in FORMATS}
    | {".yml": "yaml", ".ndjson": "jsonl"}
    | dict.fromkeys((".xlsx", ".xlsm", ".xls", ".ods", ".numbers"), _SPREADSHEET)
)
_HEAD: Final = 1 << 16
_TAIL: Final = 512
_COMMENTS: Final = re.compile(r"\A(?:\s+|#[^\n]*)+")
_NO_BYTES: Final = "the file is empty: was it written completely? An empty list has a header, or is []"

Report = Callable[[str, str], None]
"""Called for each bad row with its source (`list.csv:18`) and the reason."""


def written_as(path: str | None) -> str:
    """The format in which to write a list: by the path's extension, else CSV."""
    found = _BY_ENDING.get(Path(path).suffix.lower()) if path else None
    return found if found in FORMATS else "csv"


def read_list(
    path: str, format_name: str | None, report: Report, most: int | None = None, now: datetime | None = None
) -> PairList:
    """Read and check a whole list. Raises ListMissing, or ListMalformed after reporting every bad row.

    `most`: report at most that many rows; the error's message has the number of all. `now` replaces the clock.
    """
    name = "<stdin>" if path == "-" else Path(path).name
    format_name = format_name or _BY_ENDING.get(Path(path).suffix.lower())
    try:
        with _opened(path) as stream:
            return _collect(name, _Source(stream), format_name, _Checks(report, most, now or datetime.now(UTC)))
    except OSError as error:
        raise ListMissing(f"{path}: the list cannot be read: {error.strerror}") from None


def _opened(path: str) -> AbstractContextManager[io.BufferedReader]:
    if path == "-":
        return nullcontext(cast("io.BufferedReader", sys.stdin.buffer))
    try:
        return Path(path).open("rb")
    except ValueError as error:  # a NUL in the name
        raise ListMissing(f"{path!r}: the list cannot be read: {error}") from None


def read_inline(
    node: Node, source: str, report: Report, most: int | None = None, now: datetime | None = None
) -> PairList:
    """Check a list that the settings file contains."""
    columns = Columns()
    pairs = PairList(source, columns)
    _fill(pairs, nested.read_rows(node_events(node), columns), _Checks(report, most, now or datetime.now(UTC)))
    pairs.sha256 = hashlib.sha256(b"\n".join(pairs.keys)).hexdigest()
    return pairs


class _Source(io.RawIOBase):
    """A stream that computes the SHA-256 of what is read from it, and drops a Ctrl-Z at its end.

    `tail` holds the last bytes that were read.
    """

    def __init__(self, stream: io.BufferedReader) -> None:
        self._stream = stream
        self._ended = False
        self.sha256 = hashlib.sha256()
        self.tail = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        # A terminal can be read on after each Ctrl-D: the first one is the end.
        data = b"" if self._ended else self._stream.read(len(buffer)) or b""
        self._ended = len(data) < len(buffer)
        self.sha256.update(data)
        if data.endswith(b"\x1a") and (self._ended or not self._stream.peek(1)):
            data = data[:-1]
        self.tail = (self.tail + data)[-_TAIL:]
        buffer[: len(data)] = data
        return len(data)


class _Checks(NamedTuple):
    """How rows are checked: where bad ones are reported, how many at most, and what time it is."""

    report: Report
    most: int | None
    now: datetime


def _collect(name: str, source: _Source, format_name: str | None, checks: _Checks) -> PairList:
    stream = io.BufferedReader(source, _HEAD)
    columns = Columns()
    pairs = PairList(name, columns)
    _fill(pairs, _rows(stream, stream.peek(), columns, format_name), checks, lambda: source.tail)
    pairs.sha256 = source.sha256.hexdigest()
    return pairs


def _fill(
    pairs: PairList, rows: Iterator[Row | BadRow], checks: _Checks, tail: Callable[[], bytes] = lambda: b""
) -> None:
    report, most, now = checks
    bad = 0
    for found in rows:
        row = checked(found, pairs.columns, now) if type(found) is Row else found
        if type(row) is BadRow:
            bad += 1
            if most is None or bad <= most:
                report(f"{pairs.name}:{row.line}", row.reason)
        elif not bad:
            pairs.add(row)  # type: ignore[arg-type]
    if not bad and _ends_inside_an_id(pairs.keys, tail()):
        bad = 1
        report(pairs.source(len(pairs) - 1), f"{TORN} If the id is complete, end the file with a line break")
    if bad:
        rows_are = "row is" if bad == 1 else "rows are"
        shown = "" if most is None or bad <= most else f" (only the first {most} are shown)"
        raise ListMalformed(
            f"{pairs.name}: {bad} {rows_are} invalid{shown}, so nothing was sent: correct the list and run again"
        )


def _ends_inside_an_id(keys: Sequence[bytes], tail: bytes) -> bool:
    """Whether a list seems cut off: it ends with the last draft's id, which is shorter than all others."""
    if len(keys) < 2 or not tail.replace(b"\0", b"").endswith(unpack(keys[-1])[1].encode()):
        return False
    return all(len(keys[-1]) < len(keys[place]) for place in range(len(keys) - 1))


def _rows(stream: IO[bytes], head: bytes, columns: Columns, format_name: str | None) -> Iterator[Row | BadRow]:
    if not head:
        return iter([BadRow(1, _NO_BYTES)])
    if format_name == _SPREADSHEET or head.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        return iter([BadRow(1, "this is a spreadsheet: save it as CSV (ids as text)")])
    match format_name or _guess(head):
        case "yaml":
            return nested.read_rows(yaml_events(stream), columns)
        case "json" if not json_lines.begin(_text(head)):
            return _json_rows(stream, columns)
        case "json" | "jsonl":
            return json_lines.read_rows(stream, head, columns)
        case chosen:
            return delimited.read_rows(stream, head, columns, tabs_only=chosen == "tsv")


def _json_rows(stream: IO[bytes], columns: Columns) -> Iterator[Row | BadRow]:
    data = stream.read()
    try:
        text = data.decode(_encoding(data))
    except UnicodeDecodeError as error:
        return iter([BadRow(data[: error.start].count(b"\n") + 1, "cannot be decoded: save the list as UTF-8")])
    return nested.read_rows(json_events(text), columns)


def _encoding(data: bytes) -> str:
    return "utf-16" if data.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"


def _text(head: bytes) -> str:
    """The beginning of a list as text, to guess its format from."""
    return head.decode(_encoding(head), "ignore")


def _guess(head: bytes) -> str:
    """The format by the first characters that are neither blank nor part of a comment."""
    text = _text(head)
    rest = _COMMENTS.sub("", text)
    if rest[:1] in ("[", "{"):
        # JSON has no comments and quotes every id; anything else in brackets is YAML.
        return "json" if rest == text.lstrip() and rest.lstrip("[{ \t\r\n")[:1] in ('"', "]", "}", "") else "yaml"
    line = rest.partition("\n")[0].strip()
    if line in ("-", "---") or line.startswith(("- ", "--- ", "%")):
        return "yaml"
    before, colon, _ = line.replace('"', "").replace("'", "").partition(":")
    return "yaml" if colon and not any(delimiter in before for delimiter in ",;\t") else "csv"
