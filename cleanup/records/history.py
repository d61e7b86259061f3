"""Everything that ledgers say about a draft, in order of time."""

import json
from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any, Final, NamedTuple

from cleanup.lists.rows import parse_time
from cleanup.records.latest import DISCARDED, RESTORED, said_by
from cleanup.records.lines import Damage, Line, Progress, Spoilt, read_lines, silent

Event = dict[str, Any]
"""A line about a draft, with its file, its line number and the fields of its run line."""
_OF_THE_RUN: Final = (
    *("mode", "version", "host", "os_user", "user", "organization", "organization_name", "base_url"),
    *("list", "list_sha256", "note"),
)
_OF_A_PAIR: Final = (
    *("outcome", "reason", "status", "attempts", "seconds", "request_id", "source"),
    *("name", "branch", "updated_at", "copy", "new_draft"),
)


class History(NamedTuple):
    """What was found, and the lines that could not be read."""

    events: list[Event]
    damage: Damage


def read_history(
    paths: Iterable[str],
    drafts: Collection[str],
    since: datetime | None = None,
    agents: Collection[str] = (),
    progress: Progress = silent,
) -> History:
    """Read what ledgers say about these drafts, including where one was recreated. Raises SettingsError."""
    damage, runs, found = Damage(), dict[str, Line](), dict[str, tuple[datetime, Event]]()
    for path in dict.fromkeys(paths):
        for number, line in read_lines(path, damage, progress):
            if line["type"] == "run":
                runs[str(line.get("run_id"))] = {key: line.get(key) for key in _OF_THE_RUN}
            elif line["type"] != "end" and (line["draft"] in drafts or line.get("new_draft") in drafts):
                try:
                    time, _ = parse_time(str(line.get("time"))), said_by(line)
                except ValueError:
                    damage.add(path, number, Spoilt.UNKNOWN)
                    continue
                if (since is None or time >= since) and (not agents or line["agent"] in agents):
                    event = {"ledger": path, "line": number} | line
                    found.setdefault(json.dumps(line, sort_keys=True), (time, event))
    ordered = [event for _, event in sorted(found.values(), key=lambda each: each[0])]
    nothing = dict.fromkeys(_OF_THE_RUN)
    events = [_judged(event, ordered) | (runs.get(str(event.get("run_id"))) or nothing) for event in ordered]
    return History(events, damage)


def _judged(event: Event, events: list[Event]) -> Event:
    """Complete the event of a pair. A discard also gets whether it was read back as gone, and whether it was undone."""
    if event["type"] == "proof":
        return event
    event = dict.fromkeys(_OF_A_PAIR) | event
    if said_by(event) != DISCARDED:
        return event
    same = [other for other in events if (other["agent"], other["draft"]) == (event["agent"], event["draft"])]
    read_back = [other.get("gone") for other in same if other["type"] == "proof" and _run(other) == _run(event)]
    undone = any(other.get("outcome") == RESTORED[0] for other in same)
    return event | {"verified": read_back[-1] if read_back else None, "undone": undone}


def _run(event: Event) -> Any:
    return event.get("run_id")
