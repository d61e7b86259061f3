"""A list's file, standard input or settings → the checked pairs, or every reason why not."""

import hashlib
import io
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import IO, Final

from cleanup.documents import Node, json_events, node_events, yaml_events
from cleanup.errors import ListMalformed, ListMissing
from cleanup.lists import delimited, nested
from cleanup.lists.pair_list import PairList
from cleanup.lists.rows import BadRow, Columns, Row

FORMATS: Final = ("csv", "tsv", "yaml", "json")
_SPREADSHEET: Final = "spreadsheet"
_BY_ENDING: Final = {".csv": "csv", ".tsv": "tsv", ".yaml": "yaml", ".yml": "yaml", ".json": "json"} | dict.fromkeys(
    (".xlsx", ".xlsm", ".xls", ".ods", ".numbers"), _SPREADSHEET
)
_HEAD: Final = 1 << 16
_COMMENTS: Final = re.compile(r"\A(?:\s+|#[^\n]*)+")
_NO_BYTES: Final = "the list is a file of no bytes: was it written to the end? An empty list has a header, or is []"

Report = Callable[[str, str], None]
"""Told of each bad row: its source (`list.csv:18`) and the reason."""


def read_list(path: str, format_name: str | None, report: Report, most: int | None = None) -> PairList:
    """Read and check a whole list. Raises ListMissing, or ListMalformed after reporting every bad row.

    `most`: report no more rows than that; the error's sentence tells how many there are.
    """
    name = "<stdin>" if path == "-" else Path(path).name
    format_name = format_name or _BY_ENDING.get(Path(path).suffix.lower())
    try:
        with _opened(path) as stream:
            return _collect(name, _Hashed(stream), format_name, report, most)
    except OSError as error:
        raise ListMissing(f"{path}: the list cannot be read: {error.strerror}") from None


def _opened(path: str) -> AbstractContextManager[IO[bytes]]:
    if path == "-":
        return nullcontext(sys.stdin.buffer)
    try:
        return Path(path).open("rb")
    except ValueError as error:  # a NUL in the name
        raise ListMissing(f"{path!r}: the list cannot be read: {error}") from None


def read_inline(node: Node, source: str, report: Report, most: int | None = None) -> PairList:
    """Check the list that stands in the settings file itself."""
    columns = Columns()
    pairs = PairList(source, columns)
    _fill(pairs, nested.read_rows(node_events(node), columns), report, most)
    pairs.sha256 = hashlib.sha256(b"\n".join(pairs.keys)).hexdigest()
    return pairs


class _Hashed(io.RawIOBase):
    """A stream that adds up the SHA-256 of what was read from it."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._ended = False
        self.sha256 = hashlib.sha256()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        # A terminal has an end each time that somebody types it: once is enough.
        data = b"" if self._ended else self._stream.read(len(buffer)) or b""
        self._ended = len(data) < len(buffer)
        buffer[: len(data)] = data
        self.sha256.update(data)
        return len(data)


def _collect(name: str, raw: _Hashed, format_name: str | None, report: Report, most: int | None) -> PairList:
    stream = io.BufferedReader(raw, _HEAD)
    columns = Columns()
    pairs = PairList(name, columns)
    _fill(pairs, _rows(stream, stream.peek(), columns, format_name), report, most)
    pairs.sha256 = raw.sha256.hexdigest()
    return pairs


def _fill(pairs: PairList, rows: Iterator[Row | BadRow], report: Report, most: int | None) -> None:
    bad = 0
    for row in rows:
        if type(row) is BadRow:
            bad += 1
            if most is None or bad <= most:
                report(f"{pairs.name}:{row.line}", row.reason)
        elif not bad:
            pairs.add(row)  # type: ignore[arg-type]
    if bad:
        rows_are = "row is" if bad == 1 else "rows are"
        named = "" if most is None or bad <= most else f" (the first {most} are named above, {bad - most} more are not)"
        raise ListMalformed(
            f"{pairs.name}: {bad} {rows_are} wrong{named}, so nothing was sent: correct the list and run again"
        )


def _rows(stream: IO[bytes], head: bytes, columns: Columns, format_name: str | None) -> Iterator[Row | BadRow]:
    if not head:
        return iter([BadRow(1, _NO_BYTES)])
    if format_name == _SPREADSHEET or head.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        return iter([BadRow(1, "this is a spreadsheet: save it as CSV (ids as text)")])
    match format_name or _guess(head):
        case "yaml":
            return nested.read_rows(yaml_events(stream), columns)
        case "json":
            return _json_rows(stream, columns)
        case chosen:
            return delimited.read_rows(stream, head, columns, tabs_only=chosen == "tsv")


def _json_rows(stream: IO[bytes], columns: Columns) -> Iterator[Row | BadRow]:
    data = stream.read()
    encoding = "utf-16" if data.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        return iter([BadRow(data[: error.start].count(b"\n") + 1, "undecodable: save the list as UTF-8")])
    return nested.read_rows(json_events(text), columns)


def _guess(head: bytes) -> str:
    """The format by the first characters that are neither blank nor part of a comment."""
    encoding = "utf-16" if head.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
    text = head.decode(encoding, "ignore")
    rest = _COMMENTS.sub("", text)
    if rest[:1] in ("[", "{"):
        # JSON has no comments, and quotes every id; what else stands in brackets is YAML.
        return "json" if rest == text.lstrip() and rest.lstrip("[{ \t\r\n")[:1] in ('"', "]", "}", "") else "yaml"
    line = rest.partition("\n")[0].strip()
    if line in ("-", "---") or line.startswith(("- ", "--- ", "%")):
        return "yaml"
    before, colon, _ = line.replace('"', "").replace("'", "").partition(":")
    return "yaml" if colon and not any(delimiter in before for delimiter in ",;\t") else "csv"
