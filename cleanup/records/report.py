"""Summarizes one or more ledgers: shards, reruns, months of nightly runs."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from datetime import UTC, datetime
from typing import Any, Final, Literal, cast

from cleanup import __version__
from cleanup.errors import ExitCode
from cleanup.lists.rows import parse_time
from cleanup.model import Counts
from cleanup.records.account import MOST_FAILURES
from cleanup.records.latest import End, Failures, Latest, Lines, said_by
from cleanup.records.lines import Damage, Line, Progress, Spoilt, read_lines, silent
from cleanup.records.places import Place, names_of, places
from cleanup.records.summary import Failure, utc
from cleanup.records.totals import ReportSummary, Unfinished, code_of, counts_of, reasons_of, unfinished

By = Literal["agent", "day", "user", "organization"]
_OF_A_FAILURE: Final = ("agent", "draft", "reason", "status", "attempts", "request_id", "source")
_OF_A_RUN: Final = (
    *("time", "mode", "base_url", "organization", "organization_name", "user", "list", "list_sha256"),
    *("version", "host", "os_user", "note"),
)
_OF_AN_END: Final = ("time", "exit_code", "counts")


class Report:
    """What ledgers say, pair by pair. `runs` and `ends`: the run and end lines, by run id.

    `settings`: those of the latest run.
    """

    def __init__(
        self, since: datetime | None = None, agents: Collection[str] = (), progress: Progress = silent
    ) -> None:
        self.runs: dict[str, Line] = {}
        self.ends: dict[str, Line] = {}
        self.settings: dict[str, Any] = {}
        self.damage = Damage()
        self._agents, self._progress = agents, progress
        self._since = float("-inf") if since is None else since.timestamp()
        self._filtered = since is not None or bool(agents)
        self._lines = Lines()
        self._failures = Failures(_OF_A_FAILURE)
        self._numbers: dict[str, int] = {}
        self._ledgers: dict[str, str] = {}
        self._with_pairs: set[int] = set()
        self._last: dict[tuple[str, bool], str] = {}
        self._time = ("", 0.0)
        self._newest = ""

    def read(self, path: str) -> None:
        """Read a ledger. Raises SettingsError."""
        for number, line in read_lines(path, self.damage, self._progress):
            kind, run_id = line["type"], str(line.get("run_id"))
            if kind == "run":
                self.runs[run_id] = {key: line.get(key) for key in _OF_A_RUN}
                self._number(run_id, path)
                self._keep_settings(line)
            elif kind == "end":
                self.ends[run_id] = {key: line.get(key) for key in _OF_AN_END}
            elif not self._add(line, self._number(run_id, path)):
                self.damage.add(path, number, Spoilt.UNKNOWN)
            if kind in ("run", "end"):
                # A finished `undo` does not finish the discards, so its last run is kept apart.
                self._last[path, self.runs.get(run_id, {}).get("mode") == "undo"] = run_id

    def _keep_settings(self, line: Line) -> None:
        """Keep the settings of the latest run: those of all would be too many."""
        time, settings = str(line.get("time")), line.get("settings")
        if time >= self._newest and isinstance(settings, dict):
            self._newest, self.settings = time, settings

    def _number(self, run_id: str, path: str) -> int:
        number = self._numbers.get(run_id)
        if number is None:
            number = self._numbers[run_id] = len(self._numbers)
            self._ledgers[run_id] = path
        return number

    def _add(self, line: Line, run: int) -> bool:
        """Enter a line of a pair or of a read-back. Returns False if its outcome is unknown or its time invalid."""
        try:
            time, said = self._seconds(line.get("time")), said_by(line)
        except ValueError:
            return False
        if time < self._since or (self._agents and line["agent"] not in self._agents):
            return True
        self._lines.add(line["agent"], line["draft"], time, run, said)
        if line["type"] == "pair":
            self._with_pairs.add(run)
            self._failures.add(line, time, run)
        return True

    def _seconds(self, text: Any) -> float:
        """A time in seconds since 1970, cached because neighbouring lines often have the same. Raises ValueError."""
        if text != self._time[0]:
            self._time = (text, parse_time(str(text)).timestamp())
        return self._time[1]

    @property
    def places(self) -> dict[str, Place]:
        """The organization and API of each run."""
        return places({run_id: self.runs.get(run_id) for run_id in self._numbers}, self._ledgers)

    @property
    def organizations(self) -> int:
        """How many organizations these ledgers belong to."""
        return len(set(self.places.values()))

    @property
    def unfinished(self) -> list[Unfinished]:
        """What the last runs of the ledgers left undone."""
        recent = ((path, run_id) for (path, _), run_id in self._last.items() if self._is_recent(run_id))
        found = (unfinished(path, self.ends.get(run_id)) for path, run_id in recent)
        return [each for each in found if each is not None]

    def _is_recent(self, run_id: str) -> bool:
        """Whether a run belongs to what the report covers."""
        try:
            time = self._seconds((self.ends.get(run_id) or self.runs[run_id])["time"])
        except ValueError:
            return True
        return time >= self._since or self._numbers.get(run_id) in self._with_pairs

    @property
    def warnings(self) -> list[str]:
        """What the numbers alone do not show: runs without an end, several organizations, lines that cannot be read."""
        names = names_of(self.places)
        apart = ", ".join(f"{name} ({place.base_url})" for place, name in names.items())
        told = [f"these ledgers belong to {len(names)} organizations, which are also counted separately: {apart}"]
        return [
            *(told if len(names) > 1 else []),
            *(each.sentence for each in self.unfinished),
            *self.damage.sentences,
        ]

    def latest(self) -> Iterator[Latest]:
        """The line that counts for each pair."""
        found, numbers = self.places, dict[Place, int]()
        place_of = [numbers.setdefault(found[run_id], len(numbers)) for run_id in self._numbers]
        return self._lines.latest(place_of, self._progress)

    def by(self, group: By) -> dict[str, dict[str, int]]:
        """The counts of each agent, day (UTC), user or organization, in order."""
        groups = self.ends_by(group)
        restored = any(end[0] == "restored" for ends in groups.values() for end in ends)
        return {name: counts_of(ends, restored=restored) for name, ends in groups.items()}

    def ends_by(self, group: By) -> dict[str, Counter[End]]:
        """How many pairs ended in each way, for each agent, day (UTC), user or organization, in order."""
        key, name = self._grouping(group)
        groups: dict[Any, Counter[End]] = {}
        for entry in self.latest():
            groups.setdefault(key(entry), Counter())[entry.end] += 1
        named: dict[str, Counter[End]] = {}
        while groups:  # there may be very many agents, so each entry is freed as it is moved
            each, ends = groups.popitem()
            ends.update(named.get(name(each), ()))
            named[name(each)] = ends
        return dict(sorted(named.items()))

    def _grouping(self, group: By) -> tuple[Callable[[Latest], Any], Callable[[Any], str]]:
        """Functions for a cheap key for each pair, and for the name of a key."""
        runs = list(self._numbers)
        match group:
            case "agent":
                return lambda entry: entry.agent, bytes.hex
            case "day":
                return lambda entry: entry.time // 86_400, lambda day: f"{datetime.fromtimestamp(day * 86_400, UTC):%F}"
            case "user":
                return lambda entry: entry.run, lambda run: str(self.runs.get(runs[run], {}).get("user") or "unknown")
            case _:
                found, names = self.places, names_of(self.places)
                return lambda entry: entry.run, lambda run: names[found[runs[run]]]

    def summary(self) -> ReportSummary:
        """A summary like that of a run. What ledgers do not record is null."""
        by_run, gone = Counter[tuple[int, End]](), Counter[bool | None]()
        last, shown = float("-inf"), list[Latest]()
        for entry in self.latest():
            by_run[entry.run, entry.end] += 1
            gone[entry.gone] += 1
            last = max(last, entry.time)
            if entry.end[0] == "failed" and self._failures.holds(entry):
                shown.append(entry)
        ends = Counter[End]()
        for (_, end), count in by_run.items():
            ends[end] += count
        undone = self.unfinished
        code = code_of(ends, [*(each.exit_code for each in undone), *([65] if self.damage else [])])
        runs = list(self.runs_told().values())
        if code == ExitCode.LIST_MALFORMED:
            meaning = "lines cannot be read"
        else:
            meaning = code.meaning if runs else "no run is recorded here; one that was refused writes no ledger"
        times = sorted(str(line["time"]) for line in runs if line.get("time"))
        counts, reasons = counts_of(ends, restored=any(end[0] == "restored" for end in ends)), reasons_of(ends)
        failures = [{**line, "message": None} for line in self._failures.shown(shown, MOST_FAILURES)]
        found: ReportSummary = {
            "run_id": None,
            "version": __version__,
            "mode": "report",
            "status": "incomplete" if undone else "complete",
            "stopped_by": None,
            "reason": None,
            "exit_code": int(code),
            "meaning": ("incomplete: " if undone else "") + meaning,
            "next": None,
            "started_at": times[0] if times else None,
            "finished_at": utc(datetime.fromtimestamp(last, UTC)) if ends else None,
            "seconds": None,
            "base_url": _only(line.get("base_url") for line in runs),
            "organization": _only(line.get("organization") for line in runs),
            "organization_name": _only(line.get("organization_name") for line in runs),
            "list": _only(line.get("list") for line in runs),
            "list_sha256": _only(line.get("list_sha256") for line in runs),
            "shard": None,
            "model": None,
            "counts": cast("Counts", counts),
            "skipped": reasons["skipped"],
            "failed": reasons["failed"],
            "not_attempted": reasons["not_attempted"],
            "verified": {
                "checked": gone[True] + gone[False],
                "gone": gone[True],
                "not_gone": gone[False],
                "unknown": None,
            },
            "requests": {"total": None, "retries": None, "by_status": {}},
            "rate": {"achieved": None, "limit": None, "began_at": None, "because": None},
            "seconds_per_request": None,
            "failures": cast("list[Failure]", failures),
            "warnings": self.warnings,
            "runs": len(runs),
        }
        if self.organizations > 1:
            found["organizations"] = self.by("organization")
        return found

    def runs_told(self) -> dict[str, Line]:
        """The runs that have pairs; without a filter, all runs."""
        if not self._filtered:
            return self.runs
        return {run_id: line for run_id, line in self.runs.items() if self._numbers[run_id] in self._with_pairs}


def read_report(
    paths: Iterable[str], since: datetime | None = None, agents: Collection[str] = (), progress: Progress = silent
) -> Report:
    """Read ledgers. The latest line of a pair counts, but a discarded draft stays discarded.

    `since`: leave out what happened before. `agents`: only these agents, if any. Raises SettingsError.
    """
    report = Report(since, agents, progress)
    for path in dict.fromkeys(paths):
        report.read(path)
    return report


def _only(values: Iterable[Any]) -> Any:
    """The value that all have in common, else None."""
    found = {str(value) for value in values if value is not None}
    return found.pop() if len(found) == 1 else None
