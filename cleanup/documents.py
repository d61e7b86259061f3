"""YAML and JSON as a stream of events with line numbers. The only module that imports yaml.

Every value is text, exactly as written: `012345` is not a number and `on` is not a boolean. Reading events instead of
objects keeps the line of every value, detects duplicate keys, and never recurses.
Anchors, aliases, tags, a second document and nesting deeper than 20 are refused, with their line.
"""

import codecs
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import IO, Any, Final, NamedTuple

import yaml

MAX_DEPTH: Final = 20
_LOADER: Final[Any] = getattr(yaml, "CBaseLoader", yaml.BaseLoader)


class DocumentError(Exception):
    """The text is not a valid document. `line` counts from 1."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(reason)
        self.line = line
        self.reason = reason


class Kind(Enum):
    """What an event begins, ends or is."""

    SCALAR = "a value"
    LIST = "a list"
    MAPPING = "a mapping"
    END = "an end"


class Event(NamedTuple):
    """One step through a document. `text` is None for null. `is_text`: whether it is a string in JSON."""

    kind: Kind
    line: int
    text: str | None = None
    is_text: bool = True


@dataclass(frozen=True, slots=True)
class Node:
    """A value with its line: text (None for null), a list of nodes, or (key, node) pairs."""

    line: int
    value: "str | list[Node] | dict[str, Node] | None"


def yaml_events(stream: IO[bytes]) -> Iterator[Event]:
    """Step through one YAML document. Raises DocumentError."""
    depth = documents = 0
    for event in _parsed(stream):
        line = event.start_mark.line + 1
        kind = type(event)
        if kind is yaml.ScalarEvent:
            _refuse_extras(event, line)
            null = event.style in (None, "") and event.value in ("", "~", "null", "Null", "NULL")
            yield Event(Kind.SCALAR, line, None if null else event.value)
        elif kind is yaml.MappingStartEvent or kind is yaml.SequenceStartEvent:
            _refuse_extras(event, line)
            depth = _deeper(depth, line)
            yield Event(Kind.MAPPING if kind is yaml.MappingStartEvent else Kind.LIST, line)
        elif kind is yaml.MappingEndEvent or kind is yaml.SequenceEndEvent:
            depth -= 1
            yield Event(Kind.END, line)
        elif kind is yaml.AliasEvent:
            raise DocumentError(line, "an alias (*) is not allowed: write the value out")
        elif kind is yaml.DocumentStartEvent:
            documents += 1
            if documents > 1:
                raise DocumentError(line, "a second document (---) is not allowed")


class _Counted:
    """A stream that can convert an offset to a line: for some errors, the parser reports only an offset."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._block = b""
        self._start = 0
        self._lines_before = 0
        self._newline = b"\n"

    def read(self, size: int = -1, /) -> bytes:
        self._start += len(self._block)
        self._lines_before += self._block.count(self._newline)
        self._block = self._stream.read(size)
        if self._start == 0 and self._block.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            self._newline = "\n".encode("utf-16-le" if self._block.startswith(codecs.BOM_UTF16_LE) else "utf-16-be")
        return self._block

    def line_at(self, offset: int) -> int:
        return self._lines_before + self._block[: max(offset - self._start, 0)].count(self._newline) + 1


def _parsed(stream: IO[bytes]) -> Iterator[Any]:
    """Yield the parser's events. Everything that the parser may raise becomes a DocumentError."""
    line = 1
    counted = _Counted(stream)
    try:
        events: Iterator[Any] = yaml.parse(counted, Loader=_LOADER)
        for event in events:
            line = event.start_mark.line + 1
            yield event
    except yaml.MarkedYAMLError as error:
        marks: list[Any] = [error.problem_mark, error.context_mark]
        place = next((mark.line + 1 for mark in marks if mark), line)
        reason = error.problem or error.context or "broken"
        raise DocumentError(place, f"invalid YAML: {reason}") from None
    except yaml.reader.ReaderError as error:
        place = counted.line_at(error.position)
        raise DocumentError(place, f"cannot be decoded, or has a character that YAML forbids: {error.reason}") from None
    except (yaml.YAMLError, ValueError, UnicodeError, RecursionError) as error:
        raise DocumentError(line, f"invalid YAML: {type(error).__name__}") from None


def _deeper(depth: int, line: int) -> int:
    if depth >= MAX_DEPTH:
        raise DocumentError(line, f"nested deeper than {MAX_DEPTH}")
    return depth + 1


