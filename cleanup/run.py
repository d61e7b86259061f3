"""One run from top to bottom: key, files, list, plan, whose key, question, discards, last words."""

import asyncio
import traceback
import uuid
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from cleanup.api.key import VARIABLE, Key
from cleanup.errors import JobError, LedgerLocked, SameFile, SettingsError, UsageError
from cleanup.last_words import LastWords, Measured
from cleanup.lists.pair_list import PairList
from cleanup.model import StopCause
from cleanup.next_step import Again
from cleanup.plan import Fate
from cleanup.planning import (
    check_cap,
    check_files,
    check_past,
    check_resume,
    outputs_of,
    past_of,
    plan_of,
    warning_of,
    written_whole,
)
from cleanup.records.files import check_writable
from cleanup.records.journal import Journal
from cleanup.records.ledger import Ledger
from cleanup.records.past import Past
from cleanup.records.summary import Identity
from cleanup.settings.sources import Loaded
from cleanup.show.console import Screen
from cleanup.stop import Stopped, ignore_signals, run_to_end

if TYPE_CHECKING:  # loaded only when there is something to send
    from cleanup.api.session import Session


@dataclass(frozen=True, slots=True)
class Job:
    """What to run, and how it was asked for: the list is `read` at once, or it is found through the API.

    `check` refuses settings that this command cannot run with.
    """

    loaded: Loaded
    screen: Callable[[Callable[[str], str], str], Screen]
    environ: dict[str, str]
    again: Again
    list_name: str | None
    check: Callable[[], None]
    read: Callable[[Journal], PairList] | None = None
    find: "Callable[[Journal, Session, Loaded], Awaitable[tuple[PairList, SettingsError | None]]] | None" = None


