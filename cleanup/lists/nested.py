"""YAML and JSON → rows. A list has one of three shapes: records, [agent, draft] pairs, or agent → drafts."""

import json
from collections.abc import Iterator

from cleanup.documents import DocumentError, Event, Kind, key_text
from cleanup.lists.ids import why_url
from cleanup.lists.rows import AGENT_NAMES, DRAFT_NAMES, BadRow, Columns, Row, plain_name

_WRAPPERS = ("pairs", "drafts")
_MAX_COLUMNS = 1000
_SHAPES = "a list of {agent: …, draft: …} or [agent, draft], or a mapping of agents to lists of drafts"


def read_rows(events: Iterator[Event], columns: Columns) -> Iterator[Row | BadRow]:
    """Read a document's rows. If the document is invalid, the last one is a BadRow."""
    reader = _Reader(events, columns)
    try:
        first = next(events, None)
        if first is None:
            yield BadRow(1, "the list is empty: an empty list is written []")
        else:
            yield from reader.top(first, wrapped=False)
        # What follows the list is read too, since it may be invalid.
        for _ in events:
            pass
    except DocumentError as error:
        yield BadRow(error.line, error.reason)


class _Reader:
    def __init__(self, events: Iterator[Event], columns: Columns) -> None:
        self._events = events
        self._columns = columns

    def top(self, first: Event, *, wrapped: bool) -> Iterator[Row | BadRow]:
        if first.kind is Kind.LIST:
            for item in self._until_end():
                yield self._item(item)
        elif first.kind is Kind.MAPPING:
            yield from self._mapping(wrapped=wrapped)
        else:
            yield BadRow(first.line, f"this is not a list: write {_SHAPES}")

    def _mapping(self, *, wrapped: bool) -> Iterator[Row | BadRow]:
        seen: set[str] = set()
        for key in self._until_end():
            agent = key_text(key)
            if agent in seen:
                yield BadRow(key.line, f"duplicate key {agent!r}")
            seen.add(agent)
            value = next(self._events)
            if not wrapped and agent in _WRAPPERS:
                yield from self.top(value, wrapped=True)
                if len(seen) > 1:
                    yield BadRow(key.line, f"{agent!r} must be the only key at the top level")
            elif not wrapped and seen & set(_WRAPPERS):
                self._skip(value)
                yield BadRow(key.line, f"unexpected key {agent!r}: only the list may be at the top level")
            elif value.kind is Kind.LIST:
                for item in self._until_end():
                    yield self._draft_of(key, item)
            else:
                self._skip(value)
                yield BadRow(value.line, f"{agent!r} must be followed by a list of drafts: write {_SHAPES}")

    def _draft_of(self, agent: Event, item: Event) -> Row | BadRow:
        if item.kind is not Kind.SCALAR:
            self._skip(item)
            return BadRow(item.line, f"{item.kind.value} where a draft's id is expected")
        return self._row(item.line, agent, item)

    def _item(self, item: Event) -> Row | BadRow:
        if item.kind is Kind.LIST:
            return self._couple(item)
        if item.kind is Kind.MAPPING:
            return self._record(item)
        url = why_url(item.text or "")
        return BadRow(item.line, url or f"{_shown(item)} is not a pair: write {{agent: …, draft: …}} or [agent, draft]")

    def _couple(self, start: Event) -> Row | BadRow:
        items = []
        nested = False
        for item in self._until_end():
            nested = nested or item.kind is not Kind.SCALAR
            self._skip(item)
            items.append(item)
        if nested or len(items) != 2:
            return BadRow(start.line, "a pair must be written [agent, draft]")
        return self._row(start.line, items[0], items[1])

    def _record(self, start: Event) -> Row | BadRow:
        ids: dict[str, Event] = {}
        others: dict[int, str] = {}
        seen: set[str] = set()
        problem: str | None = None
        for key in self._until_end():
            name = key_text(key)
            value = next(self._events)
            text = value.text if value.kind is Kind.SCALAR else self._as_json(value)
            plain = plain_name(name)
            plain = "agent" if plain in AGENT_NAMES else "draft" if plain in DRAFT_NAMES else plain
            if plain in seen:
                problem = problem or f"duplicate key {name!r}"
            seen.add(plain)
            if plain in ("agent", "draft"):
                ids[plain] = value
                if value.kind is not Kind.SCALAR:
                    problem = problem or f"{name!r} is {value.kind.value}, not an id"
            else:
                place = self._columns.add(name)
                others[place] = text or ""
                if place >= _MAX_COLUMNS:
                    problem = (
                        problem or f"{name!r}: the records have more than {_MAX_COLUMNS} different additional keys"
                    )
        missing = next((what for what in ("agent", "draft") if what not in ids), None)
        if problem or missing:
            return BadRow(start.line, problem or f"the {missing} is missing")
        cells = tuple(others.get(place, "") for place in range(max(others) + 1)) if others else ()
        return self._row(start.line, ids["agent"], ids["draft"], cells)

    def _row(self, line: int, agent: Event, draft: Event, others: tuple[str, ...] = ()) -> Row | BadRow:
        for what, event in (("agent", agent), ("draft", draft)):
            if not event.is_text and event.text is not None:
                return BadRow(line, f"{what} {_shown(event)} is not a string: in JSON, write ids in quotes")
        return Row(line, agent.text or "", draft.text or "", others)

    def _as_json(self, event: Event) -> str:
        """A value as one line of JSON, its scalars as written. Raises DocumentError."""
        if event.kind is Kind.SCALAR:
            if event.text is None:
                return "null"
            return json.dumps(event.text, ensure_ascii=False) if event.is_text else event.text
        if event.kind is Kind.LIST:
            return "[" + ", ".join([self._as_json(item) for item in self._until_end()]) + "]"
        entries: dict[str, str] = {}
        for key in self._until_end():
            name = key_text(key)
            if name in entries:
                raise DocumentError(key.line, f"duplicate key {name!r}")
            entries[name] = f"{json.dumps(name, ensure_ascii=False)}: {self._as_json(next(self._events))}"
        return "{" + ", ".join(entries.values()) + "}"

    def _until_end(self) -> Iterator[Event]:
        for event in self._events:
            if event.kind is Kind.END:
                return
            yield event

    def _skip(self, event: Event) -> None:
        """Skip the rest of a value that begins with `event`."""
        depth = 0 if event.kind is Kind.SCALAR else 1
        while depth:
            kind = next(self._events).kind
            depth += {Kind.END: -1, Kind.SCALAR: 0}.get(kind, 1)


def _shown(event: Event) -> str:
    return "nothing" if event.text is None else repr(event.text[:60])
