"""Where everything that happens in a run is told: to the ledger, the account and the log, in this order."""

import os
import platform
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

from cleanup import __version__, verdict
from cleanup.api.reply import Reply
from cleanup.api.traffic import Traffic
from cleanup.errors import OutputError
from cleanup.model import Ending, Outcome, Result, StopCause
from cleanup.plan import SKIPPED, Fate, Plan
from cleanup.records.account import Account, fold
from cleanup.records.files import user_name
from cleanup.records.ledger import Ledger
from cleanup.records.summary import Facts, Identity, utc
from cleanup.rules import ForbiddenRule
from cleanup.show.log import Log
from cleanup.stop import Stop

_LEVELS: Final = {
    "draft.failed": "error",
    "list.invalid": "error",
    "outage.began": "warning",
    "rate.paused": "warning",
    "run.bug": "error",
    "run.stopping": "warning",
    "run.warning": "warning",
}
_OF_A_DRAFT: Final = ("name", "branch", "updated_at", "copy")
"""What a line of the ledger tells of the draft itself, where it is known."""


class Journal:
    """The record of one run. A record that cannot be written stops the run."""

    def __init__(self, identity: Identity, log: Log) -> None:
        self.identity = identity
        self.facts = Facts()
        self.traffic = Traffic()
        self.account: Account | None = None
        self.ledger: Ledger | None = None
        self.stop: Stop | None = None
        self.begun = False
        self.advance: Callable[[], None] = lambda: None
        self._log = log
        self._forbidden = ForbiddenRule()
        self._noticed: set[str] = set()

    def open_account(self, plan: Plan) -> Account:
        """Begin the account of a plan's pairs."""
        self.account = Account(plan)
        return self.account

    def tell_planned(self) -> None:
        """Log the pairs whose end the plan already knows, but for those that are left for a later run."""
        assert self.account is not None
        plan = self.account.plan
        for fate in SKIPPED:
            for index in plan.indexes(fate):
                ending = self.account.ending(index)
                assert ending is not None
                self._tell_result(Result(plan.pairs[index], ending))

    def begin(self, settings: dict[str, Any], note: str | None) -> None:
        """Write the ledger's run line, and the lines of protected pairs. Raises OutputError."""
        if self.ledger is None:
            return
        assert self.account is not None
        identity = self.identity
        self.begun = True
        self.ledger.write(
            {
                "type": "run",
                "run_id": identity.run_id,
                "time": utc(datetime.now(UTC)),
                "version": __version__,
                "mode": identity.mode,
                "host": platform.node(),
                "os_user": user_name(os.geteuid()),
                "base_url": identity.base_url,
                "organization": identity.organization,
                "organization_name": identity.organization_name,
                "user": identity.user,
                "list": identity.list_name,
                "list_sha256": identity.list_sha256,
                "settings": settings,
                "note": note,
            }
        )
        plan = self.account.plan
        for index in plan.indexes(Fate.PROTECTED):
            self.ledger.write(self._line(Result(plan.pairs[index], Ending.PROTECTED)))

    def settle(self, result: Result) -> None:
        """The one place where a pair's end is recorded."""
        assert self.account is not None
        assert self.stop is not None
        if self.ledger is not None:
            try:
                self.ledger.write(self._line(result))
            except OutputError as error:
                self.unwritten(str(error))
        self.account.settle(result)
        self._tell_result(result)
        self.advance()
        if self._forbidden.add(result):
            self.stop.request(
                StopCause.FORBIDDEN, "the first 50 answers were all 403: this key may discard nothing here"
            )

    def all_sent(self) -> None:
        """Every pair has ended: look at all of them together."""
        assert self.stop is not None
        if self._forbidden.all_of_a_few():
            self.stop.request(StopCause.FORBIDDEN, "every answer was 403: this key may discard nothing here")

    def tell(self, event: str, **fields: Any) -> None:
        """Log an event; `level` only where it is not the event's usual one."""
        level = fields.pop("level", None) or _LEVELS.get(event, "info")
        try:
            getattr(self._log, level)(event, **fields)
        except OutputError as error:
            self.unwritten(str(error))

    def tell_api(self, event: str, **fields: Any) -> None:
        """Log an event of the layer that talks to the API."""
        if "subject" in fields:
            subject, reply = fields.pop("subject"), fields.pop("reply")
            fields = {"agent": subject.agent, "draft": subject.draft} | _of_reply(reply) | fields
        self.tell(event, **fields)

    def tell_progress(self) -> None:
        """Log how far the run is."""
        assert self.account is not None
        counts = fold(self.account.endings(), dry_run=self.identity.dry_run)["counts"]
        self.tell("run.progress", counts=counts, of=self.account.plan.listed, requests=self.traffic.total)

    def warn(self, sentence: str, level: str | None = None, *, kind: str = "other") -> None:
        """A warning that prevents silent failure: in the log, the summary and, counted by kind, the metrics, once.

        With the level `info` it is no warning, but worth a place in the summary.
        """
        if sentence in self.facts.warnings:
            return
        self.facts.warnings.append(sentence)
        if level == "info":
            self.tell("run.info", message=sentence)
        else:
            self.facts.warning_kinds[kind] += 1
            self.tell("run.warning", message=sentence, level=level)

    def bad_row(self, source: str, reason: str) -> None:
        """Name a row that refuses the list."""
        self.tell("list.invalid", source=source, reason=reason)

    def notice(self, name: str, value: str) -> None:
        """The API sent a Deprecation or Sunset header: told once, as its date may differ from answer to answer."""
        if name not in self._noticed:
            self._noticed.add(name)
            self.warn(f"the API announces the end of an endpoint: {name}: {value}", kind="deprecation")

    def moved(self, why: str) -> None:
        """The workspace turned out to be on the branch model."""
        self.identity.model = "branches"
        self.warn(f"drafts are discarded through their branches from now on: {why}", level="info")

    def unwritten(self, sentence: str) -> None:
        """Something could not be written: the run ends with it, and stops if it is still going on."""
        if sentence not in self.facts.unwritten:
            self.facts.unwritten.append(sentence)
        if self.stop is not None:
            self.stop.request(StopCause.OUTPUT, sentence)

    def _line(self, result: Result) -> dict[str, Any]:
        return {
            "type": "pair",
            "time": utc(datetime.now(UTC)),
            "run_id": self.identity.run_id,
            "agent": result.pair.agent,
            "draft": result.pair.draft,
            "outcome": result.ending.outcome.value,
            "reason": result.ending.reason,
            "status": result.status,
            "attempts": result.attempts,
            "seconds": result.seconds,
            "request_id": result.request_id,
            "source": result.pair.source,
            **{key: result.details[key] for key in _OF_A_DRAFT if key in result.details},
        }

    def _tell_result(self, result: Result) -> None:
        fields: dict[str, Any] = {
            "agent": result.pair.agent,
            "draft": result.pair.draft,
            "reason": result.ending.reason,
            "status": result.status,
            "attempts": result.attempts,
            "seconds": result.seconds,
            "request_id": result.request_id,
        }
        if result.message and result.ending.outcome is not Outcome.DISCARDED:
            fields["message"] = result.message
        self.tell(f"draft.{result.ending.outcome}", **fields, **result.details)


def _of_reply(reply: Reply) -> dict[str, Any]:
    return {
        "reason": verdict.of_failure(reply).reason,
        "status": reply.status,
        "seconds": round(reply.seconds, 4),
        "request_id": reply.request_id,
        "message": reply.message,
    }
