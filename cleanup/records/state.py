"""What is known about a run so far. Only `lifecycle` creates and changes it; everything else may read it."""

from dataclasses import dataclass, field, replace

from cleanup.api.traffic import Traffic
from cleanup.console.reporter import Reporter
from cleanup.errors import JobError
from cleanup.model import Owner, StopCause
from cleanup.records.proof import Proof
from cleanup.records.recorder import Recorder
from cleanup.records.summary import Facts, Identity
from cleanup.stop import Stop


@dataclass(slots=True)
class State:
    """`recorder`: None until the plan is made. `refusal`: the error that ended the run, if one did."""

    identity: Identity
    stop: Stop
    reporter: Reporter
    model: str
    traffic: Traffic = field(default_factory=Traffic)
    owner: Owner = field(default_factory=Owner)
    recorder: Recorder | None = None
    refusal: JobError | None = None
    causes: tuple[StopCause, ...] = ()
    proof: Proof = field(default_factory=lambda: Proof(None))

    def moved(self, why: str) -> None:
        """Note that the workspace turned out to be on the branch model."""
        self.model = "branches"
        self.reporter.note(f"drafts are reached through their branches from now on: {why}")

    def facts(self) -> Facts:
        """The facts that decide the summary and the exit code."""
        known = Facts(
            causes=self.causes,
            signal=self.stop.signal,
            refusal=self.refusal,
            unwritten=self.reporter.unwritten,
            warnings=self.reporter.warnings,
            bug=self.reporter.met_a_bug,
            sent=self.traffic.sent,
            answered=self.traffic.answered,
            stopped_because=self.stop.sentence,
            organization=self.owner.organization,
            organization_name=self.owner.name,
            model=self.model,
            verified=self.proof.summary(),
        )
        if self.recorder is None:
            return known
        account = self.recorder.account
        sha256 = self.recorder.plan.pairs.sha256 or None
        return replace(known, endings=account.endings(), failures=account.failures, list_sha256=sha256)