class Run:
    """A run of the job; `execute` raises nothing, and always leaves an account."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.settings = job.loaded.settings
        run = self.settings.run
        identity = Identity(
            run_id=uuid.uuid4().hex,
            mode="dry-run" if run.dry_run else "discard" if job.find is None else "sweep",
            dry_run=run.dry_run,
            started_at=datetime.now(UTC),
            base_url=self.settings.api.base_url,
            model=self.settings.api.model,
            list_name=job.list_name,
            shard=None if run.shard is None else str(run.shard),
        )
        self.screen = job.screen(self._hide, identity.run_id)
        self.journal = Journal(identity, self.screen.log)
        self.measured = Measured()
        self._last_words = LastWords(self.journal, self.settings, self.screen, job.again, self.measured)
        self._key: Key | None = None
        self._past: Past | None = None
        self._crash: BaseException | None = None

    def execute(self) -> int:
        """Run, write everything down, say how it ended. Returns the exit code."""
        facts = self.journal.facts
        with ExitStack() as stack:
            try:
                self._go(stack)
                ignore_signals()
            except SystemExit as end:  # a signal, while there was nothing to drain
                ignore_signals()
                facts.signal = int(end.code or 0) - 128
            no_list = isinstance(facts.refusal, UsageError) and self.journal.account is None
            return self._last_words.speak(files=not self._hands_off(), show=self.shows_summary and not no_list)

    shows_summary = True

    def _go(self, stack: ExitStack) -> None:
        facts = self.journal.facts
        with self._told(settings="settings.invalid"):
            self.prepare(stack)
        with self._told():
            self._begin_heartbeat()
        if self._hands_off():
            return
        if self.job.read is not None:  # even if something is wrong already: its rows are named, and what still stands
            with self._told():
                self._plan(self.job.read(self.journal))
        if facts.refusal is not None or facts.bug:
            return
        account = self.journal.account
        with self._told():
            if account is None or account.plan.to_send:
                try:
                    run_to_end(self._talk())
                except asyncio.CancelledError:
                    raise self._crash or RuntimeError("cancelled") from None
            else:
                self._begin()

    def _begin(self) -> None:
        """Open the record of a run that has nothing to send."""
        if not self.settings.run.dry_run:
            self.journal.begin(self.job.loaded.record(), self.settings.run.note)

    def _hands_off(self) -> bool:
        """Whether no file may be written at all, not even to say so."""
        return isinstance(self.journal.facts.refusal, (LedgerLocked, SameFile))

    @contextmanager
    def _told(self, *, settings: str = "run.stopping") -> Iterator[None]:
        """What ends a run is told, and noted for its last words. `settings`: the event for a SettingsError."""
        facts = self.journal.facts
        try:
            yield
        except JobError as error:
            if error is facts.refusal:
                return
            facts.refusal = facts.refusal or error
            if isinstance(error, SettingsError):
                for problem in error.problems:
                    self.journal.tell(settings, level="error", message=problem)
            else:
                self.journal.tell("run.stopping", level="error", message=str(error))
        except Stopped:
            pass
        except Exception as bug:  # noqa: BLE001 - told as a bug, and everything is written
            facts.bug = True
            self._tell_bug(bug)

    def prepare(self, stack: ExitStack) -> None:
        """The lock, the key, the places of all files: what can be refused without looking at the list."""
        output, run = self.settings.output, self.settings.run
        self._check_settings()
        if output.ledger is not None and not run.dry_run:
            self.journal.ledger = stack.enter_context(Ledger(output.ledger))
        if self.job.find is not None:  # before the workspace is looked over
            self._past = past_of(self.settings, None)
            self._check_past()
        if self.job.loaded.unconfirmed:
            sentence = "a dry run: without --yes (run.yes) and without a person to ask, a sweep only reads"
            self.journal.warn(sentence, kind="unconfirmed")
        key_file, variable = self.settings.api.key_file, self.job.environ.get(VARIABLE)
        if key_file or variable:
            self._key = Key(key_file, variable)
            if self._key.readable_by_others():
                sentence = f"the key file {key_file} can be read by everybody on this machine: chmod 600 it"
                self.journal.warn(sentence, kind="key_file_readable")
        for path in written_whole(self.settings, outputs_of(self.settings, finds=self.job.find is not None)):
            check_writable(path)

    def _begin_heartbeat(self) -> None:
        """Also of a run that is refused; but one that another run locks out must not pass for one that failed."""
        url = self.settings.output.heartbeat_url
        locked_out = isinstance(self.journal.facts.refusal, LedgerLocked)
        if url is not None and not self.settings.run.dry_run and not locked_out:
            from cleanup.records.heartbeat import Heartbeat

            self._last_words.heartbeat = Heartbeat(
                url.get_secret_value(), lambda trouble: self.journal.warn(trouble, kind="heartbeat")
            )
            self._last_words.heartbeat.begin()

    def outputs(self) -> dict[str, str | None]:
        """The files that this run may write, by what they are."""
        return outputs_of(self.settings, finds=self.job.find is not None)

    def _check_settings(self) -> None:
        settings, loaded = self.settings, self.job.loaded
        listed = settings.pairs if self.job.read is not None and loaded.inline_pairs is None else None
        check_files(loaded, listed, self.outputs())
        self.job.check()
        check_resume(settings)

    def _plan(self, pairs: PairList, objection: SettingsError | None = None) -> None:
        """Decide what to do with each pair. Raises `objection`, or SettingsError when it is more than may be sent."""
        settings, journal = self.settings, self.journal
        journal.identity.list_sha256 = pairs.sha256
        warning = warning_of(pairs) if self.job.find is None else None
        if warning is not None:
            journal.warn(warning[0], kind=warning[1])
        past, trouble = None, journal.facts.refusal or objection
        try:
            past = self._past = past_of(settings, pairs)
        except SettingsError as error:
            trouble = trouble or error
        plan = plan_of(settings, pairs, past)
        journal.open_account(plan)
        if trouble is not None:
            raise trouble
        self._check_past()
        # A sweep is judged by all that it found, a list by what this run would send of it.
        check_cap(plan.to_send + (plan.count(Fate.LIMIT) if self.job.find is not None else 0), settings)
        journal.tell_planned()

    def _check_past(self) -> None:
        past, identity = self._past, self.journal.identity
        if past is not None:
            check_past(past, self.settings, identity.organization)
            for line in past.unreadable[:5]:
                sentence = f"{past.path}:{line}: this line cannot be read; its pair is not taken as settled"
                self.journal.warn(sentence, kind="ledger_unreadable")

    async def _talk(self) -> None:
        """Everything that needs the API."""
        from cleanup.api.owner import whose_key
        from cleanup.api.session import open_session

        if self._key is None:
            raise SettingsError(f"there is no API key: set {VARIABLE}, or name a file with api.key_file (--key-file)")
        journal = self.journal
        self._mind_callbacks(asyncio.current_task())
        async with open_session(self.settings, self._key, journal.traffic, journal.tell_api, journal.notice) as session:
            stop = journal.stop = session.stop
            stop.listen(lambda: journal.tell("run.stopping", cause=str(stop.cause), message=stop.sentence))
            for sentence in journal.facts.unwritten[:1]:
                stop.request(StopCause.OUTPUT, sentence)
            try:
                owner = await session.cuttable(whose_key(session, self.settings.api.organization))
                journal.identity.organization, journal.identity.user = owner.organization, owner.user
                if owner.trouble:
                    journal.warn(owner.trouble, kind="owner_unknown")
                await self.work(session)
            finally:
                facts = journal.facts
                facts.causes = list(stop.causes)
                facts.signal = stop.signal
                facts.refusal = facts.refusal or stop.error
                self.measured.retries = session.calling.retries
                self.measured.rate_limit = session.pace.limit

    def _mind_callbacks(self, main: "asyncio.Task[None] | None") -> None:
        """A bug in a callback of the loop ends the run: whom it should have woken would wait for ever."""

        def failed(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
            if "handle" in context and main is not None:
                self._crash = self._crash or context.get("exception")
                main.cancel()
            else:
                self.journal.tell("run.info", level="debug", message=str(context["message"]))

        asyncio.get_running_loop().set_exception_handler(failed)

    async def work(self, session: "Session") -> None:
        """What the run is for, once it is known whose key it is."""
        self._check_past()  # once more: now it is known whose key it is
        if self.job.find is not None:
            self._plan(*await session.cuttable(self.job.find(self.journal, session, self.job.loaded)))
        account = self.journal.account
        assert account is not None
        if account.plan.to_send:
            from cleanup.sending import send_all

            await send_all(self.job.loaded, self.journal, self.screen, session, self.measured)
        else:
            self._begin()

    def _hide(self, text: str) -> str:
        return self._key.hide(text) if self._key is not None else text

    def _tell_bug(self, bug: Exception) -> None:
        """A bug is told with its traceback, never with the values of its variables."""
        trace = self._hide("".join(traceback.format_exception(bug)))
        self.journal.tell("run.bug", message=f"a bug in this program: {bug!r}", traceback=trace)
