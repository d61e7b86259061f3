"""Makes a draft anew on the branch model: on a branch of its own, never on one where a draft may be open."""

from collections.abc import Iterable, Iterator
from typing import Final

from cleanup.api.atoms import Atoms
from cleanup.api.drafts import BadShape, Branch, Drafts, latest_in, new_branch_in, new_draft_in, open_drafts_in
from cleanup.api.reply import Reply
from cleanup.model import Ending
from cleanup.undo.naming import branch_name
from cleanup.undo.steps import Ended, Fork, Steps

NO_SOURCE: Final = "the branches of some drafts are gone, or unknown: these drafts are made from the default branch"


class ByBranch:
    """The steps on the branch model. The branch keeps its name, by which it is found again."""

    def __init__(self, steps: Steps) -> None:
        self._steps = steps
        self._name = branch_name(steps.draft)

    def made_before(self, drafts: Drafts) -> Iterator[Fork]:
        """The branch that an earlier undo has made for this draft."""
        yield from (self._fork(branch) for branch in drafts.branches if branch.name == self._name)

    def _fork(self, branch: Branch) -> Fork:
        return Fork(branch.draft, self._name, branch.branch)

    def may_write(self, fork: Fork) -> bool:
        """Whether the branch may be written to: not if a draft is open there, which may be somebody's."""
        return not fork.draft

    async def source(self, drafts: Drafts) -> str:
        """The branch to fork: the draft's own, or the default one. Raises Ended."""
        own = (self._steps.copy.branch or {}).get("_id")
        for branch in drafts.branches:
            if branch.branch == own:
                return branch.branch
        for branch in drafts.branches:
            if branch.is_default:
                self._steps.warn(NO_SOURCE, kind="undo_source")
                return branch.branch
        raise Ended(Ending.NOT_RESTORABLE, "the agent has neither the draft's branch nor a default one to fork")

    async def make(self, source: str) -> Fork | None:
        """Make the branch. Raises Ended, Unanswered, BadShape, Stopped."""
        steps, lost = self._steps, False
        found: Branch | None = None

        async def attempt(api: Atoms) -> Reply:
            nonlocal lost, found
            if lost:  # the request may have been carried out: look for the name before it is sent again
                listed = await api.branches(steps.agent)
                found = self._named(listed)
                if found is not None or listed.data is None:
                    return listed
            reply = await api.create_branch(steps.agent, source, self._name)
            lost = lost or reply.lost
            return reply

        reply = await steps.write(attempt)
        if reply.error_type == "branch_name_exists":
            now = steps.workspace.now()
            listing = await steps.workspace.listing(steps.caller, steps.agent, since=now)
            found = self._among(listing.drafts.branches if listing.drafts else ())
        if found is not None:
            return self._fork(found)
        branch = new_branch_in(reply)
        if branch:
            return Fork("", self._name, branch)
        match reply.error_type:
            case "source_has_no_commit":
                raise Ended(Ending.NOT_RESTORABLE, "its branch has no revision that could be forked")
            case "source_scanning":
                raise Ended(Ending.BUSY, "its branch is being checked by the API before a publish")
            case _:
                raise Ended(steps.failure(reply))

    def _named(self, listed: Reply) -> Branch | None:
        """The branch of this name in an answer of `branches`, if there is one."""
        try:
            drafts = open_drafts_in(listed, self._steps.agent)
        except BadShape:
            return None
        return self._among(drafts.branches)

    def _among(self, branches: Iterable[Branch]) -> Branch | None:
        return next((branch for branch in branches if branch.name == self._name), None)

    async def write(self, fork: Fork, body: dict[str, object]) -> Fork:
        """Open a draft with this configuration, unless one is open: a write would merge into it.

        Returns the fork with the draft that is open then. Raises Ended, BadShape, Stopped.
        """
        steps = self._steps

        async def attempt(api: Atoms) -> Reply:
            opened = (await api.open_draft(steps.agent, fork.branch)).disown_missing_route()
            return await api.configure_open_draft(steps.agent, fork.branch, body) if opened.not_found else opened

        reply = await steps.change(attempt, requests=2)
        draft = new_draft_in(reply)
        if not draft:
            if "latest" not in (reply.written or {}):  # it was written, and the answer does not say which draft it is
                reply = await steps.read(lambda api: api.open_draft(steps.agent, fork.branch))
            draft = latest_in(reply, steps.agent).draft
        steps.originals.made.add(draft)
        return Fork(draft, fork.name, fork.branch)

    async def complete(self, fork: Fork) -> None:
        """Nothing is left to do: the branch keeps its name."""
