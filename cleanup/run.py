"""One run from top to bottom: key, files, list, plan, whose key, question, discards, last words."""

import asyncio
import signal
import time
import traceback
import uuid
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeVar

from cleanup.api.key import VARIABLE, Key
from cleanup.errors import JobError, LedgerLocked, SettingsError
from cleanup.last_words import LastWords, Measured
from cleanup.lists.pair_list import PairList
from cleanup.plan import Fate, Order, make_plan
from cleanup.records.files import check_writable
from cleanup.records.heartbeat import Heartbeat
from cleanup.records.journal import Journal
from cleanup.records.ledger import Ledger, Past
from cleanup.records.summary import Identity
from cleanup.settings.sources import Loaded
from cleanup.show.console import Screen
from cleanup.stop import Stopped

if TYPE_CHECKING:  # loaded only when there is something to send
    from cleanup.api.session import Session

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Job:
    """What to run, and how it was asked for: the list is `read` at once, or it is found through the API."""

    loaded: Loaded
    screen: Callable[[Callable[[str], str], str], Screen]
    environ: dict[str, str]
    command: list[str]
    list_name: str | None
    read: Callable[[Journal], PairList] | None = None
    find: "Callable[[Journal, Session, Loaded], Awaitable[PairList]] | None" = None


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
        self._last_words = LastWords(self.journal, self.settings, self.screen, job.command, self.measured)
        self._key: Key | None = None
        self._past: Past | None = None

    def execute(self) -> int:
        """Run, write everything down, say how it ended. Returns the exit code."""
        facts = self.journal.facts
        locked = False
        with ExitStack() as stack:
            try:
                self.prepare(stack)
                if self.job.read is not None:
                    self._plan(self.job.read(self.journal))
                account = self.journal.account
                if account is None or account.plan.to_send:
                    asyncio.run(self._talk())
            except JobError as error:
                facts.refusal = error
                locked = isinstance(error, LedgerLocked)
                self.journal.tell("run.stopping", message=str(error))
            except Stopped:
                pass
            except SystemExit as end:  # a signal, while there was nothing to drain
                facts.signal = int(end.code or 0) - 128
            except Exception as bug:  # noqa: BLE001 - told as a bug, and everything is written
                facts.bug = True
                self._tell_bug(bug)
            for number in (signal.SIGTERM, signal.SIGINT):  # what is left takes seconds, and is what matters most
                signal.signal(number, signal.SIG_IGN)
            return self._last_words.speak(files=not locked, show=self.shows_summary)

    shows_summary = True

    def prepare(self, stack: ExitStack) -> None:
        """The lock, the key, the places of all files: what can be refused without looking at the list."""
        output, run = self.settings.output, self.settings.run
        if output.ledger is not None and not run.dry_run:
            self.journal.ledger = stack.enter_context(Ledger(output.ledger))
        if output.heartbeat_url is not None and not run.dry_run:
            self._last_words.heartbeat = Heartbeat(output.heartbeat_url.get_secret_value(), self.journal.warn)
            self._last_words.heartbeat.begin()
        if self.job.loaded.unconfirmed:
            self.journal.warn("a dry run: without --yes (run.yes) and without a person to ask, a sweep only reads")
        if run.resume and output.ledger is None:
            raise SettingsError("run.resume (--resume) needs output.ledger (--ledger): it leaves out what that settles")
        key_file, variable = self.settings.api.key_file, self.job.environ.get(VARIABLE)
        if key_file or variable:
            self._key = Key(key_file, variable)
            if self._key.readable_by_others():
                self.journal.warn(f"the key file {key_file} can be read by everybody on this machine: chmod 600 it")
        paths = [output.summary] if run.dry_run else [output.summary, output.leftover, output.metrics]
        if self.job.find is not None:
            paths.append(output.list)
        for path in paths:
            if path is not None:
                check_writable(path)

    def _plan(self, pairs: PairList) -> None:
        """Decide what to do with each pair. Raises SettingsError when it is more than may be sent."""
        settings, journal = self.settings, self.journal
        journal.identity.list_sha256 = pairs.sha256
        if not pairs and self.job.find is None:
            journal.warn("the list is empty: there is nothing to discard")
        if settings.run.resume and settings.output.ledger is not None:
            self._past = Past(settings.output.ledger, set(pairs.keys))
        past = self._past
        plan = make_plan(
            pairs,
            protect=settings.guard.protect,
            settled=past.settled if past else (),
            shard=settings.run.shard,
            limit=settings.limits.per_run,
        )
        journal.open_account(plan)
        ledger = settings.output.ledger
        others = past.base_urls - {journal.identity.base_url} if past else set()
        if others:
            raise SettingsError(
                f"{ledger}: this ledger is of runs against {', '.join(sorted(others))}, not {journal.identity.base_url}"
            )
        for line in past.unreadable[:5] if past else ():
            journal.warn(f"{ledger}:{line}: this line cannot be read; its pair is not taken as settled")
        # A sweep is judged by all that it found, a list by what this run would send of it.
        count = plan.to_send + (plan.count(Fate.LIMIT) if self.job.find is not None else 0)
        if count > settings.limits.max_discards:
            most = f"limits.max_discards ({settings.limits.max_discards})"
            raise SettingsError(
                f"{count} drafts would be sent, more than {most}, so none was: "
                f"if that many are meant, pass --max-discards {count}"
            )
        journal.tell_planned()

    async def _talk(self) -> None:
        """Everything that needs the API."""
        from cleanup.api.identity import whose_key
        from cleanup.api.session import open_session

        if self._key is None:
            raise SettingsError(f"there is no API key: set {VARIABLE}, or name a file with api.key_file (--key-file)")
        journal = self.journal
        async with open_session(self.settings, self._key, journal.traffic, journal.tell_api, journal.notice) as session:
            stop = journal.stop = session.stop
            stop.listen(lambda: journal.tell("run.stopping", cause=str(stop.cause), message=stop.sentence))
            try:
                owner = await session.cuttable_work(whose_key(session, self.settings.api.organization))
                journal.identity.organization, journal.identity.user = owner.organization, owner.user
                if owner.trouble:
                    journal.warn(owner.trouble)
                self._answers_before = journal.traffic.answers()
                await self.work(session)
            finally:
                journal.facts.causes = list(stop.causes)
                journal.facts.signal = stop.signal
                self.measured.retries = session.caller.retries
                self.measured.rate_limit = session.pace.limit

    async def work(self, session: "Session") -> None:
        """What the run is for, once it is known whose key it is."""
        if self.job.find is not None:
            self._plan(await session.cuttable_work(self.job.find(self.journal, session, self.job.loaded)))
        journal = self.journal
        organization = journal.identity.organization
        others = self._past.organizations - {organization} if self._past and organization else set()
        if others:
            whose = ", ".join(sorted(others))
            raise SettingsError(
                f"{self.settings.output.ledger}: this ledger is of organization {whose}, the key is of {organization}"
            )
        assert journal.account is not None
        if journal.account.plan.to_send:
            await self._discard_all(session)

    async def _discard_all(self, session: "Session") -> None:
        """Ask, open the record, send."""
        from cleanup.branches import Workspace
        from cleanup.discard import Discarder, Guards
        from cleanup.preview import Previewer
        from cleanup.records.backup import Backup
        from cleanup.show.ask import confirm
        from cleanup.workers import Workers

        settings, journal = self.settings, self.journal
        assert journal.account is not None
        plan = journal.account.plan
        dry_run = settings.run.dry_run
        backup = Backup(settings.guard.backup) if settings.guard.backup and not dry_run else None
        if self.screen.person and not settings.run.yes and not dry_run:
            await confirm(plan.to_send, plan.agents(), journal.identity, session.stop)
        if not dry_run:
            journal.begin(self.job.loaded.record(), settings.run.note)
        identity = journal.identity
        journal.tell(
            "run.started",
            mode=identity.mode,
            list=identity.list_name,
            listed=plan.listed,
            to_send=plan.to_send,
            base_url=identity.base_url,
            organization=identity.organization,
        )
        if dry_run:
            journal.warn("a dry run: whether this key may discard these drafts (403) cannot be read", level="info")
        # What a sweep has learned while it was finding holds for its discards.
        model = "branches" if identity.model == "branches" else settings.api.model
        workspace = Workspace(session.atoms, session.caller, session.stop, model, journal.moved)
        guards = Guards(settings.guard.min_idle)
        process = (
            Previewer(session.atoms, session.caller, workspace, guards)
            if dry_run
            else Discarder(session.atoms, session.caller, workspace, session.stop, guards, backup)
        )
        workers = Workers(session.gate, process, journal.settle)
        session.cuttable.add(workers)
        since = time.monotonic()
        self.measured.sending_seconds = 0.0
        try:
            with self._progress(plan.to_send):
                await workers.run(plan.pairs, Order(plan))
            journal.all_sent()
        finally:
            self.measured.sending_seconds = time.monotonic() - since
            journal.facts.sent = journal.traffic.total > 1
            journal.facts.answered = journal.traffic.answers() > self._answers_before

    _answers_before = 0

    @contextmanager
    def _progress(self, total: int) -> Iterator[None]:
        """A bar for a person, a line every 30 seconds for a log."""
        from cleanup.show.progress import bar, reporting

        if self.screen.person and self.screen.style == "console" and not self.settings.output.quiet:
            colours = self.screen.colours
            with bar(self.screen.output, total, "discarding", colours=colours) as self.journal.advance:
                yield
            self.journal.advance = lambda: None
        else:
            with reporting(self.journal.tell_progress):
                yield

    def _hide(self, text: str) -> str:
        return self._key.hide(text) if self._key is not None else text

    def _tell_bug(self, bug: Exception) -> None:
        """A bug is told with its traceback, never with the values of its variables."""
        trace = self._hide("".join(traceback.format_exception(bug)))
        self.journal.tell("run.warning", level="error", message=f"a bug in this program: {bug!r}", traceback=trace)
