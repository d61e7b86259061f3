"""The log: structlog to standard error, JSON or for people. The only module that imports structlog."""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, Literal, Protocol, TextIO

from cleanup.console.lines import is_routine, line_of
from cleanup.console.streams import give_up
from cleanup.errors import OutputError

LEVELS: Final = {"debug": 10, "info": 20, "warning": 30, "error": 40}


class Log(Protocol):
    """The part of a bound structlog logger that is used here."""

    def debug(self, event: str, **fields: Any) -> Any: ...  # noqa: D102
    def info(self, event: str, **fields: Any) -> Any: ...  # noqa: D102
    def warning(self, event: str, **fields: Any) -> Any: ...  # noqa: D102
    def error(self, event: str, **fields: Any) -> Any: ...  # noqa: D102
    def bind(self, **fields: Any) -> "Log": ...  # noqa: D102


class Output:
    """Where the log goes. With `quiet` it is buffered, and written only if the run does not end well."""

    def __init__(self, stream: TextIO, *, quiet: bool) -> None:
        self.stream = stream
        self._held: list[str] | None = [] if quiet else None
        self.trouble: OSError | None = None

    def msg(self, message: str) -> None:
        """Write one line. Raises OutputError at the first failure, and writes nothing after it."""
        if self._held is not None:
            self._held.append(message)
        else:
            self._write(message + "\n")

    log = debug = info = warning = warn = error = critical = exception = failure = fatal = msg

    def show(self) -> None:
        """Write what was buffered, and buffer nothing from now on."""
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
    # structlog imports rich if it can, for tracebacks that are never shown here. That takes a fifth of the start-up.
    with _hidden("rich"):
        import structlog

    def redact(_logger: Any, _method: str, event: dict[str, Any]) -> dict[str, Any]:
        return {key: hide(value) if isinstance(value, str) else value for key, value in event.items()}

    def leave_out_routine(_logger: Any, _method: str, event: dict[str, Any]) -> dict[str, Any]:
        if is_routine(event):
            raise structlog.DropEvent
        return event

    def render(_logger: Any, _method: str, event: dict[str, Any]) -> str:
        return line_of(event, colours=colours)

    encode = json.JSONEncoder(default=str).encode

    def render_json(_logger: Any, _method: str, event: dict[str, Any]) -> str:
        return encode(event).replace("\x7f", "\\u007f")  # the one control character that JSON leaves as it is

    processors: list[Any] = [structlog.processors.add_log_level]
    if style == "json":
        processors += [structlog.processors.TimeStamper(fmt="iso", utc=True), redact, render_json]
    else:
        processors += [leave_out_routine] if output.stream.isatty() and LEVELS[level] > LEVELS["debug"] else []
        processors += [structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=False), redact, render]
    logger: Log = structlog.wrap_logger(
        output,
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        cache_logger_on_first_use=True,
    )
    return logger


@contextmanager
def _hidden(module: str) -> Iterator[None]:
    """Within the block, importing the module fails as if it were not installed."""
    loaded = sys.modules.get(module)
    sys.modules[module] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules[module]
        if loaded is not None:
            sys.modules[module] = loaded


def wants_colours(stream: TextIO, environ: dict[str, str]) -> bool:
    """Colours only on a terminal, and never with NO_COLOR."""
    return stream.isatty() and not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"
