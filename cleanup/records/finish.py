"""Ends a run: writes every file, even if another could not be written, and logs how the run ended."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from cleanup.console.screen import Screen
from cleanup.errors import ExitCode, LedgerLocked, OutputError
from cleanup.model import Ending
from cleanup.plan import ENDINGS
from cleanup.records.files import whole_file
from cleanup.records.ledger import Ledger
from cleanup.records.leftover import write_leftover
from cleanup.records.next_step import REASON_BYTES, Again, End, fitting, next_step
from cleanup.records.rates import rate_warnings
from cleanup.records.state import State
from cleanup.records.summary import Facts, exit_code, summarize
from cleanup.settings.definitions import Settings

if TYPE_CHECKING:  # loaded only where there is a monitor
    from cleanup.records.heartbeat import Heartbeat
    from cleanup.records.metrics import Figures

_NEVER_LOOKED_FOR = frozenset(ENDINGS.values()) - {Ending.SETTLED}


@dataclass(frozen=True, slots=True)
class Finish:
    """Everything that is written at the end of a run. `ledger` is closed here, and `heartbeat` gets the exit code.

    `page`: makes the page of a summary. `finished_at`: when the run was over, the same in all that is written.
    """

    state: State
    settings: Settings
    screen: Screen
    again: Again
    ledger: Ledger | None
    heartbeat: "Heartbeat | None"
    page: Callable[[dict[str, Any]], str]
    finished_at: datetime

    def write(self, *, files: bool, show: bool) -> int:
        """Write the files, show the summary, and log the last line. Returns the exit code.

        `files`: False if no file may be written, as when another run uses the ledger. `show`: print the summary on
        standard output.
        """
        self._close_account()
        settings = self.settings
        if files:
            self._write_files()
        if self._code() is not ExitCode.OK:
            self._try(self.screen.output.show)
        shown = show and not (settings.output.quiet and self._code() is ExitCode.OK)
        if shown:
            before = self._code()
            self._try(lambda: self.screen.print_summary(self._summary()))
            if files and self._code() is not before:  # standard output failed, so the code in the file is outdated
                self._try(self._write_summary)
                self._try(self._write_page)
        self._try(lambda: self._push(files=files))
        self._try(self._end_heartbeat)
        self._try(lambda: self._log_end(brief=shown and self.screen.shows_table))
        code = self._code()
        if code is not ExitCode.OK and settings.output.quiet:
            self._try(self.screen.output.show)
        return int(code)

    def _try(self, write: Callable[[], None]) -> None:
        reporter = self.state.reporter
        try:
            write()
        except OutputError as error:
            reporter.could_not_write(str(error))
            reporter.log("run.stopping", level="error", message=str(error))
        except Exception as bug:  # noqa: BLE001 - the other files must still be written
            reporter.log_bug(bug)

    def _close_account(self) -> None:
        """Enter an ending for the pairs that were never sent, and warn about what the counts do not show."""
        recorder, reporter = self.state.recorder, self.state.reporter
        if recorder is None:
            return
        for sentence, kind in rate_warnings(self.settings.limits, self.state.traffic):
            reporter.warn(sentence, kind=kind)
        cause = self._facts().stopped_by
        recorder.account.close(Ending.LEFT_STOPPED if cause is None else cause.leaves)
        facts = self._facts()
        looked_for = {ending for ending, count in facts.endings.items() if count} - _NEVER_LOOKED_FOR
        if looked_for == {Ending.NOT_FOUND}:
            reporter.warn("none of the listed drafts was found: is this an old list?", kind="none_found")
        left = facts.endings.get(Ending.LEFT_LIMIT, 0)
        purpose = self.state.identity.purpose
        done = sum(count for ending, count in facts.endings.items() if ending.outcome is purpose)
        if left and not done and facts.status == "complete":
            reporter.warn(
                f"nothing was done, and {left} drafts are beyond limits.per_run (--limit): "
                "do the drafts within the limit always fail?",
                kind="limited_nothing_done",
            )

    def _write_files(self) -> None:
        """Write every file, even if another could not be written; the exit code in them reflects such failures."""
        if not self.settings.run.dry_run:
            self._try(self._write_leftover)
        said: ExitCode | None = None
        while said is not self._code():  # repeated only if one of these files could not be written
            first, said = said is None, self._code()
            self._try(self._write_summary)
            self._try(self._write_page)
            self._try(self._write_metrics)
            if first:
                self._try(self._end_ledger)

    def _write_leftover(self) -> None:
        if self.settings.output.leftover is not None and self.state.recorder is not None:
            write_leftover(self.settings.output.leftover, self.state.recorder.account)

    def _write_summary(self) -> None:
        if self.settings.output.summary is not None:
            with whole_file(self.settings.output.summary) as stream:
                json.dump(self._summary(), stream, ensure_ascii=False, indent=1)
                stream.write("\n")

    def _write_page(self) -> None:
        if self.settings.output.page is not None:
            html = self.page(self._summary())
            with whole_file(self.settings.output.page) as stream:
                stream.write(html)

    def _write_metrics(self) -> None:
        if self.settings.output.metrics is not None:
            from cleanup.records.metrics import write_metrics

            write_metrics(self.settings.output.metrics, self._figures())

    def _push(self, *, files: bool) -> None:
        """Push the metrics. `files`: whether there are files, which then tell of a push that failed."""
        url, reporter = self.settings.output.push_url, self.state.reporter
        if url is None or isinstance(self.state.refusal, LedgerLocked):  # the run with the lock pushes its own
            return
        from cleanup.records.metrics import push_metrics

        trouble = push_metrics(url.get_secret_value(), self._figures())
        if trouble is None:
            return
        reporter.warn(f"the metrics could not be pushed: {trouble}", kind="push")
        if files:
            self._write_summary()
            self._write_metrics()

    def _figures(self) -> "Figures":
        from cleanup.records.metrics import Figures

        return Figures(self.state.identity.task, self._summary(), self.state.reporter.kinds, time.time())

    def _end_heartbeat(self) -> None:
        if self.heartbeat is not None:
            from cleanup.records.message import message_of

            self.heartbeat.end(int(self._code()), message_of(self._summary()))

    def _end_ledger(self) -> None:
        if self.ledger is None:
            return
        try:
            if self.state.recorder is not None:
                self.state.recorder.end(int(self._code()), self.state.traffic.found)
        finally:
            self.ledger.close()

    def _log_end(self, *, brief: bool) -> None:
        """Log the last line. `brief`: the table right above it says the rest."""
        summary = self._summary()
        fields = {key: summary[key] for key in ("exit_code", "meaning", "stopped_by")}
        if not brief:
            fields["counts"] = summary["counts"]
            fields["reason"] = summary["reason"] and fitting(summary["reason"], REASON_BYTES)
            fields["next"] = summary["next"]
        self.state.reporter.log("run.finished", level="info" if summary["exit_code"] == 0 else "error", **fields)

    def _summary(self) -> dict[str, Any]:
        """The summary as of now."""
        facts = self._facts()
        traffic = self.state.traffic.summary()
        return {**summarize(self.state.identity, facts, self.finished_at, traffic, self._next(facts))}

    def _facts(self) -> Facts:
        return self.state.facts()

    def _code(self) -> ExitCode:
        return exit_code(self._facts())

    def _next(self, facts: Facts) -> str | None:
        settings = self.settings
        end = End(
            exit_code(facts),
            refusal=facts.refusal,
            stopped=facts.stopped_because,
            to_mend=facts.to_mend,
            reads_only=settings.run.dry_run,
            ledger=settings.output.ledger is not None and self.state.identity.mode != "undo",
            leftover=settings.output.leftover,
        )
        return next_step(end, self.again)
