"""The figures of a page as numbers: bars, their places and sizes, and groups cut to what can be read. Pure.

Sizes are shares of a hundred. What is not nothing has a size that can be seen: every figure is also text.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, NamedTuple

from cleanup.api.series import DAY, Moment

LEAST: Final = 4.0
"""The smallest size of what is not nothing."""
KINDS: Final = {
    "discarded": "done",
    "would_discard": "done",
    "restored": "restored",
    "would_restore": "restored",
    "skipped": "skipped",
    "failed": "failed",
    "not_attempted": "left",
}
"""The colour of each outcome, by its name in the style."""
_ALWAYS: Final = ("discarded", "would_discard", "skipped", "failed")
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)")
_GAP: Final = 0.12


class Bar(NamedTuple):
    """A part of a bar: its colour, where it begins, and how long it is."""

    kind: str
    start: float
    size: float


def bars(counts: Mapping[str, int], most: int) -> list[Bar]:
    """Counts by outcome as parts of one bar, one behind the other; `most` would fill it."""
    found, start = [], 0.0
    for name, count in counts.items():
        if count and name in KINDS:
            size = max(LEAST / 4, 100 * count / max(most, 1))
            found.append(Bar(KINDS[name], round(start, 2), round(size, 2)))
            start += size
    return found


@dataclass(frozen=True, slots=True)
class Row:
    """A group: its name, how many drafts it has in all and by outcome, and these as a bar."""

    name: str
    listed: int
    counts: Mapping[str, int]
    bars: Sequence[Bar]


@dataclass(frozen=True, slots=True)
class Groups:
    """Groups as a table. `rest`: all that are not shown, together. `listed`: how many drafts all have."""

    columns: Sequence[str]
    rows: Sequence[Row]
    rest: Row | None
    listed: int


def groups(counts: Mapping[str, Mapping[str, int]], most: int, *, latest: bool = False) -> Groups:
    """At most so many groups: those with the most failures first, or, of days, the `latest` first."""

    def trouble(name: str) -> tuple[int, int, str]:
        return -counts[name].get("failed", 0), -_listed(counts[name]), name

    names = sorted(counts, reverse=True) if latest else sorted(counts, key=trouble)
    total = _together(counts.values())
    columns = [name for name in KINDS if total[name] or (name in _ALWAYS and name in total)]
    widest = max((_listed(counts[name]) for name in names[:most]), default=0)
    rows = [_row(name, counts[name], columns, widest) for name in names[:most]]
    others = [counts[name] for name in names[most:]]
    rest = _row(f"and {len(others):,} more", _together(others), columns, None) if others else None
    return Groups(columns, rows, rest, _listed(total))


def _together(counts: Iterable[Mapping[str, int]]) -> Counter[str]:
    total = Counter[str]()
    for each in counts:
        total.update(each)
    return total


def _listed(counts: Mapping[str, int]) -> int:
    return sum(count for name, count in counts.items() if name in KINDS)


def _row(name: str, counts: Mapping[str, int], columns: Iterable[str], most: int | None) -> Row:
    """`most`: how many drafts would fill the bar; None: there is no bar."""
    each = {column: counts.get(column, 0) for column in columns}
    return Row(name, _listed(counts), each, () if most is None else bars(each, most))


@dataclass(frozen=True, slots=True)
class Strip:
    """Amounts over time: a title, the most in one interval, all together, and a drawing for each colour."""

    title: str
    most: int
    total: int
    paths: Sequence[tuple[str, str]]


def strip(title: str, names: Mapping[str, str], moments: Sequence[Moment]) -> Strip:
    """A column for each moment, its parts on top of each other. `names`: the colour of each name."""
    most = max((sum(int(moment.amounts[name]) for name in names) for moment in moments), default=0)
    scale = (100 - LEAST * (len(names) - 1)) / max(most, 1)
    tops = [100.0] * len(moments)
    paths = []
    for name, kind in names.items():
        drawn = []
        for place, moment in enumerate(moments):
            if amount := moment.amounts[name]:
                size = max(LEAST, amount * scale)
                tops[place] -= size
                drawn.append(_column(place, tops[place], size))
        if drawn:
            paths.append((kind, "".join(drawn)))
    total = sum(int(moment.amounts[name]) for moment in moments for name in names)
    return Strip(title, most, total, paths)


def marks(name: str, moments: Sequence[Moment]) -> str:
    """A drawing that fills the whole height wherever there is any of `name`, without gaps."""
    return "".join(f"M{place} 0h1v100h-1z" for place, moment in enumerate(moments) if moment.amounts[name])


def _column(place: int, top: float, size: float) -> str:
    return f"M{place + _GAP:g} {top:.4g}h{1 - 2 * _GAP:g}v{size:.4g}h{2 * _GAP - 1:g}z"


def duration(seconds: float) -> str:
    """A time that something took, in words."""
    if seconds < 60:
        return f"{seconds:.3g} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:,} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s"


def moment(text: str) -> str:
    """A time as a person reads it: without the parts of a second."""
    return f"{text[:10]} {text[11:19]}" if _TIME.fullmatch(text) else text


def interval(seconds: float) -> str:
    """The length of an interval in words."""
    for unit, name in ((DAY, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= unit:
            return f"a{'n' * name.startswith('h')} {name}" if seconds == unit else f"{seconds / unit:g} {name}s"
    return "a second" if seconds == 1 else f"{seconds:g} seconds"


def times(starts: Sequence[float], width: float) -> list[str]:
    """The moments as text, as short as they can be told apart, in UTC."""
    dates = [datetime.fromtimestamp(start, UTC) for start in starts]
    if width >= DAY:
        return [f"{date:%F}" for date in dates]
    clock = [f"{date:%T}" + (f".{date.microsecond // 100_000}" if width < 1 else "") for date in dates]
    if len({date.date() for date in dates}) < 2:
        return clock
    return [f"{date:%F} {time}" for date, time in zip(dates, clock, strict=True)]
