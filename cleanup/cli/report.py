"""`job.py report`: one summary of one or more ledgers."""

import argparse
import csv
import io
import json
import sys
from collections import Counter
from collections.abc import Sequence
from typing import Any, Final, NoReturn

from cleanup.cli import program
from cleanup.cli.arguments import agent_id, draft_id, since
from cleanup.cli.history import history_text
from cleanup.console.meter import Meter
from cleanup.console.printable import printable
from cleanup.console.screen import print_table, say, say_list
from cleanup.console.streams import make_lossless
from cleanup.errors import ExitCode, JobError, SameFile, SettingsError, UsageError
from cleanup.records.files import check_distinct, check_writable, whole_file
from cleanup.records.history import read_history
from cleanup.records.latest import End
from cleanup.records.lines import Damage
from cleanup.records.report import By, Report, read_report
from cleanup.records.totals import counts_of, reasons_of

MOST_WARNINGS: Final = 20


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(int(ExitCode.USAGE), f"{program.name()} report: {message}\n")


def report(argv: Sequence[str]) -> int:
    """Read ledgers and print their summary. Returns the exit code."""
    options = _parse(argv)
    make_lossless()
    meter = Meter(sys.stderr)
    try:
        try:
            damage = (_print_history if options.draft else _print_summary)(options, meter)
        finally:
            meter.clear()
    except JobError as error:
        sys.stderr.write(f"{program.name()} report: {error}\n")
        return int(ExitCode.LIST_MISSING if isinstance(error, SettingsError) else error.code)
    return int(ExitCode.LIST_MALFORMED if damage else ExitCode.OK)


def _print_summary(options: argparse.Namespace, meter: Meter) -> Damage:
    if options.output is not None:
        _check_target(options.output, options.ledgers)
    found = read_report(options.ledgers, options.since, options.agent, meter.show)
    _warn(found.warnings, meter)
    if options.format == "html":
        _print_page(found, options.output, meter)
    else:
        _print(found, options.by, options.format, meter)
    return found.damage


def _check_target(path: str, ledgers: Sequence[str]) -> None:
    """Refuse a file that cannot be written, or is one of the ledgers. Raises UsageError, OutputError."""
    try:
        check_distinct({f"the ledger {ledger}": ledger for ledger in ledgers}, {"the page (-o)": path})
    except SameFile as error:
        raise UsageError(str(error)) from None
    check_writable(path)


def _print_page(found: Report, path: str | None, meter: Meter) -> None:
    """Write the page to a file, or to standard output. Raises OutputError."""
    from cleanup.pages.of_ledgers import told_of_ledgers
    from cleanup.pages.report import report_page

    html = report_page(told_of_ledgers(found))
    meter.clear()
    if path is None:
        say_list(html)
        return
    with whole_file(path) as stream:
        stream.write(html)


def _print_history(options: argparse.Namespace, meter: Meter) -> Damage:
    found = read_history(options.ledgers, options.draft, options.since, options.agent, meter.show)
    _warn(found.damage.sentences, meter)
    if options.format == "json":
        say(json.dumps(found.events, ensure_ascii=False))
    else:
        say(history_text(options.draft, found.events))
    return found.damage


