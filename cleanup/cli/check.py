"""`job.py check`: what a run would do and how long it would take, without a single request."""

import sys
from pathlib import Path
from typing import Any, Final

from cleanup.api.key import VARIABLE, Key
from cleanup.cli.job import WAITING, check_settings, read_pairs, refuse_settings, waits_for_typing
from cleanup.cli.options import parse
from cleanup.console.meter import Meter
from cleanup.console.screen import Screen, make_screen, say, say_json
from cleanup.discard.guards import Guards
from cleanup.errors import ExitCode, JobError, meaning
from cleanup.plan import SKIPPED, Decision
from cleanup.preflight import (
    check_cap,
    check_files,
    check_past,
    check_resume,
    outputs_of,
    past_of,
    plan_of,
    warning_of,
    written_whole,
)
from cleanup.records.backup import Backup
from cleanup.records.files import check_writable
from cleanup.records.ledger import Ledger
from cleanup.settings.sources import Loaded, Refused, load
from cleanup.settings.values import share_text

RATES: Final = (5, 10, 100)


def check(argv: list[str], environ: dict[str, str], home: Path | None) -> int:
    """Read settings and list, and print what a run would do. Returns the exit code."""
    options, flags = parse("check", argv)
    try:
        loaded = load(flags, environ, options.config, home)
    except Refused as error:
        return refuse_settings(error)
    output = loaded.settings.output
    screen = make_screen(output.log_format, output.log_level, lambda text: text, quiet=False, run_id="check")
    try:
        if (
            loaded.inline_pairs is None
            and loaded.settings.pairs is None
            and loaded.settings.find.older_than is not None
        ):
            check_settings("sweep", loaded)
            _check_places(loaded, finds=True)
            found = _sweep_in_words(loaded)
        else:
            check_settings("", loaded)
            check_resume(loaded.settings)
            _check_places(loaded, finds=False)
            found = _list_in_numbers(loaded, options.format, screen)
        if screen.style == "json":
            say_json({"mode": "check", **found})
        else:
            say("\n".join(_sentences(found)))
        _check_key(loaded, environ, screen)
        check_cap(found.get("to_send", 0), loaded.settings)
    except JobError as error:
        code, said = int(error.code), meaning(error.code, "check")
        screen.log.error("check.refused", message=str(error), exit_code=code, meaning=said)
        return int(error.code)
    return int(ExitCode.OK)


def _check_places(loaded: Loaded, *, finds: bool) -> None:
    """Refuse files and folders that a run could not use, as far as that can be determined without writing anything."""
    settings = loaded.settings
    outputs = outputs_of(settings, finds=finds)
    check_files(loaded, None if finds or loaded.inline_pairs is not None else settings.pairs, outputs)
    if settings.output.ledger is not None and not settings.run.dry_run:
        Ledger.check(settings.output.ledger)
    if settings.guard.backup is not None and not settings.run.dry_run:
        Backup.check(settings.guard.backup)
    for path in written_whole(settings, outputs):
        check_writable(path, trying=False)


def _list_in_numbers(loaded: Loaded, format_name: str | None, screen: Screen) -> dict[str, Any]:
    settings = loaded.settings

    def bad_row(source: str, reason: str) -> None:
        screen.log.error("list.invalid", source=source, reason=reason)

    if waits_for_typing(loaded):
        screen.log.info("run.info", message=WAITING)
    pairs = read_pairs(loaded, format_name, bad_row)
    warning = warning_of(pairs)
    if warning is not None:
        screen.log.warning("run.warning", message=warning[0])
    past = past_of(settings, pairs, Meter(sys.stderr))
    if past is not None:
        check_past(past, settings)
    plan = plan_of(settings, pairs, past)
    # On the branch model, or if a guard needs it, each discard takes a check as well. A backup is one more request.
    needed = Guards(settings.guard).need_check(dated=pairs.columns.updated_at is not None)
    checks = needed or settings.api.model == "branches"
    each = 1 + checks + (settings.guard.backup is not None)
    requests = plan.to_send * each
    return {
        "list": pairs.name,
        "list_sha256": pairs.sha256,
        "base_url": settings.api.base_url,
        "dry_run": settings.run.dry_run,
        "listed": plan.listed,
        "to_send": plan.to_send,
        "agents": plan.agents(),
        "skipped": {decision.name.lower(): plan.count(decision) for decision in SKIPPED if plan.count(decision)},
        "left_for_limit": plan.count(Decision.LIMIT),
        "requests": requests,
        "seconds_at": {str(rate): round(requests / rate, 1) for rate in RATES},
    }


def _sweep_in_words(loaded: Loaded) -> dict[str, Any]:
    from datetime import UTC, datetime

    from cleanup.find.rule import Rule

    settings = loaded.settings
    share = settings.find.max_share
    return {
        "sweep": Rule(settings.find, datetime.now(UTC), settings.guard.keep).in_words(),
        "base_url": settings.api.base_url,
        "organization": settings.api.organization,
        "dry_run": settings.run.dry_run or not settings.run.yes,
        "most": settings.limits.max_discards,
        "most_share": None if share is None else share_text(share),
        "per_run": settings.limits.per_run,
    }


def _sentences(found: dict[str, Any]) -> list[str]:
    if "sweep" in found:
        lines = [
            f"A sweep discards {found['sweep']},",
            f"in organization {found['organization']} at {found['base_url']}.",
        ]
        share = "" if found["most_share"] is None else f", or more than {found['most_share']} of the drafts it sees"
        lines.append(f"It discards nothing if that is more than {found['most']} drafts{share}.")
        if found["per_run"] is not None:
            lines.append(f"Each run takes the {found['per_run']} oldest.")
        if found["dry_run"]:
            lines.append("With these settings it only reads; run.yes (--yes) makes it discard.")
        return lines
    verb = "check" if found["dry_run"] else "discard"
    what = f"{_many(found['to_send'], 'draft')} of {_many(found['agents'], 'agent')}"
    lines = [
        f"A run would {verb} {what} at {found['base_url']}.",
        f"Listed: {found['listed']} in {found['list']}.",
    ]
    lines += [f"Skipped: {count} {reason}." for reason, count in found["skipped"].items()]
    if found["left_for_limit"]:
        lines.append(f"Left for a later run: {found['left_for_limit']}.")
    times = ", ".join(f"{_clock(seconds)} at {rate}" for rate, seconds in found["seconds_at"].items())
    lines.append(f"Time at least, without retries and reading back, by requests per second: {times}.")
    return lines


def _many(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02} min"
    return f"{minutes} min {rest:02} s" if minutes else f"{seconds:g} s"


def _check_key(loaded: Loaded, environ: dict[str, str], screen: Screen) -> None:
    file, variable = loaded.settings.api.key_file, environ.get(VARIABLE)
    if not file and not variable:
        screen.log.warning(
            "run.warning", message=f"there is no API key yet: set {VARIABLE}, or api.key_file to a file with the key"
        )
        return
    Key(file, variable)
