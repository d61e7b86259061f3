"""What the runs of all commands have in common: preparation, the plan, the API session, and the output at the end."""

import traceback
import uuid
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from cleanup.api.key import VARIABLE, Key
from cleanup.console.events import Name
from cleanup.console.meter import Meter
from cleanup.console.reporter import Reporter
from cleanup.console.screen import Screen
from cleanup.errors import JobError, LedgerLocked, SameFile, SettingsError, UsageError
from cleanup.lists.pair_list import PairList
from cleanup.loop import run_to_end
from cleanup.model import KnownLimit, Outcome
from cleanup.plan import Decision, Undone
from cleanup.preflight import (
    check_cap,
    check_files,
    check_past,
    check_resume,
    known_limit,
    past_of,
    plan_of,
    written_whole,
)
from cleanup.records.files import check_writable
from cleanup.records.finish import Finish
from cleanup.records.ledger import Ledger
from cleanup.records.next_step import Again
from cleanup.records.past import Past
from cleanup.records.proof import Proof
from cleanup.records.recorder import Recorder
from cleanup.records.state import State
from cleanup.records.summary import Identity, Mode
from cleanup.records.task import task_of
from cleanup.settings.sources import Loaded
from cleanup.stop import Stop, Stopped, ignore_signals

if TYPE_CHECKING:  # loaded only when there is something to send
    from cleanup.api.session import Session
    from cleanup.records.heartbeat import Heartbeat


@dataclass(frozen=True, slots=True)
class Job:
    """What was requested. `screen`: makes a Screen from the function that hides secrets and the run's id.

    `check` refuses settings that this command cannot run with. `works_through`: what is worked through, if not a list.
    """

    loaded: Loaded
    screen: Callable[[Callable[[str], str], str], Screen]
    environ: dict[str, str]
    again: Again
    list_name: str | None
    check: Callable[[], None]
    works_through: str | None = None


