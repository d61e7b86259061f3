"""What a run is for: ask, open the record, discard everything that is planned."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from random import Random

from cleanup.api.atoms import organization_name_in
from cleanup.api.retry import Caller, Subject
from cleanup.api.session import Session
from cleanup.discard import Case, Means
from cleanup.guards import Guards
from cleanup.last_words import Measured
from cleanup.preview import Preview
from cleanup.records.backup import Backup
from cleanup.records.journal import Journal
from cleanup.settings.sources import Loaded
from cleanup.show.ask import confirm
from cleanup.show.console import Screen
from cleanup.show.progress import bar, reporting
from cleanup.workers import Queue, Workers
from cleanup.workspace import Workspace


async def send_all(loaded: Loaded, journal: Journal, screen: Screen, session: Session, measured: Measured) -> None:
    """Ask a person if there is one, then discard (or preview) all planned pairs. Raises JobError, Stopped."""
    settings = loaded.settings
    assert journal.account is not None
    plan = journal.account.plan
    dry_run = settings.run.dry_run
    backup = Backup(settings.guard.backup) if settings.guard.backup and not dry_run else None
    if screen.person and not settings.run.yes and not dry_run:
        journal.identity.organization_name = await _name_of(journal.identity.organization, session)
        await confirm(plan.to_send, plan.agents(), journal.identity, session.stop)
    if not dry_run:
        journal.begin(loaded.record(), settings.run.note)
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
    workspace = Workspace(session.stop, model, journal.moved, session.throttle.now, only_reads=dry_run)
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
                journal.settle(result)
            raise
        if result is not None:
            journal.settle(result)

    workers = Workers(
        session,
        Queue(plan.fates, Random(identity.list_sha256)),  # noqa: S311 - chance, not secrecy
        subject,
        process,
        requests=lambda: 2 if checks or (workspace.model == "branches" and not dry_run) else 1,
        is_witness=lambda place: not workspace.is_waited_for(plan.pairs[place].agent),
    )
    answers, measured.requests_before = journal.traffic.answers(), journal.traffic.total
    since = time.monotonic()
    try:
        with _progress(journal, screen, quiet=settings.output.quiet):
            await session.cuttable(workers.run())
        journal.all_sent()
    finally:
        measured.sending_seconds = time.monotonic() - since
        journal.facts.sent = journal.traffic.total > measured.requests_before
        journal.facts.answered = journal.traffic.answers() > answers


async def _name_of(organization: str | None, session: Session) -> str | None:
    """The organization's name, for a person; a failure is no more than a missing name. Raises Stopped."""
    if organization is None:
        return None
    reply = await session.cuttable(session.caller().operate(lambda api: api.account(), once=True))
    session.stop.check()
    name = organization_name_in(reply, organization)
    return None if name is None else session.key.hide(name)


@contextmanager
def _progress(journal: Journal, screen: Screen, *, quiet: bool) -> Iterator[None]:
    """A bar for a person, a line every 30 seconds for a log."""
    assert journal.account is not None
    if screen.person and screen.style == "console" and not quiet:
        to_send = journal.account.plan.to_send
        what = "looking at" if journal.identity.dry_run else "discarding"
        with bar(screen.output, to_send, what, colours=screen.colours) as journal.advance:
            yield
        journal.advance = lambda: None
    else:
        with reporting(journal.tell_progress):
            yield
