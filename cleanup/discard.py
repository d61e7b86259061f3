"""One pair → how it ended: the guards, then the deed, on either model.

On the branch model the deed takes whatever draft is open at that moment, so every attempt at it has a look
of its own right before it, in the same turn. Where a guard has to see the draft, it is the same on the older model.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass

from cleanup import verdict
from cleanup.api.atoms import BadShape, Draft, draft_configuration_in, latest_in
from cleanup.api.gate import Subject, Turn
from cleanup.api.session import Session
from cleanup.branches import Moved, Unanswered, Workspace
from cleanup.errors import OutputError
from cleanup.guards import Guards
from cleanup.model import Ending, Pair, Reply, Result, StopCause
from cleanup.records.backup import Backup
from cleanup.stop import Stopped

Ask = Callable[[], Awaitable[Reply]]


@dataclass(eq=False, slots=True)
class Case:
    """A pair on its way: what is known of it so far."""

    pair: Pair
    subject: Subject
    reply: Reply | None = None
    attempts: int = 0
    seconds: float = 0.0
    looked: bool = False
    objection: tuple[Ending, str] | None = None
    maybe_done: bool = False
    failed: Reply | None = None

    def heard(self, reply: Reply) -> Reply:
        """Note an answer about this pair."""
        self.reply = reply
        self.seconds += reply.seconds
        return reply

    def tried(self, reply: Reply) -> Reply:
        """Note what an attempt came to."""
        self.failed = reply if verdict.deserves_retry(reply) else None
        return reply

    def left_off(self) -> Result | None:
        """The end of a pair when the run stops between two requests. None: nothing has been done to it."""
        if self.failed is not None:
            self.reply = self.failed  # not a look whose deed never left
            return self.result(verdict.of_failure(self.failed))
        return self.result(Ending.INTERRUPTED, "whether it was discarded is unknown") if self.maybe_done else None

    def result(self, ending: Ending, message: str | None = None, details: dict[str, str] | None = None) -> Result:
        """The pair's end, with the last answer as its reason."""
        reply = self.reply or Reply(None)
        return Result(
            self.pair,
            ending,
            status=reply.status,
            attempts=self.attempts,
            seconds=round(self.seconds, 4),
            request_id=reply.request_id,
            message=message or reply.message,
            details=details or {},
        )


