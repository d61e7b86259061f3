"""One account out of many ledgers: shards, reruns, months of nights. Pure, but for reading the files."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from cleanup import __version__
from cleanup.lists.rows import parse_time
from cleanup.model import Ending, Outcome
from cleanup.records import ledger
from cleanup.records.account import MOST_FAILURES, fold
from cleanup.records.summary import Facts, exit_code

By = Literal["agent", "day", "user"]
_ENDINGS = {(ending.outcome.value, ending.reason): ending for ending in Ending}


@dataclass(frozen=True, slots=True)
class Entry:
    """The latest line of a pair, and who wrote it."""

    line: dict[str, Any]
    ending: Ending
    user: str
    time: datetime


@dataclass(slots=True)
class Report:
    """What ledgers say, pair by pair."""

    runs: list[dict[str, Any]]
    entries: dict[tuple[str, str], Entry]
    unreadable: list[str]

    def by(self, group: By) -> dict[str, dict[str, Any]]:
        """The counts of each agent, day (UTC) or user, in order."""
        groups: dict[str, Counter[Ending]] = {}
        for entry in self.entries.values():
            groups.setdefault(_name(entry, group), Counter())[entry.ending] += 1
        return {name: fold(groups[name], dry_run=False)["counts"] for name in sorted(groups)}

    def summary(self) -> dict[str, Any]:
        """The same as a run's summary; what ledgers do not hold is null."""
        endings = Counter(entry.ending for entry in self.entries.values())
        code = exit_code(Facts(endings=endings))
        failures = [entry.line for entry in self.entries.values() if entry.ending.outcome is Outcome.FAILED]
        times = sorted(str(run["time"]) for run in self.runs if run.get("time"))
        last = sorted(entry.line["time"] for entry in self.entries.values())
        return {
            "run_id": None,
            "version": __version__,
            "mode": "report",
            "status": "complete",
            "stopped_by": None,
            "exit_code": int(code),
            "meaning": code.meaning,
            "next": None,
            "started_at": times[0] if times else None,
            "finished_at": last[-1] if last else None,
            "seconds": None,
            "base_url": _only(run.get("base_url") for run in self.runs),
            "organization": _only(run.get("organization") for run in self.runs),
            "list": _only(run.get("list") for run in self.runs),
            "list_sha256": _only(run.get("list_sha256") for run in self.runs),
            "shard": None,
            "model": None,
            **fold(endings, dry_run=False),
            "requests": None,
            "rate": None,
            "seconds_per_request": None,
            "failures": [_failure(line) for line in failures[:MOST_FAILURES]],
            "warnings": list(self.unreadable),
            "runs": len(self.runs),
        }


def read_report(paths: Iterable[str], since: datetime | None = None, agents: Collection[str] = ()) -> Report:
    """Read ledgers. The latest line of a pair counts, but what was discarded once stays discarded.

    `since`: leave out what happened before. `agents`: only these, if any. Raises SettingsError.
    """
    report = Report([], {}, [])
    users: dict[str, str] = {}
    for path in paths:
        for number, line in _lines(path, report):
            if line["type"] == "run":
                users[str(line.get("run_id"))] = str(line.get("user") or "unknown")
                report.runs.append(line)
            elif line["type"] == "pair" and (not agents or line["agent"] in agents):
                _add(report, line, users.get(str(line.get("run_id")), "unknown"), since, f"{path}:{number}")
    return report


def _lines(path: str, report: Report) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in ledger.read(path):
        if line is None:
            report.unreadable.append(f"{path}:{number}: this line cannot be read: cut off, or none of ours")
        else:
            yield number, line


def _add(report: Report, line: dict[str, Any], user: str, since: datetime | None, place: str) -> None:
    ending = _ENDINGS.get((line.get("outcome"), line.get("reason")))  # type: ignore[arg-type]
    try:
        time = parse_time(str(line.get("time")))
    except ValueError:
        ending = None
    if ending is None:
        report.unreadable.append(f"{place}: this line is of no outcome or time that is known")
        return
    if since is not None and time < since:
        return
    key = (line["agent"], line["draft"])
    before = report.entries.get(key)
    if (
        before is None
        or (before.ending is not Ending.DISCARDED and time >= before.time)
        or (ending is Ending.DISCARDED and before.ending is not Ending.DISCARDED)
    ):
        report.entries[key] = Entry(line, ending, user, time)


def _name(entry: Entry, group: By) -> str:
    match group:
        case "agent":
            return str(entry.line["agent"])
        case "day":
            return entry.time.date().isoformat()
        case _:
            return entry.user


def _only(values: Iterable[Any]) -> Any:
    """The value that all share, else None."""
    found = {value for value in values if value is not None}
    return found.pop() if len(found) == 1 else None


def _failure(line: dict[str, Any]) -> dict[str, Any]:
    keys = ("agent", "draft", "reason", "status", "attempts", "request_id", "source")
    return {key: line.get(key) for key in keys} | {"message": None}
