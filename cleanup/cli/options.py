"""The command line: argparse, with one flag for each setting that has one."""

import argparse
import difflib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NoReturn

from cleanup import __version__
from cleanup.cli import program
from cleanup.cli.arguments import agent_id, draft_id, since
from cleanup.cli.help import Help, description, groups
from cleanup.errors import ExitCode
from cleanup.settings.paths import resolved
from cleanup.settings.table import Setting, all_settings

COMMANDS: Final = {
    "": "discard every listed draft: the job",
    "check": "show what a run would do with the list; send nothing",
    "find": "print stale drafts as a list that the job reads",
    "sweep": "find and discard by rule in one run: the nightly schedule",
    "undo": "make discarded drafts anew from their copies",
    "report": "one summary of one or more ledgers",
    "simulate": "the Atoms API on loopback, to try the job on",
}
_NOT_FOR: Final[dict[str, tuple[str, ...]]] = {
    "": ("find.", "output.list"),
    "sweep": ("run.list_sha256",),
    "check": (),
    "find": (
        "guard.protect",
        "guard.min_idle",
        "guard.backup",
        "run.",
        "find.max_share",
        "limits.max_discards",
        "limits.per_run",
        "output.list",
        "output.ledger",
        "output.leftover",
        "output.metrics",
        "output.page",
    ),
    "undo": (
        *("find.", "guard.min_idle", "guard.keep", "guard.verify", "run.resume", "run.list_sha256"),
        *("output.list", "output.ledger", "output.leftover"),
    ),
}
"""Settings that do not apply to a command: keys, or prefixes of keys."""
_REPLACED: Final = {"undo": ("find.agents", "find.name")}
"""Settings whose flag means something else with a command."""
_WITH_PAIRS: Final = ("", "check")
_ARGUMENT: Final = {"": "[PAIRS] ", "check": "[PAIRS] ", "undo": "LEDGER "}


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        what, colon, words = message.partition("unrecognized arguments: ")
        flags = [_flag_alone(word) for word in words.split() if word.startswith("-")]
        if colon and flags:  # without their values: somebody may have tried to pass the key
            message = f"{what}{colon}{' '.join(flags)}{self._meant(flags)}"
        if valued := re.match(r"argument (\S+): ignored explicit argument ", message):
            message = f"{valued[1]} takes no value: write {valued[1]} alone, or leave it out"
        end = "" if message.endswith("?") else "."
        self.exit(int(ExitCode.USAGE), f"{program.name()}: {message}{end} See `{self.prog} --help`\n")

    def _meant(self, flags: Sequence[str]) -> str:
        """A hint at the flag that was probably meant, as the end of a sentence; empty if none is close."""
        known = {name for setting in all_settings() if (name := setting.flag.name)}
        known.update(re.findall(r"--[a-z][a-z-]*", self.format_help()))
        close = [name for flag in flags for name in _close_to(flag, sorted(known))]
        return f"; did you mean {close[0]}?" if close else ""


def _close_to(flag: str, known: Sequence[str]) -> list[str]:
    """Known flags that begin with this one, else those that look like it, the likeliest first."""
    return [name for name in known if name.startswith(f"{flag}-")] or difflib.get_close_matches(flag, known, n=1)


def _flag_alone(word: str) -> str:
    return word.partition("=")[0] if word.startswith("--") else word[:2]


def parse(command: str, argv: Sequence[str]) -> tuple[argparse.Namespace, dict[str, Any]]:
    """The options of a command, and the settings given as flags by key. Ends the process (2) on wrong usage."""
    parser = make_parser(command)
    if command == "" and argv and (meant := _command_meant(argv[0])):
        parser.error(f"there is no command or file `{argv[0]}`; did you mean `{meant}`?")
    options = parser.parse_args(_with_negative_values(argv))
    flags = {
        setting.key: getattr(options, setting.key)
        for setting in all_settings()
        if getattr(options, setting.key, None) is not None
    }
    for key in flags:
        if key.startswith(_NOT_FOR[command]):
            flag = next(setting.flag.name for setting in all_settings() if setting.key == key)
            parser.error(f"{flag} does not apply to {'`' + command + '`' if command else 'a run over a list'}")
    pairs = getattr(options, "pairs", None)
    if pairs is not None:
        flags["pairs"] = pairs
        if command == "" and pairs in COMMANDS:
            parser.error(f"the command comes first: {program.command()} {pairs} …")
    return options, flags


def _command_meant(word: str) -> str | None:
    """The command that was probably meant by a word; None if the word is a file or may be a list's name."""
    if not word.isalpha() or Path(word).exists():
        return None
    return next(iter(difflib.get_close_matches(word.lower(), filter(None, COMMANDS), n=1, cutoff=0.75)), None)


def _with_negative_values(argv: Sequence[str]) -> list[str]:
    """The words with `--deadline -5m` as `--deadline=-5m`: a bad value, which argparse would call a missing one."""
    flags = {setting.flag.name for setting in all_settings() if not setting.is_switch}
    words: list[str] = []
    for word in argv:
        if words and words[-1] in flags and re.match(r"-[\d.]", word):
            words[-1] += "=" + word
        else:
            words.append(word)
    return words


