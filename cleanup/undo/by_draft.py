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
from cleanup.undo.naming import cut, working_name
from cleanup.undo.steps import Ended, Fork, Steps

NO_SOURCE: Final = (
    "the copies of some drafts do not say what these were made from: they are made from the active version"
)


class ByDraft:
    """The steps on the older model. Until a draft is complete, its name says what it was made for."""

    def __init__(self, steps: Steps) -> None:
        self._steps = steps
        self._name = working_name(steps.name, steps.draft)
        self._lost = False

    def made_before(self, drafts: Drafts) -> Iterator[Fork]:
        """The drafts that an earlier undo may have made for this one: by working name, ledger, and own name.

        A draft gets its own name last. A run that ends before the answer leaves it in the ledger as made and not
        restored; one that is killed right before it is recorded leaves no line at all.
        """
        steps, own = self._steps, _final_name(self._steps)
        for draft in drafts.by_id.values():
            if draft.name == self._name:
                yield Fork(draft.draft, draft.name)
        recorded = drafts.by_id.get(steps.original.fork)
        if recorded is not None and recorded.name != self._name:
            yield Fork(recorded.draft, recorded.name)
        for draft in drafts.by_id.values():
            if own and draft.name == own and draft.draft not in steps.originals.made and _is_later(draft, steps):
                yield Fork(draft.draft, draft.name, is_certain=False)

    def may_write(self, fork: Fork) -> bool:
        """Whether a fork that differs may be written. Not if it was complete, or recorded so: it was edited since."""
        original = self._steps.original
        return fork.name == self._name and not (original.differs and fork.draft == original.fork)

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
        steps, found = self._steps, ""

        async def attempt(api: Atoms) -> Reply:
            nonlocal found
            if self._lost:  # the request may have been carried out: look for the name before it is sent again
                listed = await api.drafts(steps.agent)
                found = next(iter(self._named(listed)), "")
                if found or listed.data is None:
                    return listed
            reply = await fork(api)
            if reply.not_found:  # nothing is taken for gone on one witness: a gateway may have said it
                reply = await fork(api) if (await api.agent(steps.agent)).ok else reply.disown()
            return reply

        async def fork(api: Atoms) -> Reply:
            reply = await api.create_draft(steps.agent, version, self._name)
            self._lost = self._lost or reply.lost
            return reply

        reply = await steps.write(attempt)
        found = found or new_draft_in(reply)
        if found:
            steps.originals.made.add(found)
            return Fork(found, self._name)
        if reply.asks_for_migration:
            if steps.workspace.follow():
                return None
            raise Ended(Ending.MIGRATION_REQUIRED)
        if reply.not_found:
            raise Ended(Ending.NOT_RESTORABLE, f"the API has no version {version} to make it from: {reply.message}")
        raise Ended(verdict.of_read(reply))

    def _named(self, listed: Reply) -> list[str]:
        """The drafts with the working name in an answer of `drafts`."""
        try:
            drafts = drafts_in(listed, self._steps.agent)
        except BadShape:
            return []
        return [draft.draft for draft in drafts.by_id.values() if draft.name == self._name]

    async def write(self, fork: Fork, body: dict[str, object]) -> Fork:
        """Write the configuration. Raises Ended, Stopped."""
        steps = self._steps
        if body:
            await steps.change(lambda api: api.configure_draft(steps.agent, fork.draft, body))
        return fork

    async def complete(self, fork: Fork) -> None:
        """Give the draft its own name. Raises Ended, Stopped."""
        steps, name = self._steps, _final_name(self._steps)
        if self._lost:  # a request that was given up may have been carried out after the list was read
            others = set(self._named(await steps.read(lambda api: api.drafts(steps.agent)))) - {fork.draft}
            if others:
                sentence = f"a request was carried out so late that there is one more: discard {', '.join(others)}"
                steps.warn(f"agent {steps.agent}, {self._name}: {sentence}", kind="undo_twice")
        if name and fork.name == self._name:
            await steps.change(lambda api: api.rename_draft(steps.agent, fork.draft, name))


def _final_name(steps: Steps) -> str:
    """The name that the draft gets in the end: its own, as far as the API takes it; empty if it is unknown."""
    return cut(steps.name)


def _is_later(draft: Draft, steps: Steps) -> bool:
    """Whether a draft was made after the discard: one that was there before is another one of the same name."""
    try:
        made_at: datetime = parse_time(draft.created_at)
    except ValueError:
        return False
    return made_at >= steps.original.discarded_at
