"""One pair → how it ended: the guards, then the deed, on either model.

On the branch model the deed takes whatever draft is open at that moment, so every attempt at it has a look
of its own right before it, in the same turn. With an age to mind, it is the same on the older model.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cleanup import verdict
from cleanup.api.atoms import Atoms, BadShape, Draft, draft_configuration_in, latest_in
from cleanup.api.gate import Subject, Turn
from cleanup.api.retry import Caller, History
from cleanup.branches import Workspace
from cleanup.errors import OutputError
from cleanup.lists.rows import parse_time
from cleanup.model import NOT_JSON, Ending, Pair, Reply, Result, StopCause
from cleanup.records.backup import Backup
from cleanup.stop import Stop


@dataclass(frozen=True, slots=True)
class Guards:
    """What has to be so before a draft goes. `now` tells the time."""

    min_idle: float | None = None
    now: Callable[[], datetime] = lambda: datetime.now(UTC)

    def need_age(self, pair: Pair) -> bool:
        """Whether the last edit has to be read."""
        return self.min_idle is not None or pair.updated_at is not None

    def objection(self, pair: Pair, draft: Draft) -> tuple[Ending, str] | None:
        """Why the draft must stay, by its last edit, as an ending and a sentence; None if it may go."""
        if not self.need_age(pair):
            return None
        try:
            edited = parse_time(draft.updated_at)
        except ValueError:
            return Ending.UNEXPECTED_RESPONSE, "the draft's last edit, which a guard needs, cannot be read"
        if pair.updated_at is not None and edited > pair.updated_at:
            return Ending.CHANGED, f"edited {draft.updated_at}, after the list was made"
        if self.min_idle is not None and self.now() - edited < timedelta(seconds=self.min_idle):
            return Ending.RECENTLY_EDITED, f"edited {draft.updated_at}"
        return None


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

    def heard(self, reply: Reply) -> Reply:
        """Note an answer about this pair."""
        self.reply = reply
        self.seconds += reply.seconds
        return reply

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

    def __init__(
        self,
        atoms: Atoms,
        caller: Caller,
        workspace: Workspace,
        stop: Stop,
        guards: Guards,
        backup: Backup | None,
    ) -> None:
        self._atoms = atoms
        self._caller = caller
        self._workspace = workspace
        self._stop = stop
        self._guards = guards
        self._backup = backup

    async def __call__(self, case: Case) -> Result | None:
        """Discard the case's draft unless a guard objects. None: the run stopped before anything was sent."""
        try:
            if self._backup is not None:
                kept_from = await self._save(case, self._backup)
                if kept_from is not None or case.reply is None or self._stop.cause:
                    return kept_from
            if self._workspace.model == "drafts":
                result = await self._by_draft(case)
                if result is not None or case.reply is None or self._workspace.model == "drafts":
                    return result
            return await self._by_branch(case)
        except BadShape as error:
            return case.result(Ending.UNEXPECTED_RESPONSE, str(error))

    async def _by_draft(self, case: Case) -> Result | None:
        """By the draft's id. None: nothing was sent, or (the model has changed) it goes by its branch."""
        pair = case.pair
        look = (lambda: self._atoms.draft(pair.agent, pair.draft)) if self._guards.need_age(pair) else None
        history = await self._attempts(case, look, lambda: self._atoms.discard_draft(pair.agent, pair.draft))
        reply = history.reply
        if reply is None:
            return None
        if verdict.asks_for_migration(reply) and self._workspace.auto:
            self._workspace.move("the API says that the workspace has moved to branches")
            return None
        if (
            reply.status == 404
            and reply.body is not NOT_JSON
            and await self._workspace.endpoint_is_gone(case.subject, pair.agent, pair.draft)
        ):
            return None
        result = self._judge(case, reply)
        if result.ending is Ending.MIGRATION_REQUIRED:
            self._stop.request(
                StopCause.MIGRATION_REQUIRED, "the workspace has moved to branches, and api.model is drafts"
            )
        return result

    async def _by_branch(self, case: Case) -> Result | None:
        """Through the branch on which the draft is open, if there is one."""
        pair = case.pair
        found = await self._workspace.branch_of(case.subject, pair.agent, pair.draft)
        if found is None:
            return None if case.reply is None else case.result(verdict.of_failure(case.reply))
        if isinstance(found, Reply):
            case.heard(found)
            return case.result(not_open(found, maybe_done=case.maybe_done))
        branch = found.branch
        history = await self._attempts(
            case,
            lambda: self._atoms.open_draft(pair.agent, branch),
            lambda: self._atoms.discard_open_draft(pair.agent, branch),
        )
        return None if history.reply is None else self._judge(case, history.reply)

    async def _attempts(
        self,
        case: Case,
        look: Callable[[], Awaitable[Reply]] | None,
        deed: Callable[[], Awaitable[Reply]],
    ) -> History:
        """Attempt the deed, each time after a look of its own if there is one."""

        async def attempt(turn: Turn) -> Reply:
            case.looked = look is not None
            if look is not None:
                reply: Reply = case.heard(await look())
                if reply.data is None:
                    return reply
                case.objection = self._object(case, latest_in(reply, case.pair.agent))
                if case.objection is not None:
                    return reply
                case.looked = False
                turn.next_leaves()
            reply = case.heard(await deed())
            case.maybe_done = case.maybe_done or reply.lost
            return reply

        history = await self._caller.operate(case.subject, attempt, units=1 if look is None else 2)
        case.attempts += history.attempts
        return history

    def _object(self, case: Case, draft: Draft) -> tuple[Ending, str] | None:
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
        """Keep a copy. None: it is kept (or the run stopped); a Result: without it, the draft stays."""
        pair = case.pair
        history = await self._caller.operate(
            case.subject, lambda _turn: self._atoms.configuration(pair.agent, pair.draft)
        )
        if history.reply is None:
            return None
        reply = case.heard(history.reply)
        case.attempts = history.attempts
        configuration = draft_configuration_in(reply)
        if configuration is not None:
            case.attempts = 0
            try:
                await asyncio.to_thread(backup.save, pair.agent, pair.draft, configuration)
            except OutputError as error:
                self._stop.request(StopCause.OUTPUT, str(error))
                return case.result(Ending.BACKUP_FAILED, str(error))
            return None
        if verdict.deserves_retry(reply) or reply.status in (401, 403):
            return case.result(verdict.of_read(reply))
        if await self._is_gone(case):
            return case.result(Ending.NOT_FOUND)
        return case.result(Ending.BACKUP_FAILED, reply.message or "the API gave no configuration of this draft")

    async def _is_gone(self, case: Case) -> bool:
        """Whether a draft that could not be copied is not there at all."""
        pair = case.pair
        if self._workspace.model == "branches":
            found = await self._workspace.branch_of(case.subject, pair.agent, pair.draft)
            return isinstance(found, Reply) and not_open(found, maybe_done=False) is Ending.NOT_FOUND
        history = await self._caller.operate(case.subject, lambda _turn: self._atoms.draft(pair.agent, pair.draft))
        return history.reply is not None and verdict.of_read(history.reply) is Ending.NOT_FOUND


def not_open(reply: Reply, *, maybe_done: bool) -> Ending:
    """The ending of a draft that is open on no branch (200), or whose agent's branches could not be read."""
    if reply.data is None:
        return verdict.of_read(reply, maybe_done=maybe_done)
    return Ending.GONE_AFTER_RETRY if maybe_done else Ending.NOT_FOUND