def make_parser(command: str, *, full: bool = False) -> argparse.ArgumentParser:
    """The parser of one command. Flags that do not apply to it are recognized, but left out of its help.

    `full`: its help has every flag that applies, and not only those that most runs need.
    """
    started = f"{program.command()} {command}".rstrip()
    parser = _Parser(
        prog=started,
        usage=f"%(prog)s {_ARGUMENT.get(command, '')}[flags]",
        description=description(command, COMMANDS, full=full),
        epilog=None if full else f"Every flag, and where settings come from: {started} --help all",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
        add_help=False,
    )
    general = parser.add_argument_group("general")
    if command in _WITH_PAIRS:
        general.add_argument(
            "pairs",
            nargs="?",
            metavar="PAIRS",
            help="the list: .csv .tsv .yaml .yml .json .jsonl, or - for standard input",
        )
        general.add_argument(
            "--format", choices=("csv", "tsv", "yaml", "json", "jsonl"), help="the list's format (default: detected)"
        )
    if command == "undo":
        _add_undo(general)
    if command == "find":
        general.add_argument(
            "--format",
            choices=("csv", "tsv", "yaml", "json", "jsonl"),
            default=None,
            help="format of the printed list (default: by FILE's extension, else csv)",
        )
        general.add_argument(
            "-o",
            "--output",
            metavar="FILE",
            type=_list_file,
            help="write the list to FILE instead of standard output",
        )
        general.add_argument(
            "--review",
            metavar="PAGE.html",
            type=_list_file,
            help="also write a page to look the drafts over in a browser, and to save the list from",
        )
    beside = "" if program.home() is None else ", else config.yaml beside job.py"
    general.add_argument("-c", "--config", metavar="FILE", help=f"settings file (default: $CLEANUP_CONFIG{beside})")
    general.add_argument(
        *("-h", "--help"),
        action=Help,
        full=lambda: make_parser(command, full=True).format_help(),
        help="show this help, with `all` every flag",
    )
    general.add_argument(
        "--version", action="version", version=f"atoms-draft-cleanup {__version__}", help="show the version"
    )
    _add_settings(parser, command, full=full)
    return parser


def _add_undo(general: Any) -> None:
    """What `undo` takes: the ledger, and which of its drafts to restore."""
    general.add_argument(
        "ledger", metavar="LEDGER", type=_list_file, help="the ledger of the runs that discarded the drafts"
    )
    general.add_argument(
        "--agent", metavar="AGENT", type=agent_id, action="append", help="only drafts of this agent (repeatable)"
    )
    general.add_argument(
        "--draft", metavar="DRAFT", type=draft_id, action="append", help="only this draft, by its old id (repeatable)"
    )
    general.add_argument(
        "--name", metavar="GLOB", action="append", help="only drafts whose name matches a glob (repeatable)"
    )
    general.add_argument(
        "--since",
        metavar="TIME",
        type=since,
        help="only what was discarded since then: 2d, 2026-11-01 (midnight, UTC), or 2026-11-01T06:00:00Z",
    )
    general.add_argument(
        "--run", metavar="RUN_ID", action="append", help="only what this run has discarded (repeatable)"
    )


def _add_settings(parser: argparse.ArgumentParser, command: str, *, full: bool) -> None:
    """Add the flags of all settings: first those that its help shows, then the others."""
    replaced = _REPLACED.get(command, ())
    left = {row.key: row for row in all_settings() if row.flag.name is not None and row.key not in replaced}
    for title, keys in groups(full=full).items():
        group = parser.add_argument_group(title)
        for key in keys:
            if key in left and takes(command, key):
                setting = left.pop(key)
                group.add_argument(
                    str(setting.flag.name), dest=key, help=_help_of(setting, full=full), **_takes(setting)
                )
    for key, setting in left.items():
        parser.add_argument(str(setting.flag.name), dest=key, help=argparse.SUPPRESS, **_takes(setting))


def _list_file(text: str) -> str:
    if text == "-":
        raise argparse.ArgumentTypeError("`-` is not a file: omit this flag for standard output")
    try:
        return resolved(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text} {error}") from None


def _takes(setting: Setting) -> dict[str, Any]:
    """The arguments for argparse that describe a setting's flag."""
    if setting.is_switch:
        return {"action": "store_const", "const": True}
    return {"action": "append" if setting.flag.several else "store", "metavar": setting.flag.metavar}


def _help_of(setting: Setting, *, full: bool) -> str:
    """A setting's help text, with its default, and, if it is `full`, with its key."""
    from cleanup.settings.reference import default_text

    default = default_text(setting)
    said = [setting.key] if full else []
    said += [] if default in ("off", "no", "none") else [default]
    return (f"{setting.help} [{': '.join(said)}]" if said else setting.help).replace("%", "%%")


def command_of(argv: Sequence[str]) -> tuple[str, list[str]]:
    """The command and its arguments; without one, the job."""
    if argv and argv[0] in COMMANDS:
        return argv[0], list(argv[1:])
    return "", list(argv)


def takes(command: str, key: str) -> bool:
    """Whether a setting applies to a command."""
    return not key.startswith(_NOT_FOR[command])
