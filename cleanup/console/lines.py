"""A log event as one line for a person, and which events a terminal leaves out. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from cleanup.console.printable import printable

_ROUTINE: Final = ("draft.discarded", "draft.would_discard", "draft.retrying", "rate.changed")
_ROUTINE_SKIPS: Final = ("not_found", "duplicate", "settled", "protected")
_PLACED: Final = ("timestamp", "level", "event", "agent", "draft", "message", "traceback")
_PLAIN: Final = ("reason", "status", "request_id", "source", "cause")
"""Fields whose values are clear without their names."""
_COLOURS: Final = {"error": "31", "warning": "33", "info": "32", "debug": "2"}


def is_routine(event: Mapping[str, Any]) -> bool:
    """Whether an event only repeats, for one draft, what the progress bar and the table show."""
    name = event["event"]
    return name in _ROUTINE or (name == "draft.skipped" and event.get("reason") in _ROUTINE_SKIPS)


def line_of(event: Mapping[str, Any], *, colours: bool) -> str:
    """Time, level, event and details; a traceback follows on lines of its own."""
    name = f"{event['event']:<15}"
    if colours:
        name = f"\x1b[{_COLOURS[event['level']]}m{name}\x1b[0m"
    said = _of_the_end(event) if event["event"] == "run.finished" else _of_anything(event)
    line = f"{event['timestamp']} {event['level']:<7} {name} {printable(said)}".rstrip()
    return "\n".join([line, *(printable(trace) for trace in event.get("traceback", "").splitlines())])


def _of_anything(event: Mapping[str, Any]) -> str:
    """The draft, the fields that have a value, and the message."""
    draft = f"{event['agent']} {event['draft']}" if "draft" in event else ""
    said = " ".join(filter(None, [draft, ", ".join(_details(event))]))
    return ": ".join(filter(None, [said, event.get("message")]))


def _details(event: Mapping[str, Any]) -> Iterator[str]:
    for key, value in event.items():
        if key in _PLACED or value is None or (isinstance(value, dict) and not any(value.values())):
            continue
        if isinstance(value, dict):
            yield _counts(value)
        elif key in _PLAIN:
            yield str(value)
        elif key == "attempts":
            yield f"{value} attempt{'' if value == 1 else 's'}"
        elif key == "seconds":
            yield f"{value:.2f} s"
        else:
            yield f"{key}={value}"


def _of_the_end(event: Mapping[str, Any]) -> str:
    """How a run ended and why, its counts, and what to do next, as far as the event has them."""
    why = f" ({event['stopped_by']})" if event.get("stopped_by") else ""
    said = [
        f"exit {event['exit_code']}{why}: {event['meaning']}",
        event.get("reason"),
        _counts(event.get("counts", {})),
    ]
    return "; ".join(dict.fromkeys(filter(None, [*said, event.get("next")])))


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in counts.items() if count)
