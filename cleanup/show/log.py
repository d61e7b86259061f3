"""The log: structlog to standard error, JSON or for people. The only module that imports structlog."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, Literal, Protocol, TextIO

from cleanup.errors import OutputError
from cleanup.show.streams import give_up

LEVELS: Final = {"debug": 10, "info": 20, "warning": 30, "error": 40}


class Log(Protocol):
    """A bound structlog logger, as far as it is used here."""

    def debug(self, event: str, **fields: Any) -> Any: ...  # noqa: D102
    def info(self, event: str, **fields: Any) -> Any: ...  # noqa: D102
    def warning(self, event: str, **fields: Any) -> Any: ...  # noqa: D102
    def error(self, event: str, **fields: Any) -> Any: ...  # noqa: D102
    def bind(self, **fields: Any) -> "Log": ...  # noqa: D102


class Output:
    """Where the log goes. With `quiet` it is held back, and shown only if the run does not end well."""

    def __init__(self, stream: TextIO, *, quiet: bool) -> None:
        self.stream = stream
        self._held: list[str] | None = [] if quiet else None
        self.trouble: OSError | None = None

    def msg(self, message: str) -> None:
        """Write one line. Raises OutputError, once; from then on the log is given up."""
        if self._held is not None:
            self._held.append(message)
        else:
            self._write(message + "\n")

    log = debug = info = warning = warn = error = critical = exception = failure = fatal = msg

    def show(self) -> None:
        """Write what was held back, and hold nothing back from now on."""
        held, self._held = self._held, None
        if held:
            self._write("\n".join(held) + "\n")

    def _write(self, text: str) -> None:
        if self.trouble is not None:
            return
        try:
            self.stream.write(text)
            self.stream.flush()
        except (OSError, ValueError) as error:
            self.trouble = error if isinstance(error, OSError) else OSError(0, str(error))
            give_up(sys.stderr)
            raise OutputError(f"the log could not be written to standard error: {self.trouble.strerror}") from None


def make_log(
    output: Output,
    style: Literal["json", "console"],
    level: str,
    hide: Callable[[str], str],
    *,
    colours: bool,
) -> Log:
    """A logger that writes to `output`; `hide` takes secrets out of every text."""
    # structlog loads rich wherever it finds it, for tracebacks that are never shown here: a fifth of the whole start.
    with _hidden("rich"):
        import structlog

    def redact(_logger: Any, _method: str, event: dict[str, Any]) -> dict[str, Any]:
        return {key: hide(value) if isinstance(value, str) else value for key, value in event.items()}

    processors: list[Any] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        redact,
    ]
    if style == "json":
        processors.append(structlog.processors.JSONRenderer(default=str))
    else:
        processors[1] = structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=False)
        processors.append(_drop_empty)
        processors.append(
            structlog.dev.ConsoleRenderer(
                colors=colours,
                pad_event_to=18,
                sort_keys=False,
                exception_formatter=structlog.dev.plain_traceback,
            )
        )
    logger: Log = structlog.wrap_logger(
        output,
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        cache_logger_on_first_use=True,
    )
    return logger


@contextmanager
def _hidden(module: str) -> Iterator[None]:
    """Meanwhile, importing the module fails as if it were not installed."""
    loaded = sys.modules.get(module)
    sys.modules[module] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules[module]
        if loaded is not None:
            sys.modules[module] = loaded


def _drop_empty(_logger: Any, _method: str, event: dict[str, Any]) -> dict[str, Any]:
    """A program looks for every field, a person for what there is to say."""
    return {key: value for key, value in event.items() if value is not None and not _all_zero(value)}


def _all_zero(value: object) -> bool:
    return isinstance(value, dict) and not any(value.values())


def wants_colours(stream: TextIO, environ: dict[str, str]) -> bool:
    """Colours only on a terminal, and never with NO_COLOR."""
    return stream.isatty() and not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"
