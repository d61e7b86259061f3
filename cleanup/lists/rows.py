"""What every list parser yields: rows and bad rows."""

from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from cleanup.lists.ids import why_not


class Row(NamedTuple):
    """A pair as listed. `others` holds the cells of the other columns, in the order of `Columns`."""

    line: int
    agent: str
    draft: str
    others: tuple[str, ...] = ()


class BadRow(NamedTuple):
    """A row because of which the whole list is refused, and what is wrong with it."""

    line: int
    reason: str


class Columns:
    """The names of a list's other columns; YAML and JSON add them as they appear."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self._places: dict[str, int] = {}

    @property
    def names(self) -> list[str]:
        """The columns, each as first written."""
        return list(self._names.values())

    @property
    def updated_at(self) -> int | None:
        """The index of the column with the time of a draft's last edit."""
        return self._places.get(UPDATED_AT)

    def add(self, name: str) -> int:
        """The index of a column, which is added if it is new; spellings of the same name are one column."""
        plain = plain_name(name)
        self._names.setdefault(plain, name)
        return self._places.setdefault(plain, len(self._places))


def plain_name(name: str) -> str:
    """A column's name for comparison: without case, spaces, `_` and `-`."""
    return name.lower().translate(_NOT_MATTERING) or name


_NOT_MATTERING = str.maketrans("", "", " \t_-")


TORN: Final = "the list ends in the middle of this row: was it written completely?"
"""For a last row that has no line break and is shorter than the others."""

AGENT_NAMES = frozenset({"agent", "agentid"})
DRAFT_NAMES = frozenset({"draft", "draftid"})


UPDATED_AT = "updatedat"
"""The plain name of the column with the time of a draft's last edit."""

_CLOCKS_DIFFER: Final = timedelta(minutes=5)


def parse_time(text: str) -> datetime:
    """An ISO 8601 time as the API gives it, in UTC if it has no offset. Raises ValueError."""
    time = _time(text)
    return time.replace(tzinfo=UTC) if time.tzinfo is None else _in_utc(time, text)


def listed_time(text: str, now: datetime) -> datetime:
    """The time of a last edit, as given in a list. Raises ValueError.

    A time that is too late, because of a missing time zone or by mistake, would let later edits go unnoticed.
    """
    time = _time(text)
    if time.tzinfo is None:
        raise ValueError(
            f"{text[:60]!r} has no time zone: write 2026-08-31T12:00:00Z for UTC, or an offset (+02:00) in place of Z"
        )
    time = _in_utc(time, text)
    if time > now + _CLOCKS_DIFFER:
        raise ValueError(
            f"{text[:60]!r} is in the future (it is now {time_text(now)}): write when the draft was last edited"
        )
    return time


def time_text(time: datetime) -> str:
    """A time as lists have it: UTC, in milliseconds, or in microseconds where these are not zero."""
    timespec = "microseconds" if time.microsecond % 1000 else "milliseconds"
    return time.astimezone(UTC).isoformat(timespec=timespec).replace("+00:00", "Z")


def _time(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text.strip())
    except ValueError:
        raise ValueError(f"{text[:60]!r} is not a time: write 2026-08-31T12:00:00Z") from None


def _in_utc(time: datetime, text: str) -> datetime:
    try:
        return time.astimezone(UTC)
    except OverflowError:
        raise ValueError(f"{text[:60]!r} is out of range for a time") from None


def checked(row: Row, columns: Columns, now: datetime) -> Row | BadRow:
    """The row if it is valid, else a BadRow. Times after `now` are refused."""
    reason = why_not(row.agent, row.draft)
    place = columns.updated_at if row.others else None
    if reason is None and place is not None and place < len(row.others):
        text = row.others[place]
        try:
            if text:
                listed_time(text, now)
        except ValueError as error:
            reason = f"updated_at {error}"
    return row if reason is None else BadRow(row.line, reason)
