"""One account out of many ledgers: shards, reruns, months of nights. Pure, but for reading the files."""

import sys
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal, NamedTuple

from cleanup import __version__
from cleanup.lists.rows import parse_time
from cleanup.model import Ending, Outcome
from cleanup.records.account import MOST_FAILURES, fold
from cleanup.records.past import read
from cleanup.records.summary import Facts, exit_code, utc

By = Literal["agent", "day", "user"]
_ENDINGS: Final = {(ending.outcome.value, ending.reason): ending for ending in Ending}
_OF_A_FAILURE: Final = ("agent", "draft", "reason", "status", "attempts", "request_id", "source")


class Entry(NamedTuple):
    """The line that counts for a pair: how it ended, when, in which run; the line itself if it failed."""

    ending: Ending
    time: datetime
    run_id: str
    failure: dict[str, Any] | None


@dataclass(slots=True)
class Report:
    """What ledgers say, pair by pair. `runs` and `ends` are lines by run; `warnings` say what may be missing."""

    since: datetime | None = None
    agents: Collection[str] = ()
    runs: dict[str, dict[str, Any]] = field(default_factory=dict)
    ends: dict[str, dict[str, Any]] = field(default_factory=dict)
    entries: dict[tuple[str, str], Entry] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    def by(self, group: By) -> dict[str, dict[str, Any]]:
        """The counts of each agent, day (UTC) or user, in order."""
        groups: dict[str, Counter[Ending]] = {}
        for (agent, _), entry in self.entries.items():
            match group:
                case "agent":
                    name = agent
                case "day":
                    name = entry.time.date().isoformat()
                case _:
                    name = str(self.runs.get(entry.run_id, {}).get("user") or "unknown")
            groups.setdefault(name, Counter())[entry.ending] += 1
        return {name: fold(groups[name], dry_run=False)["counts"] for name in sorted(groups)}

    def summary(self) -> dict[str, Any]:
        """The same as a run's summary; what ledgers do not hold is null."""
        endings = Counter(entry.ending for entry in self.entries.values())
        code = exit_code(Facts(endings=endings))
        failures = [entry.failure for entry in self.entries.values() if entry.failure is not None]
        runs = self._runs()
        times = sorted(str(line["time"]) for line in runs if line.get("time"))
        last = max((entry.time for entry in self.entries.values()), default=None)
        return {
            "run_id": None,
            "version": __version__,
            "mode": "report",
            "status": "complete",
            "stopped_by": None,
            "reason": None,
            "exit_code": int(code),
            "meaning": code.meaning,
            "next": None,
            "started_at": times[0] if times else None,
            "finished_at": None if last is None else utc(last),
            "seconds": None,
            "base_url": _only(line.get("base_url") for line in runs),
            "organization": _only(line.get("organization") for line in runs),
            "list": _only(line.get("list") for line in runs),
            "list_sha256": _only(line.get("list_sha256") for line in runs),
            "shard": None,
            "model": None,
            **fold(endings, dry_run=False),
            "requests": {"total": None, "retries": None, "by_status": {}},
            "rate": {"achieved": None, "limit": None},
            "seconds_per_request": None,
            "failures": [{**failure, "message": None} for failure in failures[:MOST_FAILURES]],
            "warnings": list(self.warnings),
            "runs": len(runs),
        }

    def _runs(self) -> list[dict[str, Any]]:
        """The runs that the entries are of; without a filter also those that have none."""
        if self.since is None and not self.agents:
            return list(self.runs.values())
        named = {entry.run_id for entry in self.entries.values()}
        return [line for run_id, line in self.runs.items() if run_id in named]

    def add(self, line: dict[str, Any]) -> bool:
        """Enter a line of a pair; False when it is none that is known."""
        agent, draft, outcome, reason = (line.get(key) for key in ("agent", "draft", "outcome", "reason"))
        try:
            ending = _ENDINGS[outcome, reason]  # type: ignore[index]
            time = parse_time(str(line.get("time")))
        except (LookupError, TypeError, ValueError):
            return False
        if not isinstance(agent, str) or not isinstance(draft, str):
            return False
        if (self.since is not None and time < self.since) or (self.agents and agent not in self.agents):
            return True
        before = self.entries.get((agent, draft))
        if before is None or _overrides(ending, time, before):
            failure = {key: line.get(key) for key in _OF_A_FAILURE} if ending.outcome is Outcome.FAILED else None
            # One text for each agent and run: a ledger of years has millions of lines.
            self.entries[sys.intern(agent), draft] = Entry(ending, time, sys.intern(str(line.get("run_id"))), failure)
        return True


def _overrides(ending: Ending, time: datetime, before: Entry) -> bool:
    """The latest line counts, in whatever order ledgers are read; but what was discarded once stays discarded."""
    if (ending is Ending.DISCARDED) != (before.ending is Ending.DISCARDED):
        return ending is Ending.DISCARDED
    return time >= before.time


def read_report(paths: Iterable[str], since: datetime | None = None, agents: Collection[str] = ()) -> Report:
    """Read ledgers. The latest line of a pair counts, but what was discarded once stays discarded.

    `since`: leave out what happened before. `agents`: only these, if any. Raises SettingsError.
    """
    report = Report(since, agents)
    for path in paths:
        last: str | None = None
        for number, line in read(path):
            if line is None:
                report.warnings.append(f"{path}:{number}: this line cannot be read: cut off, or none of ours")
            elif line["type"] == "pair":
                if not report.add(line):
                    report.warnings.append(f"{path}:{number}: this line is of no outcome or time that is known")
            elif line["type"] in ("run", "end"):
                last = str(line.get("run_id"))
                (report.runs if line["type"] == "run" else report.ends)[last] = line
        _tell_unfinished(report, path, last)
    return report


def _tell_unfinished(report: Report, path: str, run_id: str | None) -> None:
    """A ledger has no line for a pair that was not attempted; the counts alone would pass for the whole list."""
    if run_id is None:
        return
    end = report.ends.get(run_id)
    if end is None:
        report.warnings.append(f"{path}: its last run has no end: it was killed, or is not over yet")
        return
    counts = end.get("counts")
    left = counts.get("not_attempted") if isinstance(counts, dict) else None
    if left:
        report.warnings.append(
            f"{path}: its last run left {left} drafts unattempted (exit code {end.get('exit_code')}); "
            "they are not counted here"
        )


def _only(values: Iterable[Any]) -> Any:
    """The value that all share, else None."""
    found = {str(value) for value in values if value is not None}
    return found.pop() if len(found) == 1 else None
