"""The page of a run, or of all the runs in some ledgers: what came of it, when, and why. Pure."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from cleanup.api.series import DAY, Moment
from cleanup.api.timeline import DOWN, REFUSALS, REQUESTS, RETRIES
from cleanup.pages.figures import KINDS, Groups, Strip, bars, groups, interval, marks, strip, times
from cleanup.pages.page import page
from cleanup.pages.verdict import verdict

MOST_DAYS: Final = 400
MOST_ROWS: Final = 100
"""How many agents, users, runs, failures and warnings are shown; of the others, their number."""
_OPEN: Final = 20
"""How many rows of a table are shown at once; the others unfold."""
_PASSING: Final = frozenset({4, 75, 130, 143})
"""Exit codes after which another run may end well."""
_COUNTED: Final = {
    RETRIES: ("Retries", "left"),
    REFUSALS: ("429s: asked to slow down", "failed"),
    REQUESTS: ("Requests", "requests"),
}


@dataclass(frozen=True, slots=True)
class Told:
    """All that a page tells. `summary`: as it is written. `agents`, `days`, `users`: the counts of each.

    `moments`: what happened when, in intervals of `width` seconds. `runs`: who ran what, where; the latest one first.
    `settings`: those of the latest run that are not the defaults, with their values in words.
    """

    summary: Mapping[str, Any]
    agents: Mapping[str, Mapping[str, int]]
    days: Mapping[str, Mapping[str, int]]
    users: Mapping[str, Mapping[str, int]]
    moments: Sequence[Moment]
    width: float
    runs: Sequence[Mapping[str, Any]]
    settings: Mapping[str, str]

    @property
    def of_ledgers(self) -> bool:
        """Whether it tells of ledgers, which do not know everything that a run knows of itself."""
        return bool(self.summary["mode"] == "report")


def report_page(told: Told) -> str:
    """The page. What is not known is left out, and not shown as nothing."""
    summary = told.summary
    counts = {name: count for name, count in summary["counts"].items() if name != "listed"}
    if told.of_ledgers:
        counts.pop("not_attempted", None)  # no ledger has a line for what was not attempted
    failures, warnings = summary["failures"][:MOST_ROWS], summary["warnings"][:MOST_ROWS]
    code = summary["exit_code"]
    return page(
        "report",
        verdict=verdict(summary),
        tone="good" if code == 0 else "passing" if code in _PASSING else "bad",
        told=told,
        next=_next(summary["next"]),
        summary=summary,
        kinds=KINDS,
        open=_OPEN,
        outcomes=_outcomes(summary, counts),
        chart=_chart(told, counts),
        agents=groups(told.agents, MOST_ROWS),
        days=groups(told.days, MOST_DAYS, latest=True),
        users=groups(told.users, MOST_ROWS),
        organizations=_organizations(summary),
        failures=failures,
        more_failures=counts.get("failed", 0) - len(failures),
        warnings=warnings,
        more_warnings=len(summary["warnings"]) - len(warnings),
        requests=_requests(summary),
        runs=told.runs[:MOST_ROWS],
        more_runs=max(0, len(told.runs) - MOST_ROWS),
    )


def _next(sentence: str | None) -> tuple[str, str]:
    """What to do next, and the command for it, which may be missing."""
    words, begin, command = (sentence or "").partition(": cd ")
    return words + begin[:1], begin[2:] + command


def _outcomes(summary: Mapping[str, Any], counts: Mapping[str, int]) -> list[dict[str, Any]]:
    """Each outcome, with its reasons, the most frequent ones first, and a bar for each."""
    listed = summary["counts"].get("listed", 0)
    return [
        {
            "name": name,
            "count": count,
            "bars": bars({name: count}, listed),
            "reasons": [
                (reason, number, bars({name: number}, listed)) for reason, number in _by_count(summary.get(name))
            ],
        }
        for name, count in counts.items()
    ]


def _by_count(reasons: Any) -> list[tuple[str, int]]:
    return Counter(reasons).most_common() if isinstance(reasons, Mapping) else []


def _organizations(summary: Mapping[str, Any]) -> Groups | None:
    found = summary.get("organizations")
    return groups(found, MOST_ROWS) if found else None


def _requests(summary: Mapping[str, Any]) -> list[tuple[str, int, float]] | None:
    """Each status with how many answers had it, and its share; None if that is unknown."""
    total = summary["requests"]["total"]
    if total is None:
        return None
    return [(status, count, 100 * count / total) for status, count in _by_count(summary["requests"]["by_status"])]


def _chart(told: Told, counts: Mapping[str, int]) -> dict[str, Any] | None:
    """What happened when, as drawings over one axis of time and as rows; None if nothing did."""
    moments = told.moments
    if not moments:
        return None
    names = [name for name in counts if name in KINDS and any(moment.amounts[name] for moment in moments)]
    strips = [strip("Drafts", {name: KINDS[name] for name in names}, moments)]
    counted: dict[str, Strip] = {}
    if not told.of_ledgers:
        counted = {name: strip(title, {name: kind}, moments) for name, (title, kind) in _COUNTED.items()}
    starts = times([moment.start for moment in moments], told.width)
    busy = [name for name in counted if counted[name].total]
    return {
        "columns": len(moments),
        "strips": [*strips, *counted.values()],
        "names": names,
        "down": marks(DOWN, moments),
        "seconds_down": None if told.of_ledgers else sum(moment.amounts[DOWN] for moment in moments),
        "interval": interval(told.width),
        "by_day": told.width >= DAY,
        "ends": [starts[0], *([starts[-1]] if len(starts) > 1 else [])],
        "counted": busy,
        "rows": [
            (start, [moment.amounts[name] for name in [*names, *busy]], moment.amounts[DOWN])
            for start, moment in zip(starts, moments, strict=True)
            if moment.amounts.total()
        ],
    }
