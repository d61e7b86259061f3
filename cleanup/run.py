"""The runs, one function each: discard a list, sweep, find.

They raise nothing, and each reports what it did.
"""

from collections.abc import Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING

from cleanup.console.reporter import Reporter
from cleanup.lifecycle import Job, Run
from cleanup.lists.pair_list import PairList
from cleanup.preflight import outputs_of
from cleanup.records.files import whole_file
from cleanup.records.recorder import Recorder

if TYPE_CHECKING:  # loaded only when there is something to send
    from cleanup.api.session import Session
    from cleanup.find.findings import Listing


def discard_list(job: Job, read: Callable[[Reporter], PairList] | None) -> int:
    """Discard every pair of a list, or in a dry run determine what would happen. Returns the exit code.

    `read` reads the list and reports its bad rows; None if no list is named.
    """
    settings = job.loaded.settings
    run = Run(job, "dry-run" if settings.run.dry_run else "discard")

    async def send(session: "Session", recorder: Recorder) -> None:
        from cleanup.sending import send_all

        run.check_past()  # again, now that the key's organization is known
        await send_all(run.state, recorder, session, job.loaded, run.screen)

    def work() -> None:
        recorder = None
        if read is not None:  # even if the run is already refused, to report bad rows and write the leftover
            with run.reporting_errors():
                recorder = run.plan(read(run.state.reporter))
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


def sweep(job: Job) -> int:
    """Find drafts by the rule in the settings, and discard them. Returns the exit code."""
    settings = job.loaded.settings
    run = Run(job, "dry-run" if settings.run.dry_run else "sweep")

    def prepare(stack: ExitStack) -> None:
        run.prepare(stack, outputs_of(settings, finds=True), reads_past=True)

    async def find_and_send(session: "Session") -> None:
        from cleanup.find.found import sweep_list
        from cleanup.sending import send_all

        run.check_past()  # again, now that the key's organization is known
        pairs, objection = await session.cuttable(sweep_list(run.state, session, settings, run.screen))
        recorder = run.plan(pairs, finds=True, objection=objection)
        if recorder.plan.to_send:
            await send_all(run.state, recorder, session, job.loaded, run.screen)
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
        print_found(findings, to)

    def work() -> None:
        if not run.is_refused:
            with run.reporting_errors():
                run.talk(search, named=to.page is not None)

    return run.to_the_end(prepare, work, shows_summary=False)