def _refuse_extras(event: Any, line: int) -> None:
    if event.anchor is not None:
        raise DocumentError(line, "an anchor (&) is not allowed: write the value out")
    if event.tag is not None:
        raise DocumentError(line, "a tag (!) is not allowed: values are text as written")


_SURROGATE = re.compile("[\ud800-\udfff]")
_JSON_TOKEN = re.compile(r'"(?:[^"\\]++|\\.)*+"|[\[\]{}]|[^\s,:\[\]{}"]+|\n')


def json_events(text: str) -> Iterator[Event]:
    """Step through one JSON document. Raises DocumentError."""
    try:
        # The standard library checks the syntax, so that the tokens below are known to be in order.
        json.loads(
            text,
            object_pairs_hook=lambda _: None,
            parse_int=str,
            parse_float=str,
            parse_constant=str,
        )
    except json.JSONDecodeError as error:
        raise DocumentError(error.lineno, f"invalid JSON: {error.msg}") from None
    except RecursionError:
        raise DocumentError(1, f"nested deeper than {MAX_DEPTH}") from None
    line, depth = 1, 0
    for match in _JSON_TOKEN.finditer(text):
        piece = match[0]
        if piece == "\n":
            line += 1
        elif piece in "[{":
            depth = _deeper(depth, line)
            yield Event(Kind.LIST if piece == "[" else Kind.MAPPING, line)
        elif piece in "]}":
            depth -= 1
            yield Event(Kind.END, line)
        elif piece[0] == '"':
            yield Event(Kind.SCALAR, line, _string(piece, line))
        elif piece in ("NaN", "Infinity", "-Infinity"):
            raise DocumentError(line, f"invalid JSON: {piece} is not a value")
        else:
            yield Event(Kind.SCALAR, line, None if piece == "null" else piece, is_text=False)


def _string(piece: str, line: int) -> str:
    text: str = json.loads(piece)
    if "\\u" in piece and _SURROGATE.search(text):
        raise DocumentError(line, f"{piece[:60]} has a lone surrogate, which is not text")
    return text


def tree(events: Iterable[Event]) -> Node | None:
    """The whole document as nodes, None if it is empty. Raises DocumentError, also for duplicate keys."""
    steps = iter(events)
    first = next(steps, None)
    if first is None:
        return None
    node = _node(first, steps)
    for _ in steps:  # reads the rest too, which may be invalid
        pass
    return node


def _node(event: Event, steps: Iterator[Event]) -> Node:
    if event.kind is Kind.SCALAR:
        return Node(event.line, event.text)
    if event.kind is Kind.LIST:
        return Node(event.line, [_node(item, steps) for item in _until_end(steps)])
    entries: dict[str, Node] = {}
    for key in _until_end(steps):
        name = key_text(key)
        if name in entries:
            raise DocumentError(key.line, f"duplicate key {name!r}")
        entries[name] = _node(next(steps), steps)
    return Node(event.line, entries)


def _until_end(steps: Iterator[Event]) -> Iterator[Event]:
    for event in steps:
        if event.kind is Kind.END:
            return
        yield event


def key_text(event: Event) -> str:
    """The text of a mapping's key. Raises DocumentError if it is not text."""
    if event.kind is not Kind.SCALAR or event.text is None:
        raise DocumentError(event.line, "a key must be text")
    return event.text


def node_events(node: Node) -> Iterator[Event]:
    """Convert a tree back to events."""
    if isinstance(node.value, list):
        yield Event(Kind.LIST, node.line)
        for item in node.value:
            yield from node_events(item)
        yield Event(Kind.END, node.line)
    elif isinstance(node.value, dict):
        yield Event(Kind.MAPPING, node.line)
        for key, item in node.value.items():
            yield Event(Kind.SCALAR, node.line, key)
            yield from node_events(item)
        yield Event(Kind.END, node.line)
    else:
        yield Event(Kind.SCALAR, node.line, node.value)


def yaml_text(value: object) -> str:
    """Write a value as YAML, in the order given."""
    return str(
        yaml.dump(value, Dumper=_Writer, sort_keys=False, allow_unicode=True, default_flow_style=False, width=1000)
    )


class _Writer(yaml.SafeDumper):
    """Escapes the line breaks that only Unicode defines, which PyYAML would otherwise read back as other characters."""

    def represent_str(self, data: str) -> yaml.ScalarNode:
        style = '"' if any(mark in data for mark in "\x85\u2028\u2029\ufeff") else None
        return self.represent_scalar("tag:yaml.org,2002:str", data, style=style)


_Writer.add_representer(str, _Writer.represent_str)
