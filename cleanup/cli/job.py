"""`job.py [PAIRS]`, `find`, `sweep` and `undo`: from settings to a run."""

import argparse
import shlex
import sys
import uuid
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from cleanup.cli import program
from cleanup.cli.options import COMMANDS, takes
from cleanup.console.reporter import Reporter
from cleanup.console.screen import Screen, make_screen, style_of
from cleanup.errors import ListMalformed, ListMissing, SettingsError, UsageError
from cleanup.lifecycle import Job
from cleanup.lists.pair_list import PairList
from cleanup.lists.reading import read_inline, read_list, written_as
from cleanup.records.next_step import REASON_BYTES, Again, fitting, flags, make_again
from cleanup.records.summary import utc
from cleanup.run import discard_list, find, sweep, undo
from cleanup.settings.sources import Loaded, Refused, load

WAITING: Final = "waiting for a list on the terminal (`-` is standard input): end it with Ctrl-D on a line of its own"
_BAD_ROWS_FOR_A_PERSON: Final = 20


def job(
    command: str, options: argparse.Namespace, given: dict[str, Any], environ: dict[str, str], home: Path | None
) -> int:
    """Run the job, `find`, `sweep` or `undo` with these options and the settings `given` as flags.

    Returns the exit code.
    """
    try:
        asked_for = load(given, environ, options.config, home)
        loaded = _as_meant(command, asked_for, getattr(options, "ledger", None))
    except Refused as error:
        return refuse_settings(error)
    again = _again(command, options, loaded)

    def screen(hide: Any, run_id: str) -> Screen:
        output = loaded.settings.output
        return make_screen(output.log_format, output.log_level, hide, quiet=output.quiet, run_id=run_id)

    def check() -> None:
        check_settings(command, loaded)

    if command == "sweep":
        return sweep(Job(loaded, screen, environ, again, loaded.settings.output.list or "sweep", check, "sweep"))
    if command == "find":
        file: str | None = options.output
        format_name = options.format or written_as(file)
        from cleanup.find.findings import Listing

        to = Listing(file, format_name, options.review, _discarding(asked_for))
        return find(Job(loaded, screen, environ, again, file, check), to)
    if command == "undo":
        from cleanup.undo.originals import Wanted

        names = options.name or ()
        wanted = Wanted(options.agent or (), options.draft or (), names, options.run or (), options.since)
        return undo(Job(loaded, screen, environ, again, options.ledger, check, "undo"), wanted)
    name = loaded.file if loaded.inline_pairs is not None else loaded.settings.pairs
    asked = Job(loaded, screen, environ, again, None if name is None else str(name), check)
    if name is None:
        return discard_list(asked, None)

    def read(reporter: Reporter) -> PairList:
        if waits_for_typing(loaded):
            reporter.log("run.info", message=WAITING)
        return read_pairs(loaded, options.format, reporter.log_bad_row)

    return discard_list(asked, read)


def _discarding(loaded: Loaded) -> str:
    """The job's command with these settings, but for its list; it keeps a ledger, and copies to undo it by."""
    settings = loaded.settings
    run = settings.run.model_copy(update={"dry_run": False})
    output = settings.output.model_copy(update={"ledger": settings.output.ledger or "ledger.jsonl"})
    guard = settings.guard.model_copy(update={"backup": settings.guard.backup or "copies"})
    settings = settings.model_copy(update={"run": run, "output": output, "guard": guard})
    return shlex.join([*program.absolute_command(), *flags(settings, lambda key: takes("", key))])


def waits_for_typing(loaded: Loaded) -> bool:
    """Whether somebody at a terminal has to type the list, and may not know it."""
    return loaded.settings.pairs == "-" and sys.stdin.isatty()


def _again(command: str, options: argparse.Namespace, loaded: Loaded) -> Again:
    """How this run could be started again."""
    pairs = loaded.settings.pairs if command == "" and loaded.inline_pairs is None else getattr(options, "ledger", None)
    words_of = {"--format": "format", "-o": "output", "--review": "review"}
    given: list[tuple[str, Any]] = [(flag, getattr(options, name, None)) for flag, name in words_of.items()]
    if command == "undo":
        several = (
            ("--agent", options.agent),
            ("--draft", options.draft),
            ("--name", options.name),
            ("--run", options.run),
        )
        given += [(flag, value) for flag, values in several for value in values or ()]
        given.append(("--since", options.since and utc(options.since)))
    try:
        folder, words = str(Path.cwd()), [*program.absolute_command(), *filter(None, [command])]
    except FileNotFoundError:  # the folder has been removed
        folder, words = None, []
    return make_again(
        folder,
        words,
        loaded.settings,
        takes=lambda key: takes(command, key),
        options=[word for flag, value in given if value is not None for word in (flag, value)],
        pairs=None if pairs is None else str(pairs),
        file=None if loaded.file is None else str(loaded.file),
        inline=loaded.inline_pairs is not None and command == "",
    )


