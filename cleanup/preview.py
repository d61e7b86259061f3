"""One pair → what a run would do with it now, by reads alone."""

from cleanup import verdict
from cleanup.api.atoms import Atoms, BadShape, Draft, drafts_in, latest_in
from cleanup.api.retry import Caller
from cleanup.branches import Workspace
from cleanup.discard import Case, Guards, not_open
from cleanup.model import Ending, Reply, Result, StopCause
from cleanup.stop import Stop


class Previewer:
    """Says of a pair what a run would do with it now, by reads alone."""

    def __init__(self, atoms: Atoms, caller: Caller, workspace: Workspace, stop: Stop, guards: Guards) -> None:
        self._atoms = atoms
        self._caller = caller
        self._workspace = workspace
        self._stop = stop
        self._guards = guards

    async def __call__(self, case: Case) -> Result | None:
        """What would happen to the case's draft. None: the run stopped before anything was asked."""
        try:
            if self._workspace.model == "drafts":
                result = await self._by_draft(case)
                if result is not None or case.reply is None or self._workspace.model == "drafts":
                    return result
            return await self._by_branch(case)
        except BadShape as error:
            return case.result(Ending.UNEXPECTED_RESPONSE, str(error))

    async def _by_draft(self, case: Case) -> Result | None:
        pair = case.pair
        reply = await self._workspace.drafts.of(case.subject, pair.agent)
        if reply is None:
            return None
        case.heard(reply)
        if verdict.asks_for_migration(reply) and self._workspace.auto:
            self._workspace.move("the API says that the workspace has moved to branches")
            return None
        if reply.data is None:
            if reply.status == 404 and await self._workspace.endpoint_is_gone(case.subject, pair.agent, pair.draft):
                return None
            ending = verdict.of_read(reply)
            if ending is Ending.MIGRATION_REQUIRED:
                self._stop.request(
                    StopCause.MIGRATION_REQUIRED,
                    "the workspace has moved to branches, and api.model is drafts",
                )
            return case.result(ending)
        draft = next((found for found in drafts_in(reply, pair.agent) if found.draft == pair.draft), None)
        return case.result(Ending.NOT_FOUND) if draft is None else self._say(case, draft)

    async def _by_branch(self, case: Case) -> Result | None:
        pair = case.pair
        found = await self._workspace.branch_of(case.subject, pair.agent, pair.draft)
        if found is None:
            return None if case.reply is None else case.result(verdict.of_failure(case.reply))
        if isinstance(found, Reply):
            case.heard(found)
            return case.result(not_open(found, maybe_done=False))
        if not self._guards.need_age(pair):
            return self._say(case, found)
        branch = found.branch
        history = await self._caller.operate(case.subject, lambda _turn: self._atoms.open_draft(pair.agent, branch))
        if history.reply is None:
            return None
        case.heard(history.reply)
        if history.reply.data is None:
            return case.result(verdict.of_read(history.reply))
        draft = latest_in(history.reply, pair.agent)
        if draft.draft != pair.draft:
            return case.result(Ending.CHANGED, "another draft is open on the branch now")
        return self._say(case, draft)

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