def _warn(sentences: Sequence[str], meter: Meter) -> None:
    meter.clear()
    for sentence in sentences[:MOST_WARNINGS]:
        sys.stderr.write(f"{program.name()} report: {printable(sentence)}\n")
    if len(sentences) > MOST_WARNINGS:
        sys.stderr.write(f"{program.name()} report: … and {len(sentences) - MOST_WARNINGS} more such lines\n")


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = _Parser(
        prog=f"{program.command()} report",
        description="One summary of one or more ledgers. The latest outcome of a pair counts, "
        "but a draft that was discarded stays discarded.",
        epilog="Exit code 65: some lines cannot be read; the report is printed nevertheless. An incomplete last line, "
        "as a killed run leaves it, is only a warning.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "ledgers", nargs="+", metavar="LEDGER", help="a ledger (JSON Lines) as output.ledger writes it, also .gz"
    )
    parser.add_argument("--by", choices=("agent", "day", "user", "organization"), help="one row for each of these")
    parser.add_argument(
        "--draft", type=draft_id, action="append", default=[], metavar="DRAFT",
        help="instead, the history of this draft (repeatable)",
    )  # fmt: skip
    parser.add_argument(
        "--since", type=since, metavar="TIME",
        help="leave out anything older: 180d, 2026-11-01 (midnight, UTC), or 2026-11-01T06:00:00Z",
    )  # fmt: skip
    parser.add_argument(
        "--agent", type=agent_id, action="append", default=[], metavar="AGENT", help="only this agent (repeatable)"
    )
    parser.add_argument("--format", choices=("table", "json", "csv", "markdown", "html"), default="table")
    parser.add_argument("-o", "--output", metavar="FILE", help="write the page (--format html) to this file")
    options = parser.parse_args(argv)
    if options.draft and (options.by or options.format in ("csv", "markdown", "html")):
        parser.error("--draft cannot be combined with --by, or with --format csv, markdown or html")
    if options.by and options.format == "html":
        parser.error("--format html cannot be combined with --by: the page has all of them")
    if options.output is not None and options.format != "html":
        parser.error("-o is for --format html")
    return options


def _print(found: Report, by: By | None, format_name: str, meter: Meter) -> None:
    several = found.organizations > 1
    if by is not None or format_name in ("csv", "markdown"):
        groups = found.by(by) if by else {}
        header, rows = _rows(by, groups) if by else _reasons(found, several=several)
        meter.clear()
        _print_rows(groups, header, rows, format_name)
        return
    summary = found.summary()
    meter.clear()
    if format_name == "json":
        say(json.dumps(summary, ensure_ascii=False))
        return
    print_table(lambda table, stream, colours: table.print_summary(summary, stream, colours=colours))
    if several:
        header, rows = _rows("organization", summary["organizations"])
        _print_rows({}, header, rows, "table")


def _print_rows(groups: dict[str, Any], header: list[str], rows: list[list[str]], format_name: str) -> None:
    rows = [[printable(cell) for cell in row] for row in rows]
    match format_name:
        case "json":
            say(json.dumps(groups, ensure_ascii=False))
        case "csv":
            text = io.StringIO(newline="")
            csv.writer(text, lineterminator="\n").writerows([header, *([_cell(cell) for cell in row] for row in rows)])
            say(text.getvalue().rstrip("\n"))
        case "markdown":
            names = header.index("drafts") if "drafts" in header else 1
            lines = [header, ["---"] * names + ["---:"] * (len(header) - names), *rows]
            say("\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |" for cells in lines))
        case _:
            print_table(lambda table, stream, colours: table.print_rows(header, rows, stream, colours=colours))


def _cell(text: str) -> str:
    """A name as a cell that a spreadsheet does not run as a formula."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


def _rows(by: str, groups: dict[str, dict[str, int]]) -> tuple[list[str], list[list[str]]]:
    """A row for each group, a column for each count."""
    columns = list(next(iter(groups.values()), counts_of(Counter(), restored=False)))
    return [by, *columns], [[name, *map(str, counts.values())] for name, counts in groups.items()]


def _reasons(found: Report, *, several: bool) -> tuple[list[str], list[list[str]]]:
    """A row for each reason, per organization if there are several."""
    header = ["outcome", "reason", "drafts"]
    groups = found.ends_by("organization")
    restored = any(end[0] == "restored" for ends in groups.values() for end in ends)
    rows = []
    for name, ends in (groups or {"": Counter[End]()}).items():
        counts = counts_of(ends, restored=restored)
        reasons = reasons_of(ends)
        for outcome, count in list(counts.items())[1:]:
            by_reason = reasons.get(outcome) or {"": count}
            rows += [[name, outcome, reason, str(number)] for reason, number in by_reason.items()]
    return (["organization", *header], rows) if several else (header, [row[1:] for row in rows])
