"""A report's counts, reasons and exit code, and what is unfinished. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal, NamedTuple, NotRequired

from cleanup.api.traffic import TrafficSummary
from cleanup.errors import ExitCode
from cleanup.model import Ending, Outcome
from cleanup.records.account import Folded
from cleanup.records.latest import OUTCOMES, End
from cleanup.records.proof import Verified
from cleanup.records.summary import Facts, Failure, exit_code

_KNOWN: Final = {(str(ending.outcome), ending.reason): ending for ending in Ending}
_ORDER: Final = (
    *(ExitCode.OUTPUT, ExitCode.SIGINT, ExitCode.SIGTERM, ExitCode.KEY, ExitCode.SETTINGS),
    *(ExitCode.LIST_MISSING, ExitCode.LIST_MALFORMED, ExitCode.DEADLINE, ExitCode.TRY_AGAIN),
    *(ExitCode.FAILED, ExitCode.USAGE, ExitCode.BUG, ExitCode.OK),
)
"""The exit codes in the documented order, of which the first that applies counts."""


class ReportSummary(Folded, TrafficSummary):
    """The summary of ledgers, as `report --format json` prints it: null for what these lack."""

    failures: list[Failure]
    """The first hundred."""
    warnings: list[str]
    run_id: None
    version: str
    """The version of the program that made the report."""
    mode: Literal["report"]
    status: Literal["complete", "incomplete"]
    """incomplete: a run has no end, or left pairs unattempted."""
    stopped_by: None
    reason: None
    exit_code: int
    """That of the pairs as they are now, or of what is incomplete."""
    meaning: str
    """What the exit code means."""
    next: None
    started_at: str | None
    """When the first run began. ISO 8601, UTC, with milliseconds."""
    finished_at: str | None
    """When the latest pair ended."""
    seconds: None
    base_url: str | None
    """Null if the runs have not all the same; likewise below."""
    organization: str | None
    organization_name: str | None
    list: str | None
    list_sha256: str | None
    shard: None
    model: None
    verified: Verified
    runs: int
    """How many runs the report covers."""
    organizations: NotRequired[dict[str, dict[str, int]]]
    """The counts by organization, if there are several."""


class Unfinished(NamedTuple):
    """A ledger whose last run did not finish its list."""

    exit_code: int
    sentence: str


def unfinished(path: str, end: Mapping[str, Any] | None) -> Unfinished | None:
    """What the last run of a ledger left undone, according to its end line; None if nothing.

    A ledger has no lines for pairs that were not attempted, so without this the counts would seem complete.
    """
    if end is None:
        return Unfinished(75, f"{path}: its last run has no end line: it was killed, or is still running")
    counts, code = end.get("counts"), end.get("exit_code")
    left = counts.get("not_attempted") if isinstance(counts, dict) else None
    if not left:
        return None
    sentence = f"{path}: its last run left {left} drafts unattempted (exit code {code}); they are not counted here"
    return Unfinished(code if code in _ORDER else 75, sentence)


def counts_of(ends: Counter[End], *, restored: bool) -> dict[str, int]:
    """The `counts` of a summary. `restored`: include how many drafts were recreated."""
    counts = {"listed": ends.total()} | dict.fromkeys(OUTCOMES, 0)
    for (outcome, _), count in ends.items():
        counts[outcome] += count
    return counts if restored else {name: count for name, count in counts.items() if name != "restored"}


def reasons_of(ends: Counter[End]) -> dict[str, dict[str, int]]:
    """The reasons of a summary, by outcome."""
    found: dict[str, dict[str, int]] = {outcome: {} for outcome in ("skipped", "failed", "not_attempted")}
    for (outcome, reason), count in ends.items():
        if reason and outcome in found:
            found[outcome][reason] = count
    return found


def code_of(ends: Counter[End], others: Iterable[int]) -> ExitCode:
    """The first exit code that applies, among that of the pairs and `others`."""
    known = Counter[Ending]()
    for end, count in ends.items():
        # A failure that this version does not know counts as permanent.
        known[_KNOWN.get(end, Ending.CONFLICT if end[0] == Outcome.FAILED else Ending.DISCARDED)] += count
    codes = {int(exit_code(Facts(endings=dict(known)))), *others}
    return next((code for code in _ORDER if code in codes), ExitCode.TRY_AGAIN)
