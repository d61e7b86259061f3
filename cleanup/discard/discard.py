"""Processes one pair: the check, the copy and the discard, on either model.

On the branch model, a discard removes whatever draft is open at that moment. So every attempt is preceded by its own
check, in the same slot. On the older model this is done only if a guard needs to see the draft.
"""

import math
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any, Final

from cleanup.api.atoms import Atoms
from cleanup.api.drafts import BadShape, Draft, latest_document, latest_in
from cleanup.api.reply import Reply
from cleanup.api.retry import Caller
from cleanup.api.transport import BeforeWrite
from cleanup.discard import verdict
from cleanup.discard.copying import Copying, Edited
from cleanup.discard.evidence import Evidence
from cleanup.discard.guards import Guards, Objection
from cleanup.discard.workspace import Unanswered, Workspace
from cleanup.errors import OutputError
from cleanup.model import Ending, Pair, Result, StopCause
from cleanup.records.backup import Backup
from cleanup.stop import Stop, Stopped

FRESH_SECONDS: Final = 1.0
"""How old a check may be when its discard request is written: opening a connection may take time in between."""

CONTRADICTED: Final = "a 404, although the draft is in the agent's list of drafts"

Ask = Callable[[Atoms], Awaitable[Reply]]


@dataclass(frozen=True, slots=True)
class Means:
    """What all discards of a run share."""

    workspace: Workspace
    guards: Guards
    backup: Backup | None
    stop: Stop


class _Kept(Exception):
    """The check does not allow the discard; `reply` is the check's reply."""

    def __init__(self, reply: Reply) -> None:
        super().__init__()
        self.reply = reply


