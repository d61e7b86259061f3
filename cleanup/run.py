"""The runs, one function each: discard a list, sweep, find, undo.

They raise nothing, and each reports what it did.
"""

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cleanup.console.reporter import Reporter
from cleanup.errors import ListMissing
from cleanup.lifecycle import Job, Run
from cleanup.lists.pair_list import PairList
from cleanup.model import Outcome
from cleanup.plan import Decision, Undone
from cleanup.preflight import outputs_of, warning_of
from cleanup.records.files import whole_file
from cleanup.records.recorder import Recorder
from cleanup.records.summary import Mode

if TYPE_CHECKING:  # loaded only when there is something to send
    from cleanup.api.session import Session
    from cleanup.find.findings import Listing
    from cleanup.undo.originals import Wanted

_MOST_WARNINGS: Final = 5


def discard_list(job: Job, read: Callable[[Reporter], PairList] | None) -> int:
    """Discard every pair of a list, or in a dry run determine what would happen. Returns the exit code.

    `read` reads the list and reports its bad rows; None if no list is named.
    """
    settings = job.loaded.settings
    run = _discarding(job, "discard")

    async def send(session: "Session", recorder: Recorder) -> None:
        from cleanup.sending import Sending, discarding

        run.check_past()  # again, now that the key's organization is known
        await discarding(Sending(run.state, recorder, session, job.loaded, run.screen))

    def work() -> None:
        recorder = None
        if read is not None:  # even if the run is already refused, to report bad rows and write the leftover
            with run.reporting_errors():
                pairs = read(run.state.reporter)
                if warning := warning_of(pairs):
                    run.state.reporter.warn(warning[0], kind=warning[1])
                recorder = run.plan(pairs)
        if recorder is None or run.is_refused:
            return
        with run.reporting_errors():
            if recorder.plan.to_send:
                run.talk(lambda session: send(session, recorder))
            else:
                run.begin_record(recorder)

    def prepare(stack: ExitStack) -> None:
        listed = settings.pairs if read is not None and job.loaded.inline_pairs is None else None
        run.prepare(stack, outputs_of(settings, finds=False), listed)

    return run.to_the_end(prepare, work)


def _discarding(job: Job, mode: Mode) -> Run:
    """A run that discards, or in a dry run determines what it would discard."""
    if job.loaded.settings.run.dry_run:
        return Run(job, "dry-run", Outcome.WOULD_DISCARD)
    return Run(job, mode)


def sweep(job: Job) -> int:
    """Find drafts by the rule in the settings, and discard them. Returns the exit code."""
    settings = job.loaded.settings
    run = _discarding(job, "sweep")

    def prepare(stack: ExitStack) -> None:
        run.prepare(stack, outputs_of(settings, finds=True), reads_past=True)

    async def find_and_send(session: "Session") -> None:
        from cleanup.find.found import sweep_list
        from cleanup.sending import Sending, discarding

        run.check_past()  # again, now that the key's organization is known
        pairs, objection = await session.cuttable(sweep_list(run.state, session, settings, run.screen))
        recorder = run.plan(pairs, finds=True, objection=objection)
        if recorder.plan.to_send:
            await discarding(Sending(run.state, recorder, session, job.loaded, run.screen))
        else:
            run.begin_record(recorder)

    def work() -> None:
        if not run.is_refused:
            with run.reporting_errors():
                run.talk(find_and_send)

    return run.to_the_end(prepare, work)


def find(job: Job, to: "Listing") -> int:
    """Find drafts by the rule in the settings, and list them. Returns the exit code."""
    settings = job.loaded.settings
    run = Run(job, "find")

    def prepare(stack: ExitStack) -> None:
        run.prepare(
            stack,
            outputs_of(settings, finds=True) | {"the list that is found (-o)": to.file, "the page (--review)": to.page},
        )

    async def search(session: "Session") -> None:
        from cleanup.find.found import print_found, rule_of, search_workspace

        found = search_workspace(run.state, session, settings, run.screen, compares=to.page is not None)
        findings = await session.cuttable(found)
        if to.page is not None:
            from cleanup.pages.review import review_page

            state, rule = run.state, rule_of(settings).in_words()
            with whole_file(to.page) as stream:
                stream.write(review_page(findings, state.owner, rule, state.identity.started_at, to.command))
            state.reporter.log("run.info", message=f"wrote the page {to.page}: open it in a browser")
        print_found(findings, to)
        if to.file is not None:
            run.state.reporter.log("run.info", message=f"wrote the list of {len(findings.found)} drafts to {to.file}")

    def work() -> None:
        if not run.is_refused:
            with run.reporting_errors():
                run.talk(search, named=to.page is not None)

    return run.to_the_end(prepare, work, shows_summary=False)


def undo(job: Job, wanted: "Wanted") -> int:
    """Restore the drafts that a ledger has as discarded, from their copies. Returns the exit code."""
    from cleanup.undo.originals import Originals, read_originals

    settings = job.loaded.settings
    dry_run, ledger = settings.run.dry_run, str(settings.output.ledger)
    run = Run(job, "dry-run", Outcome.WOULD_RESTORE) if dry_run else Run(job, "undo", Outcome.RESTORED)

    def prepare(stack: ExitStack) -> None:
        if not Path(ledger).exists():  # or it would be created
            raise ListMissing(f"{ledger}: there is no such ledger")
        run.prepare(stack, outputs_of(settings, finds=False), reads_past=True)

    async def send(session: "Session", recorder: Recorder, originals: Originals) -> None:
        from cleanup.sending import Sending, restoring

        run.check_past()  # again, now that the key's organization is known
        await restoring(Sending(run.state, recorder, session, job.loaded, run.screen), originals)

    def work() -> None:
        if run.is_refused:
            return
        with run.reporting_errors():
            originals, damage = read_originals(ledger, wanted, settings.guard.backup, run.meter().show)
            for sentence in damage.sentences[:_MOST_WARNINGS]:
                run.state.reporter.warn(sentence, kind="ledger_unreadable")
            recorder = run.plan(originals.pairs(Path(ledger).name), undone=Undone(originals.restored, originals.tried))
            if recorder.plan.to_send:
                run.talk(lambda session: send(session, recorder, originals))
                return
            if not originals.by_key:
                meant = f": {', '.join(wanted.drafts)}" if wanted.drafts else ""
                run.state.reporter.warn(f"this ledger has no such discarded draft{meant}", kind="empty_list")
            elif recorder.plan.count(Decision.RESTORED) == recorder.plan.listed:
                run.state.reporter.note("nothing is left to undo: all of these drafts were restored before")
            run.begin_record(recorder)

    return run.to_the_end(prepare, work)