class Discarder:
    """Discards one pair after another, many at a time."""

    def __init__(self, session: Session, workspace: Workspace, guards: Guards, backup: Backup | None) -> None:
        self._atoms = session.atoms
        self._caller = session.caller
        self._stop = session.stop
        self._workspace = workspace
        self._guards = guards
        self._backup = backup

    async def __call__(self, case: Case) -> Result | None:
        """Discard the case's draft unless a guard objects. None: the run stopped before anything came of it."""
        try:
            if self._backup is not None:
                kept_from = await self._save(case, self._backup)
                if kept_from is not None:
                    return kept_from
            await self._workspace.settled()
            if self._workspace.model == "drafts":
                with suppress(Moved):
                    return await self._by_draft(case)
            return await self._by_branch(case)
        except Stopped:
            return case.left_off()
        except BadShape as error:
            return case.result(Ending.UNEXPECTED_RESPONSE, str(error))
        except Unanswered as error:
            case.heard(error.reply)
            return case.result(verdict.of_failure(error.reply))

    async def _by_draft(self, case: Case) -> Result:
        """By the draft's id. Raises Moved when it has to go by its branch, Stopped, Unanswered."""
        pair = case.pair

        async def look() -> Reply:
            return heard(await self._atoms.draft(pair.agent, pair.draft))

        async def deed() -> Reply:
            return heard(await self._atoms.discard_draft(pair.agent, pair.draft))

        def heard(reply: Reply) -> Reply:
            self._workspace.migrated(reply)  # at once, so that whoever is next asks elsewhere
            return reply

        def still_there() -> None:
            if self._workspace.model == "branches":
                raise Moved

        reply = await self._attempts(
            case, look if self._guards.need_look(dated=pair.updated_at is not None) else None, deed, still_there
        )
        still_there()
        if verdict.says_not_found(reply):
            await self._workspace.ensure_endpoint(case.subject, pair.agent, pair.draft)
        return self._judge(case, reply)

    async def _by_branch(self, case: Case) -> Result:
        """Through the branch on which the draft is open, if there is one. Raises Stopped, BadShape."""
        pair = case.pair
        found = await self._workspace.branch_of(case.subject, pair.agent, pair.draft)
        if isinstance(found, Reply):
            case.heard(found)
            return case.result(not_open(found, maybe_done=case.maybe_done))
        branch = found.branch
        reply = await self._attempts(
            case,
            lambda: self._atoms.open_draft(pair.agent, branch),
            lambda: self._atoms.discard_open_draft(pair.agent, branch),
        )
        return self._judge(case, reply)

    async def _attempts(
        self, case: Case, look: Ask | None, deed: Ask, before: Callable[[], None] = lambda: None
    ) -> Reply:
        """Attempt the deed, each time after a look of its own if there is one. Raises Stopped.

        `before` may raise, when a turn has come, to send nothing after all.
        """

        async def attempt(turn: Turn) -> Reply:
            before()
            case.attempts += 1
            case.looked = look is not None
            if look is not None:
                reply = case.heard(await look())
                if reply.data is None:
                    return case.tried(reply)
                case.objection = self._object(case, reply)
                if case.objection is not None:
                    return reply
                turn.next_leaves()
                case.looked = False
            reply = case.heard(await deed())
            case.maybe_done = case.maybe_done or reply.lost
            return case.tried(reply)

        history = await self._caller.operate(case.subject, attempt, units=1 if look is None else 2)
        if history.reply is None or history.reply is not case.reply:
            raise Stopped
        return history.reply

    def _object(self, case: Case, reply: Reply) -> tuple[Ending, str] | None:
        try:
            draft = latest_in(reply, case.pair.agent)
        except BadShape as error:
            return Ending.UNEXPECTED_RESPONSE, str(error)
        if draft.draft != case.pair.draft:
            ending = Ending.GONE_AFTER_RETRY if case.maybe_done else Ending.CHANGED
            return ending, "another draft is open on the branch now"
        return self._guards.objection(case.pair, draft)

    def _judge(self, case: Case, reply: Reply) -> Result:
        if case.objection is not None:
            return case.result(*case.objection)
        if case.looked:
            return case.result(verdict.of_read(reply, maybe_done=case.maybe_done))
        return case.result(verdict.of_discard(reply, maybe_done=case.maybe_done))

    async def _save(self, case: Case, backup: Backup) -> Result | None:
        """Keep a copy. None: it is kept; a Result: without it, the draft stays. Raises Stopped."""
        pair = case.pair
        history = await self._caller.operate(
            case.subject, lambda _turn: self._atoms.configuration(pair.agent, pair.draft)
        )
        if history.reply is None:
            raise Stopped
        reply = case.heard(history.reply)
        configuration = draft_configuration_in(reply)
        if configuration is None:
            case.attempts = history.attempts
            return await self._explain_no_copy(case, reply)
        try:
            await asyncio.to_thread(backup.save, pair.agent, pair.draft, configuration)
        except OutputError as error:
            self._stop.request(StopCause.OUTPUT, str(error))
            return case.result(Ending.BACKUP_FAILED, str(error))
        self._stop.check()
        return None

    async def _explain_no_copy(self, case: Case, reply: Reply) -> Result:
        """Why a draft could not be copied: it may not be there at all. Raises Stopped."""
        if verdict.deserves_retry(reply) or reply.status in (401, 403):
            return case.result(verdict.of_read(reply))
        message = reply.message or "the API gave no configuration of this draft"
        found = await self._is_open(case)
        ending = not_open(found, maybe_done=False) if isinstance(found, Reply) else Ending.BACKUP_FAILED
        if ending is Ending.NOT_FOUND or ending.passing:
            return case.result(ending)
        return case.result(Ending.BACKUP_FAILED, message)

    async def _is_open(self, case: Case) -> Draft | Reply:
        """The draft, if it is open; else the answer that says otherwise."""
        pair = case.pair
        if self._workspace.model == "drafts":
            with suppress(Moved):
                history = await self._caller.operate(
                    case.subject, lambda _turn: self._atoms.draft(pair.agent, pair.draft)
                )
                if history.reply is None:
                    raise Stopped
                reply = case.heard(history.reply)
                if verdict.says_not_found(reply):
                    await self._workspace.ensure_endpoint(case.subject, pair.agent, pair.draft)
                return reply if reply.data is None else latest_in(reply, pair.agent)
        found = await self._workspace.branch_of(case.subject, pair.agent, pair.draft)
        return case.heard(found) if isinstance(found, Reply) else found


def not_open(reply: Reply, *, maybe_done: bool) -> Ending:
    """The ending of a draft that is open on no branch (200), or whose agent's branches could not be read."""
    if reply.data is None:
        return verdict.of_read(reply, maybe_done=maybe_done)
    return Ending.GONE_AFTER_RETRY if maybe_done else Ending.NOT_FOUND
