"""Pure: what speaks against a draft's discard, by what the API says of it right before. Dry runs ask the same."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from cleanup.lists.rows import parse_time
from cleanup.model import Ending, Pair
from cleanup.settings.definitions import Guard

if TYPE_CHECKING:
    from cleanup.api.atoms import Draft

Objection = tuple[Ending, str]


@dataclass(frozen=True, slots=True)
class Guards:
    """What has to be so before a draft goes. `now` tells the time."""

    settings: Guard
    now: Callable[[], datetime] = lambda: datetime.now(UTC)

    def need_check(self, *, dated: bool) -> bool:
        """Whether a guard has to see the draft, which costs a request on the older model.

        `dated`: the list has the time of its last edit. A copy makes the job check anyway.
        """
        return dated or self.settings.min_idle is not None or self.settings.backup is not None

    def objection(self, pair: Pair, draft: "Draft") -> Objection | None:
        """Why the draft must stay, as an ending and a sentence; None if it may go."""
        if draft.publishing:
            return Ending.PUBLISHING, "a publish of this draft is under way"
        return self._by_age(pair, draft)

    def _by_age(self, pair: Pair, draft: "Draft") -> Objection | None:
        min_idle = self.settings.min_idle
        if min_idle is None and pair.updated_at is None:
            return None
        try:
            edited = parse_time(draft.updated_at)
        except ValueError:
            return Ending.UNEXPECTED_RESPONSE, "the draft's last edit, which a guard needs, cannot be read"
        if pair.updated_at is not None and edited > pair.updated_at:
            return Ending.CHANGED, f"edited {draft.updated_at}, after the list was made"
        if min_idle is not None and self.now() - edited < timedelta(seconds=min_idle):
            return Ending.RECENTLY_EDITED, f"edited {draft.updated_at}"
        return None
