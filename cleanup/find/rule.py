"""Which drafts match, by age, names, and place among their agent's drafts. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from typing import Final

from cleanup.api.drafts import Draft
from cleanup.discard.guards import keeps
from cleanup.lists.rows import parse_time
from cleanup.settings.definitions import Find
from cleanup.settings.values import duration_text

NEVER: Final = datetime.min.replace(tzinfo=UTC)
_ALWAYS: Final = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Rule:
    """Which drafts to find, according to the settings. `keep`: globs of names that are never found."""

    find: Find
    now: datetime
    keep: tuple[str, ...] = ()

    def chosen(self, drafts: Iterable[Draft]) -> list[Draft]:
        """Those of one agent's drafts that match the rule, `find.unchanged` aside: that needs a comparison."""
        all_of_them = list(drafts)
        newest = sorted(all_of_them, key=lambda draft: edited_at(draft) or _ALWAYS, reverse=True)
        left_out = {draft.draft for draft in newest[: self.find.keep_newest or 0]}
        return [draft for draft in all_of_them if draft.draft not in left_out and self.means(draft)]

    def means(self, draft: Draft) -> bool:
        """Whether this draft matches the rule. If the time of its last edit cannot be read, it is not old."""
        find = self.find
        if find.older_than is not None:
            edited = edited_at(draft)
            if edited is None or self.now - edited < timedelta(seconds=find.older_than):
                return False
        if keeps(draft, self.keep) is not None:
            return False
        return _matches(draft.name, find.name) and _matches(draft.editor, find.editor)

    def in_words(self) -> str:
        """The rule as a sentence."""
        find = self.find
        parts = ["open drafts"]
        if find.unchanged:
            parts.append("that change nothing")
        if find.older_than is not None:
            parts.append(f"last edited more than {duration_text(find.older_than)} ago")
        for what, globs in (("name", find.name), ("last editor", find.editor)):
            if globs:
                parts.append(f"whose {what} matches {' or '.join(globs)}")
        parts.append(f"of the agents {', '.join(find.agents)}" if find.agents else "of all agents")
        if find.exclude_agents:
            parts.append(f"except {', '.join(find.exclude_agents)}")
        if find.keep_newest:
            parts.append(f"without the {find.keep_newest} most recently edited of each agent")
        if self.keep:
            parts.append(f"without those named {' or '.join(self.keep)}")
        return " ".join(parts)


def edited_at(draft: Draft) -> datetime | None:
    """The time of a draft's last edit, None if it cannot be read."""
    try:
        return parse_time(draft.updated_at)
    except ValueError:
        return None


def _matches(text: str, globs: tuple[str, ...]) -> bool:
    return not globs or any(fnmatchcase(text, glob) for glob in globs)
