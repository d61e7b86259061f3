"""The main part of a run: ask, open the record, and process everything that is planned."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import count
from random import Random
from typing import Final, Protocol

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
from cleanup.model import Pair, Result
from cleanup.records.backup import Backup
from cleanup.records.recorder import Recorder
from cleanup.records.state import State
from cleanup.settings.sources import Loaded
from cleanup.undo.originals import Originals
from cleanup.undo.restore import Restore
from cleanup.undo.steps import Restoring

NO_COPIES: Final = "no copies of the drafts are kept, so this cannot be undone: name a folder for them with --backup"


class Item(Protocol):
    """Processes one pair."""

    async def run(self) -> Result | None:
        """Process the pair. Returns None if the run stopped before it had a result."""

    def interrupted(self, why: str) -> Result | None:
        """The result of a pair that is interrupted now; None if nothing was sent for it."""


@dataclass(frozen=True, slots=True)
class Deed:
    """What is done with each pair. `doing` names it, beside the progress bar.

    `item`: makes what processes a pair. `requests`: how many requests its first attempt usually sends.
    """

    doing: str
    item: Callable[[Pair, Caller], Item]
    requests: Callable[[], int]


@dataclass(frozen=True, slots=True)
class Sending:
    """The parts of a run that has a plan and talks to the API."""

    state: State
    recorder: Recorder
    session: Session
    loaded: Loaded
    screen: Screen


async def discarding(sending: Sending) -> None:
    """Discard everything that is planned, or in a dry run determine what would happen. Raises JobError, Stopped."""
    settings, plan = sending.loaded.settings, sending.recorder.plan
    dry_run = settings.run.dry_run
    if sending.screen.person and settings.guard.backup is None and not dry_run:
        sending.state.reporter.log("run.info", message=NO_COPIES)
    await _begin(sending, "discard")
    workspace, guards = _workspace(sending), Guards(settings.guard)
    backup = Backup(settings.guard.backup) if settings.guard.backup and not dry_run else None
    means = Means(workspace, guards, backup, sending.session.stop)
    kind = Preview if dry_run else Case
    checks = guards.need_check(dated=plan.pairs.columns.updated_at is not None)

    def item(pair: Pair, caller: Caller) -> Item:
        return kind(pair, caller, means)

    def requests() -> int:
        if dry_run or backup is not None:  # the first thing that is asked for a copy is the configuration alone
            return 1
        return 2 if checks or workspace.model == "branches" else 1

    await _process_all(sending, workspace, Deed("checking" if dry_run else "discarding", item, requests))


async def restoring(sending: Sending, originals: Originals) -> None:
    """Make every draft that is planned anew, or in a dry run determine what would happen. Raises JobError, Stopped."""
    dry_run = sending.loaded.settings.run.dry_run
    await _begin(sending, "restore")
    workspace = _workspace(sending)
    means = Restoring(workspace, originals, sending.session.stop, sending.state.reporter.warn, only_reads=dry_run)

    def item(pair: Pair, caller: Caller) -> Item:
        return Restore(pair, caller, means)

    await _process_all(sending, workspace, Deed("checking" if dry_run else "restoring", item, lambda: 1))


def _workspace(sending: Sending) -> Workspace:
    state, stop, settings = sending.state, sending.session.stop, sending.loaded.settings
    # A sweep may have found out during the search that the workspace has moved to branches.
    model = "branches" if state.model == "branches" else settings.api.model
    return Workspace(stop, model, state.moved, sending.session.throttle.now, only_reads=settings.run.dry_run)


async def _process_all(sending: Sending, workspace: Workspace, deed: Deed) -> None:
    """Process all planned pairs. Raises Stopped."""
    state, recorder, session = sending.state, sending.recorder, sending.session
    plan = recorder.plan

    def subject(place: int) -> Subject:
        pair = plan.pairs[place]
        return Subject(place, pair.agent, pair.draft)

    async def process(place: int, caller: Caller) -> None:
        item = deed.item(plan.pairs[place], caller)
        read_back.begin(place)
        caller.on_retry = partial(read_back.end, place)  # while it is being retried, it is not about to be discarded
        try:
            result = await item.run()
        except BaseException as error:
            cut_off = isinstance(error, asyncio.CancelledError)
            result = item.interrupted("cut off in flight" if cut_off else "interrupted by a bug in this program")
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
        requests=deed.requests,
        is_witness=lambda place: not workspace.is_waited_for(plan.pairs[place].agent),
    )
    with state.traffic.sending():
        done, log = count(1), partial(_log_progress, state, recorder)
        with progress(sending.screen, deed.doing, log, quiet=sending.loaded.settings.output.quiet) as show:
            recorder.on_record = lambda: show(next(done), plan.to_send)
            await session.cuttable(workers.run())
            await session.cuttable(read_back.finish())
        recorder.conclude()


async def _begin(sending: Sending, verb: str) -> None:
    """Ask for confirmation if a person is present, open the record, and log the start. Raises JobError, Stopped.

    `verb`: what is done with the drafts.
    """
    state, recorder, settings = sending.state, sending.recorder, sending.loaded.settings
    plan, identity, dry_run = recorder.plan, state.identity, settings.run.dry_run
    if sending.screen.person and not settings.run.yes and not dry_run:
        where = f"{state.owner.in_words()} at {identity.base_url}"
        await confirm(verb, plan.to_send, plan.agents(), where, sending.session.stop)
    if not dry_run:
        recorder.begin(state.owner, sending.loaded.record(), settings.run.note)
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
        state.reporter.note(f"whether this key may {verb} these drafts, only a real run can show")


def _log_progress(state: State, recorder: Recorder) -> None:
    recorder.log_progress(state.traffic.total)