def read_pairs(loaded: Loaded, format_name: str | None, report: Any) -> PairList:
    """Read the list that the settings name. Raises ListMissing, ListMalformed.

    A log gets every bad row, a person on a terminal the first ones.
    """
    most = _BAD_ROWS_FOR_A_PERSON if style_of(loaded.settings.output.log_format) == "console" else None
    if loaded.inline_pairs is not None:
        name = loaded.file.name if loaded.file else "settings"
        return approved(read_inline(loaded.inline_pairs, name, report, most), loaded.settings.run.list_sha256)
    path = str(loaded.settings.pairs)
    try:
        return approved(read_list(path, format_name, report, most), loaded.settings.run.list_sha256)
    except ListMissing as error:
        if path.isalpha():  # more likely a command than a list
            raise ListMissing(f"{error}; the commands are {', '.join(filter(None, COMMANDS))}") from None
        raise


def approved(pairs: PairList, sha256: str | None) -> PairList:
    """The list, if it is the one with this hash. Raises ListMalformed."""
    if sha256 is not None and pairs.sha256 != sha256:
        raise ListMalformed(
            f"{pairs.name}: this is not the list that was approved: its SHA-256 is {pairs.sha256}, and run.list_sha256 "
            f"(--sha256) is {sha256}, so nothing was sent"
        )
    return pairs


def refuse_settings(error: Refused) -> int:
    """Report invalid settings, before there are any that say how to log."""
    screen = make_screen(error.log_format, "info", lambda text: text, quiet=False, run_id=uuid.uuid4().hex)
    for problem in error.problems:
        screen.log.error("settings.invalid", message=problem)
    screen.log.error(
        "run.finished",
        exit_code=int(error.code),
        meaning=error.code.meaning,
        counts={},
        stopped_by=None,
        reason=fitting(str(error), REASON_BYTES),
        next=fitting(f"correct this and run it again: {error}"),
    )
    return int(error.code)


def check_settings(command: str, loaded: Loaded) -> None:
    """Refuse settings that a command cannot run with. Raises UsageError, SettingsError."""
    settings = loaded.settings
    if command == "" and loaded.inline_pairs is None and settings.pairs is None:
        raise UsageError(f"there is no list: name one ({program.command()} drafts.csv), or set `pairs`")
    if command == "sweep":
        missing = [
            f"a sweep needs {key} ({flag}): {why}"
            for key, flag, given, why in (
                (
                    "find.older_than",
                    "--older-than",
                    settings.find.older_than,
                    "a rule without an age would match every draft",
                ),
                (
                    "api.organization",
                    "--organization",
                    settings.api.organization,
                    "a rule must not be applied to another organization; `find` prints the id",
                ),
            )
            if given is None
        ]
        if settings.run.list_sha256 is not None:
            missing.append("run.list_sha256 is for a list that was approved: a sweep makes a list of its own")
        if missing:
            raise SettingsError(*missing)


def _as_meant(command: str, loaded: Loaded, ledger: str | None) -> Loaded:
    """The settings adapted to the command: an unconfirmed sweep is a dry run, and `find` only reads.

    `ledger`: the one that an undo reads, and continues.
    """
    match command:
        case "sweep":
            return _dry_unless_confirmed(loaded)
        case "find":
            return _without_records(_only_reading(loaded))
        case "undo":
            return _for_undo(loaded, ledger)
        case _:
            return loaded


def _dry_unless_confirmed(loaded: Loaded) -> Loaded:
    """A sweep only reads if it is not confirmed and there is no terminal to ask on."""
    run = loaded.settings.run
    if run.yes or run.dry_run or sys.stderr.isatty():
        return loaded
    return replace(_only_reading(loaded), unconfirmed=True)


def _only_reading(loaded: Loaded) -> Loaded:
    """The same settings, as a dry run: no ledger, no leftover."""
    run = loaded.settings.run.model_copy(update={"dry_run": True})
    return replace(loaded, settings=loaded.settings.model_copy(update={"run": run}))


def _for_undo(loaded: Loaded, ledger: str | None) -> Loaded:
    """The settings of an undo: its ledger is the one it reads, and what is left is not a list of drafts to discard.

    It sends no heartbeat: a monitor that waits for the nightly run must not take an undo for it.
    """
    settings = loaded.settings
    output = settings.output.model_copy(
        update={"ledger": ledger, "leftover": None, "list": None, "heartbeat_url": None}
    )
    run = settings.run.model_copy(update={"resume": False})
    return replace(loaded, settings=settings.model_copy(update={"output": output, "run": run}))


def _without_records(loaded: Loaded) -> Loaded:
    """The settings without a ledger and other records, which are only for runs that discard."""
    settings = loaded.settings
    output = settings.output.model_copy(
        update=dict.fromkeys(("ledger", "leftover", "list", "metrics", "push_url", "page", "heartbeat_url"))
    )
    run = settings.run.model_copy(update={"resume": False})
    return replace(loaded, settings=settings.model_copy(update={"output": output, "run": run}))
