"""What `--help` shows: the flags that most runs need, by task, with examples; `--help all` shows every flag."""

import argparse
import textwrap
from collections.abc import Callable
from typing import Any, Final

from cleanup.cli import program
from cleanup.settings.table import all_settings

_SECTIONS: Final = {
    "api": "the API and its key",
    "limits": "limits",
    "retry": "retries",
    "guard": "what to leave alone, and what to back up",
    "find": "what find and sweep look for",
    "run": "this run",
    "output": "output",
}
"""The settings' sections, for `--help all`."""
_TASKS: Final[dict[str, tuple[str, ...]]] = {
    "whose drafts": ("api.key_file", "api.organization"),
    "which drafts": ("find.older_than", "find.unchanged", "guard.keep", "guard.min_idle", "limits.per_run"),
    "with care": ("run.dry_run", "run.yes", "guard.backup"),
    "how fast": ("limits.rate",),
    "on record": ("output.ledger", "run.resume", "output.leftover", "output.summary"),
}
_EXAMPLES: Final = {
    "": (
        ("find --older-than 30d -o stale.csv", "list stale drafts"),
        ("stale.csv --dry-run", "only read"),
        ("stale.csv --ledger ledger.jsonl", "discard them"),
    ),
    "check": (
        ("check drafts.csv", "a list"),
        ("check drafts.csv --resume --ledger ledger.jsonl", "the rest"),
        ("check --older-than 90d --organization ID", "a sweep"),
    ),
    "find": (
        ("find --older-than 30d -o stale.csv", "as a list"),
        ("find --older-than 30d --review page.html", "as a page, too"),
        ("find --unchanged --format json", "to be piped"),
    ),
    "sweep": (
        ("sweep --older-than 90d --organization ID --dry-run", "reads"),
        ("sweep --older-than 90d --organization ID", "asks"),
        ("sweep --older-than 90d --organization ID --yes", "cron"),
    ),
    "undo": (
        ("undo ledger.jsonl --dry-run", "only read"),
        ("undo ledger.jsonl --draft ID", "one draft"),
        ("undo ledger.jsonl --since 2d", "what went lately"),
    ),
}
_MORE: Final = {
    "undo": (
        "A draft cannot be brought back, only made anew: it gets a new id, the key's user as its creator, and no edit "
        "history; a workflow graph cannot be restored at all. This was built from the vendor's documents and never "
        "tried against the live service: try it with one draft first (--draft ID), and with --dry-run."
    ),
}
"""What one has to know of a command before anything else."""


def groups(*, full: bool) -> dict[str, tuple[str, ...]]:
    """The titles under which flags are shown, with the keys of their settings."""
    if not full:
        return _TASKS
    keys = [setting.key for setting in all_settings()]
    return {title: tuple(key for key in keys if key.startswith(f"{name}.")) for name, title in _SECTIONS.items()}


def description(command: str, commands: dict[str, str], *, full: bool) -> str:
    """What stands above the flags: what the command does, and examples or where settings come from."""
    lines = [commands[command].capitalize() + "."]
    if command in _MORE:
        lines += ["", *textwrap.wrap(_MORE[command], 76)]
    if not command:
        lines = ["Discard listed drafts of Atoms agents.", "", "commands:"]
        lines += [f"  {name or '[PAIRS]':<9} {text}" for name, text in commands.items()]
    lines += ["", *(_about_settings() if full else _examples(command))]
    return "\n".join(lines)


def _examples(command: str) -> list[str]:
    shown = [(f"{program.command()} {words}", why) for words, why in _EXAMPLES[command]]
    width = max(len(words) for words, _ in shown)
    return ["examples:", *(f"  {words:<{width}}  # {why}" for words, why in shown)]


def _about_settings() -> list[str]:
    secret = [setting.key for setting in all_settings() if setting.flag.name is None]
    text = (
        "Each flag is also a key of the settings file, in brackets below, and a variable: limits.rate is "
        f"CLEANUP_LIMITS__RATE. There is no flag for secrets: the key (SMALLEST_API_KEY), {', '.join(secret)}."
    )
    return textwrap.wrap(text, 76)


class Help(argparse.Action):
    """`--help`, or `--help all`. `full`: makes the text of the latter."""

    def __init__(self, option_strings: list[str], *, full: Callable[[], str], **more: Any) -> None:
        super().__init__(option_strings, nargs="?", metavar="all", **more)
        self._full = full

    def __call__(self, parser: argparse.ArgumentParser, _options: Any, value: Any, _flag: str | None = None) -> None:
        """Print the help, and end the process."""
        print(self._full() if value == "all" else parser.format_help(), end="")
        parser.exit()
