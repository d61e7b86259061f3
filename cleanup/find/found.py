"""What `find` and `sweep` have in common: they search the workspace and report what was found."""

import math
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from cleanup.api.session import Session
from cleanup.console.progress import progress
from cleanup.console.screen import Screen, say_list
from cleanup.discard.workspace import Workspace
from cleanup.errors import Incomplete, SettingsError
from cleanup.find.finder import Finder
from cleanup.find.findings import Findings, Listing
from cleanup.find.rule import Rule
from cleanup.lists.pair_list import PairList
from cleanup.lists.reading import written_as
from cleanup.records.files import whole_file
from cleanup.records.state import State
from cleanup.settings.definitions import Settings
from cleanup.settings.values import duration_text, share_text

_MOST_WARNINGS: Final = 20
_ROUNDING: Final = 1e-6
"""Tolerance, in drafts, for binary fractions: 29 of 100 drafts are not more than 29%."""


async def search_workspace(
    state: State, session: Session, settings: Settings, screen: Screen, *, compares: bool = False
) -> Findings:
    """Find the drafts that match the settings, and warn about what could not be read. Raises Stopped.

    `compares`: find out what each draft changes, even if the rule does not need it.
    """
    reporter = state.reporter
    workspace = Workspace(session.stop, settings.api.model, state.moved, session.throttle.now)
    finder = Finder(session, workspace)
    reporter.log("run.info", message="searching the workspace")

    def log() -> None:
        reporter.log("run.progress", requests=state.traffic.total)

    with progress(screen, "reading agents", log, quiet=settings.output.quiet) as show:
        findings = await finder.search(rule_of(settings), show)
    if (compares or settings.find.unchanged) and findings.found:
        reporter.log("run.info", message=_how_long(len(findings.found), session.pace.rate))
        with progress(screen, "comparing drafts", log, quiet=settings.output.quiet) as show:
            await finder.compare(findings, show)
    if settings.find.unchanged:
        findings.found = [draft for draft in findings.found if findings.changes.get((draft.agent, draft.draft)) == ()]
    for sentence in findings.unreadable[:_MOST_WARNINGS]:
        reporter.warn(sentence, kind="unreadable")
    if len(findings.unreadable) > _MOST_WARNINGS:
        more = len(findings.unreadable) - _MOST_WARNINGS
        reporter.warn(f"and {more} more parts of the workspace could not be read", kind="unreadable")
    for agent in findings.unknown:
        reporter.warn(f"there is no agent {agent} (404)", kind="unknown_agent")
    if findings.ageless and settings.find.older_than is not None:
        sentence = f"{findings.ageless} drafts have no readable time of their last edit: they do not count as old"
        reporter.warn(sentence, kind="ageless")
    counted = f"{len(findings.found)} of {findings.seen} drafts of {findings.agents} agents"
    where = f" in {state.owner.in_words()}" if state.owner.organization else ""
    kept = f"; guard.keep keeps {findings.kept}" if findings.kept else ""
    many = len(findings.publishing)
    publishing = f"; {many} {'is' if many == 1 else 'are'} being published, and left out" if many else ""
    reporter.log("run.info", message=f"found {counted}{where}{kept}{publishing}")
    return findings


def rule_of(settings: Settings) -> Rule:
    """The rule in the settings, as of now."""
    return Rule(settings.find, datetime.now(UTC), settings.guard.keep)


def _how_long(drafts: int, rate: float | None) -> str:
    """Say what comparing costs: a request for each draft."""
    at = "" if rate is None else f", about {duration_text(math.ceil(drafts / rate))} at {rate:g} a second"
    return f"comparing {drafts} drafts with what they were made from: one request each{at}"


def print_found(findings: Findings, to: Listing) -> None:
    """Print what was found, or write it to a file. Raises Incomplete if a part of the workspace could not be read."""
    text = findings.text(to.format)
    if to.file is not None:
        with whole_file(to.file) as stream:
            stream.write(text)
    else:
        say_list(text)
    if findings.unreadable:
        raise Incomplete(
            f"the list is not complete: {len(findings.unreadable)} parts of the workspace could not be read"
        )


async def sweep_list(
    state: State, session: Session, settings: Settings, screen: Screen
) -> tuple[PairList, SettingsError | None]:
    """Find what a sweep would discard, and write the list. Raises Incomplete, Stopped.

    The error is set if `find.max_share` forbids the sweep.
    """
    findings = await search_workspace(state, session, settings, screen)
    if findings.unreadable:
        raise Incomplete(
            f"a part of the workspace could not be read, so nothing was discarded: {findings.unreadable[0]}"
        )
    path = settings.output.list
    text = findings.text(written_as(path))
    if path is not None:
        with whole_file(path) as stream:
            stream.write(text)
    most = settings.find.max_share
    meant = sum(draft.agent not in settings.guard.protect for draft in findings.found)
    objection = None
    if most is not None and meant - most * findings.seen > _ROUNDING:
        objection = SettingsError(
            f"the rule matches {meant} of {findings.seen} drafts, more than find.max_share "
            f"({share_text(most)}), so none was discarded: if that is intended, pass --max-share 100%"
        )
    return findings.pairs(Path(path).name if path else "sweep", text), objection
