"""Determines what a run would do with a pair now. It only reads."""

from dataclasses import replace

from cleanup.api.drafts import Draft, latest_in
from cleanup.discard import verdict
from cleanup.discard.discard import Case
from cleanup.discard.open_draft import read_open_draft
from cleanup.model import Ending, Result


class Preview(Case):
    """Processes a pair in a dry run: like Case, but without the copy and the discard."""

    async def _process(self) -> Result:
        pair, workspace = self.pair, self._means.workspace
        found = await workspace.find(self._caller, pair.agent, pair.draft)
        if found is None:
            return self._evidence.result(Ending.NOT_FOUND)
        if not found.branch:
            return self._say(found)
        # The branch itself does not say who edited its draft, or when.
        self._evidence.details["branch"] = found.branch_name
        reply = self._evidence.heard(await read_open_draft(self._caller, workspace, found))
        if reply.not_found:
            return self._evidence.result(Ending.NOT_FOUND)
        if reply.data is None:
            return self._evidence.result(verdict.of_read(reply))
        draft = latest_in(reply, pair.agent)
        if draft.draft != pair.draft:
            return self._evidence.result(Ending.CHANGED, "another draft is open on the branch now")
        return self._say(replace(draft, branch_name=found.branch_name))

    def _say(self, draft: Draft) -> Result:
        self._evidence.note(draft)
        objection = self._means.guards.objection(self.pair, draft)
        return self._evidence.result(Ending.WOULD_DISCARD) if objection is None else self._evidence.result(*objection)
