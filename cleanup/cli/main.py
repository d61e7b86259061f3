"""argv → command → exit code."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from cleanup.cli.options import command_of, parse

HOME = Path(__file__).parents[2]


def main(argv: Sequence[str]) -> int:
    """Run the command in `argv`. Returns the exit code; wrong usage ends the process with 2."""
    command, rest = command_of(argv)
    match command:
        case "simulate":
            return _simulate(rest)
        case "report":
            from cleanup.cli.report import report

            return report(rest)
        case "check":
            from cleanup.cli.check import check

            return check(rest, dict(os.environ), HOME)
        case _:
            # Help and wrong usage end here, without loading the run, which would double the start-up time.
            parse(command, rest)
            from cleanup.cli.job import job

            return job(command, rest, dict(os.environ), HOME)


def _simulate(argv: list[str]) -> int:
    try:
        from cleanup.simulator.command import main as simulate
    except ImportError as error:
        library = (error.name or "").partition(".")[0]
        missing = "cleanup.simulator" if library == "cleanup" else library
        sys.stderr.write(
            f"job.py: the simulator needs {missing}, which is not installed (the container image leaves it out): "
            "use a clone of the project, and run `make demo` or `pip install '.[simulator]'` there\n"
        )
        return 2
    return simulate(argv)
