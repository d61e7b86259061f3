"""The only place where a pair's result is recorded: in the ledger, then in the account, then in the log."""

import os
import platform
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final, Literal, get_args

from cleanup import __version__
from cleanup.console.reporter import Reporter
from cleanup.errors import OutputError
from cleanup.model import Ending, Owner, Result, StopCause
from cleanup.plan import ENDINGS, SKIPPED, Decision, Plan
from cleanup.records.account import Account, fold
from cleanup.records.files import user_name
from cleanup.records.forbidden import ForbiddenRule
from cleanup.records.ledger import Ledger
from cleanup.records.line_types import EndLine, LedgerLine, PairLine, ProofLine, RunLine
from cleanup.records.summary import Identity, utc
from cleanup.stop import Stop

_Known = Literal["name", "branch", "updated_at", "copy", "new_draft"]
"""What a ledger line says about the draft itself, if it is known; `new_draft`: the one that an undo has made of it."""
_KNOWN: Final[tuple[_Known, ...]] = get_args(_Known)
UNKNOWN: Final = "some discarded drafts could not be read back, so it is not known that they are gone (guard.verify)"
NOT_GONE: Final = "the API said that it discarded this draft, and guard.verify found it still open"


class Recorder:
    """The record of one run's plan. A ledger that cannot be written stops the run.

    `on_record` is called for each pair that ends, `on_end` for each ending: twice for a pair that is not gone.
    """

    def __init__(self, identity: Identity, plan: Plan, ledger: Ledger | None, reporter: Reporter, stop: Stop) -> None:
        self.identity = identity
        self.plan = plan
        self.account = Account(plan)
        self.on_record: Callable[[], None] = lambda: None
        self.on_end: Callable[[Ending], None] = lambda _ending: None
        self._ledger = ledger
        self._reporter = reporter
        self._stop = stop
        self._begun = False
        self._forbidden = ForbiddenRule()

    def log_plan(self) -> None:
        """Log the pairs that the plan skips. Those that are left for a later run are not logged."""
        for decision in SKIPPED:
            for index in self.plan.indexes(decision):
                self._reporter.log_result(Result(self.plan.pairs[index], ENDINGS[decision]))

    def begin(self, owner: Owner, settings: dict[str, Any], note: str | None) -> None:
        """Write the ledger's run line, and the lines of protected pairs. Raises OutputError."""
        if self._ledger is None:
            return
        identity = self.identity
        self._begun = True
        line: RunLine = {
            "type": "run",
            "run_id": identity.run_id,
            "time": utc(datetime.now(UTC)),
            "version": __version__,
            "mode": identity.mode,
            "host": platform.node(),
            "os_user": user_name(os.geteuid()),
            "base_url": identity.base_url,
            "organization": owner.organization,
            "organization_name": owner.name,
            "user": owner.user,
            "list": identity.list_name,
            "list_sha256": self.plan.pairs.sha256 or None,
            "settings": settings,
            "note": note,
        }
        self._ledger.write(line)
        for index in self.plan.indexes(Decision.PROTECTED):
            self._ledger.write(self._line(Result(self.plan.pairs[index], Ending.PROTECTED)))

    def record(self, result: Result) -> None:
        """Record how a pair ended."""
        self._write(self._line(result))
        self.account.enter(result)
        self._reporter.log_result(result)
        self.on_end(result.ending)
        self.on_record()
        if self._forbidden.add(result):
            self._stop.request(StopCause.FORBIDDEN, "the first 50 answers were all 403: this key may do nothing here")

    def prove(self, result: Result, *, gone: bool | None) -> None:
        """Record what was read back of a discard; None: it could not be read. One that is not gone has failed."""
        if gone is None:
            self._reporter.warn(UNKNOWN, kind="unverified")
            return
        line: ProofLine = {
            "type": "proof",
            "time": utc(datetime.now(UTC)),
            "run_id": self.identity.run_id,
            "agent": result.pair.agent,
            "draft": result.pair.draft,
            "gone": gone,
        }
        self._write(line)
        if not gone:
            overturned = replace(result, ending=Ending.NOT_GONE, message=NOT_GONE)
            self._write(self._line(overturned))
            self.account.overturn(overturned)
            self._reporter.log_result(overturned)
            self.on_end(overturned.ending)

    def _write(self, line: LedgerLine) -> None:
        if self._ledger is not None:
            try:
                self._ledger.write(line)
            except OutputError as error:
                self._reporter.could_not_write(str(error))

    def conclude(self) -> None:
        """Apply the rules that need all results, once every pair has ended."""
        if self._forbidden.all_of_a_few():
            self._stop.request(StopCause.FORBIDDEN, "every answer was 403: this key may do nothing here")

    def log_progress(self, requests: int) -> None:
        """Log how far the run is."""
        counts = fold(self.account.endings(), self.identity.purpose)["counts"]
        self._reporter.log("run.progress", counts=counts, of=self.plan.listed, requests=requests)

    def end(self, exit_code: int, limit: float | None) -> None:
        """Write the run's end line to the ledger, if the run has begun. Raises OutputError.

        `limit`: the rate limit in requests a second, if one was found.
        """
        if self._ledger is not None and self._begun:
            line: EndLine = {
                "type": "end",
                "run_id": self.identity.run_id,
                "time": utc(datetime.now(UTC)),
                "exit_code": exit_code,
                "counts": fold(self.account.endings(), self.identity.purpose)["counts"],
            }
            if limit is not None:
                line["limit"] = round(limit, 2)
            self._ledger.write(line)

    def _line(self, result: Result) -> PairLine:
        line: PairLine = {
            "type": "pair",
            "time": utc(datetime.now(UTC)),
            "run_id": self.identity.run_id,
            "agent": result.pair.agent,
            "draft": result.pair.draft,
            "outcome": result.ending.outcome,
            "reason": result.ending.reason,
            "status": result.status,
            "attempts": result.attempts,
            "seconds": result.seconds,
            "request_id": result.request_id,
            "source": result.pair.source,
        }
        for key in _KNOWN:
            if key in result.details:
                line[key] = result.details[key]
        return line
