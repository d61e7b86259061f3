"""Makes one discarded draft anew from its copy, in steps that can be repeated: fork, write, read back, compare.

The API cannot bring a draft back, and has no key that makes a request safe to repeat. So what is made gets a name that
contains the discarded draft's id, and is looked for by this name before anything is made.
"""

from typing import Final

from cleanup.api.drafts import BadShape, Drafts
from cleanup.api.retry import Caller
from cleanup.discard import verdict
from cleanup.discard.evidence import Evidence
from cleanup.discard.workspace import Unanswered
from cleanup.model import Ending, Pair, Result
from cleanup.records.backup import Copy
from cleanup.stop import Stopped
from cleanup.undo.by_branch import ByBranch
from cleanup.undo.by_draft import ByDraft
from cleanup.undo.copies import NoCopy, read_copy
from cleanup.undo.fields import GRAPH, differences, is_too_deep, to_write
from cleanup.undo.steps import Ended, Fork, Restoring, Steps

GRAPH_TYPE: Final = "workflow_graph"


class Restore:
    """A draft being restored."""

    def __init__(self, pair: Pair, caller: Caller, shared: Restoring) -> None:
        self.pair = pair
        self._caller = caller
        self._shared = shared
        self._evidence = Evidence(pair)
        self._steps: Steps | None = None

    async def run(self) -> Result | None:
        """Restore the draft. Returns None if the run stopped before anything was made."""
        try:
            await self._restore()
        except Ended as end:
            result = self._evidence.result(end.ending, end.why)
        except Stopped:
            return self._left_off()
        except BadShape as error:
            result = self._evidence.result(Ending.UNEXPECTED_RESPONSE, str(error))
        except Unanswered as error:
            result = self._evidence.result(verdict.of_read(self._evidence.heard(error.reply)))
        else:
            result = self._evidence.result(Ending.RESTORED)
        return None if self._is_cut_short() else result

    def interrupted(self, why: str) -> Result | None:
        """The result of a pair that is interrupted now; None if nothing was sent for it."""
        cut_off = self._caller.in_flight or self._evidence.reply is not None
        return self._evidence.result(Ending.INTERRUPTED, why) if cut_off else None

    async def _restore(self) -> None:
        """Restore the draft. Raises Ended unless it was made and equals its copy; Stopped, Unanswered, BadShape."""
        agent, draft = self.pair.agent, self.pair.draft
        steps = self._steps = Steps(self.pair, self._read_copy(), self._caller, self._evidence, self._shared)
        while True:
            listing = await self._shared.workspace.listing(self._caller, agent)
            if listing.drafts is None:
                raise Ended(Ending.NOT_RESTORABLE, "there is no such agent any more")
            if listing.get(draft) is not None:
                raise Ended(Ending.STILL_OPEN, "the draft is open, so it was not discarded after all")
            way = ByBranch(steps) if listing.model == "branches" else ByDraft(steps)
            if await self._make(way, steps, listing.drafts):
                return

    async def _make(self, way: ByBranch | ByDraft, steps: Steps, drafts: Drafts) -> bool:
        """Make the draft in this way. False: the workspace has moved to the other model. Raises as `_restore` does."""
        fork = await self._made_before(way, steps, drafts)
        source = await way.source(drafts) if fork is None else ""
        writing = to_write(steps.configuration)
        if self._shared.only_reads:
            unknown = f"; these fields cannot be written: {', '.join(writing.unknown)}" if writing.unknown else ""
            made = "from its copy" if fork is None else "by completing what an earlier undo has made"
            raise Ended(Ending.WOULD_RESTORE, f"it would be made {made}{unknown}")
        if fork is None:
            fork = await way.make(source)
            if fork is None:
                return False
            _refuse_old(fork, drafts)
        self._note(fork)
        if way.may_write(fork):
            fork = await way.write(fork, writing.body)
        await self._compare(steps, fork)
        await way.complete(fork)
        return True

    async def _made_before(self, way: ByBranch | ByDraft, steps: Steps, drafts: Drafts) -> Fork | None:
        """What an earlier undo has made and not finished. Raises Ended if that is complete, or must not be written."""
        for fork in way.made_before(drafts):
            if not fork.draft:
                return fork
            differing = differences(steps.configuration, await steps.configuration_of(fork.draft))
            if not differing and (fork.is_certain or fork.draft not in steps.originals.made):
                steps.originals.made.add(fork.draft)
                self._note(fork)
                if not self._shared.only_reads:
                    await way.complete(fork)
                raise Ended(Ending.RESTORED_BEFORE, "an earlier undo has made it, and it equals the copy")
            if fork.is_certain and way.may_write(fork):
                return fork
            if fork.is_certain:
                raise self._left_alone(steps, fork, differing)
        return None

    async def _compare(self, steps: Steps, fork: Fork) -> None:
        """Read the new draft back, and compare it with the copy. Raises Ended if they differ."""
        self._note(fork)
        differing = differences(steps.configuration, await steps.configuration_of(fork.draft))
        if differing:  # what is read may lag behind what was written
            await self._caller.pause(1)
            differing = differences(steps.configuration, await steps.configuration_of(fork.draft))
        if differing:
            raise _differs(differing)

    def _left_alone(self, steps: Steps, fork: Fork, differing: list[str]) -> Ended:
        """How a pair ends if what is there in its place may be somebody's work by now."""
        if fork.draft == steps.original.fork:
            self._note(fork)
            return _differs(differing)
        sentence = f"on its branch {fork.name} a draft is open that differs from the copy in {', '.join(differing)}"
        return Ended(Ending.DIFFERS, f"{sentence}; nothing was written there")

    def _note(self, fork: Fork) -> None:
        """Note what was made, for the record."""
        details = self._evidence.details
        if fork.draft:
            details["new_draft"] = fork.draft
        if fork.branch:
            details["branch"] = fork.name

    def _read_copy(self) -> Copy:
        """Read the draft's copy. Raises Ended if there is none, or it cannot be written again."""
        original = self._shared.originals.of(self.pair)
        try:
            copy, path = read_copy(original.copies, self.pair.agent, self.pair.draft)
        except NoCopy as error:
            raise Ended(Ending.NO_COPY, str(error)) from None
        details = self._evidence.details
        details["copy"] = path
        name = copy.latest.get("draftName")
        if isinstance(name, str) and name:
            details["name"] = name
        if copy.latest.get("workflowType") == GRAPH_TYPE or copy.configuration["_resolvedConfig"].get(GRAPH):
            sentence = "its workflow is a graph, which the API has no documented way to write; its copy is kept"
            raise Ended(Ending.NOT_RESTORABLE, sentence)
        if is_too_deep(copy.configuration["_resolvedConfig"]):
            raise Ended(Ending.NOT_RESTORABLE, "its configuration is nested too deeply; its copy is kept")
        return copy

    def _is_cut_short(self) -> bool:
        """Whether the run stopped between two attempts, before anything was written."""
        reply, stopped = self._evidence.reply, self._shared.stop.cause is not None
        return stopped and not self._wrote and reply is not None and reply.deserves_retry

    @property
    def _wrote(self) -> bool:
        return self._steps is not None and self._steps.wrote

    def _left_off(self) -> Result | None:
        """The result if the run stops between two requests; None if nothing was made."""
        if not self._wrote:
            return None
        return self._evidence.result(
            Ending.INTERRUPTED, "the run stopped before the draft was complete; the next undo completes it"
        )


def _refuse_old(fork: Fork, drafts: Drafts) -> None:
    """Raise Ended if what is said to be new was there before: it is somebody's."""
    if fork.draft in drafts.by_id or fork.branch in {branch.branch for branch in drafts.branches}:
        sentence = (
            f"the API answered that it made {fork.branch or fork.draft}, which was there before: it is left alone"
        )
        raise Ended(Ending.UNEXPECTED_RESPONSE, sentence)


def _differs(fields: list[str]) -> Ended:
    return Ended(Ending.DIFFERS, f"it was made, but differs from its copy in {', '.join(fields)}")
