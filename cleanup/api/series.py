"""Amounts over time, in a bounded number of intervals: before there are too many, neighbours are merged. Pure.

Intervals have a round length and begin at round times, so that each of up to a day belongs to one day (UTC).
"""

import math
from collections import Counter
from typing import Final, NamedTuple

DAY: Final = 86_400
_TICKS: Final = 10
"""How many a second has: the shortest interval is one of them."""
_WIDTHS: Final = (
    *(1, 5),
    *(_TICKS * width for width in (1, 5, 10, 30, 60, 300, 600, 1800, 3600, 10_800, 21_600, 43_200)),
    *(_TICKS * days * DAY for days in (1, 7, 28, 364)),
)
"""The lengths of intervals, in ticks; each is a multiple of the one before."""


class Moment(NamedTuple):
    """An interval: when it begins, in seconds since 1970, and what it holds by name."""

    start: float
    amounts: Counter[str]


class Series:
    """Amounts by name, in at most `most` intervals of at least `width` seconds (of up to 364 days)."""

    def __init__(self, most: int = 200, width: float = 1 / _TICKS) -> None:
        self._most = most
        self._ticks = round(width * _TICKS)
        self._span: tuple[int, int] | None = None
        self._amounts: dict[int, Counter[str]] = {}

    @property
    def width(self) -> float:
        """How many seconds an interval has by now."""
        return self._ticks / _TICKS

    def add(self, at: float, name: str, amount: int = 1) -> None:
        """Add an amount at a time, in seconds since 1970."""
        tick = self._reach(at)
        self._put(tick // self._ticks, name, amount)

    def cover(self, start: float, end: float, name: str) -> None:
        """Add the seconds of a span, to each interval those that lie in it."""
        first, last = self._reach(start), self._reach(end)
        while first < last:
            place = first // self._ticks
            until = min(last, (place + 1) * self._ticks)
            self._put(place, name, (until - first) / _TICKS)
            first = until

    def moments(self) -> list[Moment]:
        """All intervals from the first to the last, also those that hold nothing."""
        if self._span is None:
            return []
        first, last = (tick // self._ticks for tick in self._span)
        return [
            Moment(place * self._ticks / _TICKS, Counter(self._amounts.get(place))) for place in range(first, last + 1)
        ]

    def _reach(self, at: float) -> int:
        """The tick of a time, after making room for it."""
        tick = math.floor(at * _TICKS)
        first, last = self._span or (tick, tick)
        self._span = first, last = min(first, tick), max(last, tick)
        while last // self._ticks - first // self._ticks >= self._most and self._ticks < _WIDTHS[-1]:
            self._widen()
        return tick

    def _widen(self) -> None:
        wider = next(width for width in _WIDTHS if width > self._ticks)
        factor, narrow = wider // self._ticks, self._amounts
        self._ticks, self._amounts = wider, {}
        for place, amounts in narrow.items():
            self._amounts.setdefault(place // factor, Counter()).update(amounts)

    def _put(self, place: int, name: str, amount: float) -> None:
        amounts: Counter[str] = self._amounts.setdefault(place, Counter())
        amounts[name] += amount  # type: ignore[assignment]
