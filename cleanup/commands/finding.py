"""`find`, and what a `sweep` begins with: the workspace looked over through a run's session."""

import argparse
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from cleanup.api.session import Session
from cleanup.errors import Incomplete, SettingsError
from cleanup.find import Finder, Findings, Rule
from cleanup.lists.pair_list import PairList
from cleanup.records.files import check_writable, whole_file
from cleanup.records.journal import Journal
from cleanup.run import Job, Run
from cleanup.settings.sources import Loaded
from cleanup.settings.values import share_text
from cleanup.show.console import say_list
from cleanup.show.progress import reporting
from cleanup.workspace import Workspace

_MOST_WARNINGS: Final = 20
_ROUNDING: Final = 1e-6
"""Of a draft: 29 of 100 are not more than 29%, whatever binary fractions say."""


async def look_over(journal: Journal, session: Session, loaded: Loaded) -> Findings:
    """Find what the settings mean, and warn of what could not be read. Raises Stopped."""
    settings = loaded.settings
    workspace = Workspace(session.stop, settings.api.model, journal.moved, session.throttle.now)
    finder = Finder(session, workspace)
    journal.tell("run.info", message="looking the workspace over")
    with reporting(lambda: journal.tell("run.progress", requests=journal.traffic.total)):
        findings = await finder.look(Rule(settings.find, datetime.now(UTC)))
    for sentence in findings.unreadable[:_MOST_WARNINGS]:
        journal.warn(sentence, kind="unreadable")
    if len(findings.unreadable) > _MOST_WARNINGS:
        journal.warn(
            f"and {len(findings.unreadable) - _MOST_WARNINGS} more parts of the workspace could not be read",
            kind="unreadable",
        )
    for agent in findings.unknown:
        journal.warn(f"there is no agent {agent} (404)", kind="unknown_agent")
    if findings.ageless and settings.find.older_than is not None:
        journal.warn(
            f"{findings.ageless} drafts have no last edit that can be read: they are not taken as old", kind="ageless"
        )
    counted = f"{len(findings.found)} of {findings.seen} drafts of {findings.agents} agents"
    organization = journal.identity.organization
    where = f" in organization {organization}" if organization else ""
    journal.tell("run.info", message=f"found {counted}{where}")
    return findings


async def sweep_list(journal: Journal, session: Session, loaded: Loaded) -> tuple[PairList, SettingsError | None]:
    """What a sweep is to discard, written down, and what speaks against doing so. Raises Incomplete."""
    settings = loaded.settings
    findings = await look_over(journal, session, loaded)
    if findings.unreadable:
        raise Incomplete(
            f"a part of the workspace could not be read, so nothing was discarded: {findings.unreadable[0]}"
        )
    path = settings.output.list
    text = findings.text(_by_ending(path))
    if path is not None:
        with whole_file(path) as stream:
            stream.write(text)
    most = settings.find.max_share
    meant = sum(draft.agent not in settings.guard.protect for draft in findings.found)
    objection = None
    if most is not None and meant - most * findings.seen > _ROUNDING:
        objection = SettingsError(
            f"{meant} of {findings.seen} drafts are meant by the rule, more than find.max_share "
            f"({share_text(most)}), so none was discarded: if that is right, pass --max-share 100%"
        )
    return findings.pairs(Path(path).name if path else "sweep", text), objection


class FindRun(Run):
    """`find`: the same run, which ends with a list on standard output instead of discards."""

    shows_summary = False

    def __init__(self, job: Job, options: argparse.Namespace) -> None:
        super().__init__(replace(job, loaded=_reading_only(job.loaded)))
        self.journal.identity.mode = "find"
        self.journal.identity.dry_run = False  # it sends no pair, so none would be discarded
        self.journal.identity.list_name = options.output
        self._file: str | None = options.output
        self._format: str = options.format or _by_ending(options.output)

    def outputs(self) -> dict[str, str | None]:
        """Also the list's own place."""
        return super().outputs() | {"the list that is found (-o)": self._file}

    def prepare(self, stack: ExitStack) -> None:
        """Also the list's own place."""
        super().prepare(stack)
        if self._file is not None:
            check_writable(self._file)

    async def work(self, session: Session) -> None:
        """Look, and print what was found."""
        findings = await session.cuttable(look_over(self.journal, session, self.job.loaded))
        text = findings.text(self._format)
        if self._file is not None:
            with whole_file(self._file) as stream:
                stream.write(text)
        else:
            say_list(text)
        if findings.unreadable:
            raise Incomplete(
                f"the list is not complete: {len(findings.unreadable)} parts of the workspace could not be read"
            )


def _reading_only(loaded: Loaded) -> Loaded:
    """The settings without what belongs to a run that discards: its records must not take this for one."""
    settings = loaded.settings
    output = settings.output.model_copy(
        update={"ledger": None, "leftover": None, "metrics": None, "heartbeat_url": None, "list": None}
    )
    run = settings.run.model_copy(update={"resume": False})
    return replace(loaded, settings=settings.model_copy(update={"output": output, "run": run}))


def _by_ending(path: str | None) -> str:
    endings = {".tsv": "tsv", ".yaml": "yaml", ".yml": "yaml", ".json": "json", ".jsonl": "jsonl"}
    return endings.get(Path(path).suffix.lower(), "csv") if path else "csv"
