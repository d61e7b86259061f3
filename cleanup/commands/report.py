"""`job.py report`: one summary out of one or more ledgers."""

import argparse
import csv
import io
import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NoReturn

from cleanup.errors import JobError, SettingsError
from cleanup.exit_codes import ExitCode
from cleanup.lists.ids import is_agent
from cleanup.records.report import Report, read_report
from cleanup.settings.values import parse_duration
from cleanup.show.console import print_table, say
from cleanup.show.streams import make_lossless

MOST_WARNINGS: Final = 20
_COLUMNS: Final = ("listed", "discarded", "skipped", "failed", "not_attempted")


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(int(ExitCode.USAGE), f"job.py report: {message}\n")


def report(argv: Sequence[str]) -> int:
    """Read ledgers and print what they add up to. Returns the exit code."""
    options = _parse(argv)
    make_lossless()
    since = None if options.since is None else datetime.now(UTC) - timedelta(seconds=options.since)
    try:
        found = read_report(options.ledgers, since, options.agent)
        for sentence in found.warnings[:MOST_WARNINGS]:
            sys.stderr.write(f"job.py report: {sentence}\n")
        if len(found.warnings) > MOST_WARNINGS:
            sys.stderr.write(f"job.py report: … and {len(found.warnings) - MOST_WARNINGS} more such lines\n")
        _print(found, options.by, options.format)
    except JobError as error:
        sys.stderr.write(f"job.py report: {error}\n")
        return int(ExitCode.LIST_MISSING if isinstance(error, SettingsError) else error.code)
    return 0


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = _Parser(
        prog="python job.py report",
        description="One summary out of one or more ledgers. Of a pair, the latest outcome counts, "
        "but what was discarded once stays discarded.",
        allow_abbrev=False,
    )
    parser.add_argument("ledgers", nargs="+", metavar="LEDGER", help="a ledger (JSON Lines) as output.ledger writes it")
    parser.add_argument("--by", choices=("agent", "day", "user"), help="one row for each of these")
    parser.add_argument("--since", type=_duration, metavar="TIME", help="leave out what is longer ago, such as 180d")
    parser.add_argument(
        "--agent", type=_agent, action="append", default=[], metavar="AGENT", help="only this agent (again and again)"
    )
    parser.add_argument("--format", choices=("table", "json", "csv", "markdown"), default="table")
    return parser.parse_args(argv)


def _duration(text: str) -> float:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} {error}") from None


def _agent(text: str) -> str:
    if not is_agent(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a valid agent id (24 lower-case hex digits)")
    return text


def _print(found: Report, by: Any, format_name: str) -> None:
    summary = found.summary()
    if by is not None:
        groups = found.by(by)
        if format_name == "json":
            say(json.dumps(groups, ensure_ascii=False))
            return
        header = [by, *_COLUMNS]
        rows = [[name, *(str(counts[column]) for column in _COLUMNS)] for name, counts in groups.items()]
    elif format_name == "json":
        say(json.dumps(summary, ensure_ascii=False))
        return
    elif format_name == "table":
        print_table(lambda table, stream, colours: table.print_summary(summary, stream, colours=colours))
        return
    else:
        header = ["outcome", "reason", "drafts"]
        rows = [list(map(str, row)) for row in _reasons(summary)]
    match format_name:
        case "csv":
            text = io.StringIO(newline="")
            csv.writer(text, lineterminator="\n").writerows([header, *rows])
            say(text.getvalue().rstrip("\n"))
        case "markdown":
            lines = [header, ["---", *["---:"] * (len(header) - 1)], *rows]
            say("\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |" for cells in lines))
        case _:
            print_table(lambda table, stream, colours: table.print_rows(header, rows, stream, colours=colours))


def _reasons(summary: dict[str, Any]) -> list[tuple[str, str, int]]:
    rows = []
    for outcome in _COLUMNS[1:]:
        reasons = summary.get(outcome)
        if isinstance(reasons, dict) and reasons:
            rows += [(outcome, reason, count) for reason, count in reasons.items()]
        else:
            rows.append((outcome, "", summary["counts"][outcome]))
    return rows
