"""The summary and the exit code, computed from how the pairs ended and why the run stopped. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

from typing_extensions import TypedDict

from cleanup import __version__
from cleanup.api.traffic import TrafficSummary
from cleanup.errors import ExitCode, JobError, OutputError, meaning
from cleanup.model import Ending, Outcome, Result, StopCause
from cleanup.records.account import Folded, fold
from cleanup.records.proof import Proof, Verified

Mode = Literal["discard", "dry-run", "sweep", "find", "undo"]
Status = Literal["complete", "stopped", "refused"]


class Failure(TypedDict):
    """A failed pair as it appears in the summary."""

    agent: str
    draft: str
    reason: str | None
    status: int | None
    """The status of the deciding answer; null if there was none."""
    attempts: int
    request_id: str | None
    """The API's id of the deciding request."""
    message: str | None
    """What the API said, or what is wrong; null in a report, as ledgers do not record it."""
    source: str
    """Where the pair is listed: file and line."""


class Summary(Folded, TrafficSummary):
    """The summary of a run, as `output.summary` and standard output have it."""

    failures: list[Failure]
    """The first hundred."""
    warnings: list[str]
    run_id: str
    version: str
    """The program's version."""
    mode: Mode
    status: Status
    """refused: no pair was sent."""
    stopped_by: StopCause | None
    """What stopped the run early."""
    reason: str | None
    """Why the run was refused or stopped, in a sentence."""
    exit_code: int
    meaning: str
    """What the exit code means, in this mode."""
    next: str | None
    """What to do next, with the command if there is one."""
    started_at: str
    """ISO 8601, UTC, with milliseconds."""
    finished_at: str
    seconds: float
    base_url: str
    organization: str | None
    """The id of the key's organization; null if it could not be determined."""
    organization_name: str | None
    """Its name, where a person was there to read it."""
    list: str | None
    """The list's name: a path, `-`, or `sweep`."""
    list_sha256: str | None
    """The hash of the list's bytes; null if it could not be read."""
    shard: str | None
    """run.shard, as K/N."""
    model: str | None
    """How the workspace keeps drafts, as far as it is known."""
    verified: Verified


def utc(time: datetime) -> str:
    """Format a time as everywhere in the output: ISO 8601, UTC, milliseconds."""
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass(frozen=True, slots=True)
class Identity:
    """Which run this is, as far as is known before it begins.

    `purpose`: the outcome that it is for. `task`: what monitors call it.
    """

    run_id: str
    mode: Mode
    purpose: Outcome
    started_at: datetime
    base_url: str
    list_name: str | None
    shard: str | None
    task: str


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known about a run at its end. `stopped_because`: why it stopped early, if it did."""

    endings: dict[Ending, int] = field(default_factory=dict)
    causes: Sequence[StopCause] = ()
    signal: int | None = None
    refusal: JobError | None = None
    unwritten: Sequence[str] = ()
    warnings: Sequence[str] = ()
    failures: Sequence[Result] = ()
    bug: bool = False
    sent: bool = False
    answered: bool = False
    stopped_because: str | None = None
    organization: str | None = None
    organization_name: str | None = None
    model: str | None = None
    list_sha256: str | None = None
    verified: Verified = field(default_factory=lambda: Proof(None).summary())

    @property
    def stopped_by(self) -> StopCause | None:
        """What stopped the run early; None if it was merely refused."""
        if self.causes:
            return self.causes[0]
        if self.signal is not None:
            return StopCause.SIGNAL
        if isinstance(self.refusal, OutputError) or self.unwritten:
            return StopCause.OUTPUT
        return None

    @property
    def reason(self) -> str | None:
        """Why the run was refused or stopped, in a sentence, unless `stopped_because` says it."""
        if self.unwritten and not isinstance(self.refusal, OutputError):  # which came first
            return self.unwritten[0]
        return None if self.refusal is None else str(self.refusal)

    @property
    def to_mend(self) -> str | None:
        """What has to be mended before another run can help: what could not be written, or a key that is refused."""
        if self.causes and self.causes[0] in (StopCause.OUTPUT, StopCause.UNAUTHORIZED):
            return self.stopped_because
        written = isinstance(self.refusal, OutputError) or self.unwritten
        return self.reason if written else None

    @property
    def status(self) -> Status:
        """complete, stopped, or refused (nothing was sent)."""
        ended_early = self.refusal is not None or bool(self.causes) or self.signal is not None or self.bug
        if not ended_early:
            return "complete"
        return "stopped" if self.sent else "refused"


def exit_code(facts: Facts) -> ExitCode:
    """The first exit code that applies, in the documented order."""
    refusal = facts.refusal.code if facts.refusal is not None else None
    causes = set(facts.causes)
    failed = [ending for ending, count in facts.endings.items() if count and ending.outcome is Outcome.FAILED]
    unauthorized = StopCause.UNAUTHORIZED in causes
    rules = (
        (ExitCode.OUTPUT, bool(facts.unwritten) or StopCause.OUTPUT in causes),
        (ExitCode.SIGINT, facts.signal == 2),
        (ExitCode.SIGTERM, facts.signal is not None),
        (ExitCode.KEY, (unauthorized and not facts.answered) or StopCause.FORBIDDEN in causes),
        (ExitCode.SETTINGS, bool(causes & {StopCause.MIGRATION_REQUIRED, StopCause.TLS})),
        (ExitCode.LIST_MISSING, False),
        (ExitCode.LIST_MALFORMED, False),
        (ExitCode.DEADLINE, StopCause.DEADLINE in causes),
        (
            ExitCode.TRY_AGAIN,
            unauthorized or StopCause.OUTAGE in causes or any(ending.passing for ending in failed),
        ),
        (ExitCode.FAILED, bool(failed) or StopCause.PROOF in causes),
        (ExitCode.USAGE, False),
        (ExitCode.BUG, facts.bug),
    )
    return next((code for code, applies in rules if applies or refusal is code), ExitCode.OK)


def failure_entry(result: Result) -> Failure:
    """A failed pair as it appears in the summary."""
    return {
        "agent": result.pair.agent,
        "draft": result.pair.draft,
        "reason": result.ending.reason,
        "status": result.status,
        "attempts": result.attempts,
        "request_id": result.request_id,
        "message": result.message,
        "source": result.pair.source,
    }


def summarize(
    identity: Identity, facts: Facts, finished_at: datetime, traffic: TrafficSummary, next_step: str | None
) -> Summary:
    """The summary as it is written."""
    code = exit_code(facts)
    return {
        "run_id": identity.run_id,
        "version": __version__,
        "mode": identity.mode,
        "status": facts.status,
        "stopped_by": facts.stopped_by,
        "reason": facts.reason or facts.stopped_because,
        "exit_code": int(code),
        "meaning": meaning(code, identity.purpose if identity.mode == "dry-run" else identity.mode),
        "next": next_step,
        "started_at": utc(identity.started_at),
        "finished_at": utc(finished_at),
        "seconds": round((finished_at - identity.started_at).total_seconds(), 3),
        "base_url": identity.base_url,
        "organization": facts.organization,
        "organization_name": facts.organization_name,
        "list": identity.list_name,
        "list_sha256": facts.list_sha256,
        "shard": identity.shard,
        "model": facts.model,
        **fold(facts.endings, identity.purpose),
        "verified": facts.verified,
        **traffic,
        "failures": [failure_entry(result) for result in facts.failures],
        "warnings": list(facts.warnings),
    }
