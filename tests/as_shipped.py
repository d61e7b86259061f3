"""What is shipped in `cron/`, as cron and the program read it: for the tests that look at it and those that run it."""

import re
from pathlib import Path
from typing import Final, NamedTuple

from cleanup.cli.options import command_of, parse
from cleanup.errors import ExitCode
from cleanup.settings.definitions import Settings
from cleanup.settings.sources import Loaded, load

ROOT: Final = Path(__file__).parents[1]
CRON: Final = ROOT / "cron"
FOR_GOOD: Final = {int(code) for code in ExitCode if code is not ExitCode.OK and not code.retry}
"""The exit codes after which another attempt is of no use."""


class Line(NamedTuple):
    """A line of work in the crontab."""

    schedule: str
    user: str
    command: str


def crontab() -> tuple[dict[str, str], list[Line]]:
    """The variables of the crontab, and its lines: of the list, of the sweep."""
    variables: dict[str, str] = {}
    lines = []
    for line in (CRON / "crontab").read_text().splitlines():
        if line and not line.startswith("#"):
            name = re.match(r"([A-Z_]+)=(.*)", line)
            if name:
                variables[name[1]] = name[2]
            else:
                *schedule, user, command = line.split(maxsplit=6)
                lines.append(Line(" ".join(schedule), user, command))
    return variables, lines


def minute_of_day(schedule: str) -> int:
    """When a daily schedule begins."""
    minute, hour, *rest = schedule.split()
    assert rest == ["*", "*", "*"], "once a day, every day"
    assert int(minute) < 60
    assert int(hour) < 24
    return int(hour) * 60 + int(minute)


def loaded_from(argv: list[str], environ: dict[str, str], home: Path) -> Loaded:
    """What the program itself makes of arguments and environment; wrong ones end the test."""
    command, rest = command_of(argv)
    _, flags = parse(command, rest)
    return load(flags, environ, None, home)


def files_of(settings: Settings) -> list[str]:
    """Every place that a run writes to."""
    output = settings.output
    places = (output.ledger, output.leftover, output.summary, output.list, output.metrics, settings.guard.backup)
    return [place for place in places if place is not None]
