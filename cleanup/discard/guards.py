"""Decides whether a guard forbids a discard, by the draft's state right before it; also for dry runs. Pure."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from cleanup.lists.rows import parse_time
from cleanup.model import Ending, Pair
from cleanup.settings.definitions import Guard

if TYPE_CHECKING:
    from cleanup.api.drafts import Draft

Objection = tuple[Ending, str]


@dataclass(frozen=True, slots=True)
class Guards:
    """What must be true before a draft is discarded. `now`: the clock."""

    settings: Guard
    now: Callable[[], datetime] = lambda: datetime.now(UTC)

    def need_check(self, *, dated: bool) -> bool:
        """Whether a guard needs to see the draft, which costs a request on the older model.

        `dated`: the list has the time of its last edit. With `guard.backup` the draft is always checked.
        """
        settings = self.settings
        return dated or settings.min_idle is not None or settings.backup is not None or bool(settings.keep)

    def objection(self, pair: Pair, draft: "Draft") -> Objection | None:
        """Why the draft must stay, as an ending and a sentence; None if it may be discarded."""
        if draft.publishing:
            return Ending.PUBLISHING, "a publish of this draft is under way"
        glob = keeps(draft, self.settings.keep)
        if glob is not None:
            return Ending.KEPT, f"its name matches {glob!r} of guard.keep"
        return self._by_age(pair, draft)

    def _by_age(self, pair: Pair, draft: "Draft") -> Objection | None:
        min_idle = self.settings.min_idle
        if min_idle is None and pair.updated_at is None:
            return None
        try:
            edited = parse_time(draft.updated_at)
        except ValueError:
            return Ending.UNEXPECTED_RESPONSE, "the time of the draft's last edit, which a guard needs, cannot be read"
        if pair.updated_at is not None and edited > pair.updated_at:
            return Ending.CHANGED, f"edited {draft.updated_at}, after the list was made"
        if min_idle is not None and self.now() - edited < timedelta(seconds=min_idle):
            return Ending.RECENTLY_EDITED, f"edited {draft.updated_at}"
        return None


def keeps(draft: "Draft", globs: Iterable[str]) -> str | None:
    """The glob of `guard.keep` that the name of this draft, or of its branch, matches; None if none does."""
    names = [name for name in (draft.name, draft.branch_name) if name]
    return next((glob for glob in globs if any(fnmatchcase(name, glob) for name in names)), None)
