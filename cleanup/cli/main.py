"""argv → command → exit code."""

import os
import sys
from collections.abc import Sequence

from cleanup.cli import program
from cleanup.cli.options import command_of, parse


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

            return check(rest, dict(os.environ), program.home())
        case _:
            # Help and wrong usage end here, without loading the run, which would double the start-up time.
            options, given = parse(command, rest)
            from cleanup.cli.job import job

            return job(command, options, given, dict(os.environ), program.home())


def _simulate(argv: list[str]) -> int:
    try:
        from cleanup.simulator.command import main as simulate
    except ImportError as error:
        library = (error.name or "").partition(".")[0]
        missing = "cleanup.simulator" if library == "cleanup" else library
        sys.stderr.write(
            f"{program.name()}: the simulator needs {missing}, which is not installed (the container image leaves it "
            "out): use a clone of the project, and run `make demo` or `pip install '.[simulator]'` there\n"
        )
        return 2
    return simulate(argv, f"{program.command()} simulate")
