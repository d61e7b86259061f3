"""One pair → what a run would do with it now, by reads alone."""

from contextlib import suppress
from dataclasses import replace

from cleanup import verdict
from cleanup.api.atoms import BadShape, Draft, draft_in, latest_in
from cleanup.api.session import Session
from cleanup.branches import Moved, Unanswered, Workspace
from cleanup.discard import Case, not_open
from cleanup.guards import Guards
from cleanup.model import Ending, Reply, Result
from cleanup.stop import Stopped


class Previewer:
    """Says of a pair what a run would do with it now, by reads alone."""

    def __init__(self, session: Session, workspace: Workspace, guards: Guards) -> None:
        self._atoms = session.atoms
        self._caller = session.caller
        self._workspace = workspace
        self._guards = guards

    async def __call__(self, case: Case) -> Result | None:
        """What would happen to the case's draft. None: the run stopped before it could be said."""
        try:
            if self._workspace.model == "drafts":
                with suppress(Moved):
                    return await self._by_draft(case)
            return await self._by_branch(case)
        except Stopped:
            return None
        except BadShape as error:
            return case.result(Ending.UNEXPECTED_RESPONSE, str(error))
        except Unanswered as error:
            case.heard(error.reply)
            return case.result(verdict.of_failure(error.reply))

    async def _by_draft(self, case: Case) -> Result:
        pair = case.pair
        reply = case.heard(await self._workspace.drafts.of(case.subject, pair.agent))
        if self._workspace.migrated(reply) and self._workspace.auto:
            raise Moved
        if reply.data is None:
            if verdict.says_not_found(reply):
                await self._workspace.ensure_endpoint(case.subject, pair.agent, pair.draft)
            return case.result(verdict.of_read(reply))
        draft = draft_in(reply, pair.agent, pair.draft)
        return case.result(Ending.NOT_FOUND) if draft is None else self._say(case, draft)

    async def _by_branch(self, case: Case) -> Result:
        pair = case.pair
        found = await self._workspace.branch_of(case.subject, pair.agent, pair.draft)
        if isinstance(found, Reply):
            case.heard(found)
            return case.result(not_open(found, maybe_done=False))
        # A branch does not say who edited its draft, or when.
        branch = found.branch
        history = await self._caller.operate(case.subject, lambda _turn: self._atoms.open_draft(pair.agent, branch))
        if history.reply is None:
            raise Stopped
        case.heard(history.reply)
        if history.reply.data is None:
            return case.result(verdict.of_read(history.reply))
        draft = latest_in(history.reply, pair.agent)
        if draft.draft != pair.draft:
            return case.result(Ending.CHANGED, "another draft is open on the branch now")
        return self._say(case, replace(draft, branch_name=found.branch_name))

    def _say(self, case: Case, draft: Draft) -> Result:
        objection = self._guards.objection(case.pair, draft)
        if objection is not None:
            return case.result(*objection)
        details = {
            "name": draft.name,
            "branch": draft.branch_name,
            "editor": draft.editor,
            "updated_at": draft.updated_at,
        }
        return case.result(Ending.WOULD_DISCARD, details={key: value for key, value in details.items() if value})
