"""What every list format comes down to: rows, and rows that are wrong."""

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


class Columns:
    """The names of a list's other columns; YAML and JSON add theirs as they come."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self._places: dict[str, int] = {}

    @property
    def names(self) -> list[str]:
        """The columns, each as it is first written."""
        return list(self._names.values())

    @property
    def updated_at(self) -> int | None:
        """The place of the column with the time of a draft's last edit."""
        return self._places.get("updatedat")

    def add(self, name: str) -> int:
        """The place of a column, new or known under another spelling."""
        plain = plain_name(name)
        self._names.setdefault(plain, name)
        return self._places.setdefault(plain, len(self._places))


def plain_name(name: str) -> str:
    """A column's name without what does not matter: case, spaces, `_` and `-`."""
    return name.lower().translate(_NOT_MATTERING) or name


_NOT_MATTERING = str.maketrans("", "", " \t_-")


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
    place = columns.updated_at if row.others else None
    if reason is None and place is not None and place < len(row.others):
        text = row.others[place]
        try:
            if text:
                parse_time(text)
        except ValueError as error:
            reason = f"updated_at {error}"
    return row if reason is None else BadRow(row.line, reason)
