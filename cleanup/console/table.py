"""The summary as a table for people."""

from typing import Any, TextIO

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cleanup.console.printable import printable

_STYLES = {
    "discarded": "green",
    "restored": "green",
    "would_discard": "cyan",
    "would_restore": "cyan",
    "skipped": "yellow",
    "failed": "red",
    "not_attempted": "magenta",
}


def print_summary(summary: dict[str, Any], stream: TextIO, *, colours: bool) -> None:
    """Print a summary, 80 columns wide unless the terminal is wider."""
    console = make_console(stream, colours=colours)
    if summary["status"] != "refused" or summary["counts"]["listed"]:
        console.print(_outcomes(summary))
    for failure in summary["failures"][:10]:
        status, message = failure["status"] or "no answer", failure["message"] or ""
        line = f"failed  {failure['source']}  {failure['draft']}: {failure['reason']} ({status}) {message}"
        console.print(Text(printable(line.rstrip()), "red"))
    if len(summary["failures"]) > 10:
        console.print(Text(f"… and {summary['counts']['failed'] - 10} more failures", "red"))
    for warning in summary["warnings"]:
        console.print(Text(printable(f"warning: {warning}"), "yellow"))
    if summary["mode"] == "report":  # of several runs, each with an exit code of its own
        console.print(Text(f"overall: {summary['meaning']} ({summary['exit_code']})", "bold"))
    else:
        _print_end(summary, console)


def _outcomes(summary: dict[str, Any]) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
    table.add_column("outcome")
    table.add_column("reason")
    table.add_column("drafts", justify="right")
    for outcome, count in summary["counts"].items():
        if outcome == "listed":
            continue
        style = _STYLES[outcome] if count else "dim"
        table.add_row(Text(outcome.replace("_", " "), style), "", Text(str(count), style))
        for reason, number in summary.get(outcome, {}).items() if isinstance(summary.get(outcome), dict) else ():
            table.add_row("", Text(printable(reason.replace("_", " "))), str(number))
    table.add_section()
    table.add_row(Text("listed", "bold"), "", Text(str(summary["counts"]["listed"]), "bold"))
    return table


def _print_end(summary: dict[str, Any], console: Console) -> None:
    """How a run ended, and what to do next."""
    requests = summary["requests"]
    if requests["total"]:
        many = f"{requests['total']} request{'' if requests['total'] == 1 else 's'}"
        console.print(Text(f"{many} ({requests['retries']} retries) in {summary['seconds']:.1f} s", "dim"))
    verified = summary.get("verified") or {}
    if verified.get("checked"):
        found = ", ".join(
            f"{verified[key]} {key.replace('_', ' ')}" for key in ("gone", "not_gone", "unknown") if verified[key]
        )
        console.print(Text(f"read back after the discard: {found}", "red" if verified["not_gone"] else "dim"))
    why = f" ({summary['stopped_by'].replace('_', ' ')})" if summary["stopped_by"] else ""
    console.print(Text(f"exit {summary['exit_code']}{why}: {summary['meaning']}", "bold"))
    if summary.get("next"):
        console.print(
            Text(printable(summary["next"])), soft_wrap=True
        )  # a command with a line break in it would run in two halves


def print_rows(header: list[str], rows: list[list[str]], stream: TextIO, *, colours: bool) -> None:
    """Print rows whose first cell is a name and whose others are numbers."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for place, name in enumerate(header):
        table.add_column(Text(name.replace("_", " ")), justify="right" if place else "left")
    for row in rows:
        table.add_row(*map(Text, row))
    make_console(stream, colours=colours).print(table)


def make_console(stream: TextIO, *, colours: bool, live: bool = False) -> Console:
    """A console on a stream, as wide as the terminal, or 80 columns. `live`: its output is redrawn."""
    return Console(
        file=stream,
        force_terminal=colours or live,
        color_system="auto" if colours else None,
        width=None if stream.isatty() else 80,
        highlight=False,
        soft_wrap=False,
    )