class Run:
    """What the runs of all commands have in common. Only this module changes a run's state."""

    def __init__(self, job: Job, mode: Mode, purpose: Outcome = Outcome.DISCARDED) -> None:
        """`purpose`: the outcome that the run is for."""
        self._job = job
        self._settings = settings = job.loaded.settings
        shard = None if settings.run.shard is None else str(settings.run.shard)
        identity = Identity(
            run_id=uuid.uuid4().hex,
            mode=mode,
            purpose=purpose,
            started_at=datetime.now(UTC),
            base_url=settings.api.base_url,
            list_name=job.list_name,
            shard=shard,
            task=task_of(job.works_through or job.list_name, settings.output.metrics, shard),
        )
        stop = Stop()
        self.screen = job.screen(self._hide, identity.run_id)
        self.state = State(identity, stop, Reporter(self.screen.log, stop), settings.api.model)
        if purpose is Outcome.DISCARDED:
            self.state.proof = Proof(settings.guard.verify)
        self._key: Key | None = None
        self._past: Past | None = None
        self._ledger: Ledger | None = None
        self._heartbeat: Heartbeat | None = None

    def to_the_end(
        self, prepare: Callable[[ExitStack], None], work: Callable[[], None], *, shows_summary: bool = True
    ) -> int:
        """Prepare, work, write all output, and report how the run ended. Returns the exit code."""
        state = self.state
        with ExitStack() as stack:
            try:
                with self.reporting_errors("settings.invalid"):
                    prepare(stack)
                with self.reporting_errors():
                    self._begin_heartbeat()
                if not self._hands_off():
                    work()
                ignore_signals()
            except SystemExit as end:  # a signal came while no session was open
                ignore_signals()
                state.stop.signalled(int(end.code or 0) - 128)
            state.causes = tuple(state.stop.causes)
            no_list = isinstance(state.refusal, UsageError) and state.recorder is None
            writers = self.screen, self._job.again, self._ledger, self._heartbeat
            finish = Finish(state, self._settings, *writers, self._page, datetime.now(UTC))
            return finish.write(files=not self._hands_off(), show=shows_summary and not no_list)

    def _page(self, summary: dict[str, Any]) -> str:
        """The page of this run."""
        from cleanup.pages.of_run import told_of_run
        from cleanup.pages.report import report_page

        return report_page(told_of_run(self.state, summary, self._job.loaded.record()))

    @property
    def is_refused(self) -> bool:
        """Whether nothing may be sent, because of an error or a bug."""
        return self.state.refusal is not None or self.state.reporter.met_a_bug

    def _hands_off(self) -> bool:
        """Whether no file may be written at all, not even the summary."""
        return isinstance(self.state.refusal, (LedgerLocked, SameFile))

    @contextmanager
    def reporting_errors(self, settings_event: Name = "run.stopping") -> Iterator[None]:
        """Log an error that ends the run, and keep the first one. `settings_event`: the event for a SettingsError."""
        try:
            yield
        except JobError as error:
            self.state.refusal = self.state.refusal or error
            self.state.reporter.log_error(error, settings_event)
        except Stopped:
            pass
        except Exception as bug:  # noqa: BLE001 - reported as a bug, and everything is written
            # With the traceback, but without the values of variables.
            trace = self._hide("".join(traceback.format_exception(bug)))
            self.state.reporter.log_bug(bug, traceback=trace)

    def prepare(
        self,
        stack: ExitStack,
        outputs: dict[str, str | None],
        listed: str | None = None,
        *,
        reads_past: bool = False,
    ) -> None:
        """Lock the ledger, read the key, and check the paths of all files, before the list is read.

        `listed`: the list's path. `reads_past`: check the ledger now, and not once the list is known.
        """
        settings, job, reporter = self._settings, self._job, self.state.reporter
        check_files(job.loaded, listed, outputs)
        job.check()
        check_resume(settings)
        if settings.output.ledger is not None and not settings.run.dry_run:
            self._ledger = stack.enter_context(Ledger(settings.output.ledger))
        if reads_past:
            self._past = past_of(settings, None, self.meter())
            self.check_past()
        if job.loaded.unconfirmed:
            sentence = "a dry run: without --yes (run.yes) and without a person to ask, a sweep only reads"
            reporter.warn(sentence, kind="unconfirmed")
        key_file, variable = settings.api.key_file, job.environ.get(VARIABLE)
        if key_file or variable:
            self._key = Key(key_file, variable)
            if self._key.readable_by_others():
                sentence = f"the key file {key_file} can be read by everybody on this machine: chmod 600 it"
                reporter.warn(sentence, kind="key_file_readable")
        for path in written_whole(settings, outputs):
            check_writable(path)

    def _begin_heartbeat(self) -> None:
        """Send the first ping, also if the run is refused. A run that is locked out by another must not look failed."""
        url = self._settings.output.heartbeat_url
        locked_out = isinstance(self.state.refusal, LedgerLocked)
        if url is not None and not locked_out:
            from cleanup.records.heartbeat import Heartbeat

            warn = self.state.reporter.warn
            self._heartbeat = Heartbeat(url.get_secret_value(), lambda trouble: warn(trouble, kind="heartbeat"))
            self._heartbeat.begin()

    def plan(
        self,
        pairs: PairList,
        *,
        finds: bool = False,
        objection: SettingsError | None = None,
        undone: Undone | None = None,
    ) -> Recorder:
        """Decide what to do with each pair. Raises `objection`, or SettingsError if it is more than may be sent.

        A run that was already refused gets a plan too, so that the leftover can be written. `finds`: the pairs are what
        a sweep found. `undone`: what is known of earlier undos, if this is one.
        """
        settings, state = self._settings, self.state
        trouble = objection
        if self._past is None or settings.run.resume:
            try:
                self._past = past_of(settings, pairs, self.meter())
            except SettingsError as error:
                trouble = trouble or error
        plan = plan_of(settings, pairs, self._past, undone)
        recorder = state.recorder = Recorder(state.identity, plan, self._ledger, state.reporter, state.stop)
        recorder.on_end = lambda ending: state.traffic.timeline.note(ending.outcome)
        if self.is_refused:
            return recorder
        if trouble is not None:
            raise trouble
        self.check_past()
        # The limit applies to all that a sweep found, but only to what this run would send of a list.
        check_cap(plan.to_send + (plan.count(Decision.LIMIT) if finds else 0), settings)
        recorder.log_plan()
        return recorder

    def check_past(self) -> None:
        """Refuse a ledger of another API or organization, and one from which this run may not resume."""
        past, state = self._past, self.state
        if past is not None:
            check_past(past, self._settings, state.owner.organization)
            for line in past.unreadable[:5]:
                sentence = f"{past.path}:{line}: this line cannot be read, so its pair does not count as settled"
                state.reporter.warn(sentence, kind="ledger_unreadable")

    def begin_record(self, recorder: Recorder) -> None:
        """Open the record of a run that has nothing to send."""
        if not self._settings.run.dry_run:
            recorder.begin(self.state.owner, self._job.loaded.record(), self._settings.run.note)

    def talk(self, work: "Callable[[Session], Awaitable[None]]", *, named: bool = False) -> None:
        """Open a session, find out which organization the key belongs to, and do the work. Raises JobError, Stopped.

        `named`: read the organization's name too, as is always done if a person is present.
        """
        run_to_end(self._talk(work, named=named or self.screen.person), self._note_of_loop)

    def _note_of_loop(self, text: str) -> None:
        self.state.reporter.log("run.info", level="debug", message=text)

    async def _talk(self, work: "Callable[[Session], Awaitable[None]]", *, named: bool) -> None:
        from cleanup.api.owner import whose_key, with_name
        from cleanup.api.session import open_session

        if self._key is None:
            raise SettingsError(f"there is no API key: set {VARIABLE}, or name a file with api.key_file (--key-file)")
        state, settings, reporter = self.state, self._settings, self.state.reporter
        stop = state.stop
        async with open_session(
            settings,
            self._key,
            stop,
            state.traffic,
            reporter.log_api,
            reporter.warn_of_end,
            self._known_limit(),
        ) as session:
            stop.listen(lambda: reporter.log("run.stopping", cause=str(stop.cause), message=stop.sentence))
            try:
                state.owner = await session.cuttable(whose_key(session, settings.api.organization))
                if state.owner.trouble:
                    reporter.warn(state.owner.trouble, kind="owner_unknown")
                if named:
                    state.owner = await session.cuttable(with_name(session, state.owner))
                await work(session)
            finally:
                state.refusal = state.refusal or stop.error

    def meter(self) -> Meter:
        """Shows the progress of a long read."""
        return Meter(self.screen.output.stream)

    def _known_limit(self) -> KnownLimit | None:
        """The limit that an earlier run found, if the ledger has one."""
        return known_limit(self._past, self._settings, self.state.identity.started_at)

    def _hide(self, text: str) -> str:
        return self._key.hide(text) if self._key is not None else text
