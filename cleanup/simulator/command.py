"""The command line of `simulate`."""

import argparse
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn, get_args

from cleanup.simulator.app import ENDPOINT_NAMES
from cleanup.simulator.faults import Faults, duration, parse
from cleanup.simulator.lifelike import furnish
from cleanup.simulator.limit import RateLimit, RetryAfterForm
from cleanup.simulator.scenery import Scenery, populate, write_list
from cleanup.simulator.server import Simulator
from cleanup.simulator.world import DEMO_KEY, Shapes

_USAGE = 2


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(_USAGE, f"{self.prog}: {message}\n")


def main(argv: list[str], prog: str = "simulate") -> int:
    """Serve the simulated API until SIGTERM or SIGINT. Returns 0; on bad options it ends the process with 2.

    `prog`: the words that start it, for its help text.
    """
    parser = _build_parser(prog)
    options = parser.parse_args(argv)
    try:
        simulator = _prepare(options)
        simulator.run(lambda: _announce(simulator, options))
    except OSError as problem:
        where = f"port {options.port}" if problem.filename is None else problem.filename
        parser.error(f"{where}: {problem.strerror}")
    except ValueError as problem:
        parser.error(str(problem))
    except KeyboardInterrupt:
        pass  # before it was listening
    return 0


def _prepare(options: argparse.Namespace) -> Simulator:
    scenery = populate(
        agents=options.agents,
        drafts=options.drafts,
        seed=options.seed,
        mode=options.model,
        key=options.key,
        foreign=options.foreign,
        gone=options.gone,
        failing=options.failing,
        age=options.age,
    )
    world = scenery.world
    if options.lifelike:
        furnish(world, scenery.listed, options.seed)
    world.removed, world.reads_removed, world.shapes = options.removed, options.reads_removed, options.shapes
    world.frozen, world.echo_key = options.frozen, options.echo_key
    if options.sunset is not None:
        world.headers = {"Deprecation": "true", "Sunset": options.sunset}
    limit = None
    if options.rate_limit is not None:
        limit = RateLimit(
            options.rate_limit, options.burst, retry_after=options.retry_after, form=options.retry_after_form
        )
    faults = _faults(options, scenery)
    if options.write_list is not None:
        write_list(options.write_list, scenery.listed, updated_at=options.updated_at)
    return Simulator(world, port=options.port, limit=limit, latency=options.latency, faults=faults, log=options.log)


def _faults(options: argparse.Namespace, scenery: Scenery) -> Faults:
    faults = Faults(options.seed)
    faults.by_share(options.faults, options.fault_kinds, attempts=options.fault_attempts)
    for draft in scenery.failing:
        faults.script(draft, "500*")
    if options.script is not None:
        _read_script(options.script, faults)
    return faults


def _read_script(path: Path, faults: Faults) -> None:
    """Read `{"ID": ["500", "ok"], "look:ID": "hang", "user:*": ["503*"]}`."""
    try:
        script = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as problem:
        raise ValueError(f"{path}: {problem}") from None
    if not isinstance(script, dict):
        raise ValueError(f"{path} is not a mapping of drafts to faults")
    for target, texts in script.items():
        endpoint, colon, subject = target.rpartition(":")
        if colon and endpoint not in ENDPOINT_NAMES:
            raise ValueError(f"{path}: {target!r}: the endpoints are {', '.join(ENDPOINT_NAMES)}")
        sequence = [texts] if isinstance(texts, str) else texts
        if not isinstance(sequence, list) or not all(isinstance(text, str) for text in sequence):
            raise ValueError(f"{path}: {target!r} needs a list of faults")
        faults.script(subject, sequence, on=endpoint or "discard")


def _announce(simulator: Simulator, options: argparse.Namespace) -> None:
    if options.ready_file is not None:
        temporary = options.ready_file.with_name(f".{options.ready_file.name}.{os.getpid()}")
        temporary.write_text(simulator.url + "\n", encoding="utf-8")
        temporary.replace(options.ready_file)
    print(f"Atoms API (simulated) at {simulator.url}, key {options.key}", flush=True)