class Case:
    """A pair being processed, and what is known about it so far."""

    def __init__(self, pair: Pair, caller: Caller, means: Means) -> None:
        self.pair = pair
        self._caller = caller
        self._means = means
        self._evidence = Evidence(pair)
        self._copying = None if means.backup is None else Copying(means.backup, pair)
        self._branch: dict[str, Any] | None = None
        self._sent = self._refused = self._maybe_done = self._by_check = False
        self._objection: Objection | None = None

    async def run(self) -> Result | None:
        """Process the pair. Returns None if the run stopped before it had a result."""
        try:
            result = await self._process()
        except Stopped:
            return self._left_off()
        except BadShape as error:
            return self._evidence.result(Ending.UNEXPECTED_RESPONSE, str(error))
        except Unanswered as error:
            result = self._evidence.result(verdict.of_read(self._evidence.heard(error.reply)))
        return None if self._is_cut_short() else result

    def _is_cut_short(self) -> bool:
        """Whether the run stopped between two attempts, before any discard request was sent."""
        reply = self._evidence.reply
        stopped = self._means.stop.cause is not None
        return stopped and not self._sent and reply is not None and reply.deserves_retry

    def interrupted(self, why: str) -> Result | None:
        """The result of a pair that is interrupted now; None if nothing was sent for it."""
        cut_off = self._caller.in_flight or self._evidence.reply is not None
        return self._evidence.result(Ending.INTERRUPTED, why) if cut_off else None

    async def _process(self) -> Result:
        workspace, rounds = self._means.workspace, 0
        if self._copying is not None:
            without = await self._read_configuration(self._copying)
            if without is not None:
                return without
        while True:
            model = workspace.model
            ended = await (self._by_draft() if model == "drafts" else self._by_branch())
            if ended is not None:
                return ended
            if workspace.model == model:
                rounds += 1
                if rounds >= self._caller.attempts:
                    return self._evidence.result(Ending.DISOWNED, CONTRADICTED)
                await self._caller.pause(rounds)

    async def _by_draft(self) -> Result | None:
        """Discard by the draft's id. None: do it again. Raises Stopped, Unanswered, BadShape."""
        pair, workspace = self.pair, self._means.workspace

        async def discard(api: Atoms, check: BeforeWrite) -> Reply:
            return await api.discard_draft(pair.agent, pair.draft, check)

        async def ask(api: Atoms) -> Reply:
            return await api.draft(pair.agent, pair.draft)

        needs_check = self._means.guards.need_check(dated=pair.updated_at is not None)
        reply = await self._attempt(discard, ask if needs_check else None, _looked_into)
        if reply.asks_for_migration:
            return None if workspace.follow() else self._evidence.result(Ending.MIGRATION_REQUIRED)
        if reply.route_missing and not reply.foreign:
            await workspace.leave_missing_route(self._caller, pair.agent, reply)
            return None
        return await self._judge(reply)

    async def _by_branch(self) -> Result | None:
        """Discard through the branch on which the draft is open. None: do it again. Raises the same."""
        pair = self.pair
        found = await self._means.workspace.find(self._caller, pair.agent, pair.draft)
        if found is None:
            return self._evidence.result(verdict.of_absence(maybe_done=self._maybe_done))
        self._evidence.details["branch"] = found.branch_name
        self._branch = found.branch_document

        async def discard(api: Atoms, check: BeforeWrite) -> Reply:
            return await api.discard_open_draft(pair.agent, found.branch, check)

        async def ask(api: Atoms) -> Reply:
            return await api.open_draft(pair.agent, found.branch)

        return await self._judge(await self._attempt(discard, ask, _not_believed))

    async def _attempt(
        self,
        discard: Callable[[Atoms, BeforeWrite], Awaitable[Reply]],
        ask: Ask | None,
        look_into: Callable[[Atoms, Reply], Awaitable[Reply]],
    ) -> Reply:
        """Discard with retries. If `ask` is given, each attempt is preceded by its own check.

        `look_into` is applied to each answer: it may disown the API's page for a missing route.
        """

        async def attempt(api: Atoms) -> Reply:
            self._evidence.attempts += 1
            self._objection, self._by_check = None, ask is not None
            checked_at = -math.inf

            async def check() -> None:
                nonlocal checked_at
                if ask is not None and time.monotonic() - checked_at > FRESH_SECONDS:
                    reply = await look_into(api, await ask(api))
                    answered_at = time.monotonic()
                    await self._check(reply)  # writing a copy takes its time
                    checked_at = answered_at

            try:
                await check()
                reply = await send(api, check)
                if reply.route_missing and not reply.disowned:
                    reply = await send(api, check)  # a page that a gateway sent before it was ready does not come twice
            except _Kept as kept:
                return kept.reply
            return self._evidence.heard(reply)

        async def send(api: Atoms, check: BeforeWrite) -> Reply:
            reply = await discard(api, check)
            self._by_check = False
            self._refused = reply.asks_for_migration or reply.route_missing
            self._sent = self._sent or (reply.sent and not self._refused)
            self._maybe_done = self._maybe_done or reply.lost
            reply = await look_into(api, reply)
            if reply.disowned:  # the answer was not the endpoint's, so it proves no refusal
                self._refused, self._sent = False, True
            return reply

        return await self._caller.operate(attempt, requests=1 if ask is None else 2)

    async def _check(self, reply: Reply) -> None:
        """Check the draft by the reply to a read. Raises _Kept if it must not be discarded."""
        self._evidence.heard(reply)
        if reply.data is None:
            raise _Kept(reply)
        try:
            draft = latest_in(reply, self.pair.agent)
        except BadShape as error:
            self._objection = Ending.UNEXPECTED_RESPONSE, str(error)
            raise _Kept(reply) from None
        draft = replace(draft, branch_name=self._evidence.details.get("branch", ""))
        self._evidence.note(draft)
        if draft.draft != self.pair.draft:
            ending = Ending.GONE_AFTER_RETRY if self._maybe_done else Ending.CHANGED
            self._objection = ending, "another draft is open on the branch now"
        else:
            self._objection = self._means.guards.objection(self.pair, draft)
        if self._objection is None and self._copying is not None:
            self._objection = await self._save(self._copying, draft, latest_document(reply))
        if self._objection is not None:
            raise _Kept(reply)

    async def _judge(self, reply: Reply) -> Result | None:
        """The result according to the last reply. None: the reply was part of an outage, so do it again."""
        if self._objection is not None:
            return self._evidence.result(*self._objection)
        if reply.not_found:
            try:
                listing = await self._means.workspace.verify(self._caller, self.pair.agent, self.pair.draft)
            except Unanswered as error:
                ending = verdict.of_read(self._evidence.heard(error.reply))
                # A 403 to the list says nothing about this draft.
                return self._evidence.result(Ending.DISOWNED if ending is Ending.FORBIDDEN else ending)
            if listing.get(self.pair.draft) is None:
                return self._evidence.result(verdict.of_absence(maybe_done=self._maybe_done))
            # A 404 during an outage is part of the outage; any other contradicts the API's own list.
            in_an_outage = listing.after_trouble or self._means.workspace.met_a_gateway()
            return None if in_an_outage else self._evidence.result(Ending.DISOWNED, CONTRADICTED)
        return self._evidence.result(verdict.of_read(reply) if self._by_check else verdict.of_discard(reply))

    async def _read_configuration(self, copying: Copying) -> Result | None:
        """Read the configuration for the copy. A Result: it could not be read, so the draft stays.

        Raises Stopped, Unanswered.
        """
        pair = self.pair
        reply, has_it = await copying.read_configuration(self._caller)
        self._evidence.heard(reply)
        if has_it:
            return None
        if reply.deserves_retry or reply.status in (401, 403):
            return self._evidence.result(verdict.of_read(reply))
        if await self._means.workspace.find(self._caller, pair.agent, pair.draft) is None:
            return self._evidence.result(Ending.NOT_FOUND)
        return self._evidence.result(
            Ending.BACKUP_FAILED, reply.message or "the API returned no configuration of this draft"
        )

    async def _save(self, copying: Copying, draft: Draft, latest: dict[str, Any]) -> Objection | None:
        """Keep a copy, once all guards have let the draft pass. A copy that cannot be kept stops the run."""
        try:
            await copying.save(self._branch, draft, latest)
        except Edited as error:
            return Ending.CHANGED, str(error)
        except OutputError as error:
            self._means.stop.request(StopCause.OUTPUT, str(error))
            return Ending.BACKUP_FAILED, str(error)
        self._evidence.details["copy"] = copying.path or ""
        return None

    def _left_off(self) -> Result | None:
        """The result if the run stops between two requests; None if no discard request reached an endpoint."""
        if self._refused and StopCause.MIGRATION_REQUIRED in self._means.stop.causes:
            return self._evidence.result(Ending.MIGRATION_REQUIRED)
        if not self._sent:
            return None
        return self._evidence.result(
            Ending.INTERRUPTED, "the run stopped before it was known whether the draft was discarded"
        )


async def _looked_into(api: Atoms, reply: Reply) -> Reply:
    """Disown the API's page for a missing route unless `GET /user` is answered right after it."""
    return reply.disown() if reply.route_missing and not (await api.user()).is_alive else reply


async def _not_believed(_api: Atoms, reply: Reply) -> Reply:
    return reply.disown_missing_route()
