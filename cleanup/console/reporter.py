"""Reports what happens in a run to the log, and warnings to the summary and the metrics as well."""

from collections import Counter
from typing import Any, Final, Unpack, cast

from cleanup.api.reply import Reply
from cleanup.console.events import DraftFields, DraftName, Fields, Level, Name
from cleanup.console.log import Log
from cleanup.errors import JobError, OutputError, SettingsError
from cleanup.model import Outcome, Result, StopCause
from cleanup.stop import Stop

_LEVELS: Final[dict[str, Level]] = {
    "draft.failed": "error",
    "list.invalid": "error",
    "outage.began": "warning",
    "rate.paused": "warning",
    "run.bug": "error",
    "run.stopping": "warning",
    "run.warning": "warning",
}


class Reporter:
    """Reports for a whole run. If the log cannot be written, it stops the run.

    `warnings`: sentences for the summary. `kinds`: the number of warnings of each kind, for the metrics.
    `unwritten`: a sentence for each file that could not be written. `met_a_bug`: whether a bug was met.
    """

    def __init__(self, log: Log, stop: Stop) -> None:
        self.warnings: list[str] = []
        self.kinds: Counter[str] = Counter()
        self.unwritten: list[str] = []
        self.met_a_bug = False
        self._log = log
        self._stop = stop
        self._announced: set[str] = set()

    def log(self, event: Name, *, level: Level | None = None, **fields: Unpack[Fields]) -> None:
        """Log an event of the run; `level` only if it differs from the event's usual one."""
        self._say(level or _LEVELS.get(event, "info"), event, {**fields})

    def _say(self, level: Level, event: str, fields: dict[str, Any]) -> None:
        try:
            getattr(self._log, level)(event, **fields)
        except OutputError as error:
            self.could_not_write(str(error))

    def log_api(self, event: Name | DraftName, **fields: Any) -> None:
        """Log an event of the layer that talks to the API."""
        if "subject" in fields:
            subject, reply = fields.pop("subject"), fields.pop("reply")
            fields = {"agent": subject.agent, "draft": subject.draft} | _of_reply(reply) | fields
        self._say(_LEVELS.get(event, "info"), event, fields)

    def log_result(self, result: Result) -> None:
        """Log how a pair ended."""
        fields: DraftFields = {
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
        event = cast("DraftName", f"draft.{result.ending.outcome}")
        self._say(_LEVELS.get(event, "info"), event, {**fields, **result.details})

    def log_bad_row(self, source: str, reason: str) -> None:
        """Log a bad row, because of which the list is refused."""
        self.log("list.invalid", source=source, reason=reason)

    def log_error(self, error: JobError, settings_event: Name) -> None:
        """Log the error that ends the run. `settings_event`: the event for each problem with the settings."""
        if isinstance(error, SettingsError):
            for problem in error.problems:
                self.log(settings_event, level="error", message=problem)
        else:
            self.log("run.stopping", level="error", message=str(error))

    def log_bug(self, bug: Exception, **fields: Any) -> None:
        """Log a bug in this program."""
        self.met_a_bug = True
        self.log("run.bug", message=f"a bug in this program: {bug!r}", **fields)

    def warn(self, sentence: str, *, kind: str = "other") -> None:
        """Warn, once, in the log, in the summary and, by kind, in the metrics."""
        if sentence not in self.warnings:
            self.warnings.append(sentence)
            self.kinds[kind] += 1
            self.log("run.warning", message=sentence)

    def note(self, sentence: str) -> None:
        """Log, once, something that is not a warning but belongs in the summary."""
        if sentence not in self.warnings:
            self.warnings.append(sentence)
            self.log("run.info", message=sentence)

    def warn_of_end(self, name: str, value: str) -> None:
        """Warn of a Deprecation or Sunset header, once, since its date may differ between answers."""
        if name not in self._announced:
            self._announced.add(name)
            self.warn(f"the API announces the end of an endpoint: {name}: {value}", kind="deprecation")

    def could_not_write(self, sentence: str) -> None:
        """Note that something could not be written: the run stops, and ends with 74 in any case."""
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