def _build_parser(prog: str) -> argparse.ArgumentParser:
    parser = _Parser(prog=prog, description="The Atoms API on loopback, to try the job on.")
    add = parser.add_argument
    add("--port", type=_whole(0, 65535), default=0, help="0, the default, picks a free port and prints it")
    add("--key", default=DEMO_KEY, help="the API key that is accepted (%(default)s)")
    add("--model", choices=("drafts", "branches"), default="drafts", help="which model the workspace is on")
    add("--ready-file", type=Path, metavar="FILE", help="write the URL there once the API is listening")
    add("--log", action="store_true", help="log each request to standard error")

    there = parser.add_argument_group("the workspace").add_argument
    there("--agents", type=_whole(0), default=5, metavar="N", help="agents (%(default)s)")
    there("--drafts", type=_whole(0), default=40, metavar="N", help="open drafts, spread over the agents (%(default)s)")
    there("--foreign", type=_whole(0), default=0, metavar="N", help="so many of them other people's: 403 (%(default)s)")
    there("--gone", type=_whole(0), default=0, metavar="N", help="so many of them already gone: 404 (%(default)s)")
    there(
        "--failing", type=_whole(0), default=0, metavar="N", help="so many that cannot be discarded: 500 (%(default)s)"
    )
    there(
        "--age",
        type=_spread,
        default=(0.0, duration("90d")),
        metavar="0d-90d",
        help="time since the last edits, from the newest to the oldest (0d-90d)",
    )
    there("--seed", type=int, default=0, metavar="N", help="the same seed gives the same ids (%(default)s)")
    there(
        "--write-list",
        type=Path,
        metavar="FILE",
        help="write all drafts to a .csv, .tsv, .yaml or .json list",
    )
    there("--lifelike", action="store_true", help="long prompts, a third of the drafts unchanged, names, a publish")
    there("--updated-at", action="store_true", help="with the time of the last edit in that list")

    manner = parser.add_argument_group("answers").add_argument
    manner("--rate-limit", type=_positive, metavar="N", help="requests per second for the whole workspace")
    manner("--burst", type=_positive, metavar="N", help="size of a burst (default: one second of requests)")
    manner("--retry-after", type=_positive, default=1.0, metavar="SECONDS", help="the wait that a 429 asks for (1)")
    forms = get_args(RetryAfterForm)
    manner(
        "--retry-after-form",
        choices=forms,
        default="header",
        metavar="FORM",
        help=f"where it does: {', '.join(forms)} (header)",
    )
    manner("--latency", type=_spread, default=(0.0, 0.0), metavar="40ms-120ms", help="how long an answer takes (0ms)")
    manner("--removed", action="store_true", help="404 from the first model's list and writes, as after their removal")
    manner("--reads-removed", action="store_true", help="404 from its read of a single draft, too")
    manner(
        "--shapes",
        choices=get_args(Shapes),
        default="live",
        help="answers as recorded from the live API, or as documented (live)",
    )
    manner("--frozen", action="store_true", help="423 to writes on the branch model")
    manner("--sunset", metavar="DATE", help="send Deprecation and Sunset headers")
    manner("--echo-key", action="store_true", help="repeat the key in a 401, to find leaks")

    wrong = parser.add_argument_group(
        "faults", "The kinds of faults are listed at the top of cleanup/simulator/faults.py."
    ).add_argument
    wrong("--faults", type=_share, default=0.0, metavar="0.05", help="share of discards that fail (0)")
    wrong("--fault-kinds", type=_kinds, default=["500"], metavar="500,503,lost", help="how they fail (500)")
    wrong("--fault-attempts", choices=("first", "every"), default="first", help="which attempts fail (first)")
    wrong(
        "--script",
        type=Path,
        metavar="FILE",
        help='JSON: {"DRAFT": ["500", "ok"], "look:DRAFT": ["hang"]}, where look may be ' + ", ".join(ENDPOINT_NAMES),
    )
    return parser


def _whole(low: int, high: int | None = None) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not text.isascii() or not text.isdecimal() or int(text) < low or (high is not None and int(text) > high):
            raise argparse.ArgumentTypeError(
                f"{text!r} is not a whole number from {low}{f' to {high}' if high else ''}"
            )
        return int(text)

    return read


def _positive(text: str) -> float:
    number = _number(text)
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")
    return number


def _share(text: str) -> float:
    share = _number(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    if not 0 <= share <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a share from 0 to 1")
    return share


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number") from None


def _spread(text: str) -> tuple[float, float]:
    low, _, high = text.partition("-")
    try:
        spread = (duration(low), duration(high or low))
    except ValueError as problem:
        raise argparse.ArgumentTypeError(str(problem)) from None
    if spread[0] > spread[1]:
        raise argparse.ArgumentTypeError(f"{text!r}: the lower bound comes first")
    return spread


def _kinds(text: str) -> list[str]:
    kinds = [kind.strip() for kind in text.split(",")]
    try:
        for kind in kinds:
            parse(kind)
    except ValueError as problem:
        raise argparse.ArgumentTypeError(str(problem)) from None
    return kinds
