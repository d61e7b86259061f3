"""The main part of a run: ask, open the record, and discard everything that is planned."""

import asyncio
from functools import partial
from itertools import count
from random import Random

from cleanup.api.retry import Caller, Subject
from cleanup.api.session import Session
from cleanup.console.ask import confirm
from cleanup.console.progress import progress
from cleanup.console.screen import Screen
from cleanup.discard.discard import Case, Means
from cleanup.discard.guards import Guards
from cleanup.discard.preview import Preview
from cleanup.discard.read_back import ReadBack
from cleanup.discard.workers import Queue, Workers
from cleanup.discard.workspace import Workspace
from cleanup.records.backup import Backup
from cleanup.records.recorder import Recorder
from cleanup.records.state import State
from cleanup.settings.sources import Loaded


async def send_all(state: State, recorder: Recorder, session: Session, loaded: Loaded, screen: Screen) -> None:
    """Ask for confirmation if a person is present, then process all planned pairs. Raises JobError, Stopped."""
    settings, plan = loaded.settings, recorder.plan
    dry_run = settings.run.dry_run
    await _begin(state, recorder, session, loaded, screen)
    backup = Backup(settings.guard.backup) if settings.guard.backup and not dry_run else None
    # A sweep may have found out during the search that the workspace has moved to branches.
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
        read_back.begin(place)
        caller.on_retry = partial(read_back.end, place)  # while it is being retried, it is not about to be discarded
        try:
            result = await case.run()
        except BaseException as error:
            cut_off = isinstance(error, asyncio.CancelledError)
            result = case.interrupted("cut off in flight" if cut_off else "interrupted by a bug in this program")
            if result is not None:
                recorder.record(result)
            raise
        if result is not None:
            recorder.record(result)
            caller.finish()  # it needs no slot while it waits to be read back
            await read_back.after(result)
        read_back.end(place)

    read_back = ReadBack(session, workspace, state.proof, recorder.prove)
    workers = Workers(
        session,
        Queue(plan.decisions, Random(plan.pairs.sha256)),  # noqa: S311 - chance, not secrecy
        subject,
        process,
        admit=read_back.admit,
        requests=lambda: 2 if checks or (workspace.model == "branches" and not dry_run) else 1,
        is_witness=lambda place: not workspace.is_waited_for(plan.pairs[place].agent),
    )
    with state.traffic.sending():
        what, done = "checking" if dry_run else "discarding", count(1)
        log = partial(_log_progress, state, recorder)
        with progress(screen, what, log, quiet=settings.output.quiet) as show:
            recorder.on_record = lambda: show(next(done), plan.to_send)
            await session.cuttable(workers.run())
            await session.cuttable(read_back.finish())
        recorder.conclude()


async def _begin(state: State, recorder: Recorder, session: Session, loaded: Loaded, screen: Screen) -> None:
    """Ask for confirmation if a person is present, open the record, and log the start. Raises JobError, Stopped."""
    settings, plan, identity = loaded.settings, recorder.plan, state.identity
    dry_run = settings.run.dry_run
    if screen.person and not settings.run.yes and not dry_run:
        where = f"{state.owner.in_words()} at {identity.base_url}"
        await confirm(plan.to_send, plan.agents(), where, session.stop)
    if not dry_run:
        recorder.begin(state.owner, loaded.record(), settings.run.note)
    state.reporter.log(
        "run.started",
        mode=identity.mode,
        list=identity.list_name,
        listed=plan.listed,
        to_send=plan.to_send,
        base_url=identity.base_url,
        organization=state.owner.organization,
        organization_name=state.owner.name,
    )
    if dry_run:
        state.reporter.note("a dry run cannot show whether this key may discard these drafts (403)")


def _log_progress(state: State, recorder: Recorder) -> None:
    recorder.log_progress(state.traffic.total)
