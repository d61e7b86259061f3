"""Says what happens in a run: to the log, and what is worth a warning to the summary and the metrics as well."""

from collections import Counter
from typing import Any, Final

from cleanup.api.reply import Reply
from cleanup.console.log import Log
from cleanup.errors import JobError, OutputError, SettingsError
from cleanup.model import Outcome, Result, StopCause
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


class Reporter:
    """There from a run's start to its end. A log that cannot be written stops the run.

    `warnings`: the sentences that the summary shows. `kinds`: how many of each kind of warning the metrics count.
    `unwritten`: what could not be written, a sentence each. `met_a_bug`: whether this program has failed.
    """

    def __init__(self, log: Log, stop: Stop) -> None:
        self.warnings: list[str] = []
        self.kinds: Counter[str] = Counter()
        self.unwritten: list[str] = []
        self.met_a_bug = False
        self._log = log
        self._stop = stop
        self._announced: set[str] = set()

    def log(self, event: str, **fields: Any) -> None:
        """Log an event; `level` only where it is not the event's usual one."""
        level = fields.pop("level", None) or _LEVELS.get(event, "info")
        try:
            getattr(self._log, level)(event, **fields)
        except OutputError as error:
            self.could_not_write(str(error))

    def log_api(self, event: str, **fields: Any) -> None:
        """Log an event of the layer that talks to the API."""
        if "subject" in fields:
            subject, reply = fields.pop("subject"), fields.pop("reply")
            fields = {"agent": subject.agent, "draft": subject.draft} | _of_reply(reply) | fields
        self.log(event, **fields)

    def log_result(self, result: Result) -> None:
        """Log how a pair ended."""
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
        self.log(f"draft.{result.ending.outcome}", **fields, **result.details)

    def log_bad_row(self, source: str, reason: str) -> None:
        """Name a row that refuses the list."""
        self.log("list.invalid", source=source, reason=reason)

    def log_error(self, error: JobError, settings_event: str) -> None:
        """Say what ends the run. `settings_event`: the event for each problem with the settings."""
        if isinstance(error, SettingsError):
            for problem in error.problems:
                self.log(settings_event, level="error", message=problem)
        else:
            self.log("run.stopping", level="error", message=str(error))

    def log_bug(self, bug: Exception, **fields: Any) -> None:
        """Say that this program has failed."""
        self.met_a_bug = True
        self.log("run.bug", message=f"a bug in this program: {bug!r}", **fields)

    def warn(self, sentence: str, *, kind: str = "other") -> None:
        """Warn, once, of what would otherwise fail in silence: in the log, the summary and, by kind, the metrics."""
        if sentence not in self.warnings:
            self.warnings.append(sentence)
            self.kinds[kind] += 1
            self.log("run.warning", message=sentence)

    def note(self, sentence: str) -> None:
        """Say, once, what is not a warning but belongs in the summary."""
        if sentence not in self.warnings:
            self.warnings.append(sentence)
            self.log("run.info", message=sentence)

    def warn_of_end(self, name: str, value: str) -> None:
        """The API sent a Deprecation or Sunset header: a warning, once, as its date may differ between answers."""
        if name not in self._announced:
            self._announced.add(name)
            self.warn(f"the API announces the end of an endpoint: {name}: {value}", kind="deprecation")

    def could_not_write(self, sentence: str) -> None:
        """Something could not be written: the run stops if it is still going on, and ends with 74 in any case."""
        if sentence not in self.unwritten:
            self.unwritten.append(sentence)
        self._stop.request(StopCause.OUTPUT, sentence)


def _of_reply(reply: Reply) -> dict[str, Any]:
    return {
        "reason": reply.failure.reason,
        "status": reply.status,
        "seconds": round(reply.seconds, 4),
        "request_id": reply.request_id,
        "message": reply.message,
    }
