"""A list's file, standard input or settings → the checked pairs, or every reason why not."""

import hashlib
import io
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Final

from cleanup.documents import Node, json_events, node_events, yaml_events
from cleanup.errors import ListMalformed, ListMissing
from cleanup.lists import delimited, nested
from cleanup.lists.pair_list import PairList
from cleanup.lists.rows import BadRow, Columns, Row

FORMATS: Final = ("csv", "tsv", "yaml", "json")
_BY_ENDING: Final = {".csv": "csv", ".tsv": "tsv", ".yaml": "yaml", ".yml": "yaml", ".json": "json"}
_HEAD: Final = 4096

Report = Callable[[str, str], None]
"""Told of each bad row: its source (`list.csv:18`) and the reason."""


def read_list(path: str, format_name: str | None, report: Report) -> PairList:
    """Read and check a whole list. Raises ListMissing, or ListMalformed after reporting every bad row."""
    if path == "-":
        return _collect("<stdin>", _Hashed(sys.stdin.buffer), format_name, report)
    try:
        with Path(path).open("rb", buffering=0) as stream:
            return _collect(Path(path).name, _Hashed(stream), format_name or _by_ending(path), report)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise ListMissing(f"{path}: the list cannot be read: {reason}") from None


def read_inline(node: Node, source: str, report: Report) -> PairList:
    """Check the list that stands in the settings file itself."""
    columns = Columns([])
    pairs = PairList(source, columns)
    _fill(pairs, nested.read_rows(node_events(node), columns), report)
    pairs.sha256 = hashlib.sha256(b"\n".join(pairs.keys)).hexdigest()
    return pairs


class _Hashed(io.RawIOBase):
    """A stream that adds up the SHA-256 of what was read from it."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self.sha256 = hashlib.sha256()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        data = self._stream.read(len(buffer)) or b""
        buffer[: len(data)] = data
        self.sha256.update(data)
        return len(data)


def _collect(name: str, raw: "_Hashed", format_name: str | None, report: Report) -> PairList:
    stream = io.BufferedReader(raw, 1 << 16)
    columns = Columns([])
    pairs = PairList(name, columns)
    head = stream.peek(_HEAD)[:_HEAD]
    try:
        _fill(pairs, _rows(stream, head, columns, format_name), report)
    finally:
        stream.detach()
    pairs.sha256 = raw.sha256.hexdigest()
    return pairs


def _fill(pairs: PairList, rows: Iterator[Row | BadRow], report: Report) -> None:
    bad = 0
    for row in rows:
        if type(row) is BadRow:
            bad += 1
            report(f"{pairs.name}:{row.line}", row.reason)
        elif not bad:
            pairs.add(row)  # type: ignore[arg-type]
    if bad:
        rows_are = "row is" if bad == 1 else "rows are"
        raise ListMalformed(
            f"{pairs.name}: {bad} {rows_are} wrong, so nothing was sent: correct the list and run again"
        )


def _rows(stream: IO[bytes], head: bytes, columns: Columns, format_name: str | None) -> Iterator[Row | BadRow]:
    if not head:
        return iter(
            [
                BadRow(
                    1,
                    "the list is a file of no bytes: was it written to the end? An empty list has a header, or is []",
                )
            ]
        )
    if head.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
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


def _by_ending(path: str) -> str | None:
    ending = Path(path).suffix.lower()
    if ending in (".xlsx", ".xls", ".ods", ".numbers"):
        raise ListMalformed(f"{path}: this is a spreadsheet: save it as CSV (ids as text)")
    return _BY_ENDING.get(ending)


def _guess(head: bytes) -> str:
    """The format by its first character that is neither blank nor part of a comment."""
    encoding = "utf-16" if head.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
    text = head.decode(encoding, "ignore")
    for line in map(str.strip, text.splitlines()):
        if not line or line.startswith("#"):
            continue
        if line.startswith(("{", "[")):
            return "json" if text.lstrip()[:1] in "{[" and not _unquoted(line) else "yaml"
        bare = line.replace('"', "").replace("'", "")
        if (
            line.startswith(("- ", "---"))
            or line == "-"
            or (":" in bare and "," not in bare.split(":")[0] and ";" not in bare and "\t" not in bare)
        ):
            return "yaml"
        return "csv"
    return "csv"


def _unquoted(line: str) -> bool:
    """Whether the first item of a flow collection stands without double quotes, as only YAML allows."""
    rest = line.lstrip("[{ \t")
    return bool(rest) and rest[0] not in '"]}'
