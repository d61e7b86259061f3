"""Makes a draft anew on the older model: forked from the version it was made from, and found again by its name."""

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from cleanup.api.atoms import Atoms, active_version_in
from cleanup.api.drafts import BadShape, Draft, Drafts, drafts_in, new_draft_in
from cleanup.api.reply import Reply
from cleanup.discard import verdict
from cleanup.lists.ids import is_draft
from cleanup.lists.rows import parse_time
from cleanup.model import Ending
from cleanup.undo.naming import MOST, working_name
from cleanup.undo.steps import Ended, Fork, Steps

NO_SOURCE: Final = (
    "the copies of some drafts do not say what these were made from: they are made from the active version"
)


class ByDraft:
    """The steps on the older model. Until a draft is complete, its name says what it was made for."""

    def __init__(self, steps: Steps) -> None:
        self._steps = steps
        self._name = working_name(steps.name, steps.draft)

    def made_before(self, drafts: Drafts) -> Iterator[Fork]:
        """The drafts that an earlier undo may have made for this one: by the working name, or complete by its own.

        A complete one is in the ledger, unless its run was killed right before it was recorded.
        """
        steps, own = self._steps, _final_name(self._steps)
        for draft in drafts.by_id.values():
            if draft.name == self._name:
                yield Fork(draft.draft)
        for draft in drafts.by_id.values():
            if own and draft.name == own and draft.draft not in steps.originals.made and _is_later(draft, steps):
                yield Fork(draft.draft, is_certain=False)

    def may_write(self, fork: Fork) -> bool:
        """Whether a fork that differs may be written. Not if it is recorded so: it may have been edited since."""
        return fork.draft != self._steps.original.fork

    async def source(self, _drafts: Drafts) -> str:
        """The version to make the draft from. Raises Ended, Stopped."""
        steps = self._steps
        version = steps.copy.latest.get("sourceVersionId")
        if isinstance(version, str) and is_draft(version):
            return version
        steps.warn(NO_SOURCE, kind="undo_source")
        reply = await steps.read(lambda api: api.agent(steps.agent))
        if reply.data is None:
            raise Ended(verdict.of_read(reply))
        active = active_version_in(reply)
        if not active:
            raise Ended(Ending.NOT_RESTORABLE, "the agent has no active version to make the draft from")
        return active

    async def make(self, version: str) -> Fork | None:
        """Make the draft; None if the workspace turns out to be on the branch model. Raises Ended, Stopped."""
        steps, lost, found = self._steps, False, ""

        async def attempt(api: Atoms) -> Reply:
            nonlocal lost, found
            if lost:  # the request may have been carried out: look for the name before it is sent again
                listed = await api.drafts(steps.agent)
                found = self._named(listed)
                if found or listed.data is None:
                    return listed
            reply = await api.create_draft(steps.agent, version, self._name)
            lost = lost or reply.lost
            return reply

        reply = await steps.write(attempt)
        found = found or new_draft_in(reply)
        if found:
            steps.originals.made.add(found)
            return Fork(found)
        if reply.asks_for_migration:
            if steps.workspace.follow():
                return None
            raise Ended(Ending.MIGRATION_REQUIRED)
        if reply.not_found:
            raise Ended(Ending.NOT_RESTORABLE, f"the API has no version {version} to make it from: {reply.message}")
        raise Ended(verdict.of_read(reply))

    def _named(self, listed: Reply) -> str:
        """The draft with the working name in an answer of `drafts`; empty if there is none."""
        try:
            drafts = drafts_in(listed, self._steps.agent)
        except BadShape:
            return ""
        return next((draft.draft for draft in drafts.by_id.values() if draft.name == self._name), "")

    async def write(self, fork: Fork, body: dict[str, object]) -> Fork:
        """Write the configuration. Raises Ended, Stopped."""
        steps = self._steps
        if body:
            await steps.change(lambda api: api.configure_draft(steps.agent, fork.draft, body))
        return fork

    async def complete(self, fork: Fork) -> None:
        """Give the draft its own name. Raises Ended, Stopped."""
        steps, name = self._steps, _final_name(self._steps)
        if fork.is_certain and name:
            await steps.change(lambda api: api.rename_draft(steps.agent, fork.draft, name))


def _final_name(steps: Steps) -> str:
    """The name that the draft gets in the end: its own, as far as the API takes it; empty if it is unknown."""
    return steps.name[:MOST]


def _is_later(draft: Draft, steps: Steps) -> bool:
    """Whether a draft was made after the discard: one that was there before is another one of the same name."""
    try:
        made_at: datetime = parse_time(draft.created_at)
    except ValueError:
        return False
    return made_at >= steps.original.discarded_at
