"""What every list format comes down to: rows, and rows that are wrong."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

from cleanup.lists.ids import why_not


class Row(NamedTuple):
    """A pair as it stands in a list. `others` holds the other columns' cells by their place in `Columns`."""

    line: int
    agent: str
    draft: str
    others: tuple[str, ...] = ()


class BadRow(NamedTuple):
    """A row that refuses the whole list, and why (the end of a sentence)."""

    line: int
    reason: str


@dataclass(slots=True)
class Columns:
    """The names of a list's other columns; YAML and JSON add theirs as they come."""

    names: list[str]
    updated_at: int | None = None

    def add(self, name: str) -> int:
        """The place of a column, new or known."""
        if name in self.names:
            return self.names.index(name)
        if plain_name(name) == "updatedat":
            self.updated_at = len(self.names)
        self.names.append(name)
        return len(self.names) - 1


def plain_name(name: str) -> str:
    """A column's name without what does not matter: case, spaces, `_` and `-`."""
    return name.lower().replace(" ", "").replace("_", "").replace("-", "").replace("\t", "")


AGENT_NAMES = frozenset({"agent", "agentid"})
DRAFT_NAMES = frozenset({"draft", "draftid"})


def parse_time(text: str) -> datetime:
    """An ISO 8601 time, in UTC unless it says otherwise. Raises ValueError."""
    try:
        time = datetime.fromisoformat(text.strip())
    except ValueError:
        raise ValueError(f"{text[:60]!r} is no time: write 2026-08-31T12:00:00Z") from None
    try:
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except OverflowError:
        raise ValueError(f"{text[:60]!r} is no time of this age") from None


def checked(row: Row, columns: Columns) -> Row | BadRow:
    """The row, if it is one."""
    reason = why_not(row.agent, row.draft)
    if reason is None and columns.updated_at is not None and columns.updated_at < len(row.others):
        text = row.others[columns.updated_at]
        try:
            if text:
                parse_time(text)
        except ValueError as error:
            reason = f"updated_at {error}"
    return row if reason is None else BadRow(row.line, reason)
