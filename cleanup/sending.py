"""What a run is for: ask, open the record, discard everything that is planned."""

import asyncio
from functools import partial
from itertools import count
from random import Random

from cleanup.api.atoms import organization_name_in
from cleanup.api.retry import Caller, Subject
from cleanup.api.session import Session
from cleanup.console.ask import confirm
from cleanup.console.progress import progress
from cleanup.console.screen import Screen
from cleanup.discard.discard import Case, Means
from cleanup.discard.guards import Guards
from cleanup.discard.preview import Preview
from cleanup.discard.workers import Queue, Workers
from cleanup.discard.workspace import Workspace
from cleanup.model import Owner
from cleanup.records.backup import Backup
from cleanup.records.recorder import Recorder
from cleanup.records.state import State
from cleanup.settings.sources import Loaded


async def send_all(state: State, recorder: Recorder, session: Session, loaded: Loaded, screen: Screen) -> None:
    """Ask a person if there is one, then discard (or preview) all planned pairs. Raises JobError, Stopped."""
    settings, plan, identity = loaded.settings, recorder.plan, state.identity
    dry_run = settings.run.dry_run
    backup = Backup(settings.guard.backup) if settings.guard.backup and not dry_run else None
    organization_name = None
    if screen.person and not settings.run.yes and not dry_run:
        organization_name = await _name_of(state.owner, session)
        whose = state.owner.in_words(organization_name)
        await confirm(plan.to_send, plan.agents(), f"{whose} at {identity.base_url}", session.stop)
    if not dry_run:
        recorder.begin(state.owner, organization_name, loaded.record(), settings.run.note)
    state.reporter.log(
        "run.started",
        mode=identity.mode,
        list=identity.list_name,
        listed=plan.listed,
        to_send=plan.to_send,
        base_url=identity.base_url,
        organization=state.owner.organization,
    )
    if dry_run:
        state.reporter.note("a dry run: whether this key may discard these drafts (403) cannot be read")
    # What a sweep has learned while it was finding holds for its discards.
    model = "branches" if state.model == "branches" else settings.api.model
    workspace = Workspace(session.stop, model, state.moved, session.throttle.now, only_reads=dry_run)
    guards = Guards(settings.guard)
    means = Means(workspace, guards, backup, session.stop)
    kind = Preview if dry_run else Case
    checks = not dry_run and guards.need_check(dated=plan.pairs.columns.updated_at is not None)

    def subject(place: int) -> Subject:
        pair = plan.pairs[place]
        return Subject(place, pair.agent, pair.draft)

    async def process(place: int, caller: Caller) -> None:
        case = kind(plan.pairs[place], caller, means)
        try:
            result = await case.run()
        except BaseException as error:
            cut_off = isinstance(error, asyncio.CancelledError)
            result = case.interrupted("cut off in flight" if cut_off else "a bug in this program came between")
            if result is not None:
                recorder.record(result)
            raise
        if result is not None:
            recorder.record(result)

    workers = Workers(
        session,
        Queue(plan.decisions, Random(plan.pairs.sha256)),  # noqa: S311 - chance, not secrecy
        subject,
        process,
        requests=lambda: 2 if checks or (workspace.model == "branches" and not dry_run) else 1,
        is_witness=lambda place: not workspace.is_waited_for(plan.pairs[place].agent),
    )
    with state.traffic.sending():
        what, done = "checking" if dry_run else "discarding", count(1)
        log = partial(_log_progress, state, recorder)
        with progress(screen, what, log, quiet=settings.output.quiet) as show:
            recorder.on_record = lambda: show(next(done), plan.to_send)
            await session.cuttable(workers.run())
        recorder.conclude()


async def _name_of(owner: Owner, session: Session) -> str | None:
    """The organization's name, for a person; a failure is no more than a missing name. Raises Stopped."""
    organization = owner.organization
    if organization is None:
        return None
    reply = await session.cuttable(session.caller().operate(lambda api: api.account(), once=True))
    session.stop.check()
    name = organization_name_in(reply, organization)
    return None if name is None else session.key.hide(name)


def _log_progress(state: State, recorder: Recorder) -> None:
    recorder.log_progress(state.traffic.total)
