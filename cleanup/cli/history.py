"""The history of drafts as text for people."""

from collections.abc import Iterable, Iterator
from typing import Any

from cleanup.console.printable import printable
from cleanup.records.history import Event
from cleanup.records.latest import DISCARDED, End, overrides, said_by


def history_text(drafts: Iterable[str], events: list[Event]) -> str:
    """A paragraph for each draft: what was done, when and by whom, and the result."""
    return "\n\n".join("\n".join(printable(line) for line in _of(draft, events)) for draft in dict.fromkeys(drafts))


def _of(draft: str, events: list[Event]) -> Iterator[str]:
    concerned = [event for event in events if draft in (event["draft"], event.get("new_draft"))]
    if not concerned:
        yield f"draft {draft}: not in these ledgers"
        return
    agents = dict.fromkeys(event["agent"] for event in concerned)
    for agent in agents:
        yield f"draft {draft} of agent {agent}"
        own = [event for event in concerned if event["agent"] == agent]
        for event in own:
            yield f"  {event['time']}  {_what(event, draft)}"
            if event["type"] == "pair":
                yield from (f"      {line}" for line in _details(event) if line)
        yield f"  {_conclusion([event for event in own if event['draft'] == draft])}"


def _what(event: Event, draft: str) -> str:
    if event["type"] == "proof":
        return "read back: " + ("it is gone" if event.get("gone") else "it is still there")
    if event["draft"] != draft:
        return f"re-created from the copy of draft {event['draft']}"
    return ": ".join(part for part in said_by(event) if part).replace("_", " ")


def _details(event: Event) -> Iterator[str]:
    attempts = event["attempts"]
    yield _joined(
        ("status {}", event["status"]),
        ("1 attempt" if attempts == 1 else "{} attempts", attempts),
        ("request {}", event["request_id"]),
        ("{}", event.get("message")),
    )
    yield _joined(("by {}", event["user"]), ("with a key of {}", _organization(event)), ("at {}", event["base_url"]))
    yield _joined(("run {}", event["run_id"]), ("on {}", event["host"]), ("as {}", event["os_user"]))
    yield _joined(("listed in {}", event["source"] or event["list"]), ("SHA-256 {}", event["list_sha256"]))
    yield _joined(("note: {}", event["note"]))
    yield _joined(("named {}", event["name"]), ("branch {}", event["branch"]), ("last edited {}", event["updated_at"]))
    yield _joined(("copy: {}", event["copy"]))
    yield _joined(("new draft: {}", event["new_draft"]))


def _organization(event: Event) -> str | None:
    name, number = event["organization_name"], event["organization"]
    return f"{name} ({number})" if name and number else name or number


def _joined(*parts: tuple[str, Any]) -> str:
    return ", ".join(words.format(value) for words, value in parts if value is not None)


def _conclusion(own: list[Event]) -> str:
    """The overall result of a draft's events."""
    end: End | None = None
    last: Event = {}
    for event in own:
        if event["type"] == "pair" and (end is None or overrides(said_by(event), end)):
            end, last = said_by(event), event
    if end is None:
        return "nothing more is known about it"
    words = [": ".join(part for part in end if part).replace("_", " ")]
    if end == DISCARDED:
        words.append(
            {True: "read back as gone", False: "read back as still there"}.get(last["verified"], "not read back")
        )
        words.append(f"its copy is {last['copy']}" if last["copy"] else "there is no copy")
        words.append("not restored")
    elif last["new_draft"]:
        words.append(f"the new draft is {last['new_draft']}")
    return "overall: " + ", ".join(words)
