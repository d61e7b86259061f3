"""What the page of some ledgers tells. What no ledger records (429s, the time of requests) is left out."""

from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Final

from cleanup.api.series import DAY, Series
from cleanup.pages.report import MOST_DAYS, Told
from cleanup.pages.settings import changed
from cleanup.records.report import Report

_ENDED: Final = ("discarded", "restored", "skipped", "failed")


def told_of_ledgers(found: Report) -> Told:
    """What there is to tell. The agents come last: there may be very many, and nothing is added up after them."""
    days, users, summary = found.by("day"), found.by("user"), found.summary()
    series = _over_time(days)
    where = _runs(found), changed(found.settings)
    return Told(summary, found.by("agent"), days, users, series.moments(), series.width, *where)


def _over_time(days: Mapping[str, Mapping[str, int]]) -> Series:
    """The days as a series, also those on which nothing happened."""
    series = Series(MOST_DAYS, width=DAY)
    for day, counts in days.items():
        with suppress(ValueError):  # a day of the first centuries: nothing that a ledger has, unless somebody wrote it
            at = datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp()
            for outcome in _ENDED:
                if counts.get(outcome):
                    series.add(at, outcome, counts[outcome])
    return series


def _runs(found: Report) -> list[dict[str, Any]]:
    """The runs with their ends, the latest one first."""
    runs = []
    for run_id, line in found.runs_told().items():
        end = found.ends.get(run_id, {})
        counts = end.get("counts")
        listed = counts.get("listed") if isinstance(counts, Mapping) else None
        runs.append({**line, "exit_code": end.get("exit_code"), "listed": listed})
    return sorted(runs, key=lambda run: str(run["time"]), reverse=True)
