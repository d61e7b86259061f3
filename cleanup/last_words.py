"""How a run ends: every file is written, even if another could not be, and the last line says what came of it."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from cleanup.errors import OutputError
from cleanup.exit_codes import ExitCode
from cleanup.model import Ending
from cleanup.next_step import REASON_BYTES, Again, End, fitting, next_step
from cleanup.plan import ENDINGS
from cleanup.records.account import fold
from cleanup.records.files import whole_file
from cleanup.records.journal import Journal
from cleanup.records.leftover import write_leftover
from cleanup.records.summary import exit_code, summarize, utc
from cleanup.settings.definitions import Settings
from cleanup.show.console import Screen

if TYPE_CHECKING:  # loaded only where there is a monitor
    from cleanup.records.heartbeat import Heartbeat

_NEVER_LOOKED_FOR = frozenset(ENDINGS.values()) - {Ending.SETTLED}


@dataclass(slots=True)
class Measured:
    """What only the part that talked to the API knows. `sending_seconds`: None when nothing was to be sent.

    `requests_before`: those that found the list, or asked whose key it is.
    """

    retries: int = 0
    rate_limit: float | None = None
    sending_seconds: float | None = None
    requests_before: int = 0

    def achieved(self, requests: int) -> float:
        """Requests a second while the pairs were sent, of so many requests in all; never above the limit."""
        if not self.sending_seconds:
            return 0.0
        rate = (requests - self.requests_before) / self.sending_seconds
        return rate if self.rate_limit is None else min(rate, self.rate_limit)


@dataclass(slots=True)
class LastWords:
    """Everything that is written at the end of a run."""

    journal: Journal
    settings: Settings
    screen: Screen
    again: Again
    measured: Measured
    heartbeat: "Heartbeat | None" = None

    def speak(self, *, files: bool, show: bool = True) -> int:
        """Write the files (unless another run holds the ledger), show the summary, log the last line.

        `show`: on standard output. Returns the exit code.
        """
        self._close_account()
        settings = self.settings
        if files:
            self._write_files()
        if self._code() is not ExitCode.OK:
            self._write(self.screen.output.show)
        shown = show and not (settings.output.quiet and self._code() is ExitCode.OK)
        if shown:
            before = self._code()
            self._write(lambda: self.screen.print_summary(self.summary()))
            if files and self._code() is not before:  # standard output is broken, and the file says otherwise
                self._write(self._summary_file)
        if self.heartbeat is not None:
            self.heartbeat.end(int(self._code()))
        self._write(lambda: self._finish(brief=shown and self.screen.shows_table))
        code = self._code()
        if code is not ExitCode.OK and settings.output.quiet:
            self._write(self.screen.output.show)
        return int(code)

    def _write_files(self) -> None:
        """Each is written though another could not be, and says so."""
        recorded = not self.settings.run.dry_run
        if recorded:
            self._write(self._leftover)
        told: ExitCode | None = None
        while told is not self._code():  # the second time only if one of these could not be written
            told = self._code()
            self._write(self._summary_file)
            if recorded:
                self._write(self._metrics)
            self._write(self._end_of_ledger)

    def summary(self) -> dict[str, Any]:
        """The summary as things stand now."""
        journal, measured = self.journal, self.measured
        traffic = {
            "requests": journal.traffic.account(measured.retries),
            "rate": {
                "achieved": round(measured.achieved(journal.traffic.total), 2),
                "limit": measured.rate_limit,
            },
            "seconds_per_request": journal.traffic.percentiles(),
        }
        stopped_because = None if journal.stop is None else journal.stop.sentence
        next_step = self._next(self._code())
        return summarize(journal.identity, journal.facts, datetime.now(UTC), traffic, next_step, stopped_because)

    def _code(self) -> ExitCode:
        return exit_code(self.journal.facts)

    def _close_account(self) -> None:
        facts, account = self.journal.facts, self.journal.account
        if account is None:
            return
        cause = facts.stopped_by
        account.close(Ending.LEFT_STOPPED if cause is None else cause.leaves)
        facts.endings, facts.failures = account.endings(), account.failures
        looked_for = {ending for ending, count in facts.endings.items() if count} - _NEVER_LOOKED_FOR
        if looked_for == {Ending.NOT_FOUND}:
            self.journal.warn("none of the listed drafts was found: is this an old list?", kind="none_found")
        left = facts.endings.get(Ending.LEFT_LIMIT, 0)
        done = facts.endings.get(Ending.DISCARDED, 0) + facts.endings.get(Ending.WOULD_DISCARD, 0)
        if left and not done and facts.status == "complete":
            self.journal.warn(
                f"nothing was discarded, and {left} drafts are beyond limits.per_run (--limit): "
                "do those within it never succeed?",
                kind="limited_nothing_done",
            )

    def _write(self, write: Callable[[], None]) -> None:
        try:
            write()
        except OutputError as error:
            self.journal.unwritten(str(error))
            self.journal.tell("run.stopping", level="error", message=str(error))
        except Exception as bug:  # noqa: BLE001 - the other files are written all the same
            self.journal.facts.bug = True
            self.journal.tell("run.bug", message=f"a bug in this program: {bug!r}")

    def _leftover(self) -> None:
        if self.settings.output.leftover is not None and self.journal.account is not None:
            write_leftover(self.settings.output.leftover, self.journal.account)

    def _end_of_ledger(self) -> None:
        journal = self.journal
        ledger, journal.ledger = journal.ledger, None
        if ledger is None:
            return
        try:
            if journal.begun:
                ledger.write(
                    {
                        "type": "end",
                        "run_id": journal.identity.run_id,
                        "time": utc(datetime.now(UTC)),
                        "exit_code": int(self._code()),
                        "counts": fold(journal.facts.endings, dry_run=False)["counts"],
                    }
                )
        finally:
            ledger.close()

    def _summary_file(self) -> None:
        if self.settings.output.summary is not None:
            with whole_file(self.settings.output.summary) as stream:
                json.dump(self.summary(), stream, ensure_ascii=False, indent=1)
                stream.write("\n")

    def _metrics(self) -> None:
        if self.settings.output.metrics is not None:
            from cleanup.records.metrics import write_metrics

            warnings = self.journal.facts.warning_kinds
            write_metrics(self.settings.output.metrics, self.summary(), time.time(), warnings)

    def _finish(self, *, brief: bool) -> None:
        """The last line. `brief`: the table, right above it, has said the rest."""
        summary = self.summary()
        told = {key: summary[key] for key in ("exit_code", "meaning", "stopped_by")}
        if not brief:
            told["counts"] = summary["counts"]
            told["reason"] = summary["reason"] and fitting(summary["reason"], REASON_BYTES)
            told["next"] = summary["next"]
        self.journal.tell("run.finished", level="info" if summary["exit_code"] == 0 else "error", **told)

    def _next(self, code: ExitCode) -> str | None:
        facts, settings, stop = self.journal.facts, self.settings, self.journal.stop
        end = End(
            code,
            refusal=facts.refusal,
            stopped=None if stop is None else stop.sentence,
            unwritten=facts.unwritten,
            reads_only=settings.run.dry_run,
            ledger=settings.output.ledger is not None,
            leftover=settings.output.leftover,
        )
        return next_step(end, self.again)
