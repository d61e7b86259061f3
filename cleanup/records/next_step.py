"""What to do after a run, in one sentence, with the command to run if there is one. Pure.

The command does the same wherever it is pasted. It is built from the settings and not from the command line, so that
it includes what came from the environment or a file.
"""

import json
import shlex
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from cleanup.console.printable import printable
from cleanup.errors import ExitCode, JobError, LedgerLocked
from cleanup.settings.definitions import Settings
from cleanup.settings.flag import Section
from cleanup.settings.table import all_settings
from cleanup.settings.values import duration_text, share_text

NEXT_BYTES: Final = 1150
REASON_BYTES: Final = 300
"""How long these parts of the last line may be as JSON: Kubernetes shows 2,000 bytes of that line."""


@dataclass(frozen=True, slots=True)
class Again:
    """How to start the same run again: the folder and the command. `needs`: what the command cannot contain."""

    folder: str | None
    words: tuple[str, ...]
    needs: tuple[str, ...] = ()

    def command(self, why: str, *more: str) -> str:
        """A sentence that ends with the command, or says why it cannot be shown."""
        line = f"cd {shlex.quote(self.folder or '')} && {shlex.join([*self.words, *more])}"
        needs = f"with {' and '.join(self.needs)}, " if self.needs else ""
        sentence = f"{why}, {needs}run: {line}"
        if self.folder is None:
            obstacle = "the folder where it was started is gone"
        elif printable(line) != line:
            obstacle = "it contains characters that cannot be shown"
        elif fitting(sentence) != sentence:
            obstacle = "it is too long to be shown"
        else:
            return sentence
        flags = "".join(f" with {flag}" for flag in more)
        return f"{why}, run the same command again{flags}, with the same settings ({obstacle})"


def make_again(
    folder: str | None,
    program: Iterable[str],
    settings: Settings,
    *,
    takes: Callable[[str], bool],
    options: Iterable[str] = (),
    pairs: str | None = None,
    file: str | None = None,
    inline: bool = False,
) -> Again:
    """How to start a run with these settings again.

    `program`: the words up to the command's name. `takes`: whether the command uses a key of the settings. `options`:
    its arguments that are not settings. `pairs`: the list's path. `file`: the settings file that was read. It is read
    again only if it contains the list (`inline`): its other settings are passed as flags.
    """
    words = [*program, *([] if pairs is None else [_as_pairs(pairs)]), *options]
    needs = [] if settings.api.key_file is not None else ["SMALLEST_API_KEY set"]
    needs += [f"{name} set" for name in _secrets(settings)]
    if pairs == "-":
        needs.append("the same list on standard input")
    if file is not None:
        words += ["--config", file if inline else "/dev/null"]
    if inline:
        needs.append(f"the same list in {file}")
    words += flags(settings, takes, given=inline)
    return Again(folder, tuple(words), tuple(needs))


def flags(settings: Settings, takes: Callable[[str], bool], *, given: bool = False) -> list[str]:
    """Every setting that differs from its default, as flags. `given`: also those that were set to their default.

    (Otherwise a settings file that is read again would override them.)
    """
    words: list[str] = []
    for setting in all_settings():
        section = getattr(settings, setting.section)
        value = getattr(section, setting.name)
        flag = setting.flag.name
        if flag is None or not takes(setting.key):
            continue
        if value == setting.default and not (given and setting.name in section.model_fields_set):
            continue
        if setting.is_switch:
            words += [flag] if value else []
        elif setting.flag.several:
            words += [word for item in value for word in _words(flag, str(item))]
        else:
            words += _words(flag, _text(value, section, setting.name))
    return words


def _secrets(settings: Settings) -> Iterator[str]:
    """The variables of the settings that have no flag because they are secret."""
    for setting in all_settings():
        if setting.flag.name is None and getattr(getattr(settings, setting.section), setting.name) != setting.default:
            yield setting.variable


def _words(flag: str, text: str) -> list[str]:
    """A flag with its value, which may look like a flag itself."""
    return [f"{flag}={text}"] if text.startswith("-") else [flag, text]


def _as_pairs(path: str) -> str:
    """A path, written so that it cannot be taken for a flag or a command."""
    return f"./{path}" if path != "-" and (path.startswith("-") or path.isalpha()) else path


def _text(value: Any, section: Section, name: str) -> str:
    """A value as a person would write it: the first notation that is parsed as exactly this value."""
    ways = list(_ways_of_writing(value))
    for text in ways:
        try:
            read = type(section).model_validate({name: text})
        except ValueError:
            continue
        if getattr(read, name) == value:
            return text
    return ways[-1]


def _ways_of_writing(value: Any) -> Iterator[str]:
    if isinstance(value, float):
        exact = f"{Decimal(repr(value)):f}"
        yield from (duration_text(value), share_text(value), f"{value:g}", f"{exact}s", exact)
    yield "off" if value is None else str(value)


@dataclass(frozen=True, slots=True)
class End:
    """How a run ended, as far as the next step depends on it.

    `stopped`: why it ended early. `to_mend`: what has to be mended first. `reads_only`: it discards nothing.
    `ledger`: whether it has one to resume from. `leftover`: the file with the remaining pairs.
    """

    code: ExitCode
    refusal: JobError | None = None
    stopped: str | None = None
    to_mend: str | None = None
    reads_only: bool = False
    ledger: bool = False
    leftover: str | None = None


def next_step(end: End, again: Again) -> str | None:
    """What to do next, None if there is nothing to do."""
    code, refusal = end.code, end.refusal
    if refusal is not None and not code.retry:
        return fitting(str(refusal))
    if code is ExitCode.SETTINGS:
        return None if end.stopped is None else fitting(end.stopped)
    if code is ExitCode.FAILED:
        where = "the failures above" if end.leftover is None else f"what is left in {end.leftover}"
        return fitting(f"the same run would fail again: check {where}, and what the API says about them")
    if not code.retry and code not in (ExitCode.DEADLINE, ExitCode.KEY):
        return None
    more = ["--resume"] if end.ledger and not end.reads_only and "--resume" not in again.words else []
    return again.command(_why(end), *more)


def _why(end: End) -> str:
    what = "to check again" if end.reads_only else "for what is left"
    if isinstance(end.refusal, LedgerLocked):
        return "wait until the run that is using the ledger has ended; then, for what it leaves"
    to_mend = end.to_mend or (end.stopped if end.code is ExitCode.KEY else None)
    return what if to_mend is None else f"fix this first: {fitting(to_mend, REASON_BYTES)}; then, {what}"


def fitting(text: str, size: int = NEXT_BYTES) -> str:
    """Shorten a text to fit into its part of the last line."""
    most = len(text)
    while len(json.dumps(text[:most])) > size:
        most -= 1 + most // 20
    return text if most == len(text) else text[:most] + "…"
