"""What a draft changes, parsed from the API's answer to a comparison. Pure.

The older model is documented to return sections with their state before and after. An older client of the vendor's
and the branch model have a list of changes with paths. Both forms are accepted.
"""

from dataclasses import dataclass
from typing import Any

from cleanup.api.drafts import BadShape, text_of
from cleanup.api.reply import Reply


@dataclass(frozen=True, slots=True)
class Change:
    """A part of the configuration that the draft changes. `path` is empty for a whole section."""

    section: str
    path: str
    before: object
    after: object


def changes_in(reply: Reply) -> tuple[Change, ...]:
    """What a draft changes. Empty only if the API says explicitly that nothing changed. Raises BadShape."""
    data = reply.data
    if isinstance(data, dict) and isinstance(data.get("diffs"), list):
        return tuple(change for diff in data["diffs"] for change in _by_path(diff))
    if isinstance(data, dict) and isinstance(data.get("sections"), dict):
        changes = tuple(change for name, section in data["sections"].items() for change in _by_section(name, section))
        if data.get("hasChanges") is not bool(changes):
            raise BadShape("a comparison whose sections do not agree with its hasChanges")
        return changes
    raise BadShape("an answer without a comparison")


def _by_path(diff: object) -> list[Change]:
    if not isinstance(diff, dict) or not isinstance(diff.get("changes"), list):
        raise BadShape("a comparison with a section that has no list of changes")
    section = text_of(diff.get("section")) or "?"
    changes = [change for change in diff["changes"] if isinstance(change, dict)]
    return [
        Change(section, text_of(change.get("path")), change.get("oldValue"), change.get("newValue"))
        for change in changes
    ] or [Change(section, "", None, None)]


def _by_section(name: Any, section: object) -> list[Change]:
    if not isinstance(section, dict) or not isinstance(section.get("changed"), bool):
        raise BadShape("a comparison with a section that does not say whether it changed")
    return [Change(text_of(name), "", section.get("before"), section.get("after"))] if section["changed"] else []
